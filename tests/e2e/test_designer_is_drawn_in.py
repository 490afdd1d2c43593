"""Somebody draws a shop of three tiers, by mouse and by keyboard alone, beside its text; each step can be undone."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Visitor
from tests.e2e.designer import SLOW_MS, Drawing, at_designer
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(180)]

HAND_WRITTEN = """\
# The shop, as its people wrote it.
x-defaults: &defaults   # what all have
  restart: "unless-stopped"
services:
  # first the database, since all wait for it
  db: {<<: *defaults, image: 'postgres:18'}

  web:
    <<: *defaults
    image:   nginx:1.29     # aligned by hand
    ports: [ "8080:80", 8443:443 ]
    depends_on:
    - db
"""


def test_a_shop_is_drawn_with_the_mouse(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    drawing = open_new(visitor)
    expect(visitor.page.get_by_role("heading", name="An empty drawing")).to_be_visible()
    drawing.look("empty")

    drawing.drag_tile("Web server", 0.2, 0.2)
    expect(drawing.card("web")).to_be_visible()
    drawing.drag_tile("Application", 0.3, 0.5)
    expect(drawing.card("api")).to_be_visible()
    drawing.drag_tile("PostgreSQL", 0.3, 0.8)
    expect(drawing.card("db")).to_be_visible()
    expect(drawing.card("db-data", "volume")).to_be_attached()
    drawing.draw_edge("web", "api")
    expect(drawing.edge("web", "api")).to_be_attached()
    drawing.draw_edge("api", "db")
    expect(drawing.edge("api", "db")).to_be_attached()

    drawing.open_card("api")
    drawing.fill("Image", "registry.acme.example/api:4.2")
    expect(drawing.card("api")).to_contain_text("api:4.2")
    drawing.panel.get_by_role("button", name="Add a port").click()
    drawing.fill("Number of the new port", "8000")
    expect(drawing.card("api")).to_contain_text("8000")
    drawing.look("drawn")

    text = drawing.text()
    drawn = yaml.safe_load(text)
    assert list(drawn["services"]) == ["web", "api", "db"]
    assert waits_for(drawn, "web") == {"api"}
    assert waits_for(drawn, "api") == {"db"}
    assert drawn["services"]["api"]["image"] == "registry.acme.example/api:4.2"
    assert drawn["services"]["api"]["ports"] == ["8000:8000"]
    assert drawn["services"]["db"]["volumes"] == ["db-data:/var/lib/postgresql/data"]

    # All of it can be undone, and done again to the last byte.
    steps = drawing.step_through(drawing.undo)
    assert steps == 7
    assert drawing.text() == ""
    expect(visitor.page.get_by_role("heading", name="An empty drawing")).to_be_visible()
    assert drawing.step_through(drawing.redo) == steps
    assert drawing.text() == text

    # Saved as a design it is the same after a reload.
    drawing.save("mouse-shop", "Drawn with the mouse")
    expect(drawing.status).to_contain_text("Saved as version 1")
    visitor.page.reload()
    drawing.wait()
    expect(drawing.card("db")).to_be_visible()
    expect(drawing.edge("api", "db")).to_be_attached()
    assert drawing.text() == text
    assert visitor.complaints == []
    visitor.context.close()


def test_a_shop_is_drawn_planned_and_deployed_with_the_keyboard_alone(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    drawing = open_new(visitor)
    page, keys = visitor.page, visitor.page.keyboard

    # From the palette's search three things are added.
    for words in ("nginx", "application", "postgres"):
        tab_to(page, "Find something to add")
        keys.press("Control+a")
        keys.type(words)
        keys.press("Enter")
    for name in ("web", "api", "db"):
        expect(drawing.card(name)).to_be_attached()

    # In the outline one goes to a service line by line, and connects it.
    keys.press("Escape")
    leave_fields(page)
    keys.press("o")
    for source, target in (("web", "api"), ("api", "db")):
        go_in_outline(page, source)
        keys.press("c")
        expect(drawing.dialog).to_be_visible()
        tab_to(page, "To")
        keys.type(target)
        keys.press("Enter")
        expect(drawing.dialog).to_have_count(0)
        expect(drawing.edge(source, target)).to_be_attached()

    # The inspector's fields take an image and a port.
    go_in_outline(page, "api")
    keys.press("Enter")
    expect(drawing.panel.get_by_role("heading", name="api", exact=True)).to_be_visible()
    tab_to(page, "Image")
    keys.press("Control+a")
    keys.type("registry.acme.example/api:5.0")
    keys.press("Enter")
    expect(drawing.card("api")).to_contain_text("api:5.0")
    tab_to(page, "Add a port")
    keys.press("Enter")
    keys.type("8000")
    keys.press("Enter")
    expect(drawing.card("api")).to_contain_text("8000")

    # Saved, planned for Berlin, deployed.
    keys.press("Control+s")
    expect(drawing.dialog.get_by_label("Name", exact=True)).to_be_focused()
    keys.press("Control+a")
    keys.type("keyboard-shop")
    keys.press("Enter")
    expect(drawing.dialog).to_have_count(0)
    leave_fields(page)
    keys.press("Control+Enter")
    tab_to(page, "Cloud")
    keys.type("Berlin")
    tab_to(page, "Plan", role="button", inside=".d-panel-body")
    expect(drawing.panel.get_by_text("to create").first).to_be_visible()
    keys.press("Enter")
    deploy = drawing.panel.get_by_role("button", name=re.compile(r"Deploy \d+ machine"))
    expect(deploy).to_be_visible()
    tab_to(page, re.compile(r"Deploy \d+ machine"))
    keys.press("Enter")
    for name in ("web", "api", "db"):
        expect(drawing.card(name)).to_contain_text("running", timeout=SLOW_MS)
    assert visitor.complaints == []
    visitor.context.close()


def test_the_text_and_the_canvas_are_one_document(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    drawing = open_new(visitor)
    page = visitor.page
    drawing.replace_text(HAND_WRITTEN)
    expect(drawing.card("web")).to_be_visible()
    expect(drawing.edge("web", "db")).to_be_attached()

    # What is typed is drawn.
    drawing.type_at_end("  cache:\n    image: valkey/valkey:8\n")
    expect(drawing.card("cache")).to_be_visible()
    whole = HAND_WRITTEN + "  cache:\n    image: valkey/valkey:8\n"
    assert drawing.text() == whole

    # A drag is one step and touches nothing that was written.
    before = drawing.undo.get_attribute("aria-label")
    drawing.drag_card("web", (60, 140))
    expect(drawing.undo).to_have_attribute("aria-label", "Undo: Move web")
    moved = drawing.text()
    assert moved.startswith(whole), moved
    assert re.fullmatch(
        r"x-escale:\n  canvas:\n    services:\n(      \w+: \[-?\d+, -?\d+\]\n)+", moved[len(whole) :]
    ), moved
    drawing.undo.click()
    expect(drawing.undo).to_have_attribute("aria-label", str(before))
    assert drawing.text() == whole
    drawing.redo.click()
    assert drawing.text() == moved

    # While the text is broken the canvas stays as it was, and leads to the mistake.
    drawing.type_at_end("  broken: [unclosed\n")
    warning = drawing.canvas.get_by_text("The text has a mistake, so the canvas shows the last good state.")
    expect(warning).to_be_visible()
    expect(drawing.card("cache")).to_be_visible()
    drawing.look("broken")
    drawing.card("db").click(position={"x": 60, "y": 14})
    drawing.canvas.get_by_role("button", name=re.compile(r"Show line \d+")).click()
    expect(drawing.editor).to_be_focused()
    page.keyboard.press("Control+z")
    expect(warning).to_have_count(0)
    assert drawing.text() == moved
    assert visitor.complaints == []
    visitor.context.close()


def open_new(visitor: Visitor) -> Drawing:
    visitor.go("/deployments/{deployments.shop}/")  # what is drawn next belongs to the same project
    visitor.go("/designs/canvas/new/")
    return Drawing(visitor.page).wait()


def waits_for(drawn: dict[str, Any], name: str) -> set[str]:
    return {str(other) for other in drawn["services"][name].get("depends_on", [])}


def tab_to(page: Page, name: str | re.Pattern[str], role: str = "", inside: str = "") -> None:
    """Press Tab until what has the focus is called so, as somebody does who does not see the page."""
    pattern = name if isinstance(name, re.Pattern) else re.compile(f"^{re.escape(name)}$")
    for _ in range(160):
        found = page.evaluate(NAME_OF_FOCUS, inside)
        if found and pattern.search(found[0]) and (not role or found[1] == role):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {name}")


NAME_OF_FOCUS = """(inside) => {
    const e = document.activeElement;
    if (!e || e === document.body || (inside && !e.closest(inside))) return null;
    const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
        .map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const own = e.labels?.length ? e.labels[0].textContent : e.textContent;
    const name = e.getAttribute("aria-label") || by || own || "";
    return [name.trim(), e.getAttribute("role") ?? e.tagName.toLowerCase()];
}"""


def leave_fields(page: Page) -> None:
    """Go where single keys are no text: on to the next button."""
    for _ in range(30):
        if not page.evaluate("document.activeElement?.closest('input, textarea, select, .cm-editor') !== null"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("every stop of Tab is a field")


def go_in_outline(page: Page, name: str) -> None:
    """Go through the outline to a service, line by line."""
    expect(page.get_by_role("tree", name="Outline of the drawing")).to_be_visible()
    expect(page.locator("[role=treeitem]:focus")).to_be_attached()
    page.keyboard.press("Home")
    line = page.locator("[role=treeitem]:focus")
    for _ in range(40):
        if str(line.get_attribute("aria-label")).startswith(f"{name}, Service"):
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"the outline does not lead to {name}")
