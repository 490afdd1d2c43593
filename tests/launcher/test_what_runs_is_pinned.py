"""`make run` installs requirements.txt alone; development installs more, which could hide that something is missing."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]

# Everything that the running processes import, the parts that are only found at run time among it.
CODE = """
import os, sys
allowed_not = set(sys.argv[1].split(","))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in allowed_not:
            raise ModuleNotFoundError(f"No module named {name!r} (it is not in requirements.txt)", name=name)

sys.meta_path.insert(0, Refuse())
from launcher.environment import placeholders
os.environ.update(placeholders(), DJANGO_SETTINGS_MODULE="portal.settings")
import portal.asgi
import kombu.transport.redis, celery.bin.celery, celery.apps.worker, celery.beat, celery.concurrency.prefork
import uvicorn.loops.auto, uvicorn.protocols.http.auto, uvicorn.protocols.websockets.auto
import django.core.cache.backends.redis, django.core.management.commands.migrate
import psycopg_pool, psycopg
from django.urls import get_resolver
get_resolver().url_patterns
import apps.operations.management.commands.relay, portal.management.commands.bootstrap
import apps.operations.tasks, apps.clouds.tasks, portal.tasks
from connectors.registry import kinds
import connectors.vsphere, connectors.fake
import cli.app
import launcher.serving, launcher.commands
print("all of it")
"""


def pinned(name: str) -> set[str]:
    return {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in (CLONE / name).read_text().splitlines()
        if "==" in line and line[:1].isalnum()
    }


def test_everything_that_runs_needs_only_what_requirements_txt_pins():
    extra = pinned("requirements-dev.txt") - pinned("requirements.txt")
    assert "pytest" in extra
    modules = {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if all(re.sub(r"[-_.]+", "-", name).lower() in extra for name in distributions)
    }
    assert "pytest" in modules
    done = subprocess.run(
        [sys.executable, "-c", CODE, ",".join(sorted(modules))], cwd=CLONE, capture_output=True, text=True, check=False
    )
    assert done.stdout == "all of it\n", done.stderr
