"""Measure the designer's canvas against React Flow's own stress page: `python -m benchmarks.designer [--rounds 3]`.

Both pages are built into a temporary folder and run in one headless Chromium, in turns, with real mouse and wheel
events at 60 a second. Only ratios mean something: the machine may be busy with other things. With all in view the
canvas draws summaries where the stress page draws its 450 nodes, so this compares what a person feels, not equal work.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import math
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, CDPSession, Page

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding", "--js-flags=--expose-gc",
]  # fmt: skip
SIZES = (500, 1000, 2000)
STEPS = 90
FRAME = 1 / 60
Row = dict[str, float]


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves the built pages, and the portal's own static files beside them."""

    def translate_path(self, path: str) -> str:
        if path.startswith("/static/"):
            return str(ROOT / path.lstrip("/").split("?")[0])
        return super().translate_path(path)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def build(target: Path) -> None:
    """Build both pages into a folder."""
    command = ["npx", "vite", "build", "-c", "bench/vite.config.ts", "--outDir", str(target), "--logLevel", "error"]
    subprocess.run(command, cwd=FRONTEND, check=True)


def measure(browser: Browser, address: str) -> Row:
    """Return the figures of one page: seconds, frames a second, milliseconds and megabytes."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    try:
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(address, wait_until="commit")
        page.wait_for_function("() => window.__bench && window.__bench.full", timeout=120_000)
        row: Row = {"full": page.evaluate("__bench.full") / 1000}
        page.wait_for_timeout(1_000)
        page.wait_for_function("() => !__bench.settled || __bench.settled()", timeout=90_000)
        page.wait_for_timeout(1_000)
        session.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        row["heap"] = metrics["JSHeapUsedSize"] / 1048576
        row["elements"] = page.evaluate("document.getElementsByTagName('*').length")
        row["fit"] = page.evaluate("__bench.view().zoom")
        _gestures(page, session, row)
        _switches(browser, page, session, row)
        return row
    finally:
        context.close()


def _gestures(page: Page, session: CDPSession, row: Row) -> None:
    gesture = functools.partial(_gesture, page, row)
    gesture("pan", lambda: _drag(session, (8, 8), (300, 200)))
    # Far in and out again by the wheel: crosses the levels.
    gesture("zoom", lambda: _wheel(session, lambda step: -20 if step < STEPS // 2 else 20))
    page.wait_for_timeout(800)
    grip = page.evaluate("__bench.grip()")
    gesture("drag", lambda: _drag(session, grip, (120, 80)))
    page.evaluate("__bench.letGo()")
    page.evaluate("__bench.near()")
    page.wait_for_timeout(2_500)
    row["near"] = page.evaluate("__bench.view().zoom")
    grip = page.evaluate("__bench.grip()")
    gesture("drag_near", lambda: _drag(session, grip, (160, 120)))
    page.evaluate("__bench.letGo()")
    gesture("pan_near", lambda: _drag(session, (8, 8), (300, 200)))


def _switches(browser: Browser, page: Page, session: CDPSession, row: Row) -> None:
    """Zoom out through all levels and in again, resting between: the longest task, by the clock and by its own CPU.

    On a busy machine the clock also counts what others did meanwhile; the CPU time of the main thread does not.
    """
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    for direction in (1, 1, 1, -1, -1, -1):
        _wheel(session, lambda _, way=direction: 14 * way)  # type: ignore[misc]
        page.wait_for_timeout(1_200)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (one["pid"], one["tid"])
        for one in events
        if one.get("name") == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        one
        for one in events
        if one.get("ph") == "X" and one["name"].endswith("RunTask") and (one["pid"], one["tid"]) in main
    ]
    row["switch_longest"] = max((one["dur"] for one in tasks), default=0) / 1000
    row["switch_cpu_longest"] = max((one.get("tdur", 0) for one in tasks), default=0) / 1000


def _gesture(page: Page, row: Row, name: str, act: Callable[[], None]) -> None:
    page.evaluate("__bench.start()")
    act()
    for _ in range(100):
        if page.evaluate("__bench.quiet()") > 350:
            break
        page.wait_for_timeout(60)
    page.wait_for_timeout(150)
    result = page.evaluate("__bench.stop()")
    row[name] = result["fps"] if result["moved"] > 2 else math.nan
    row[f"{name}_longest"] = result["longest"]
    page.wait_for_timeout(300)


def _cadence() -> Iterator[int]:
    start = time.perf_counter()
    for step in range(STEPS):
        yield step
        time.sleep(max(0.0, start + (step + 1) * FRAME - time.perf_counter()))


def _drag(session: CDPSession, at: tuple[float, float] | list[float], by: tuple[float, float]) -> None:
    """Press, move there and back in a second and a half, release."""
    x, y = at
    event = functools.partial(_mouse, session)
    event("mouseMoved", x, y)
    event("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    for step in _cadence():
        part = (1 - math.cos((step + 1) / STEPS * 2 * math.pi)) / 2
        event("mouseMoved", x + by[0] * part, y + by[1] * part, button="left", buttons=1)
    event("mouseReleased", x, y, button="left", clickCount=1)


def _wheel(session: CDPSession, delta: Callable[[int], float]) -> None:
    for step in _cadence():
        _mouse(session, "mouseWheel", 720, 450, deltaX=0, deltaY=delta(step))


def _mouse(session: CDPSession, kind: str, x: float, y: float, **more: Any) -> None:
    session.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})


def _best(rows: list[Row]) -> Row:
    """The quietest of the rounds: other work on the machine only ever makes things slower."""
    slower_is_more = {"full", "heap", "elements"}
    result: Row = {}
    for key in rows[0]:
        values = [row[key] for row in rows if not math.isnan(row[key])]
        least = key in slower_is_more or key.endswith("_longest")
        result[key] = (min(values) if least else max(values)) if values else math.nan
    return result


def report(stress: Row, ours: dict[int, Row]) -> list[tuple[str, str, str, bool]]:
    """Return the lines of the table: what, goal, reached, and whether the goal is met."""

    def ratio(size: int, key: str) -> float:
        return ours[size][key] / stress[key]

    lines: list[tuple[str, str, str, bool]] = []

    def line(what: str, size: int, value: float, goal: float, unit: str, most: bool) -> None:
        met = value <= goal if most else value >= goal
        sign = "≤" if most else "≥"
        lines.append(
            (
                f"{what}, {size}",
                f"{sign} {goal:g} {unit}",
                f"{value:.2f} {unit}" if unit == "×" else f"{value:.0f} {unit}",
                met,
            )
        )

    wanted: list[tuple[str, str, int, float, bool]] = [
        ("first full render", "full", 500, 0.8, True), ("first full render", "full", 2000, 1.0, True),
        ("pan, all in view", "pan", 1000, 1.8, False), ("pan, all in view", "pan", 2000, 1.3, False),
        ("drag, all in view", "drag", 2000, 0.95, False), ("zoom", "zoom", 1000, 0.8, False),
        ("zoom", "zoom", 2000, 0.75, False), ("canvas heap", "heap", 2000, 1.0, True),
    ]  # fmt: skip
    for what, key, size, goal, most in wanted:
        if size in ours:
            line(what, size, ratio(size, key), goal, "×", most)
    if 2000 in ours:
        line("drag at 100 %", 2000, ours[2000]["drag_near"] / stress["drag"], 0.95, "×", False)
        line("longest task at a switch of level, CPU", 2000, ours[2000]["switch_cpu_longest"], 200, "ms", True)
        line("longest task at a switch of level, clock", 2000, ours[2000]["switch_longest"], 200, "ms", True)
    return lines


def main() -> None:
    """Build, measure in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", action="store_true", help="print all figures too")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        build(Path(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        stress: list[Row] = []
        ours: dict[int, list[Row]] = {size: [] for size in chosen.sizes}
        for _ in range(chosen.rounds):
            for size in [None, *chosen.sizes]:
                # A process of its own for each, so that none inherits another one's heap.
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                page = "stress.html" if size is None else f"canvas.html?n={size}"
                (stress if size is None else ours[size]).append(measure(browser, f"{address}/{page}"))
                browser.close()
        server.shutdown()
    best = {size: _best(rows) for size, rows in ours.items()}
    if chosen.json:
        print(json.dumps({"stress": stress, **{str(size): rows for size, rows in ours.items()}}, indent=1))
    spread = statistics.pstdev([row["pan"] for row in stress]) if len(stress) > 1 else 0.0
    print(f"stress page: {_words(_best(stress))} (pan ± {spread:.0f} between rounds)")
    for size, row in best.items():
        print(f"{size:>5} cards: {_words(row)}")
    for what, goal, reached, met in report(_best(stress), best):
        print(f"{'ok  ' if met else 'MISS'} {what:<42} goal {goal:<10} reached {reached}")


def _words(row: Row) -> str:
    return (
        f"full {row['full']:.2f} s, pan {row['pan']:.0f}, zoom {row['zoom']:.0f}, drag {row['drag']:.0f}, "
        f"drag near {row['drag_near']:.0f}, pan near {row['pan_near']:.0f} fps, heap {row['heap']:.1f} MB, "
        f"{row['elements']:.0f} elements, longest task in switches {row['switch_cpu_longest']:.0f} ms CPU "
        f"({row['switch_longest']:.0f} by the clock), fit {row['fit']:.3f}"
    )


if __name__ == "__main__":
    main()
