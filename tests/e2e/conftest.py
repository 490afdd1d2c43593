"""Lend the browser tests a running portal and a Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.components import chromium
from tests.e2e.site import PASSWORD, Site, running_site

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole portal with the scene in it."""
    chromium()  # skip before anything is started
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


class Visitor:
    """Be a person at a browser; what the console complains about is kept in `complaints`."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.context, self.site = context, site
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))

    def _note(self, message: Any) -> None:
        # A page that is an error by itself (404) is not a complaint about the page.
        if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """Sign in by the form."""
        self.page.goto(self.site.address("/login/"))
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def go(self, path: str) -> Any:
        """Open a path of the site; returns the response."""
        return self.page.goto(self.site.address(path))


@pytest.fixture
def visitor(site: Site, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Somebody who is not signed in, at a wide screen; a failed test leaves a picture in test-results/."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", permissions=["clipboard-write"])
    person = Visitor(context, site)
    yield person
    if getattr(request.node, "failed", False):
        folder = Path("test-results")
        folder.mkdir(exist_ok=True)
        person.page.screenshot(path=folder / f"{request.node.name}.png", full_page=True)
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report


@pytest.fixture(scope="session")
def sessions(site: Site, browser: Browser) -> dict[str, Any]:
    """The stored sessions of people who are signed in, by name, so that not every page needs the form."""
    stored: dict[str, Any] = {}
    for name, start in (("alice", "/deployments/{deployments.shop}/"), ("nora", "/"), ("victor", "/")):
        context = browser.new_context(viewport=WIDE)
        person = Visitor(context, site)
        person.sign_in(name)
        person.go(start)
        stored[name] = context.storage_state()
        context.close()
    return stored
