"""``escale labels``: run the probes of a cloud, read what they found, sign, and check a report that somebody gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import render
from cli.client import Client, CliError, read_login

app = typer.Typer(no_args_is_help=True, help="Labels of clouds: run probes, read reports, sign, check.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the run to its end.")]
Cloud = Annotated[str, typer.Argument(help="Name or id of the cloud.")]
LARGEST_BYTES = 4 * 2**20


@app.command("list")
def list_labels(as_json: AsJson = False) -> None:
    """List the labels of all clouds that you may use."""
    rows = list(_client().pages("/api/v1/labels/"))
    if as_json:
        render.print_json(rows)
        return
    render.table(
        ["cloud", "label", "standing", "until", "signed by"],
        [[row["cloud"], row["name"], row["standing"], _day(row["valid_until"]), row["signer"] or "-"] for row in rows],
        "No labels: `escale labels run CLOUD` makes a cloud earn one.",
    )


@app.command("run")
def run_probes(cloud: Cloud, wait: Wait = True, as_json: AsJson = False) -> None:
    """Take a canary machine through its life on a cloud, and see what the cloud has earned."""
    client = _client()
    body, _ = client.post(f"/api/v1/clouds/{cloud}/conformance/")
    if not wait:
        if as_json:
            render.print_json(body)
        else:
            render.out.print(
                f"Started as operation {body['operation']}. `escale labels show {cloud}` tells how it ends."
            )
        return
    render.watch(client, str(body["operation"]), quiet=as_json)
    ended = client.get(f"/api/v1/conformance/{body['id']}/")
    if as_json:
        render.print_json(ended)
    else:
        _print_run(ended)
    if ended["state"] != "passed":
        raise typer.Exit(1)


@app.command("show")
def show_label(
    cloud: Cloud,
    edition: Annotated[
        str | None, typer.Option("--report", help="Print the report of the newest run as JSON: partner or full.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a cloud's label and its newest run."""
    client = _client()
    labels = client.get("/api/v1/labels/", cloud=cloud)["results"]
    runs = client.get(f"/api/v1/clouds/{cloud}/conformance/")["results"]
    ended = [run for run in runs if run["state"] != "running"]
    if edition is not None:
        if edition not in ("partner", "full"):
            raise typer.BadParameter("say partner or full", param_hint="--report")
        signed = next((label["run"] for label in labels if label["standing"] in _IN_FORCE), None)
        if signed is None and not ended:
            raise CliError("No run has ended on this cloud.", code="cli.no_run", hint=f"escale labels run {cloud}")
        chosen = signed or ended[0]["id"]
        render.print_json(client.get(f"/api/v1/conformance/{chosen}/report.json", edition=edition))
        return
    newest = client.get(f"/api/v1/conformance/{runs[0]['id']}/") if runs else None
    if as_json:
        render.print_json({"labels": labels, "run": newest})
        return
    for label in labels[:1]:
        until = f", until {_day(label['valid_until'])}" if label["valid_until"] else ""
        render.out.print(f"{label['name']}: {label['standing']}{until}", markup=False)
        for line in (label["statement"], label["why"]):
            if line:
                render.out.print(f"  {line}", markup=False)
    if newest is None and client.get(f"/api/v1/clouds/{cloud}/")["kind"] in WITHOUT_PROBES:
        render.out.print("No label is offered for this kind of cloud.")
        return
    if newest is None:
        render.out.print(f"No runs yet: `escale labels run {cloud}` makes one.")
        return
    _print_run(newest)


@app.command("sign")
def sign_label(
    cloud: Cloud,
    statement: Annotated[str, typer.Option("--statement", "-m", help="What you vouch for; partners read it.")],
    days: Annotated[int | None, typer.Option("--days", help="How long it holds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the label that waits for a signature on a cloud."""
    client = _client()
    label = _waiting(client, cloud, ("candidate",))
    body, _ = client.post(f"/api/v1/labels/{label['id']}/sign/", {"statement": statement, "days": days})
    if as_json:
        render.print_json(body)
        return
    render.out.print(f"{body['cloud']} carries {', '.join(body['names'])} until {_day(body['valid_until'])}.")


@app.command("withdraw")
def withdraw_label(
    cloud: Cloud,
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever relies on it reads this.")],
    as_json: AsJson = False,
) -> None:
    """Take a cloud's label away."""
    client = _client()
    label = _waiting(client, cloud, (*_IN_FORCE, "suspended", "expired", "broken", "lapsed"))
    body, _ = client.post(f"/api/v1/labels/{label['id']}/withdraw/", {"reason": reason})
    if as_json:
        render.print_json(body)
        return
    render.out.print(f"{body['cloud']} carries no label any more.")


@app.command("verify")
def verify_report(
    file: Annotated[Path, typer.Argument(help="A report in JSON.", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Check a report: whether the portal has signed just this, and where its label stands now."""
    if file.stat().st_size > LARGEST_BYTES:
        raise CliError(f"{file} is larger than a report can be.", code="cli.too_large")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CliError(f"{file} is not JSON: {error}", code="label.report_unreadable") from None
    if not isinstance(content, dict):
        raise CliError(f"{file} is no report.", code="label.report_unreadable")
    body, _ = _client().post("/api/v1/labels/verify/", content)
    if as_json:
        render.print_json(body)
    else:
        _print_check(body)
    if not body["valid"]:
        raise typer.Exit(1)


WITHOUT_PROBES = frozenset({"aws"})
"""Kinds of clouds that no label is offered for."""
_IN_FORCE = ("valid", "expiring", "unconfirmed")


def _client() -> Client:
    return Client(read_login())


def _waiting(client: Client, cloud: str, standings: tuple[str, ...]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = client.get("/api/v1/labels/", cloud=cloud)["results"]
    found = next((row for row in rows if row["standing"] in standings), None)
    if found is None:
        hint = f"`escale labels show {cloud}` tells what there is."
        raise CliError(f"No label of {cloud} is {' or '.join(standings[:2])}.", code="cli.no_label", hint=hint)
    return found


def _print_run(run: dict[str, Any]) -> None:
    render.table(
        ["probe", "verdict", "for", "found"],
        [
            [
                probe["title"],
                "not offered" if probe["left_out"] else render.coloured(probe["verdict"]),
                probe["level"] if probe["required"] else "advisory",
                _found(probe),
            ]
            for probe in run["probes"]
        ],
        "No probes.",
    )
    earned = f"earned escale:{run['level']}" if run["level"] else "earned nothing"
    render.out.print(f"{run['cloud']}: {run['state']}, {earned}", markup=False)


def _found(probe: dict[str, Any]) -> str:
    text = probe.get("message") or ", ".join(
        f"{name} {value}" for name, value in probe["facts"].items() if not isinstance(value, list | dict)
    )
    return str(text)[:120].replace("[", "\\[")


def _print_check(body: dict[str, Any]) -> None:
    said = {
        True: "The signature is this portal's, over just this report.",
        False: "FORGED: the signature does not fit.",
        None: "Not signed, or by a key that this portal has no more.",
    }
    render.out.print(said[body["authentic"]], markup=False)
    if body["details"] is False:
        render.out.print("CHANGED: details beside the signed part are not those that were signed.", markup=False)
    if body["authentic"]:
        standing = f"{body['label']}, signed by {body['signer']}: {body['standing']} now"
        render.out.print(f"{standing}, until {_day(body['valid_until'])}.", markup=False)


def _day(moment: str | None) -> str:
    return moment[:10] if moment else "-"
