"""Print for people: tables, plans, findings, live progress; or JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.client import Client, CliError

# What is piped is read line by line: nothing is wrapped there.
out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False)

FINAL = frozenset({"succeeded", "failed", "cancelled", "reverted", "revert_failed"})
COLOURS = {
    "succeeded": "green", "running": "cyan", "failed": "red", "cancelled": "yellow", "reverted": "yellow",
    "revert_failed": "red", "destroyed": "dim", "create": "green", "update": "yellow", "replace": "magenta",
    "delete": "red", "keep": "dim", "error": "red", "warning": "yellow", "info": "dim",
}  # fmt: skip
WHOLE = frozenset({"NAME", "ID", "OPERATION"})  # columns that people copy: never broken, never left out
LONGEST_WORD = 20  # longer words of other columns may be broken
MARKS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "keep": " "}


def coloured(word: str) -> str:
    """Return a word in the colour of its meaning."""
    colour = COLOURS.get(word)
    return f"[{colour}]{escape(word)}[/{colour}]" if colour else escape(word)


def print_json(value: Any) -> None:
    """Print JSON for programs: nothing else is on standard output then."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(columns: list[str], rows: list[list[str]], empty: str) -> None:
    """Print rows under headings, or say what an empty list means.

    Piped, each row is one line, whole. On a terminal names and ids stay whole too: columns at the right wrap, and those
    that have no room at all are left out and named below.
    """
    if not rows:
        out.print(escape(empty))
        return
    cells = [[Text.from_markup(cell).plain for cell in row] for row in rows]
    full = [
        max(cell_len(text) for text in (name, *each))
        for name, each in zip(columns, zip(*cells, strict=True), strict=True)
    ]
    shown, widths = list(range(len(columns))), full
    if out.is_terminal:
        shown, widths = _fit(columns, cells, full, out.width)
    grid = Table(box=None, pad_edge=False, header_style="bold", width=sum(widths) + 2 * (len(shown) - 1))
    for place, width in zip(shown, widths, strict=True):
        grid.add_column(columns[place], overflow="fold", width=width)
    for row in rows:
        grid.add_row(*(row[place] for place in shown))
    out.print(grid, crop=False)
    if left := [name for place, name in enumerate(columns) if place not in shown]:
        out.print(f"[dim]No room for: {escape(', '.join(left))}. A wider terminal shows it, and a pipe does.[/dim]")


def _fit(columns: list[str], cells: list[list[str]], full: list[int], room: int) -> tuple[list[int], list[int]]:
    """Return which columns are shown in so many signs, and how wide each is."""
    whole = {place for place, name in enumerate(columns) if place == 0 or name in WHOLE}
    least = [
        full[place]
        if place in whole
        else max(cell_len(word) for text in (name, *(row[place] for row in cells)) for word in text.split() or [""])
        for place, name in enumerate(columns)
    ]
    least = [width if place in whole else min(width, LONGEST_WORD) for place, width in enumerate(least)]
    shown = list(range(len(columns)))
    while sum(least[place] + 2 for place in shown) - 2 > room and set(shown) - whole:
        shown.remove(max(set(shown) - whole))
    spare = max(0, room - sum(least[place] + 2 for place in shown) + 2)
    widths = []
    for place in shown:
        more = min(spare, full[place] - least[place])
        spare -= more
        widths.append(least[place] + more)
    return shown, widths


def print_error(error: CliError) -> None:
    """Print an error with its findings and what to do, on standard error."""
    err.print(f"[red]error[/red] {escape(error.message)} [dim]({escape(error.code)})[/dim]")
    for finding in error.body.get("findings", ()):
        print_finding(finding)
    for param in error.body.get("params", ()):
        err.print(f"  {escape(str(param.get('name')))}: {escape(str(param.get('reason')))}")
    if error.hint:
        err.print(f"[dim]{escape(error.hint)}[/dim]")


def print_finding(finding: dict[str, Any], file: str = "") -> None:
    """Print one finding with its place."""
    where = f"{finding['line']}:{finding['column'] or 1}" if finding.get("line") else "-"
    place = escape(f"{file}:{where}" if file else where)
    err.print(f"  {place} {coloured(finding['severity'])} {escape(finding['message'])} [dim]{finding['code']}[/dim]")


def print_plan(plan: dict[str, Any]) -> None:
    """Print what a plan would do and why, what it needs, and what of the drawing is lost on this target."""
    part = f", region {escape(plan['region'])}" if plan.get("region") else ""
    several = len(plan["parts"]) > 1
    out.print(f"[bold]{escape(plan['deployment_name'])}[/bold] on {on_clouds(plan['parts'])}{part}")
    if several:
        for each in plan["parts"]:
            out.print(f"  {escape(each['cloud']['name'])}: {escape(', '.join(each['services']) or 'nothing')}")
    for change in plan["changes"]:
        if change["change"] == "keep":
            continue
        mark = f"[{COLOURS[change['change']]}]{MARKS[change['change']]} {change['change']:<8}[/]"
        data = " [red bold]DATA LOSS[/red bold]" if change["data_loss"] else ""
        where = f" on {escape(change['cloud'])}" if change.get("cloud") else ""
        out.print(
            f"  {mark}{escape(change['kind']):<8} {escape(change['name'])}{where}{data}  "
            f"[dim]{escape(change['cause'])}[/dim]"
        )
        for attribute, before, after in change["details"]:
            out.print(f"      [dim]{escape(attribute)}: {escape(before)} → {escape(after)}[/dim]")
    if plan["empty"]:
        kept = any(finding["code"] == "plan.drift_kept" for finding in plan["findings"])
        told = "Nothing to do. What differs on the cloud is left alone:" if kept else None
        out.print(f"  {told or 'Nothing to do: the cloud is as drawn.'}")
    if plan["crossings"]:
        _print_crossings(plan["crossings"])
    for entry in plan["ledger"]:
        if entry["verdict"] != "honoured":
            line = f"line {entry['line']}" if entry["line"] else ".".join(str(part) for part in entry["path"])
            colour = "red" if entry["verdict"] == "dropped" else "yellow"
            out.print(f"  [{colour}]{entry['verdict']}[/{colour}] {escape(line)}: {escape(entry['reason'])}")
    for finding in plan["findings"]:
        print_finding(finding)
    need = plan["requirements"]
    out.print(
        f"Needs {need['machines']} machines, {need['cpus']} CPUs, {need['memory_mib'] / 1024:.1f} GiB memory, "
        f"{need['disk_gib']} GiB disk."
    )
    if price := plan.get("price"):
        before, note = price["monthly_before"], f" ({escape(price['note'])})" if price["note"] else ""
        now = f", {before} as it is now" if before not in (None, price["monthly"]) else ""
        out.print(f"Costs {price['monthly']} {price['currency']} a month{now}{note}.")
    elif several:
        costs = [(each["cloud"]["name"], each["price"]) for each in plan["parts"] if each["price"]]
        for name, each in costs:
            out.print(f"Costs {each['monthly']} {each['currency']} a month on {escape(name)}.")


def on_clouds(parts: list[dict[str, Any]]) -> str:
    """Return the names of the clouds of a plan or deployment."""
    return " and ".join(f"[bold]{escape(part['cloud']['name'])}[/bold]" for part in parts)


def _print_crossings(crossings: list[dict[str, Any]]) -> None:
    out.print("What crosses a border:")
    table(
        ["FROM", "TO", "PORT", "ADDRESS", "LET IN BY"],
        [
            [
                escape(f"{crossing['caller']} ({crossing['caller_cloud']})"),
                escape(f"{crossing['called']} ({crossing['called_cloud']})"),
                f"{crossing['port']}/{crossing['protocol']}",
                escape(", ".join(crossing["addresses"]) or f"of {', '.join(crossing['machines'])}, when it runs"),
                escape(crossing["firewall"]) or "-",
            ]
            for crossing in crossings
        ],
        "",
    )


def watch(client: Client, operation: str, *, quiet: bool) -> dict[str, Any]:
    """Follow an operation to its end and return it; progress bars on a terminal, a line a step elsewhere."""
    bars = None if quiet else Progress(
        TextColumn("{task.fields[mark]}"), TextColumn("{task.description}"), BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), console=err, transient=False,
    )  # fmt: skip
    live = bars is not None and err.is_terminal
    tasks: dict[str, TaskID] = {}
    titles: dict[str, str] = {}
    seen = 0
    if bars is not None and live:
        bars.start()
    try:
        while True:
            current: dict[str, Any] = client.get(f"/api/v1/operations/{operation}/")
            if current["state"] in FINAL:
                if bars is not None:
                    _catch_up(client, operation, seen, titles, bars if live else None, tasks)
                return current
            if not titles and not quiet:
                titles = {step["key"]: step["title"] for step in client.pages(f"/api/v1/operations/{operation}/steps/")}
            before = seen
            for number, event in client.events(operation, seen):
                seen = number
                if not quiet:
                    _show(event, titles, bars if live else None, tasks)
            if seen == before:
                time.sleep(1)  # a broken stream must not become a storm of requests
    finally:
        if bars is not None and live:
            bars.stop()


def _catch_up(
    client: Client, operation: str, seen: int, titles: dict[str, str], bars: Progress | None, tasks: dict[str, TaskID]
) -> None:
    for event in client.pages(f"/api/v1/operations/{operation}/events/", after=seen):
        _show(event, titles, bars, tasks)


def _show(event: dict[str, Any], titles: dict[str, str], bars: Progress | None, tasks: dict[str, TaskID]) -> None:
    step, data = event.get("step") or event.get("step_key") or "", event.get("data", {})
    title = titles.get(step, step)
    if event["type"] == "step.state":
        state = data.get("state", "")
        if bars is None:
            if state in ("succeeded", "failed", "skipped", "reverted", "blocked", "parked"):
                note = f" - {data['message']}" if state == "failed" and data.get("message") else ""
                err.print(f"{coloured(state)} {escape(title + note)}")
            return
        if state in ("running", "waiting") and step not in tasks:
            tasks[step] = bars.add_task(escape(title), total=100, mark="[cyan]▸[/cyan]")
        elif step in tasks and state in ("succeeded", "reverted"):
            bars.update(tasks[step], completed=100, mark="[green]✓[/green]")
        elif step in tasks and state in ("failed", "parked", "skipped"):
            bars.update(tasks[step], mark="[red]✗[/red]")
    elif event["type"] == "step.progress" and bars is not None and step in tasks:
        bars.update(tasks[step], completed=data.get("progress") or 0)
