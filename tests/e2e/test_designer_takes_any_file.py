"""Any file opens as it is and leaves byte by byte; what is no file is refused, and what means harm is text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect
from playwright.sync_api import Dialog as PageDialog

from tests.e2e.conftest import Visitor
from tests.e2e.designer import Drawing, at_designer
from tests.e2e.scene import HOSTILE, HOSTILE_ATTRIBUTE
from tests.e2e.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.component, pytest.mark.timeout(180)]

CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "awesome-compose").glob("*/*.y*ml"))
ODD = (
    "\ufeff# a file of Windows, with emoji 🚢\r\nservices:\r\n  web:\r\n    image: nginx:1.29\t# a tab\r\n"
    '    labels: { harbour: "⚓ Zürich" }\r\n  "db 2":\r\n    image: postgres:18\r\n'
)
PAIR = "services:\n  web:\n    image: nginx\n    depends_on: [api]\n  api:\n    image: busybox\n"


@pytest.fixture(scope="module")
def bob(site: Site, browser: Browser) -> Iterator[Visitor]:
    visitor = at_designer(browser, site, "bob", permissions=["clipboard-read", "clipboard-write"])
    visitor.go("/deployments/{deployments.shop}/")
    yield visitor
    visitor.context.close()


@pytest.fixture
def drawing(bob: Visitor) -> Iterator[Drawing]:
    """An empty drawing of somebody about whom the console has nothing to complain."""
    bob.complaints.clear()
    bob.go("/designs/canvas/new/")
    drawing = Drawing(bob.page).wait()
    yield drawing
    assert bob.complaints == []


def import_file(drawing: Drawing, name: str, content: bytes) -> None:
    """Import by the dialog, in the place of what is drawn."""
    drawing.more("Import…")
    file: Any = {"name": name, "mimeType": "application/yaml", "buffer": content}
    drawing.dialog.locator("input[type=file]").set_input_files(file)
    expect(drawing.dialog).to_contain_text(name)


def export_compose(drawing: Drawing) -> bytes:
    drawing.more("Export…")
    with drawing.page.expect_download() as download:
        drawing.dialog.get_by_role("button", name=re.compile("^Compose file")).click()
    return Path(download.value.path()).read_bytes()


def test_an_odd_file_leaves_as_it_came(drawing: Drawing) -> None:
    import_file(drawing, "odd.yaml", ODD.encode())
    drawing.dialog.get_by_role("button", name="Import the file").click()
    expect(drawing.card("web")).to_be_visible()
    expect(drawing.card("db 2")).to_be_visible()
    assert drawing.text() == ODD
    assert export_compose(drawing) == ODD.encode()
    drawing.page.keyboard.press("Escape")
    drawing.drag_card("web", (40, 80))
    expect(drawing.undo).to_have_attribute("aria-label", "Undo: Move web")
    moved = drawing.text()
    assert moved.startswith(ODD)
    assert "\n" not in moved.replace("\r\n", "")  # what is written follows the line ends of the file
    drawing.undo.click()
    assert drawing.text() == ODD


def test_what_is_no_text_is_refused(drawing: Drawing) -> None:
    import_file(drawing, "picture.yaml", b"\x89PNG\x00\x01\xff")
    expect(drawing.dialog.get_by_role("alert")).to_contain_text("picture.yaml is not a text in UTF-8")
    drawing.page.keyboard.press("Escape")
    drawing.replace_text(PAIR)
    expect(drawing.card("web")).to_be_visible()
    drawing.page.evaluate("navigator.clipboard.writeText('services:\\u0000\\n  x: y')")
    drawing.editor.focus()
    drawing.page.keyboard.press("Control+v")
    expect(drawing.status).to_contain_text("This is not text")
    assert drawing.text() == PAIR


def test_five_thousand_lines_open(drawing: Drawing) -> None:
    lines = ["services:"]
    for n in range(830):
        lines += [
            f"  s{n}:",
            f"    image: app:{n}",
            "    restart: always",
            "    environment:",
            f"      N: '{n}'",
            "      A: b",
        ]
    text = "\n".join(lines) + "\n"
    assert text.count("\n") > 4_980
    import_file(drawing, "large.yaml", text.encode())
    drawing.dialog.get_by_role("button", name="Import the file").click()
    expect(drawing.page.locator(".d-status")).to_contain_text("830 services")
    drawing.command("s829")
    expect(drawing.panel.get_by_role("heading", name="s829", exact=True)).to_be_visible()
    drawing.fill("Image", "app:new")
    expect(drawing.card("s829")).to_contain_text("app:new")
    assert drawing.text() == text.replace("image: app:829\n", "image: app:new\n")


def test_names_stay_one_and_circles_are_refused(drawing: Drawing) -> None:
    drawing.replace_text(PAIR)
    expect(drawing.edge("web", "api")).to_be_attached()
    drawing.open_card("api")
    drawing.page.keyboard.press("F2")
    drawing.dialog.get_by_label("New name").fill("web")
    drawing.dialog.get_by_role("button", name="Rename").click()
    expect(drawing.dialog).to_contain_text("There is already something called web")
    drawing.page.keyboard.press("Escape")
    drawing.draw_edge("api", "web")
    expect(drawing.status).to_contain_text("web already depends on api, so neither could start")
    assert drawing.text() == PAIR


def test_what_means_harm_is_shown_as_text(site: Site, bob: Visitor) -> None:
    bob.complaints.clear()

    def ran(dialog: PageDialog) -> None:
        bob.complaints.append("a script ran")
        dialog.dismiss()

    bob.page.on("dialog", ran)
    bob.go("/designs/{designs.hostile}/canvas/")
    drawing = Drawing(bob.page).wait()
    expect(drawing.card("web")).to_be_visible()
    text = f'services:\n  "{HOSTILE}":\n    image: "<img src=x onerror=alert(1)>"\n    ports: ["80:80"]\n'
    drawing.replace_text(text)
    expect(drawing.canvas.get_by_text(HOSTILE).first).to_be_visible()
    drawing.tab("Versions")
    expect(drawing.panel).to_contain_text(HOSTILE_ATTRIBUTE)
    for panel in ("Problems", "Inspector", "Comments"):
        drawing.tab(panel)
    drawing.more("Export…")
    drawing.page.keyboard.press("Escape")
    assert bob.page.locator("main script:not([type='application/json']), img[src=x]").count() == 0
    assert bob.complaints == []


def test_every_file_of_the_wild_opens_legibly_and_stays_as_it_is(drawing: Drawing) -> None:
    found: dict[str, Any] = {}
    assert len(CORPUS) == 20
    for path in CORPUS:
        name, content = path.parent.name, path.read_bytes()
        import_file(drawing, f"{name}.yaml", content)
        replace = drawing.dialog.get_by_role("radio", name=re.compile("^Put the file in its place"))
        if replace.count():
            replace.check()
        drawing.dialog.get_by_role("button", name="Import the file").click()
        expect(drawing.undo).to_have_attribute("aria-label", f"Undo: Import {name}.yaml")
        for service in yaml.safe_load(content)["services"]:
            expect(drawing.card(service)).to_be_visible()
        drawing.look(f"corpus-{name}")
        if pairs := overlaps(drawing):
            found[name] = pairs
        if drawing.text().encode() != content:
            found[f"{name}: text"] = "changed"
    assert found == {}


def overlaps(drawing: Drawing) -> list[list[str]]:
    """Return the pairs of cards that lie on each other as they are seen."""
    found: list[list[str]] = drawing.page.evaluate(
        """() => {
            const cards = [...document.querySelectorAll(".react-flow__node-card, .react-flow__node-small")]
                .map((e) => [e.dataset.id, e.getBoundingClientRect()]);
            const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
                || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
            return cards.flatMap(([one, a], at) => cards.slice(at + 1)
                .filter(([, b]) => !apart(a, b)).map(([other]) => [one, other]));
        }"""
    )
    return found
