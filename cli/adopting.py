"""``escale adopt`` and ``escale drift``: bring running machines under the portal, and go out of drift both ways."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import render
from cli.client import Client, CliError, read_login

drift = typer.Typer(no_args_is_help=True, help="What runs otherwise than it is drawn: look, write back, restore.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the operation to its end.")]
Name = Annotated[str, typer.Argument(help="Name or id of the deployment.")]
_MOST = 1000


def adopt(
    machines: Annotated[
        list[str] | None, typer.Argument(help="Names or identities of machines, as the inventory has them.")
    ] = None,
    cloud: Annotated[str, typer.Option("--from", help="Name of the cloud that they run on.")] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the design and its deployment.")] = "",
    project: Annotated[str | None, typer.Option("--project", "-p", envvar="ESCALE_PROJECT", help="Slug or id.")] = None,
    folder: Annotated[str | None, typer.Option("--folder", help="All machines of a folder, and below it.")] = None,
    match: Annotated[str | None, typer.Option("--match", help="All machines that the inventory finds by this.")] = None,
    draw: Annotated[bool, typer.Option("--draw", help="Print the drawing and stop; nothing is planned.")] = False,
    start: Annotated[bool, typer.Option("--start", help="Start the plan: write the markers.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Draw machines that run already, and plan their adoption: markers are written on them, and nothing else.

    Without --start the plan is only made; start it in the portal, or by the API.
    """
    if not cloud or not name:
        raise CliError("Say --from CLOUD and --name NAME.", code="cli.usage", hint="`escale adopt --help` tells all.")
    client = Client(read_login())
    ids = _identities(client, cloud, machines or [], folder, match)
    body = {"project": project or _only_project(client), "cloud": cloud, "name": name, "machines": ids}
    made, _ = client.post("/api/v1/onboardings/", body)
    for one in made["refused"]:
        render.err.print(f"  [yellow]left out[/yellow] {escape(one['name'])}: {escape(one['reason'])}")
    for warning in made["warnings"]:
        render.err.print(f"  [yellow]warning[/yellow] {escape(warning)}")
    if draw:
        render.print_json(made) if as_json else sys.stdout.write(made["compose"])
        return
    plan, _ = client.post(f"/api/v1/onboardings/{made['id']}/plan/")
    if not as_json:
        render.print_plan(plan)
    if not start:
        if as_json:
            render.print_json(plan)
        else:
            render.out.print("Nothing was touched. --start writes the markers.")
        if plan["blocked"]:
            raise typer.Exit(1)
        return
    _start(client, plan, wait=wait, as_json=as_json)


@drift.command("show")
def show(
    name: Name,
    check: Annotated[bool, typer.Option("--check/--last", help="Ask the cloud now, or tell the last look.")] = True,
    as_json: AsJson = False,
) -> None:
    """Say how a deployment differs on its cloud from what is drawn. Exits with 1 when it does, or nobody knows."""
    client = Client(read_login())
    base = f"/api/v1/deployments/{name}/drift"
    report = client.post(f"{base}/check/")[0] if check else client.get(f"{base}/report/")
    if as_json:
        render.print_json(report)
    else:
        render.out.print(f"{escape(name)}: {render.coloured(report['state'])}", report["reason"])
        _values((report["drift"] or {}).get("differences", []), "Nothing differs.")
    if report["state"] in ("drifted", "unknown"):
        raise typer.Exit(1)


@drift.command("write-back")
def write_back(
    name: Name,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would be written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what the cloud has into the drawing, as a new version of the design; the cloud is not touched."""
    client = Client(read_login())
    made, _ = client.post(f"/api/v1/deployments/{name}/drift/write-back/", {"preview": preview})
    if as_json:
        render.print_json(made)
        return
    sys.stdout.write(made["diff"] + "\n" if made["diff"] else "")
    for one in made["left"]:
        render.err.print(
            f"  [yellow]left[/yellow] {escape(one['name'])} {escape(one['what'])} "
            f"({escape(one['drawn'])} → {escape(one['found'])}): {escape(one['why_not'])}"
        )
    if made["version"]:
        render.out.print(
            f"Saved as version {made['version']}. Plan an update to version {made['version']} to settle it: "
            f"escale drift settle {escape(name)}",
            soft_wrap=True,
        )


@drift.command("settle")
def settle(
    name: Name,
    start: Annotated[bool, typer.Option("--start", help="Start the plan.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Plan an update to the newest version of the design, such as write-back makes; with --start, do it."""
    client = Client(read_login())
    shown = client.get(f"/api/v1/deployments/{name}/")
    plan, _ = client.post("/api/v1/plans/", {"deployment": shown["id"], "blueprint": shown["blueprint"]["id"]})
    _show_plan(client, plan, start=start, wait=wait, as_json=as_json)


@drift.command("restore")
def restore(
    name: Name,
    start: Annotated[bool, typer.Option("--start", help="Start the plan.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Plan what puts the drawing's values back on the cloud; with --start, do it."""
    client = Client(read_login())
    plan, _ = client.post(f"/api/v1/deployments/{name}/drift/restore/")
    _show_plan(client, plan, start=start, wait=wait, as_json=as_json)


def _show_plan(client: Client, plan: dict[str, Any], *, start: bool, wait: bool, as_json: bool) -> None:
    if not as_json:
        render.print_plan(plan)
    if start and not plan["empty"]:
        _start(client, plan, wait=wait, as_json=as_json)
    elif as_json:
        render.print_json(plan)
    if plan["blocked"]:
        raise typer.Exit(1)


def _identities(client: Client, cloud: str, machines: list[str], folder: str | None, match: str | None) -> list[str]:
    """Return the identities of the machines that are meant; CliError for a name that none or several have."""
    ids: list[str] = []
    for wanted in machines:
        rows = list(client.pages("/api/v1/inventory/machines/", cloud=cloud, q=wanted, limit=200))
        found = [row for row in rows if wanted in (row["name"], row["uid"])]
        if not found:
            found = list(client.pages("/api/v1/inventory/machines/", cloud=cloud, uid=wanted))
        if len(found) != 1:
            told = f"{len(found)} machines of {cloud} are called {wanted!r}."
            raise CliError(
                told, code="cli.machine", hint="Give the identity (uid) instead, or look into the inventory."
            )
        ids.append(str(found[0]["uid"]))
    if folder is not None or match is not None:
        filters = {name: value for name, value in (("folder", folder), ("q", match)) if value}
        for row in client.pages("/api/v1/inventory/machines/", cloud=cloud, owner="unmanaged", limit=200, **filters):
            ids.append(str(row["uid"]))
            if len(ids) > _MOST:
                break
    if not ids:
        raise CliError(
            "No machine is meant.",
            code="cli.machine",
            hint="Name some, or all of a folder (--folder) or search (--match).",
        )
    return list(dict.fromkeys(ids))


def _only_project(client: Client) -> str:
    rows = list(client.pages("/api/v1/projects/"))
    if len(rows) != 1:
        known = ", ".join(row["slug"] for row in rows) or "none"
        hint = f"Say --project; you may use: {known}."
        raise CliError("It is not clear which project is meant.", code="cli.project", hint=hint)
    return str(rows[0]["slug"])


def _start(client: Client, plan: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    body, _ = client.post("/api/v1/deployments/", {"plan": plan["id"]})
    operation = str(body["operation"])
    if not wait:
        if as_json:
            render.print_json(body)
        else:
            render.out.print(f"Started as operation {operation}. `escale operations {operation} --watch` follows it.")
        return
    ended = render.watch(client, operation, quiet=as_json)
    if as_json:
        render.print_json({**client.get(f"/api/v1/deployments/{body['id']}/"), "operation_state": ended["state"]})
    else:
        render.out.print(f"{ended['title']}: {render.coloured(ended['state'])}")
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


def _values(rows: list[dict[str, Any]], empty: str) -> None:
    render.table(
        ["of", "what", "drawn", "found", "drawing can say it"],
        [
            [
                escape(row["name"]),
                row["what"],
                escape(row["drawn"]),
                escape(row["found"]),
                "yes" if row["writable"] else escape(row["why_not"]),
            ]
            for row in rows
        ],
        empty,
    )
