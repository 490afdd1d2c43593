"""The designer's whole way once on a simulated vCenter: draw, plan, deploy, change, compare, restore, destroy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import WIDE
from tests.e2e.designer import Drawing, seen_the_tour
from tests.journeys.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(900), pytest.mark.xdist_group("journeys")]

PATIENCE_MS = 120_000
NAME = "drawn-shop"


def test_an_architect_draws_deploys_changes_and_destroys_a_shop(stack: Stack, browser: Browser) -> None:
    paris = stack.vcenter("paris")
    before = paris.listing()
    context = browser.new_context(viewport=WIDE, locale="en-GB", reduced_motion="reduce")
    seen_the_tour(context)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    drawing = Drawing(page)
    try:
        page.goto(f"{stack.url}/login/")
        page.get_by_label("User name").fill("architect")
        page.get_by_label("Password").fill(stack.passwords()["architect"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{stack.url}/")
        walk(drawing, stack, paris)
    finally:
        drawing.look("journey-last")
        context.close()
    assert paris.listing() == before
    assert complaints == []
    paris.close()


def walk(drawing: Drawing, stack: Stack, paris: Any) -> None:
    page = drawing.page
    page.goto(f"{stack.url}/designs/canvas/new/")
    drawing.wait()
    for tile, name, y in (("Web server", "web", 0.15), ("Application", "api", 0.4), ("PostgreSQL", "db", 0.65)):
        drawing.drag_tile(tile, 0.3, y)
        expect(drawing.card(name)).to_be_visible()
    drawing.draw_edge("web", "api")
    drawing.draw_edge("api", "db")
    expect(drawing.edge("api", "db")).to_be_attached()
    drawn = drawing.text()
    drawing.save(NAME, "As drawn")
    drawing.look("journey-drawn")

    drawing.plan_for("paris")
    for name in ("web", "api", "db"):
        expect(drawing.card(name)).to_contain_text("Create")
    drawing.look("journey-planned")
    drawing.panel.get_by_role("button", name=re.compile(r"^Deploy \d+ machine")).click()
    runs(drawing, 1)
    drawing.look("journey-green")
    live = drawing.panel.get_by_role("tabpanel", name="Live")
    address = live.get_by_role("link", name=NAME).first.get_attribute("href")
    assert address
    deployment = address.rstrip("/").rsplit("/", 1)[1]
    machines = paris.machines_of(deployment)
    assert machines
    assert set(paris.powers_of(set(machines)).values()) == {"poweredOn"}

    # Another image: only its card is painted; the difference is seen; it is applied.
    drawing.open_card("api")
    drawing.fill("Image", "traefik/whoami:v1.10")
    expect(drawing.card("api")).to_contain_text("whoami:v1.10")
    drawing.settled()
    drawing.plan()
    expect(drawing.card("api")).to_contain_text(re.compile("Update|Replace"))
    drawing.look("journey-changed")
    drawing.tab("Versions").get_by_role("listitem").filter(has_text="As drawn").get_by_role(
        "button", name="Compare with now"
    ).click()
    expect(drawing.card("api")).to_contain_text("Changed")
    drawing.look("journey-compared")
    drawing.tab("Plan")
    drawing.panel.get_by_role("button", name=re.compile("^(Update|Deploy|Apply)")).click()
    runs(drawing, 2)

    # The old version comes back and is applied.
    versions = drawing.tab("Versions")
    versions.get_by_role("listitem").filter(has_text="As drawn").get_by_role("button", name="Restore").click()
    expect(drawing.card("api")).to_contain_text("whoami:v1.11")
    assert drawing.text() == drawn
    drawing.plan()
    drawing.panel.get_by_role("button", name=re.compile("^(Update|Deploy|Apply)")).click()
    runs(drawing, 3)

    live.get_by_role("button", name="Destroy", exact=True).click()
    drawing.dialog.get_by_label(f"Type {NAME} to confirm").fill(NAME)
    drawing.dialog.get_by_role("button", name=re.compile(r"^Destroy \d+ machine")).click()
    expect(live).to_contain_text("Destroyed", timeout=PATIENCE_MS)
    assert paris.machines_of(deployment) == {}


def runs(drawing: Drawing, version: int) -> None:
    """Wait until this version runs and every card says so."""
    panel = drawing.panel.get_by_role("tabpanel", name="Live")
    expect(panel).to_contain_text(f"Version {version}", timeout=PATIENCE_MS)
    expect(panel.get_by_role("button", name="Check for drift")).to_be_visible(timeout=PATIENCE_MS)
    for name in ("web", "api", "db"):
        expect(drawing.card(name)).to_contain_text("running")
