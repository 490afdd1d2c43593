"""The designer in its main states, wide and on a phone, light and dark, is accessible and speaks both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PHONE, WIDE, Visitor
from tests.e2e.designer import Drawing, at_designer, seen_the_tour
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(180)]

WORDS = Path(__file__).resolve().parents[2] / "frontend" / "src" / "i18n"
LINE = re.compile(r'^\s*"([^"]+)":\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
PANELS = ("inspector", "problems", "plan", "live", "versions", "comments")


@pytest.fixture(scope="module")
def session(site: Site, browser: Browser) -> Any:
    """Bob's session, with the shop's project chosen."""
    visitor = at_designer(browser, site, "bob")
    visitor.go("/deployments/{deployments.shop}/")
    state = visitor.context.storage_state()
    visitor.context.close()
    return state


@pytest.fixture
def person(site: Site, browser: Browser, session: Any, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Bob with a screen and a language of his own."""
    context = browser.new_context(storage_state=session, reduced_motion="reduce", **request.param)
    seen_the_tour(context)
    visitor = Visitor(context, site)
    yield visitor
    context.close()


DESK: dict[str, Any] = {"viewport": WIDE, "locale": "en-GB", "color_scheme": "light"}
DARK: dict[str, Any] = {**DESK, "color_scheme": "dark"}
SMALL: dict[str, Any] = {**DESK, "viewport": PHONE, "is_mobile": True, "has_touch": True}
FRENCH: dict[str, Any] = {**DESK, "locale": "fr-FR"}


@pytest.mark.parametrize("person", [DESK, DARK], ids=["light", "dark"], indirect=True)
def test_every_panel_and_dialog_is_accessible(person: Visitor, request: pytest.FixtureRequest) -> None:
    look = request.node.callspec.id
    page = person.page
    person.go("/designs/canvas/new/")
    drawing = Drawing(page).wait()
    found = {"empty": drawing.violations()}
    person.go("/designs/{designs.shop}/canvas/")
    drawing.wait()
    expect(drawing.card("web")).to_be_visible()
    found["drawn"] = drawing.violations()
    drawing.look(f"everybody-drawn-{look}")
    drawing.open_card("api")
    found["inspector"] = drawing.violations()
    for panel in PANELS[1:]:
        page.locator(f"#d-tab-{panel}").click()
        expect(page.locator(".d-panel-body .skeleton:visible")).to_have_count(0)
        found[panel] = drawing.violations()
        drawing.look(f"everybody-{panel}-{look}")
    page.get_by_role("button", name="Outline", exact=True).click()
    expect(page.get_by_role("tree")).to_be_visible()
    found["outline"] = drawing.violations()
    for name, keys in (("commands", "Control+k"), ("save", "Control+s"), ("connect", "c"), ("shortcuts", "?")):
        if len(keys) == 1:
            drawing.canvas.locator(".react-flow__pane").click(position={"x": 12, "y": 12})
        page.keyboard.press(keys)
        expect(drawing.dialog).to_be_visible()
        found[f"dialog {name}"] = drawing.violations()
        drawing.look(f"everybody-{name}-{look}")
        page.keyboard.press("Escape")
        expect(drawing.dialog).to_have_count(0)
    for item in ("Import…", "Export…", "Templates…", "Share…", "Tour"):
        drawing.more(item)
        expect(drawing.dialog).to_be_visible()
        expect(drawing.dialog.locator(".skeleton")).to_have_count(0)
        found[item] = drawing.violations()
        drawing.look(f"everybody-{item.strip('…').lower()}-{look}")
        page.keyboard.press("Escape")
        expect(drawing.dialog).to_have_count(0)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
    assert drawing.unspoken() == []
    assert person.complaints == []


@pytest.mark.parametrize("person", [SMALL, {**SMALL, "color_scheme": "dark"}], ids=["light", "dark"], indirect=True)
def test_a_phone_shows_one_part_after_the_other(person: Visitor, request: pytest.FixtureRequest) -> None:
    look = request.node.callspec.id
    page = person.page
    person.go("/designs/{designs.shop}/canvas/")
    drawing = Drawing(page).wait()
    found: dict[str, Any] = {}
    tabs = page.get_by_role("navigation", name="Designer")
    for part in ("Canvas", "Outline", "Details", "YAML"):
        tabs.get_by_role("button", name=part).tap()
        expect(page.locator("main .skeleton:visible")).to_have_count(0)
        found[part] = drawing.violations()
        drawing.look(f"phone-{part.lower()}-{look}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            found[f"{part} too wide"] = [wide]
        if small := small_targets(page):
            found[f"{part} small"] = small
    assert {part: wrong for part, wrong in found.items() if wrong} == {}
    assert person.complaints == []


def small_targets(page: Page) -> list[str]:
    """Return what a thumb would miss, by the measure of WCAG 2.2: less than 24 pixels."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main button, main select, main input, main summary")]
            .filter((e) => e.checkVisibility() && e.offsetHeight > 0 && !e.closest(".visually-hidden"))
            .filter((e) => !["radio", "checkbox"].includes(e.type) && Math.min(e.offsetHeight, e.offsetWidth) < 24)
            .map((e) => `${e.tagName} ${e.className} ${e.getAttribute("aria-label") ?? e.textContent.slice(0, 30)}`)"""
    )
    return found


def catalogue(language: str) -> dict[str, str]:
    texts = [path.read_text() for path in sorted((WORDS / language).glob("*.ts"))]
    return {key: text for source in texts for key, text in LINE.findall(source)}


@pytest.mark.parametrize("person", [FRENCH], ids=["french"], indirect=True)
def test_in_french_nothing_is_english(person: Visitor) -> None:
    english, french = catalogue("en"), catalogue("fr")
    assert len(english) > 600
    # Words that both languages have are no English.
    both = set(french.values())
    only = {text for key, text in english.items() if french.get(key) != text and text not in both and "{" not in text}
    page = person.page
    person.go("/designs/{designs.shop}/canvas/")
    drawing = Drawing(page).wait()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(drawing.card("web")).to_be_visible()
    said: dict[str, set[str]] = {"drawn": spoken(page)}
    drawing.card("api").click(position={"x": 60, "y": 14})
    for panel in PANELS:
        page.locator(f"#d-tab-{panel}").click()
        expect(page.locator(".d-panel-body .skeleton:visible")).to_have_count(0)
        said[panel] = spoken(page)
        drawing.look(f"french-{panel}")
    for keys in ("Control+k", "Control+s"):
        page.keyboard.press(keys)
        expect(page.locator("dialog[open]")).to_be_visible()
        said[keys] = spoken(page)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    left = {state: sorted(words & only) for state, words in said.items() if words & only}
    assert left == {}
    assert drawing.unspoken() == []
    assert person.complaints == []


def spoken(page: Page) -> set[str]:
    """Return all texts, names and titles that are on the page."""
    found: list[str] = page.evaluate(
        """() => {
            const main = document.querySelector("main");
            const texts = main.innerText.split("\\n");
            for (const e of main.querySelectorAll("[aria-label], [title], [placeholder], option")) {
                for (const name of ["aria-label", "title", "placeholder"]) texts.push(e.getAttribute(name));
                texts.push(e.text);
            }
            return texts.map((text) => (text ?? "").trim()).filter(Boolean);
        }"""
    )
    return set(found)
