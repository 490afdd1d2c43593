"""The pages speak French as well as English: no text is left out, and none is put together wrongly."""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from apps.tenancy.templatetags.ui import STATES
from tests.e2e.scene import Scene
from tests.pages.conftest import every_path

CLONE = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"%\(\w+\)0?\d*[sd]|\{\w+\}|</?b>")


@pytest.fixture(scope="module")
def french() -> dict[object, str]:
    """The compiled catalogue: text (or (text, plural index)) to text."""
    with (CLONE / "locale/fr/LC_MESSAGES/django.mo").open("rb") as file:
        catalogue: dict[object, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return catalogue


def test_every_text_of_the_templates_is_translated(french: dict[object, str]) -> None:
    missing = []
    for template in (CLONE / "templates").rglob("*.html"):
        for _quote, text in re.findall(r"""{% translate (["'])(.*?)\1""", template.read_text()):
            if text not in french:
                missing.append((template.name, text))
    assert missing == []


def test_every_state_is_translated(french: dict[object, str]) -> None:
    with translation.override("en"):
        for kind, states in STATES.items():
            for _tone, _icon, label in states.values():
                assert f"{kind}\x04{label}" in french, (kind, str(label))


def test_translations_keep_the_placeholders(french: dict[object, str]) -> None:
    for source, text in french.items():
        original = source[0] if isinstance(source, tuple) else str(source)
        original = original.partition("\x04")[2] or original
        assert sorted(PLACEHOLDER.findall(original)) == sorted(PLACEHOLDER.findall(text)) or source == "", source


def test_every_page_can_be_had_in_french(scene: Scene, as_: Callable[[str], Client]) -> None:
    alice = as_("alice")
    for path in every_path(scene):
        response = alice.get(path, headers={"Accept-Language": "fr"})
        assert response.status_code == 200, path
    html = alice.get("/", headers={"Accept-Language": "fr"}).content.decode()
    assert '<html lang="fr"' in html
    assert "Aperçu" in html
    assert "Dernières opérations" in html


def test_the_language_is_chosen_in_the_profile(scene: Scene, as_: Callable[[str], Client]) -> None:
    bob = as_("bob")
    bob.post("/language/", {"language": "fr", "next": "/settings/profile/"})
    assert "Thème et langue" in bob.get("/settings/profile/").content.decode()
