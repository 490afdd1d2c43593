"""The main job once in a real browser, on a simulated vCenter: drop a real file, plan, deploy, watch, destroy."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import WIDE
from tests.e2e.test_a_newcomer_deploys_and_destroys import drop
from tests.journeys.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

FOLDER = Path(__file__).parent.parent / "corpus" / "awesome-compose" / "nginx-flask-mysql"
PATIENCE_MS = 60_000


def picture(page: Page, name: str) -> None:
    """Keep a picture where ESCALE_PICTURES names a folder, for whoever looks at the pages."""
    if folder := os.environ.get("ESCALE_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_newcomer_takes_a_real_file_to_a_vcenter_and_back(stack: Stack, browser: Browser) -> None:
    paris = stack.vcenter("paris")
    before = paris.listing()
    context = browser.new_context(viewport=WIDE, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    try:
        walk(page, stack, paris)
    finally:
        picture(page, "last")
        context.close()
    assert paris.listing() == before
    paris.close()


def walk(page: Page, stack: Stack, paris: Any) -> None:
    page.goto(f"{stack.url}/login/")
    page.get_by_label("User name").fill("architect")
    page.get_by_label("Password").fill(stack.passwords()["architect"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}/")
    picture(page, "overview")

    drop(
        page,
        {
            "compose.yaml": (FOLDER / "compose.yaml").read_text(),
            "password.txt": (FOLDER / "db" / "password.txt").read_text(),
        },
    )
    page.wait_for_url("**/designs/new/")
    page.get_by_label("Name", exact=True).fill("flask")
    page.get_by_label("Path of this file as the Compose file names it").fill("db/password.txt")
    expect(page.locator("#findings").get_by_role("heading")).to_contain_text("No mistakes")
    picture(page, "design")
    page.get_by_role("button", name="Save design").click()
    page.get_by_role("link", name="Plan a deployment").click()
    page.get_by_role("radio", name=re.compile("Paris")).check()
    for service in ("backend", "proxy"):
        page.get_by_label(re.compile(service)).fill(f"registry.example/{service}:1.0")
    page.get_by_role("button", name="Make the plan").click()
    page.wait_for_url("**/plans/*/")
    picture(page, "plan")

    page.get_by_role("button", name=re.compile(r"Deploy \d+ machines?")).click()
    page.wait_for_url("**/operations/*/")
    expect(page.locator(".node.is-good").first).to_be_visible(timeout=PATIENCE_MS)
    picture(page, "operation")
    page.reload()
    expect(page.locator(".state-line .state")).to_have_text("Succeeded", timeout=PATIENCE_MS)

    page.get_by_role("link", name="Open the deployment").click()
    expect(page.locator(".state-line .state")).to_have_text("Running")
    deployment = page.url.rstrip("/").rsplit("/", 1)[1]
    picture(page, "deployment")
    machines = paris.machines_of(deployment)
    assert set(paris.powers_of(set(machines)).values()) == {"poweredOn"}

    page.get_by_role("button", name="Destroy…").click()
    page.wait_for_url("**/plans/*/")
    page.get_by_label("Type flask to confirm").fill("flask")
    picture(page, "destroy")
    page.get_by_role("button", name=re.compile(r"Destroy \d+ machine")).click()
    page.wait_for_url("**/operations/*/")
    expect(page.locator(".state-line .state")).to_have_text("Succeeded", timeout=PATIENCE_MS)
