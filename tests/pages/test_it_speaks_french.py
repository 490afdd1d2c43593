"""The pages speak French as well as English: no text is left out, and none is put together wrongly."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation.template import templatize

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


def of_python(source: str) -> Iterator[str]:
    """Yield what the calls of gettext in Python source hold, as the catalogue's keys."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        found = re.fullmatch(r"_|(n?)(p?)gettext(?:_lazy|_noop)?", name)
        texts = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if found and texts:
            yield "\x04".join(texts[:2]) if found[2] else texts[0]


def of_template(source: str) -> Iterator[str]:
    """Yield what the tags of a template translate, as the catalogue's keys; Django writes them as calls of Python."""
    calls = r"""\b(?:n?p?gettext|_)\((?:[^()'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")*\)"""
    for call in re.findall(calls, templatize(source)):
        yield from of_python(call)


def texts_of_the_portal() -> Iterator[tuple[str, str]]:
    """Yield (path, key) for every text that is shown."""
    for path in sorted((CLONE / "templates").rglob("*.html")):
        yield from ((str(path.relative_to(CLONE)), text) for text in of_template(path.read_text()))
    for path in sorted((CLONE / "apps").rglob("*.py")):
        yield from ((str(path.relative_to(CLONE)), text) for text in of_python(path.read_text()))


def test_every_text_is_translated(french: dict[object, str]) -> None:
    texts = list(texts_of_the_portal())
    assert len({text for _path, text in texts}) > 1500, "the search for texts finds them no more"
    assert [(path, text) for path, text in texts if text not in french and (text, 0) not in french] == []


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


def test_no_line_begins_with_the_punctuation_of_the_one_before(french: dict[object, str]) -> None:
    assert [text for text in french.values() if re.search(r" [;:?!»]|« ", text)] == []


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
