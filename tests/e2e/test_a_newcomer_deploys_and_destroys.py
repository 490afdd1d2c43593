"""The whole way in a real browser, on a fake cloud: sign in, drop a file, mend it, plan, deploy, watch, destroy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.component]

WRONG = """\
services:
  web:
    image: nginx:1.29
    ports: ["8080:80"]
    depends_on: [api]
    secrets: [token]
  api:
    image: registry.acme.example/api:4.2
    replicas: 2
    volumes: [data:/var/lib/api]
volumes:
  data:
secrets:
  token:
    file: ./token.txt
"""
RIGHT = WRONG.replace("    replicas: 2\n", "    deploy: {replicas: 1}\n")
SLOW_MS = 60_000


def drop(page: Page, files: dict[str, str]) -> None:
    """Drop files on the page as a person does: from outside, somewhere in the middle of it."""
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, text] of Object.entries(files)) transfer.items.add(new File([text], name));
            return transfer;
        }""",
        files,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": transfer})


def test_a_newcomer_gets_from_a_dropped_file_to_machines_and_back(visitor: Visitor) -> None:
    page = visitor.page

    visitor.sign_in("nora", "not her password")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    visitor.sign_in("nora")
    expect(page.get_by_role("heading", name="Drop a compose.yaml anywhere on this page")).to_be_visible()

    # A file dropped on the overview opens in the editor, with what was dropped beside it.
    drop(page, {"nora-shop.compose.yaml": WRONG, "token.txt": "hush"})
    page.wait_for_url("**/designs/new/")
    expect(page.get_by_label("compose.yaml", exact=True)).to_have_value(WRONG)
    expect(page.get_by_label("Name", exact=True)).to_have_value("nora-shop")
    expect(page.get_by_label("Path of this file as the Compose file names it")).to_have_value("token.txt")

    # The mistake is shown with its line, in the list and in the margin, and the file cannot be saved with it.
    findings = page.locator("#findings")
    expect(findings.get_by_role("heading")).to_contain_text("1 mistake")
    mistake = findings.get_by_role("link", name=re.compile(r"Line 9, column \d+"))
    expect(mistake).to_be_visible()
    expect(page.locator(".gutter-line.is-error")).to_have_text("9")
    mistake.click()
    assert page.evaluate("document.activeElement.id") == "compose"
    page.get_by_role("button", name="Save design").click()
    expect(findings.get_by_role("heading")).to_contain_text("1 mistake")

    # The files that were dropped cannot survive a refused form, as in every browser: they are dropped again.
    drop(page, {"token.txt": "hush"})
    page.get_by_label("compose.yaml", exact=True).fill(RIGHT)
    expect(findings.get_by_role("heading")).to_contain_text("No mistakes")
    expect(page.locator(".gutter-line.is-error")).to_have_count(0)
    page.get_by_role("button", name="Save design").click()
    expect(page.get_by_role("heading", name="nora-shop", exact=True)).to_be_visible()
    expect(page.get_by_text("token.txt", exact=True)).to_be_visible()

    # The plan says what would be made and why, and what becomes of each line.
    page.get_by_role("link", name="Plan a deployment").click()
    page.get_by_role("radio", name=re.compile("Berlin")).check()
    page.get_by_role("button", name="Make the plan").click()
    page.wait_for_url("**/plans/*/")
    expect(page.get_by_role("heading", name="Deploy nora-shop")).to_be_visible()
    expect(page.locator(".change-create").first).to_be_visible()
    expect(page.locator(".source.ledger li").nth(2)).to_contain_text("nginx:1.29")
    start = page.get_by_role("button", name=re.compile(r"Deploy \d+ machines?"))
    expect(start).to_be_visible()

    # Every step is watched live; a reload in the middle changes nothing.
    start.click()
    page.wait_for_url("**/operations/*/")
    operation = page.url
    expect(page.locator(".step").first).to_be_visible()
    expect(page.locator(".live.is-on")).to_be_visible()
    expect(page.locator(".node.is-good").first).to_be_visible(timeout=SLOW_MS)
    page.reload()
    expect(page.locator(".state-line .state")).to_have_text("Succeeded", timeout=SLOW_MS)
    expect(page.locator("#percent")).to_have_text("100 %")
    expect(page.locator(".node:not(.is-good)")).to_have_count(0)
    expect(page.locator(".step:not(.is-good)")).to_have_count(0)
    expect(page.locator("#live")).to_have_count(0)
    page.locator(".step summary").last.click()
    expect(page.locator(".step .facts").last).to_contain_text("Done")

    # What exists is listed with its addresses.
    page.get_by_role("link", name="Open the deployment").click()
    expect(page.locator(".state-line .state")).to_have_text("Running")
    machines = page.get_by_role("region", name=re.compile("Machines"))
    expect(machines.locator("tbody .state-good").first).to_have_text("On")
    expect(machines.locator("tbody")).to_contain_text(re.compile(r"\d+\.\d+\.\d+\.\d+"))
    deployment = page.url

    # To destroy it one types its name; what goes is named, the data disk too.
    page.get_by_role("button", name="Destroy…").click()
    page.wait_for_url("**/plans/*/")
    danger = page.get_by_role("region", name=re.compile("What is destroyed"))
    expect(danger).to_contain_text("Its data is lost")
    confirm = page.get_by_role("button", name=re.compile(r"Destroy \d+ machines? and 1 data disk"))
    expect(confirm).to_be_disabled()  # nothing was typed
    page.get_by_label("Type nora-shop to confirm").fill("nora-shop")
    confirm.click()
    page.wait_for_url("**/operations/*/")
    expect(page.locator(".state-line .state")).to_have_text("Succeeded", timeout=SLOW_MS)
    page.goto(deployment)
    expect(page.locator(".state-line .state")).to_have_text("Destroyed")
    expect(page.get_by_text("None any more.")).to_be_visible()
    page.goto(operation)
    expect(page.locator(".state-line .state")).to_have_text("Succeeded")
    assert visitor.complaints == []


def test_an_operation_can_be_stopped_and_undone(visitor: Visitor) -> None:
    page = visitor.page
    plan(visitor, "stopped-shop", "Bremen")
    page.get_by_role("button", name=re.compile("Deploy")).click()
    page.wait_for_url("**/operations/*/")
    page.locator("#stop-menu summary").click()
    # What changes meanwhile takes nothing from under the pointer.
    page.wait_for_event("response", lambda answer: answer.url.endswith("/head/"), timeout=SLOW_MS)
    expect(page.locator(".node.is-good").first).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name=re.compile("Stop and undo")).click()
    expect(page.locator(".state-line .state")).to_have_text("Undone", timeout=SLOW_MS)
    expect(page.get_by_role("heading", name=re.compile("Undoing"))).to_be_visible()
    page.get_by_role("link", name="Open the deployment").click()
    expect(page.locator(".state-line .state")).to_have_text("Destroyed")


def plan(visitor: Visitor, name: str, cloud: str) -> None:
    """Make a design of many machines and its plan, and stay on the plan's page."""
    services = "".join(f"  s{n}:\n    image: nginx:1\n    x-escale: {{isolation: machine}}\n" for n in range(6))
    page = visitor.page
    visitor.sign_in("bob")
    visitor.go("/deployments/{deployments.shop}/")
    visitor.go("/designs/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("compose.yaml", exact=True).fill("services:\n" + services)
    page.get_by_role("button", name="Save design").click()
    page.get_by_role("link", name="Plan a deployment").click()
    page.get_by_role("radio", name=re.compile(cloud)).check()
    page.get_by_role("button", name="Make the plan").click()
    page.wait_for_url("**/plans/*/")


def test_the_console_is_used_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("alice")
    visitor.go("/deployments/{deployments.shop}/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Search")
    expect(search).to_be_focused()
    page.keyboard.type("shop-stag")
    expect(page.get_by_role("option").first).to_contain_text("shop-staging")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop-staging", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/clouds/")
    page.keyboard.press("n")
    page.wait_for_url("**/designs/canvas/new/")
    assert visitor.complaints == []


def test_the_theme_is_kept(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("alice")
    visitor.go("/settings/profile/")
    page.get_by_role("radio", name="Dark").check()
    page.wait_for_url("**/settings/profile/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    visitor.go("/clouds/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_portal_works_without_a_script(site: Any, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    try:
        person = Visitor(context, site)
        page = person.page
        person.sign_in("nora")
        person.go("/designs/new/")
        page.get_by_label("Name", exact=True).fill("plain")
        page.get_by_label("compose.yaml", exact=True).fill("services:\n  web:\n    imag: nginx\n")
        page.get_by_role("button", name="Save design").click()
        expect(page.locator("#findings")).to_contain_text("Line 3, column")
        page.get_by_label("compose.yaml", exact=True).fill("services:\n  web:\n    image: nginx\n")
        page.get_by_role("button", name="Save design").click()
        expect(page.get_by_role("heading", name="plain", exact=True)).to_be_visible()
        page.locator("summary").first.click()  # the menu of projects opens all the same
        person.go("/operations/{operations.failed}/")
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    finally:
        context.close()
