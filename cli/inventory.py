"""``escale inventory`` and ``escale sync``: what the clouds have, from a terminal."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import render
from cli.client import Client, CliError, read_login

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Values = list[str] | None

MACHINES = "/api/v1/inventory/machines/"
THINGS = "/api/v1/inventory/things/"
SUMMARY = "/api/v1/inventory/summary/"


def inventory(
    kind: Annotated[str, typer.Argument(help="machines, or host, datastore, network, template, …")] = "machines",
    q: Annotated[str | None, typer.Option("--q", "-q", help="Words in name, address, guest or folder.")] = None,
    cloud: Annotated[Values, typer.Option("--cloud", help="Name of a cloud; may be repeated, as all of these.")] = None,
    power: Annotated[Values, typer.Option("--power", help="on, off, suspended.")] = None,
    cluster: Annotated[Values, typer.Option("--cluster")] = None,
    host: Annotated[Values, typer.Option("--host")] = None,
    folder: Annotated[Values, typer.Option("--folder", help="A path, with what lies below it.")] = None,
    network: Annotated[Values, typer.Option("--network")] = None,
    datastore: Annotated[Values, typer.Option("--datastore")] = None,
    tag: Annotated[Values, typer.Option("--tag")] = None,
    guest: Annotated[Values, typer.Option("--guest", help="A part of the operating system's name.")] = None,
    owner: Annotated[Values, typer.Option("--owner", help="managed, unmanaged, or the id of a deployment.")] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="A column; with - before it descending.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Print at most so many; with --csv all.")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all that is found as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the machines of all clouds, or their hosts, datastores, networks, templates."""
    client = Client(read_login())
    given = {
        "q": q, "cloud": cloud, "power": power, "cluster": cluster, "host": host, "folder": folder, "network": network,
        "datastore": datastore, "tag": tag, "guest": guest, "owner": owner, "sort": sort,
    }  # fmt: skip
    filters = {name: value for name, value in given.items() if value}
    if kind in ("machine", "machines"):
        if as_csv:
            _export(client, filters)
            return
        rows = list(islice(client.pages(MACHINES, **filters, limit=min(limit, 500)), limit))
        render.print_json(rows) if as_json else _machines(client, rows)
        return
    if as_csv or set(filters) - {"q", "cloud", "sort"}:
        raise CliError("Only machines can be filtered by that, or printed as CSV.", code="cli.usage")
    rows = list(islice(client.pages(THINGS, **filters, kind=kind.removesuffix("s"), limit=min(limit, 500)), limit))
    render.print_json(rows) if as_json else _things(client, rows)


def sync(
    cloud: Annotated[str, typer.Argument(help="Name or id of the cloud.")],
    scratch: Annotated[bool, typer.Option("--scratch", help="Load everything anew, not only what changed.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the operation to its end.")] = True,
    as_json: AsJson = False,
) -> None:
    """Bring the inventory of a cloud up to date now; the portal does so by itself every minute."""
    client = Client(read_login())
    operation, _ = client.post(f"/api/v1/clouds/{cloud}/sync/", {"scratch": scratch})
    if not wait:
        if as_json:
            render.print_json(operation)
            return
        number = operation["id"]
        render.out.print(f"Started as operation {number}. `escale operations {number} --watch` follows it.")
        return
    ended = render.watch(client, str(operation["id"]), quiet=as_json)
    state = client.get(f"/api/v1/clouds/{cloud}/sync/")
    if as_json:
        render.print_json({**state, "operation_state": ended["state"]})
    else:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(state["counts"].items())) or "nothing"
        render.out.print(f"{escape(cloud)}: {render.coloured(ended['state'])}; {escape(counts)}.")
        if error := ended.get("error"):
            render.print_error(CliError(str(error.get("message")), code=str(error.get("code"))))
    if ended["state"] != "succeeded":
        raise typer.Exit(1)


def _export(client: Client, filters: dict[str, Any]) -> None:
    for piece in client.text(f"{MACHINES}export/", **filters):
        sys.stdout.write(piece.removeprefix("\ufeff"))  # only spreadsheets need the mark


def _machines(client: Client, rows: list[dict[str, Any]]) -> None:
    render.table(
        ["CLOUD", "NAME", "POWER", "CPUS", "MEMORY", "HOST", "FOLDER", "ADDRESSES"],
        [
            [
                _plain(row["cloud"]["name"]),
                _plain(row["name"]) + (" [dim](managed)[/dim]" if row["managed"] else ""),
                render.coloured(row["power"]),
                str(row["cpus"]),
                f"{row['memory_mib'] / 1024:g} GiB",
                _plain(row["host"]),
                _plain(row["folder"]),
                _plain(" ".join(row["addresses"])),
            ]
            for row in rows
        ],
        "" if rows else _why_empty(client, "No machine is found."),
    )


def _things(client: Client, rows: list[dict[str, Any]]) -> None:
    def facts(row: dict[str, Any]) -> str:
        plain = {name: value for name, value in row["facts"].items() if isinstance(value, str | int | float)}
        return " ".join(f"{name}={value}" for name, value in plain.items())

    render.table(
        ["CLOUD", "KIND", "NAME", "FACTS"],
        [[_plain(row["cloud"]["name"]), row["kind"], _plain(row["name"]), _plain(facts(row))] for row in rows],
        "" if rows else _why_empty(client, "Nothing of this kind is found."),
    )


def _why_empty(client: Client, told: str) -> str:
    """Return what an empty list means: nothing is there, or clouds were not listed yet."""
    syncs = client.get(SUMMARY)["syncs"]
    waiting = [sync["cloud"]["name"] for sync in syncs if not sync["synced_at"]]
    if not waiting:
        return told
    if len(waiting) == len(syncs):
        return "The clouds are being listed for the first time. Try again in a minute."
    return f"{told} Not listed yet: {_clean(', '.join(waiting))}. Try again in a minute."


def _clean(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _plain(text: str) -> str:
    """Return a text of a cloud's without what a terminal would obey."""
    return escape(_clean(text))
