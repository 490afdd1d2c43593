"""Draw in the designer as a person does: pick a tile, drag it, draw from card to card, type, save, plan."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.e2e.conftest import WIDE, Visitor
from tests.e2e.site import PASSWORD, Site

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SLOW_MS = 60_000
AREAS = (
    "app|shell|editor|deploy|canvas|inspector|document|command|action|actions|palette|outline|kind|edge|field|help"
    "|tour|shortcut"
)
KEY = re.compile(rf"\b(?:{AREAS})\.[a-z_]+(?:\.[a-z_]+)*\b")
"""What a text that has no words in the catalogue looks like on the page."""


class Drawing:
    """Be somebody at a designer's page; each method does one thing that can be done there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.canvas = page.get_by_role("region", name="Canvas")
        self.panel = page.get_by_role("complementary", name="Details of the drawing")
        self.status = page.locator(".d-said")
        self.save_state = page.locator(".d-save-state")
        self.editor = page.get_by_role("textbox", name="Compose file")
        self.dialog = page.get_by_role("dialog")

    def wait(self) -> Drawing:
        """Wait until the drawing is on the canvas."""
        expect(self.page.locator(".react-flow__viewport")).to_be_attached()
        return self

    def card(self, name: str, kind: str = "service") -> Locator:
        return self.page.locator(f".react-flow__node[data-id='{kind}:{name}']")

    def edge(self, source: str, target: str) -> Locator:
        return self.page.get_by_role("group", name=re.compile(f"^{source} depends on {target}"))

    # --- with the mouse

    def drag_tile(self, tile: str, x: float, y: float) -> None:
        """Drag a tile of the palette to a place of the canvas; x and y are parts of its width and height."""
        start = box_of(self.page.locator(".d-palette").get_by_role("button", name=tile, exact=True))
        area = box_of(self.canvas)
        self.drag(middle(start), (area["x"] + area["width"] * x, area["y"] + area["height"] * y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
        mouse.move(*end, steps=4)
        mouse.up()

    def draw_edge(self, source: str, target: str) -> None:
        """Draw from the handle of one card to another card."""
        self.card(source).hover()
        handle = box_of(self.card(source).locator(".react-flow__handle.source"))
        self.drag(middle(handle), middle(box_of(self.card(target))))

    def drag_card(self, name: str, by: tuple[float, float]) -> None:
        box = box_of(self.card(name))
        grip = (box["x"] + box["width"] / 2, box["y"] + 14)
        self.drag(grip, (grip[0] + by[0], grip[1] + by[1]))

    def open_card(self, name: str) -> None:
        """Select a card and see it in the inspector."""
        self.card(name).click(position={"x": 60, "y": 14})
        self.tab("Inspector")
        expect(self.panel.get_by_role("heading", name=name, exact=True)).to_be_visible()

    def tab(self, name: str) -> Locator:
        """Open a panel; returns its body."""
        self.panel.get_by_role("tab", name=name).click()
        return self.panel.get_by_role("tabpanel")

    def fill(self, label: str, text: str) -> None:
        """Type into a field of the inspector and mean it."""
        field = self.panel.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")

    # --- text

    def type_at_end(self, text: str) -> None:
        self.editor.focus()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.insert_text(text)

    def replace_text(self, text: str) -> None:
        self.editor.focus()
        self.page.keyboard.press("Control+a")
        # Chromium itself would put a style, which the page's policy forbids, where text takes the place of lines.
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)

    def settled(self) -> None:
        """Wait until the portal has everything."""
        expect(self.save_state).to_have_text("Saved")

    def draft(self) -> dict[str, Any]:
        """Return the draft as the portal has it, once it has everything."""
        self.settled()
        key = self.page.url.rstrip("/").rsplit("/", 1)[1].split("?")[0]
        if "/drafts/" not in self.page.url:
            design = self.page.url.split("/designs/")[1].split("/")[0]
            found = self._get("drafts/")["results"]
            key = next(row["id"] for row in found if row["blueprint"] and row["blueprint"]["id"] == design)
        return self._get(f"drafts/{key}/")

    def text(self) -> str:
        return str(self.draft()["compose"])

    def _get(self, path: str) -> dict[str, Any]:
        origin = re.match(r"https?://[^/]+", self.page.url)
        assert origin
        answer = self.page.request.get(f"{origin[0]}/api/v1/{path}")
        assert answer.ok, f"{path}: {answer.status} {answer.text()[:300]}"
        return dict(answer.json())

    # --- history

    @property
    def undo(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile("^Undo"))

    @property
    def redo(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile("^Redo"))

    def step_through(self, button: Locator) -> int:
        """Press undo or redo until nothing is left; returns how many steps there were."""
        steps = 0
        while button.get_attribute("aria-disabled") != "true":
            before = button.get_attribute("aria-label")
            button.click()
            steps += 1
            assert steps < 60, f"{before} never ends"
        return steps

    # --- saving, planning

    def command(self, words: str) -> None:
        """Do something by its name."""
        self.page.keyboard.press("Control+k")
        search = self.page.get_by_role("combobox", name="Commands")
        search.fill(words)
        self.page.get_by_role("option").first.click()

    def save(self, name: str = "", message: str = "") -> None:
        self.page.get_by_role("button", name="Save version").click()
        dialog = self.dialog
        if name:
            dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_label("What has changed").fill(message)
        dialog.get_by_role("button", name=re.compile("^Save (as|the)")).click()
        expect(dialog).to_have_count(0)

    def more(self, item: str) -> None:
        self.page.locator(".d-more summary").click()
        self.page.get_by_role("button", name=item, exact=True).click()

    def plan_for(self, cloud: str) -> Locator:
        """Plan what is drawn for a cloud; returns the panel's body."""
        body = self.tab("Plan")
        body.get_by_label("Cloud", exact=True).select_option(cloud)
        return self.plan()

    def plan(self) -> Locator:
        body = self.tab("Plan")
        body.get_by_role("button", name="Plan", exact=True).click()
        expect(body.get_by_role("button", name="Plan again")).to_be_visible()
        return body

    def planned(self, name: str, kind: str = "service") -> str:
        """Return what is painted on a card: create, update, replace, delete, or nothing."""
        found = re.search(r"d-change-(\w+)", self.card(name, kind).locator("> div").first.get_attribute("class") or "")
        return found[1] if found else ""

    def look(self, name: str) -> None:
        picture(self.page, name)

    def violations(self) -> list[Any]:
        found = Axe().run(self.page, options=RULES).response["violations"]
        return [(item["id"], [node["target"] for node in item["nodes"]][:3]) for item in found]

    def unspoken(self) -> list[str]:
        """Return keys of the catalogue that stand on the page where words should, in texts, names and titles."""
        words: str = self.page.evaluate(
            """() => {
                const names = ["aria-label", "title", "placeholder"];
                const named = [...document.querySelectorAll("[aria-label], [title], [placeholder]")];
                const said = named.flatMap((e) => names.map((name) => e.getAttribute(name) ?? ""));
                return [document.body.innerText, ...said].join("\\n");
            }"""
        )
        text = "\n".join(line for line in words.splitlines() if "compose.yaml" not in line)
        return sorted(set(KEY.findall(text)))


def box_of(locator: Locator) -> Any:
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    assert box, f"{locator} is not on the page"
    return box


def middle(box: Any) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def picture(page: Page, name: str) -> None:
    """Keep a picture where ESCALE_PICTURES names a folder, for whoever looks at the pages."""
    if folder := os.environ.get("ESCALE_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"designer-{name}.png")


def seen_the_tour(context: BrowserContext) -> None:
    """Spare somebody the tour that newcomers get."""
    context.add_init_script("localStorage.setItem('escale.tour', 'seen')")


def at_designer(browser: Browser, site: Site, name: str, **more: Any) -> Visitor:
    """Return somebody who is signed in, in a browser of their own, and has seen the tour."""
    context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **more})
    seen_the_tour(context)
    visitor = Visitor(context, site)
    visitor.sign_in(name, PASSWORD)
    expect(visitor.page.get_by_role("navigation").first).to_be_visible()
    return visitor


def cut(context: BrowserContext) -> None:
    """Cut the connection to the portal's API; the pages stay."""
    context.route("**/api/**", _abort)


def mend(context: BrowserContext) -> None:
    context.unroute("**/api/**", _abort)


def _abort(route: Route) -> None:
    route.abort("connectionfailed")
