"""``escale clouds``: list them, add one, test it, change it, exchange its credential, share it, remove it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import render
from cli.client import Client, CliError, read_login

app = typer.Typer(invoke_without_command=True, help="Clouds: list, add, test, change and share them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Cloud = Annotated[str, typer.Argument(help="Name or id of the cloud.")]
Username = Annotated[str | None, typer.Option("--username", "-u", help="Who signs in; an access key id at AWS.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the password; else ESCALE_CLOUD_PASSWORD, else it is asked for."),
]
Title = Annotated[str | None, typer.Option("--title", help="As people read it.")]
Region = Annotated[str | None, typer.Option("--region", help="Place, such as 'Paris, FR'; known ones are on the map.")]
At = Annotated[str | None, typer.Option("--at", help="Where the pin is: LATITUDE,LONGITUDE in degrees.")]
Address = Annotated[str | None, typer.Option("--address", help="Host and port, or https:// address of its API.")]
Pin = Annotated[str | None, typer.Option("--pin", help="SHA-256 fingerprint of the certificate to trust.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="PEM file of the authority that signed it.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="NAME=VALUE of the kind, such as region=eu-west-1 for AWS.")
]
Defaults = Annotated[
    list[str] | None, typer.Option("--default", help="NAME=VALUE: template, cluster, datastore or network.")
]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="NAME=NUMBER: machines, cpus, memory_gib, disk_gib; empty: none.")
]
Prices = Annotated[
    list[str] | None,
    typer.Option("--price", help="NAME=VALUE: currency, cpu_month, memory_gib_month, disk_gib_month; all of them."),
]
CLOUDS = "/api/v1/clouds/"


@app.callback()
def clouds(context: typer.Context, as_json: AsJson = False) -> None:
    """List the clouds that can be deployed to; the commands below change them."""
    if context.invoked_subcommand is None:
        list_clouds(as_json)


@app.command("list")
def list_clouds(as_json: AsJson = False) -> None:
    """List the clouds that can be deployed to."""
    rows = list(_client().pages(CLOUDS))
    if as_json:
        render.print_json(rows)
        return
    render.table(
        ["NAME", "KIND", "FLAVOUR", "REGION", "HEALTH", "OWNER"],
        [
            [row["name"], row["kind"], row["flavour"], row["region"], _health(row.get("health")),
             (row.get("owner") or {}).get("slug", "")]
            for row in rows
        ],
        "No clouds: `escale clouds add` adds one, with the role Admin.",
    )  # fmt: skip


@app.command("show")
def show_cloud(cloud: Cloud, as_json: AsJson = False) -> None:
    """Show a cloud: how it is, what it has, its limits."""
    client = _client()
    row = client.get(f"{CLOUDS}{cloud}/")
    usage = client.get(f"{CLOUDS}{cloud}/usage/")["results"] if row.get("owner") is None else []
    if as_json:
        render.print_json({**row, "usage": usage})
        return
    render.out.print(f"[bold]{escape(row['name'])}[/bold] {escape(row['title'])} · {row['kind']} {row['flavour']}")
    for name in ("region", "address"):
        if row.get(name):
            render.out.print(f"  {name}: {escape(str(row[name]))}")
    _print_health(row.get("health"))
    for limit in usage:
        if limit["limit"] is not None:
            render.out.print(f"  {limit['kind']}: {limit['held']:g} of {limit['limit']} held")


@app.command("kinds")
def list_kinds(as_json: AsJson = False) -> None:
    """Tell which kinds of clouds can be added, and what each asks for."""
    rows = _client().get(f"{CLOUDS}kinds/")["results"]
    if as_json:
        render.print_json(rows)
        return
    for kind in rows:
        flavours = ", ".join(flavour["name"] for flavour in kind["flavours"])
        render.out.print(f"[bold]{kind['name']}[/bold] {escape(kind['title'])}" + (f": {flavours}" if flavours else ""))
        for ask in kind["asks"]:
            needed = "" if ask["required"] else " (optional)"
            render.out.print(f"  {ask['name']}{needed}: {escape(ask['label'])}")


@app.command("add")
def add_cloud(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    kind: Annotated[str, typer.Option("--kind", help="`escale clouds kinds` lists them.")] = "vsphere",
    flavour: Annotated[str, typer.Option("--flavour", help="private, ovh, ibm, vmc or evs.")] = "",
    address: Address = None,
    username: Username = None,
    password_file: PasswordFile = None,
    pin: Pin = None,
    ca_file: CaFile = None,
    title: Title = None,
    region: Region = None,
    at: At = None,
    option: Options = None,
    default: Defaults = None,
    limit: Limits = None,
    price: Prices = None,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Ask it at once how it is.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; trust only what is given.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a cloud. Without --pin and --ca-file its certificate is shown, to be compared and confirmed."""
    client = _client()
    body = _changes(address, pin, ca_file, title, region, at, option, default, limit, price)
    body |= {"name": name, "kind": kind, "flavour": flavour}
    asks_for_trust = any(row["name"] == kind and row["certificate"] for row in client.get(f"{CLOUDS}kinds/")["results"])
    if asks_for_trust and address and not (pin or ca_file or yes or as_json):
        body |= _confirmed(client, address)
    body["username"] = username or typer.prompt("User name at the cloud", err=True)
    body["password"] = _password(password_file)
    made, _ = client.post(CLOUDS, body)
    health = client.post(f"{CLOUDS}{made['id']}/test/")[0] if test else None
    if as_json:
        render.print_json({**made, "health": health})
    else:
        render.out.print(f"Added [bold]{escape(made['name'])}[/bold].")
        _print_health(health)
    if health is not None and not health["ok"]:
        raise typer.Exit(1)


@app.command("edit")
def edit_cloud(
    cloud: Cloud,
    address: Address = None,
    flavour: Annotated[str | None, typer.Option("--flavour", help="private, ovh, ibm, vmc or evs.")] = None,
    username: Username = None,
    password_file: PasswordFile = None,
    pin: Pin = None,
    ca_file: CaFile = None,
    title: Title = None,
    region: Region = None,
    at: At = None,
    option: Options = None,
    default: Defaults = None,
    limit: Limits = None,
    price: Prices = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Let new plans use it, or not.")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only-project", help="Own project that may use it; `all` for every one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, and nothing else. A new address needs the credential again; --username gives it, too."""
    client = _client()
    known = client.get(f"{CLOUDS}{cloud}/")
    body = _changes(address, pin, ca_file, title, region, at, option, default, limit, price)
    for group in ("options", "defaults", "limits"):
        if group in body:  # what is not named stays
            body[group] = {**{key: value for key, value in (known.get(group) or {}).items() if value is not None},
                           **body[group]}  # fmt: skip
    if flavour is not None:
        body["flavour"] = flavour
    if enabled is not None:
        body["enabled"] = enabled
    if only:
        body["projects"] = [] if only == ["all"] else only
    moves = address is not None and address != known.get("address")
    if moves or username is not None or password_file is not None:
        body["username"] = username or typer.prompt("User name at the cloud", err=True)
        body["password"] = _password(password_file)
    changed = client.patch(f"{CLOUDS}{cloud}/", body)
    if as_json:
        render.print_json(changed)
    else:
        render.out.print(f"Changed {', '.join(sorted(set(body) - {'password'})) or 'nothing'}.")


@app.command("test")
def ask_cloud(cloud: Cloud, as_json: AsJson = False) -> None:
    """Sign in anew and say how it is: version, missing privileges, clock, latency, certificate."""
    health, _ = _client().post(f"{CLOUDS}{cloud}/test/")
    render.print_json(health) if as_json else _print_health(health)
    if not health["ok"]:
        raise typer.Exit(1)


@app.command("rotate")
def rotate_credential(
    cloud: Cloud, username: Username = None, password_file: PasswordFile = None, as_json: AsJson = False
) -> None:
    """Exchange the credential while work goes on; the new one is tried first."""
    client = _client()
    body = {"username": username or typer.prompt("User name at the cloud", err=True)}
    body["password"] = _password(password_file)
    client.put(f"{CLOUDS}{cloud}/credential/", body)
    if as_json:
        render.print_json({"rotated": True})
    else:
        render.out.print("Exchanged: every process takes the new one at its next call.")


@app.command("remove")
def remove_cloud(
    cloud: Cloud,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a cloud on which nothing lives from the portal; the cloud itself is left alone."""
    if not yes:
        typer.confirm(f"Remove {cloud} from the portal, and forget its credential?", abort=True, err=True)
    _client().delete(f"{CLOUDS}{cloud}/")
    if as_json:
        render.print_json({"removed": True})
    else:
        render.out.print("Removed.")


@app.command("share")
def share_cloud(
    cloud: Cloud,
    organization: Annotated[str | None, typer.Argument(help="Short name of whom to offer it; none: list.")] = None,
    project: Annotated[str, typer.Option("--project", help="Only this project of theirs.")] = "",
    take_back: Annotated[bool, typer.Option("--take-back", help="Take the offer or the right back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Offer a cloud to another organization, or take that back; without one, list who has it."""
    client = _client()
    path = f"{CLOUDS}{cloud}/grants/"
    if organization is not None and not take_back:
        client.post(path, {"organization": organization, "project": project})
    rows = client.get(path)["results"]
    if organization is not None and take_back:
        found = [row for row in rows if (row["organization"], row["project"]) == (organization, project)]
        if not found:
            raise CliError(f"{cloud} is not offered to {organization}.", code="cli.not_shared")
        client.delete(f"{path}{found[0]['id']}/")
        rows = [row for row in rows if row is not found[0]]
    if as_json:
        render.print_json(rows)
        return
    render.table(
        ["ORGANIZATION", "PROJECT", "STATE"],
        [
            [row["organization"], row["project"] or "all", "accepted" if row["accepted"] else "not answered"]
            for row in rows
        ],
        "Not shared with anybody.",
    )


@app.command("offers")
def list_offers(
    accept: Annotated[str | None, typer.Option("--accept", help="Name of the cloud to accept.")] = None,
    decline: Annotated[str | None, typer.Option("--decline", help="Name of the cloud to decline or give back.")] = None,
    as_json: AsJson = False,
) -> None:
    """List clouds that others offer to your organization; accept or decline one."""
    client = _client()
    rows = list(client.pages("/api/v1/cloud-offers/"))
    for name, verb in ((accept, "accept"), (decline, "decline")):
        if name is None:
            continue
        found = [row for row in rows if name in (row["cloud"]["name"], row["id"])]
        if len(found) != 1:
            raise CliError(f"{len(found)} offers are called {name}; name one by its id.", code="cli.no_offer")
        path = f"/api/v1/cloud-offers/{found[0]['id']}/"
        client.post(f"{path}accept/") if verb == "accept" else client.delete(path)
        rows = list(client.pages("/api/v1/cloud-offers/"))
    if as_json:
        render.print_json(rows)
        return
    render.table(
        ["ID", "CLOUD", "OWNER", "FOR", "STATE"],
        [
            [row["id"], row["cloud"]["name"], row["owner"]["slug"], row["project"] or "all projects",
             "accepted" if row["accepted"] else "offered"]
            for row in rows
        ],
        "Nobody offers you a cloud.",
    )  # fmt: skip


def _client() -> Client:
    return Client(read_login())


def _changes(
    address: str | None,
    pin: str | None,
    ca_file: Path | None,
    title: str | None,
    region: str | None,
    at: str | None,
    option: list[str] | None,
    default: list[str] | None,
    limit: list[str] | None,
    price: list[str] | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {"address": address, "thumbprint": pin, "title": title, "region": region}
    if ca_file is not None:
        body["ca_pem"] = ca_file.read_text()
    if at is not None:
        body["latitude"], body["longitude"] = _place(at)
    for name, given in (("options", option), ("defaults", default), ("prices", price)):
        if given:
            body[name] = _pairs(given, f"--{name.rstrip('s')}")
    if limit:
        body["limits"] = {key: _number(value) for key, value in _pairs(limit, "--limit").items()}
    return {key: value for key, value in body.items() if value is not None}


def _pairs(given: list[str], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if wrong := [name for name, sign, _ in pairs if not sign or not name]:
        raise typer.BadParameter(f"write {wrong[0] or 'it'} as NAME=VALUE", param_hint=option)
    return {name: value for name, _, value in pairs}


def _number(text: str) -> int | None:
    if not text:
        return None
    if not text.isdigit():
        raise typer.BadParameter(f"{text!r} is not a whole number", param_hint="--limit")
    return int(text)


def _place(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter("write it as LATITUDE,LONGITUDE, such as 48.9,2.4", param_hint="--at") from None
    return latitude, longitude


def _password(file: Path | None) -> str:
    """Return a password that stands neither in the command line nor in the shell's history."""
    if file is not None:
        return file.read_text().rstrip("\r\n")
    return os.environ.get("ESCALE_CLOUD_PASSWORD") or str(typer.prompt("Password", hide_input=True, err=True))


def _confirmed(client: Client, address: str) -> dict[str, str]:
    """Show the certificate of an address, and return it as what to trust once somebody has said yes."""
    shown, _ = client.post(f"{CLOUDS}certificate/", {"address": address})
    if shown["trusted"]:
        return {}  # the system's authorities vouch for it
    digits = shown["sha256"].upper()
    fingerprint = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    for title, text in (
        ("Subject", shown["subject"]),
        ("Issuer", "itself" if shown["self_signed"] else shown["issuer"]),
        ("Valid", f"{shown['valid_from'][:10]} to {shown['valid_until'][:10]} ({shown['days_left']} days left)"),
        ("SHA-256", fingerprint),
    ):
        render.err.print(f"{title + ':':<9}{text}", markup=False)
    render.err.print("No authority vouches for this certificate. Compare the fingerprint with the cloud's own.")
    typer.confirm("Is it the same? Then exactly this certificate is trusted", abort=True, err=True)
    return {"thumbprint": shown["sha256"]}


def _health(health: dict[str, Any] | None) -> str:
    if not health:
        return "[dim]not asked yet[/dim]"
    return "[green]ok[/green]" if health.get("ok") else f"[red]{escape(health.get('summary') or 'down')}[/red]"


def _print_health(health: dict[str, Any] | None) -> None:
    if health is None:
        render.out.print("  health: not asked yet")
        return
    render.out.print(f"  health: {_health(health)}")
    facts = health["facts"]
    if facts.get("product"):
        render.out.print(f"  version: {escape(str(facts['product']))} {escape(str(facts.get('version') or ''))}")
    for lacking in facts.get("privileges_missing") or facts.get("missing_permissions") or ():
        named = lacking if isinstance(lacking, dict) else {"name": lacking}
        why = f" ({escape(str(named['for']))})" if named.get("for") else ""
        render.out.print(f"  [yellow]missing[/yellow]: {escape(str(named['name']))}{why}")
    if facts.get("clock_skew_s") is not None:
        render.out.print(f"  clock: {facts['clock_skew_s']:g} s apart")
    if facts.get("latency_ms") is not None:
        render.out.print(f"  answers in: {facts['latency_ms']:g} ms")
    if certificate := facts.get("certificate"):
        render.out.print(f"  certificate: valid until {str(certificate['valid_until'])[:10]}")
    for finding in health["findings"]:
        render.out.print(f"  {finding['severity']}: {escape(finding['message'])} [dim]{finding['code']}[/dim]")
    if health.get("circuit", {}).get("state") == "open":
        render.out.print("  [yellow]It is not asked for the moment: it missed several calls in a row.[/yellow]")
