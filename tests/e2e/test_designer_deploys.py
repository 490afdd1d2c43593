"""From a drawing to machines and back on one canvas: plan, deploy, change, compare, restore, destroy."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.designer import SLOW_MS, Drawing, at_designer
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(240)]

SHOP = """\
services:
  web:
    image: nginx:1.29
    ports: ["8080:80"]
    depends_on: [api]
    x-escale: {isolation: machine}
  api:
    image: registry.acme.example/api:4.2
    x-escale: {isolation: machine}
"""


def test_a_drawing_is_deployed_changed_restored_and_destroyed(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    page = visitor.page
    visitor.go("/deployments/{deployments.shop}/")
    visitor.go("/designs/canvas/new/")
    drawing = Drawing(page).wait()
    drawing.replace_text(SHOP)
    expect(drawing.card("api")).to_be_visible()
    drawing.save("deployed-shop", "Two services")

    # The plan paints what would be made on the cards, and says why beside them.
    plan = drawing.plan_for("berlin")
    for name in ("web", "api"):
        expect(drawing.card(name)).to_contain_text("Create")
    expect(plan).to_contain_text("2 machines")
    drawing.look("planned")
    assert drawing.violations() == []
    plan.get_by_role("button", name="Deploy 2 machines").click()
    for name in ("web", "api"):
        expect(drawing.card(name)).to_contain_text("running", timeout=SLOW_MS)
    drawing.look("live")
    assert drawing.violations() == []
    drawing.open_card("api")
    expect(drawing.panel.get_by_role("region", name="Where it runs")).to_contain_text(re.compile(r"\d+\.\d+\.\d+\.\d+"))

    # Another image changes its card only.
    drawing.fill("Image", "registry.acme.example/api:4.3")
    expect(drawing.editor).to_contain_text("api:4.3")
    plan = drawing.plan()
    expect(drawing.card("api")).to_contain_text(re.compile("Update|Replace"))
    assert drawing.planned("web") == ""
    expect(plan).to_contain_text("api:4.3")
    drawing.look("planned-change")
    apply(drawing, 2)

    # What has changed between two versions is painted, too.
    versions = drawing.tab("Versions")
    versions.get_by_label("Compare from").select_option("1")
    versions.get_by_label("Compare to").select_option("2")
    versions.get_by_role("button", name="Compare", exact=True).click()
    expect(versions).to_contain_text("1 changed")
    expect(drawing.card("api")).to_contain_text("Changed")
    expect(drawing.card("web")).not_to_contain_text("Changed")
    drawing.look("compared")
    assert drawing.violations() == []
    versions.get_by_role("button", name="As text").click()
    expect(drawing.dialog).to_contain_text("registry.acme.example/api:4.3")
    drawing.look("compared-as-text")
    page.keyboard.press("Escape")
    versions.get_by_role("button", name="End comparison").click()

    # The old version comes back, byte by byte, and is applied.
    versions.get_by_role("listitem").filter(has_text="Two services").get_by_role("button", name="Restore").click()
    expect(drawing.card("api")).to_contain_text("api:4.2")
    assert drawing.text() == SHOP
    drawing.plan()
    expect(drawing.card("api")).to_contain_text(re.compile("Update|Replace"))
    apply(drawing, 3)

    # Destroying asks for the name.
    live = drawing.tab("Live")
    live.get_by_role("button", name="Destroy", exact=True).click()
    dialog = drawing.dialog
    confirm = dialog.get_by_role("button", name="Destroy 2 machines")
    expect(confirm).to_have_attribute("aria-disabled", "true")
    drawing.look("destroy")
    assert drawing.violations() == []
    dialog.get_by_label("Type deployed-shop to confirm").fill("deployed-shop")
    confirm.click()
    expect(live).to_contain_text("Destroyed", timeout=SLOW_MS)
    assert drawing.unspoken() == []
    assert visitor.complaints == []
    visitor.context.close()


def apply(drawing: Drawing, version: int) -> None:
    """Start the plan that is shown, and wait until this version runs."""
    drawing.panel.get_by_role("button", name=re.compile("^(Update|Deploy|Apply)")).click()
    panel = drawing.panel.get_by_role("tabpanel", name="Live")
    expect(panel).to_contain_text(f"Version {version}", timeout=SLOW_MS)
    expect(panel.get_by_role("button", name="Check for drift")).to_be_visible(timeout=SLOW_MS)
    expect(drawing.card("api")).to_contain_text("running")
