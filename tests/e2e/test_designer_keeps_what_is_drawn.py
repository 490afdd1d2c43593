"""Nothing that was drawn is lost: not by two tabs, by somebody who saved first, nor by a connection that breaks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Visitor
from tests.e2e.designer import Drawing, at_designer, cut, mend
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(180)]

BASE = """\
services:
  web:
    image: nginx:1.29
    ports: ["8080:80"]

  api:
    image: registry.acme.example/api:4.2
    restart: always
"""


def begin(visitor: Visitor, text: str = BASE) -> Drawing:
    """Draw something new and wait until the portal has it."""
    visitor.go("/deployments/{deployments.shop}/")
    visitor.go("/designs/canvas/new/")
    drawing = Drawing(visitor.page).wait()
    drawing.replace_text(text)
    expect(drawing.card("web")).to_be_visible()
    drawing.settled()
    assert drawing.text() == text
    return drawing


def test_two_tabs_of_one_draft_join_what_they_can_and_ask_about_the_rest(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    one = begin(visitor)
    page = visitor.context.new_page()
    page.goto(visitor.page.url)
    two = Drawing(page).wait()
    expect(two.card("api")).to_be_visible()

    # Different services: both edits stay, without a question.
    one.open_card("web")
    one.fill("Image", "nginx:1.30")
    two.open_card("api")
    two.fill("Image", "registry.acme.example/api:5.0")
    for drawing in (one, two):
        expect(drawing.card("web")).to_contain_text("nginx:1.30")
        expect(drawing.card("api")).to_contain_text("api:5.0")
    joined = BASE.replace("nginx:1.29", "nginx:1.30").replace("api:4.2", "api:5.0")
    assert one.text() == joined
    assert two.text() == joined

    # The same line while neither hears of the other: one is asked.
    cut(visitor.context)
    one.open_card("web")
    one.fill("Image", "nginx:1.31")
    expect(one.card("web")).to_contain_text("nginx:1.31")
    two.open_card("web")
    two.fill("Image", "nginx:1.32")
    expect(two.card("web")).to_contain_text("nginx:1.32")
    expect(one.save_state).to_contain_text("offline")
    expect(two.save_state).to_contain_text("offline")
    mend(visitor.context)
    one.save_state.click()
    one.settled()
    expect(two.dialog).to_contain_text("This drawing was changed elsewhere")
    expect(two.dialog).to_contain_text("nginx:1.31")
    expect(two.dialog).to_contain_text("nginx:1.32")
    two.look("conflict")
    assert two.violations() == []
    assert two.unspoken() == []
    two.dialog.get_by_role("radio", name="The other", exact=True).check()
    two.dialog.get_by_role("radio", name="Mine", exact=True).check()
    two.dialog.get_by_role("button", name="Join").click()
    expect(two.dialog).to_have_count(0)
    expect(one.card("web")).to_contain_text("nginx:1.32")
    assert one.text() == two.text() == joined.replace("nginx:1.30", "nginx:1.32")
    assert [line for line in visitor.complaints if "ERR_" not in line] == []
    visitor.context.close()


def test_who_saves_second_joins_the_version_that_was_first(site: Site, browser: Browser) -> None:
    bob, alice = at_designer(browser, site, "bob"), at_designer(browser, site, "alice")
    his = begin(bob)
    his.save("joined-shop", "The beginning")
    expect(his.status).to_contain_text("Saved as version 1")
    design = bob.page.evaluate("document.querySelector('.d-title a')?.getAttribute('href')") or design_of(his)
    alice.page.goto(f"{site.url}{design}canvas/")
    hers = Drawing(alice.page).wait()
    expect(hers.card("api")).to_be_visible()
    hers.open_card("api")
    hers.fill("Image", "registry.acme.example/api:6.0")
    hers.settled()
    hers.save(message="A newer API")
    expect(hers.status).to_contain_text("Saved as version 2")

    # Bob changed another line: it is joined while he saves.
    his.open_card("web")
    his.fill("Image", "nginx:1.30")
    his.settled()
    his.save(message="A newer nginx")
    expect(his.status).to_contain_text("Saved as version 3")
    assert his.text() == BASE.replace("nginx:1.29", "nginx:1.30").replace("api:4.2", "api:6.0")

    # Alice changes the line that he has changed: she is asked.
    hers.open_card("web")
    hers.fill("Image", "nginx:1.28")
    hers.settled()
    alice.page.get_by_role("button", name="Save version").click()
    hers.dialog.get_by_role("button", name=re.compile("^Save as")).click()
    expect(hers.dialog).to_contain_text("Version 3 was saved meanwhile")
    hers.dialog.get_by_role("radio", name="The other", exact=True).check()
    hers.dialog.get_by_role("button", name="Join").click()
    expect(hers.card("web")).to_contain_text("nginx:1.30")
    assert hers.text() == his.text()
    assert bob.complaints == []
    assert alice.complaints == []
    bob.context.close()
    alice.context.close()


def design_of(drawing: Drawing) -> str:
    blueprint = drawing.draft()["blueprint"]
    return f"/designs/{blueprint['id']}/"


def test_without_a_connection_one_goes_on_drawing(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    drawing = begin(visitor)
    visitor.page.wait_for_load_state("networkidle")  # the parts that it did not need at first are there, too
    visitor.context.set_offline(True)
    drawing.open_card("web")
    drawing.fill("Image", "nginx:offline")
    expect(drawing.save_state).to_contain_text("offline")
    expect(drawing.page.get_by_role("alert")).to_contain_text("kept in this browser")
    drawing.look("offline")
    drawing.type_at_end("  cache:\n    image: valkey/valkey:8\n")
    expect(drawing.card("cache")).to_be_visible()

    # Back again, all of it arrives by itself.
    visitor.context.set_offline(False)
    drawing.settled()
    edited = BASE.replace("nginx:1.29", "nginx:offline") + "  cache:\n    image: valkey/valkey:8\n"
    assert drawing.text() == edited
    expect(drawing.page.get_by_role("alert")).to_have_count(0)

    # A tab that is closed meanwhile loses nothing either.
    address = visitor.page.url
    cut(visitor.context)
    drawing.open_card("web")
    drawing.fill("Image", "nginx:closed")
    expect(drawing.save_state).to_contain_text("offline")
    visitor.page.close()
    mend(visitor.context)
    visitor.page = visitor.context.new_page()
    visitor.page.goto(address)
    again = Drawing(visitor.page).wait()
    expect(again.card("web")).to_contain_text("nginx:closed")
    assert again.text() == edited.replace("nginx:offline", "nginx:closed")
    assert [line for line in visitor.complaints if "ERR_" not in line] == []
    visitor.context.close()


def test_a_session_that_ends_takes_nothing_with_it(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    drawing = begin(visitor)
    visitor.context.clear_cookies()
    drawing.open_card("web")
    drawing.fill("Image", "nginx:signed-out")
    banner = drawing.page.get_by_role("alert")
    expect(banner).to_contain_text("You are signed out")
    expect(drawing.card("web")).to_contain_text("nginx:signed-out")
    drawing.look("signed-out")

    with visitor.context.expect_page() as opened:
        banner.get_by_role("link", name="Sign in again").click()
    other = opened.value
    other.get_by_label("User name").fill("bob")
    other.get_by_label("Password").fill("a harbour on the way there")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("navigation").first).to_be_visible()
    drawing.page.bring_to_front()
    drawing.save_state.click()  # or it has tried by itself meanwhile
    drawing.settled()
    assert drawing.text() == BASE.replace("nginx:1.29", "nginx:signed-out")
    assert visitor.complaints == []
    visitor.context.close()
