"""A drawing goes out as a link, as pictures and as the file that it is."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.designer import Drawing, at_designer
from tests.e2e.scene import COMPOSE
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(120)]


def test_a_link_opens_for_the_organization_only(site: Site, browser: Browser) -> None:
    bob = at_designer(browser, site, "bob", permissions=["clipboard-read", "clipboard-write"])
    bob.go("/designs/{designs.shop}/canvas/")
    drawing = Drawing(bob.page).wait()
    drawing.more("Share…")
    drawing.dialog.get_by_role("button", name="Make a link").click()
    address = drawing.dialog.get_by_label("Address of the link").first
    expect(address).to_have_value(re.compile(r"/shared/\S+/$"))
    link = address.input_value()
    drawing.look("share")

    # Nora has no role in the project.
    nora = at_designer(browser, site, "nora")
    nora.page.goto(link)
    shared = Drawing(nora.page).wait()
    expect(shared.card("db")).to_be_visible()
    expect(nora.page.get_by_text("Shared with you, read-only")).to_be_visible()
    expect(nora.page.get_by_role("button", name="Save version")).to_have_count(0)
    expect(nora.page.get_by_role("button", name=re.compile("^Undo"))).to_have_count(0)
    shared.open_card("db")
    expect(shared.panel.get_by_label("Image", exact=True)).to_have_attribute("readonly", "")
    shared.drag_card("db", (80, 80))
    expect(shared.status).to_have_text("")
    assert shared.violations() == []
    shared.look("shared")

    # Zoe belongs to another organization; and what is revoked opens for nobody.
    zoe = at_designer(browser, site, "zoe")
    assert zoe.page.goto(link).status == 404  # type: ignore[union-attr]
    drawing.dialog.get_by_role("button", name="Revoke the link").first.click()
    expect(drawing.status).to_contain_text("The link was revoked")
    assert nora.page.goto(link).status == 404  # type: ignore[union-attr]
    for visitor in (bob, nora, zoe):
        assert visitor.complaints == []
        visitor.context.close()


def test_a_drawing_is_exported_as_file_and_as_pictures(site: Site, browser: Browser) -> None:
    visitor = at_designer(browser, site, "bob")
    visitor.go("/designs/{designs.shop}/versions/3/canvas/")
    drawing = Drawing(visitor.page).wait()
    expect(drawing.card("db")).to_be_visible()
    drawing.more("Export…")
    content: dict[str, bytes] = {}
    for name in ("Compose file", "SVG picture", "PNG picture"):
        with visitor.page.expect_download() as download:
            drawing.dialog.get_by_role("button", name=re.compile(f"^{name}")).click()
        content[name] = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename.startswith("shop.")
    assert content["Compose file"].decode() == COMPOSE
    svg = content["SVG picture"].decode()
    assert svg.startswith(("<svg", "<?xml"))
    for word in ("web", "api", "db", "data", "nginx:1.29"):
        assert f">{word}<" in svg, word
    assert "<script" not in svg
    png = content["PNG picture"]
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 400
    assert height > 200
    visitor.page.set_content(f"<img src='data:image/svg+xml;base64,{_base64(svg)}'>")
    drawn = visitor.page.evaluate("document.images[0].decode().then(() => document.images[0].naturalWidth)")
    assert drawn > 200
    assert [line for line in visitor.complaints if "favicon" not in line] == []
    visitor.context.close()


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()
