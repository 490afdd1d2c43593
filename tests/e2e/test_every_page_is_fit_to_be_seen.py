"""Every page, wide and on a phone, light and dark: no accessibility violation, no overflow, nothing on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.e2e.conftest import PHONE, WIDE, Visitor
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component]

PAGES = {
    "sign in": ("/login/", None),
    "overview": ("/", "alice"),
    "overview of a newcomer": ("/", "nora"),
    "clouds": ("/clouds/", "alice"),
    "cloud": ("/clouds/paris/", "alice"),
    "cloud that is down": ("/clouds/frankfurt/", "alice"),
    "new cloud": ("/clouds/new/", "alice"),
    "change cloud": ("/clouds/paris/edit/", "alice"),
    "exchange credential": ("/clouds/berlin/credential/", "alice"),
    "remove cloud": ("/clouds/paris/remove/", "alice"),
    "label": ("/clouds/paris/label/", "alice"),
    "lost label": ("/clouds/roubaix/label/", "alice"),
    "no label yet": ("/clouds/berlin/label/", "alice"),
    "report": ("/conformance/{runs.good}/", "alice"),
    "report for partners": ("/conformance/{runs.good}/?for=partners", "alice"),
    "report of a failure": ("/conformance/{runs.bad}/", "alice"),
    "designs": ("/designs/", "alice"),
    "no designs": ("/designs/", "nora"),
    "design": ("/designs/{designs.shop}/", "alice"),
    "old version": ("/designs/{designs.shop}/versions/1/", "alice"),
    "versions": ("/designs/{designs.shop}/versions/", "alice"),
    "difference": ("/designs/{designs.shop}/difference/", "alice"),
    "new design": ("/designs/new/", "alice"),
    "templates": ("/designs/templates/", "alice"),
    "edit design": ("/designs/{designs.shop}/edit/", "alice"),
    "delete design": ("/designs/{designs.shop}/delete/", "alice"),
    "hostile design": ("/designs/{designs.hostile}/", "alice"),
    "choose a cloud": ("/designs/{designs.shop}/deploy/", "alice"),
    "plan": ("/plans/{plans.create}/", "alice"),
    "plan that destroys data": ("/plans/{plans.mixed}/", "alice"),
    "plan that is blocked": ("/plans/{plans.blocked}/", "alice"),
    "plan to destroy": ("/plans/{plans.destroy}/", "alice"),
    "empty plan": ("/plans/{plans.empty}/", "alice"),
    "deployments": ("/deployments/", "alice"),
    "no deployments": ("/deployments/", "nora"),
    "deployment": ("/deployments/{deployments.shop}/", "alice"),
    "failed deployment": ("/deployments/{deployments.shop-staging}/", "alice"),
    "destroyed deployment": ("/deployments/{deployments.old}/", "alice"),
    "hostile deployment": ("/deployments/{deployments.hostile}/", "alice"),
    "update": ("/deployments/{deployments.shop}/update/", "alice"),
    "inventory": ("/inventory/", "alice"),
    "inventory, narrowed": ("/inventory/?power=on&column=host&column=tags&column=changed_at&sort=-cpus", "alice"),
    "inventory of hosts": ("/inventory/?kind=host", "alice"),
    "inventory of networks": ("/inventory/?kind=network", "alice"),
    "nothing in the inventory": ("/inventory/?q=nothing-is-called-so", "alice"),
    "machine": ("/inventory/machines/{estate.odd}/", "alice"),
    "datastore": ("/inventory/things/{estate.store}/", "alice"),
    "capacity": ("/inventory/capacity/", "alice"),
    "activity": ("/activity/", "alice"),
    "no activity": ("/activity/", "nora"),
    "operation that has succeeded": ("/operations/{operations.done}/", "alice"),
    "operation that has failed": ("/operations/{operations.failed}/", "alice"),
    "hostile operation": ("/operations/{operations.hostile}/", "alice"),
    "running operations": ("/activity/running/", "alice"),
    "profile": ("/settings/profile/", "alice"),
    "tokens": ("/settings/tokens/", "alice"),
    "members": ("/settings/members/", "alice"),
    "members for a viewer": ("/settings/members/", "victor"),
    "new user": ("/settings/members/new/", "alice"),
    "projects": ("/settings/projects/", "alice"),
    "audit log": ("/settings/audit/", "alice"),
    "search": ("/search/?q=shop", "alice"),
    "nothing here": ("/designs/00000000-0000-0000-0000-000000000000/", "alice"),
    "no such address": ("/nowhere/", "alice"),
    "forbidden": ("/settings/audit/", "victor"),
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


LOOKS: dict[str, dict[str, Any]] = {
    "wide and light": {"viewport": WIDE, "color_scheme": "light"},
    "phone and dark": {"viewport": PHONE, "color_scheme": "dark", "is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="module")
def readers(site: Site, browser: Browser, sessions: dict[str, Any]) -> Iterator[Callable[[str | None, str], Visitor]]:
    """Lend one browser tab for each person and look: opening one for every page would take most of the time."""
    tabs: dict[tuple[str | None, str], Visitor] = {}

    def reader(person: str | None, look: str) -> Visitor:
        if (person, look) not in tabs:
            state = {"storage_state": sessions[person]} if person else {}
            context = browser.new_context(**LOOKS[look], **state, reduced_motion="reduce", locale="en-GB")
            tabs[person, look] = Visitor(context, site)
        return tabs[person, look]

    yield reader
    for tab in tabs.values():
        tab.context.close()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible_and_fits(name: str, look: str, readers: Callable[[str | None, str], Visitor]) -> None:
    path, person = PAGES[name]
    visitor = readers(person, look)
    visitor.complaints.clear()
    visitor.go(path)
    page = visitor.page
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(item["id"], [node["target"] for node in item["nodes"]][:3]) for item in found] == []
    assert overflow <= 0, f"the page is {overflow} pixels wider than the screen"
    assert visitor.complaints == []
    if look.startswith("phone"):
        assert small_targets(page) == []


def small_targets(page: Any) -> list[str]:
    """Return the buttons and fields that a thumb would miss: less than 40 pixels high on a touch screen."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, .select, .input, summary.button, .rail a, .chips a")]
            .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height > 0)
            .filter((e) => e.getBoundingClientRect().height < 39.5)
            .map((e) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 30)}`)"""
    )
    return found
