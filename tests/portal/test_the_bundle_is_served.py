"""The designer's files keep the names that Vite gave them, and browsers keep them, collected or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from launcher.environment import placeholders
from launcher.frontend import BUNDLE, compare_folders
from launcher.places import CLONE

FOREVER = "max-age=315360000, public, immutable"
ASK = """
import json, sys
from django.conf import settings
settings.MIDDLEWARE = ["portal.security.ContentSecurityPolicy", "whitenoise.middleware.WhiteNoiseMiddleware"]
import django
django.setup()
from django.template import Template, Context
from django.test import Client
from django.templatetags.static import static
entry = Template('{% load django_vite %}{% vite_asset_url "src/main.tsx" %}').render(Context())
client = Client(SERVER_NAME="127.0.0.1")
said = {}
for path in (entry, static("css/canvas.css"), "/static/designer/manifest.json"):
    answer = client.get(path)
    said[path] = [answer.status_code, answer.headers.get("Cache-Control"), answer.headers.get("Content-Type")]
print(json.dumps([entry, said]))
"""


def serve(**more: str) -> tuple[str, dict[str, list[Any]]]:
    environ = {**os.environ, **placeholders(), "DJANGO_SETTINGS_MODULE": "portal.settings", **more}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=CLONE, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    entry, said = json.loads(done.stdout.splitlines()[-1])
    return entry, said


def test_the_sources_are_served_as_they_are() -> None:
    entry, said = serve(STATIC_ROOT="")
    assert entry.startswith("/static/designer/assets/designer-")
    assert said[entry] == [200, FOREVER, 'text/javascript; charset="utf-8"']
    assert said["/static/css/canvas.css"] == [200, "max-age=60, public", 'text/css; charset="utf-8"']
    assert said["/static/designer/manifest.json"][1] == "max-age=60, public"


@pytest.mark.slow
def test_collecting_gives_the_bundle_no_second_name(tmp_path: Path) -> None:
    environ = {**os.environ, **placeholders(), "STATIC_ROOT": str(tmp_path)}
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"]
    subprocess.run(command, cwd=CLONE, env=environ, check=True, capture_output=True)
    collected = tmp_path / "designer"
    # What the bundle holds is there byte for byte under its own names; what Django adds are copies.
    assert [line for line in compare_folders(collected, BUNDLE) if "not built any more" not in line] == []
    entry, said = serve(STATIC_ROOT=str(tmp_path))
    assert (collected / Path(entry).relative_to("/static/designer")).read_bytes() == (
        BUNDLE / Path(entry).relative_to("/static/designer")
    ).read_bytes()
    assert said[entry][:2] == [200, FOREVER]
    styles = next(path for path in said if path.startswith("/static/css/canvas."))
    assert styles != "/static/css/canvas.css"
    assert said[styles][:2] == [200, FOREVER]
