"""The command line: ``escale``. Everything goes through the public REST API; ``config`` and ``validate`` are offline.

Exit codes: 0 done, 1 an operation did not succeed or a file has mistakes, 2 wrong usage, 3 the portal refused.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import adopting, clouds, files, inventory, labels, render
from cli.client import Client, CliError, Login, login_path, read_login, write_login
from engine import compose

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Deploy Compose files to your clouds, watch every step, and take it all back.",
)

app.add_typer(clouds.app, name="clouds")
app.add_typer(labels.app, name="labels")
app.add_typer(adopting.drift, name="drift")
app.command("adopt")(adopting.adopt)
app.command("inventory")(inventory.inventory)
app.command("sync")(inventory.sync)

ComposeFile = Annotated[Path | None, typer.Argument(help="Compose file, or the folder it is in.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the operation to its end.")]
Project = Annotated[str | None, typer.Option("--project", "-p", envvar="ESCALE_PROJECT", help="Slug or id.")]
Images = Annotated[
    list[str] | None, typer.Option("--image", help="SERVICE=IMAGE for a service that only says how to build.")
]
Region = Annotated[
    str | None, typer.Option("--region", help="Plan this region of the drawing alone; its name is added to NAME.")
]
NoFiles = Annotated[bool, typer.Option("--no-files", help="Send the Compose file alone.")]
Profiles = Annotated[list[str] | None, typer.Option("--profile", help="Enable a profile.")]


@app.command()
def login(
    url: Annotated[
        str, typer.Option("--url", prompt="Address of the portal", help="For example https://escale.example")
    ],
    token: Annotated[str, typer.Option("--token", prompt="API token", hide_input=True, envvar="ESCALE_TOKEN")],
    ca: Annotated[
        Path | None, typer.Option("--ca", help="PEM file of the authority that signed its certificate.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an address and a token, and keep them for later commands."""
    chosen = Login(url.rstrip("/"), token.strip(), str(ca.resolve()) if ca else None)
    projects = list(Client(chosen).pages("/api/v1/projects/"))
    path = write_login(chosen)
    if as_json:
        render.print_json({"url": chosen.url, "projects": [project["slug"] for project in projects]})
    else:
        names = ", ".join(project["slug"] for project in projects) or "none"
        render.out.print(f"Signed in at {chosen.url}; projects: {names}. Kept in {path}.")


@app.command()
def logout(as_json: AsJson = False) -> None:
    """Forget the address and token that were kept."""
    login_path().unlink(missing_ok=True)
    if as_json:
        render.print_json({"forgotten": True})
        return
    render.out.print("Forgotten. The token itself stays valid until it is revoked in the portal.")


@app.command()
def config(
    file: ComposeFile = None,
    format: Annotated[str, typer.Option("--format", help="json or yaml.")] = "yaml",
    project_name: Annotated[str | None, typer.Option("--project-name", help="Instead of the folder's name.")] = None,
    profile: Profiles = None,
    env_file: Annotated[Path | None, typer.Option("--env-file", help="Instead of the .env beside the file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the normal form of a Compose file, as the reference does; works without a portal."""
    format = "json" if as_json else format
    if format not in ("json", "yaml"):
        raise typer.BadParameter("must be json or yaml", param_hint="--format")
    project = _load(files.find_compose(file), project_name, profile, env_file)
    if format == "json":
        sys.stdout.write(compose.to_json(project))  # to the byte, so without a line end, as the reference
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(project.config, sort_keys=False, allow_unicode=True))


@app.command()
def validate(file: ComposeFile = None, as_json: AsJson = False) -> None:
    """Say everything that is wrong with a Compose file, by line and column; works without a portal."""
    path = files.find_compose(file)
    try:
        project = _load(path, None, None, None)
    except CliError as error:
        if not as_json:
            raise
        render.print_json({"valid": False, "findings": error.body["findings"]})
        raise typer.Exit(1) from None
    if as_json:
        render.print_json({"valid": True, "findings": [finding.to_json() for finding in project.findings]})
        return
    for finding in project.findings:
        render.print_finding(finding.to_json(), str(path))
    render.out.print(f"{path}: {len(project.services())} services, no mistakes.")


@app.command()
def projects(as_json: AsJson = False) -> None:
    """List the projects that the token may use."""
    rows = list(_client().pages("/api/v1/projects/"))
    if as_json:
        render.print_json(rows)
        return
    render.table(["SLUG", "NAME", "ROLE"], [[r["slug"], r["name"], str(r.get("role"))] for r in rows], "No projects.")


@app.command()
def plan(
    file: ComposeFile = None,
    to: Annotated[
        str,
        typer.Option("--to", help="Name of the cloud, of all that the drawing does not place on another one itself."),
    ] = "",
    name: Annotated[str | None, typer.Option("--name", help="Name of the deployment.")] = None,
    project: Project = None,
    region: Region = None,
    image: Images = None,
    no_files: NoFiles = False,
    as_json: AsJson = False,
) -> None:
    """Show what a deployment would do, why, and how each line of the file fares; changes nothing on the cloud."""
    made = _plan(_client(), file, to, name, project, image, no_files, region=region or "", quiet=as_json)
    render.print_json(made) if as_json else render.print_plan(made)
    if made["blocked"]:
        raise typer.Exit(1)


@app.command()
def deploy(
    file: ComposeFile = None,
    to: Annotated[
        str,
        typer.Option("--to", help="Name of the cloud, of all that the drawing does not place on another one itself."),
    ] = "",
    name: Annotated[str | None, typer.Option("--name", help="Name of the deployment.")] = None,
    project: Project = None,
    region: Region = None,
    image: Images = None,
    no_files: NoFiles = False,
    wait: Wait = False,
    accept_data_loss: Annotated[bool, typer.Option(help="Let the plan delete volumes with their data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Plan and start a deployment, or the update of the one that has this name."""
    client = _client()
    made = _plan(client, file, to, name, project, image, no_files, region=region or "", quiet=as_json)
    if not as_json:
        render.print_plan(made)
    body, location = client.post("/api/v1/deployments/", {"plan": made["id"], "accept_data_loss": accept_data_loss})
    _follow(client, body, location, wait=wait, as_json=as_json)


@app.command()
def destroy(
    name: Annotated[str, typer.Argument(help="Name or id of the deployment.")],
    wait: Wait = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything that a deployment has made, its data disks included. Asks first on a terminal."""
    client = _client()
    found = client.get(f"/api/v1/deployments/{name}/")
    if not as_json:
        made = [row for row in found["resources"] if not row.get("adopted")]
        doomed = ", ".join(f"{row['kind']} {row['name']}" for row in made) or "nothing"
        released = len(found["resources"]) - len(made)
        data = " The data on its volumes is lost." if any(r["kind"] == "volume" for r in found["resources"]) else ""
        where = " and ".join(part["cloud"]["name"] for part in found["parts"])
        let_go = f" {released} adopted machines are released and stay as they are." if released else ""
        render.err.print(f"This destroys {doomed} on {where}.{data}{let_go}", markup=False)
    ask = not yes and not as_json and sys.stdin.isatty()
    if ask and typer.prompt(f"Type {found['name']} to confirm") != found["name"]:
        raise CliError("Not confirmed; nothing was changed.", code="cli.not_confirmed")
    body, location = client.delete(f"/api/v1/deployments/{found['id']}/")
    _follow(client, body, location, wait=wait, as_json=as_json)


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Name or id of a deployment; without it all are listed.")] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List deployments, or show what exists of one."""
    client = _client()
    if name is None:
        rows = list(client.pages("/api/v1/deployments/", project=project))
        if as_json:
            render.print_json(rows)
            return
        render.table(
            ["NAME", "STATE", "CLOUD", "DESIGN", "UPDATED"],
            [
                [r["name"], render.coloured(r["state"]), r["cloud"]["name"],
                 f"{r['blueprint']['name']} v{r['version']}", r["updated_at"][:19]]
                for r in rows
            ],
            "No deployments yet: `escale deploy compose.yaml --to CLOUD --name NAME` makes one.",
        )  # fmt: skip
        return
    found = client.get(f"/api/v1/deployments/{name}/")
    if as_json:
        render.print_json(found)
        return
    render.out.print(
        f"[bold]{found['name']}[/bold] {render.coloured(found['state'])} on {render.on_clouds(found['parts'])}, "
        f"{found['blueprint']['name']} v{found['version']}, last operation {found['operation']}"
    )
    render.table(
        ["RESOURCE", "CLOUD", "STATE", "ADDRESSES", "SERVICES"],
        [
            [r["key"], r["cloud"], r["state"], " ".join(r["addresses"]), " ".join(w["service"] for w in r["workloads"])]
            for r in found["resources"]
        ],
        "Nothing exists.",
    )


@app.command()
def operations(
    operation: Annotated[str | None, typer.Argument(help="Id of an operation to show with its steps.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """List operations, or show the steps of one."""
    client = _client()
    if operation is None:
        rows = client.get("/api/v1/operations/", limit=50)["results"]
        if as_json:
            render.print_json(rows)
            return
        render.table(
            ["ID", "STATE", "TITLE", "CREATED"],
            [[r["id"], render.coloured(r["state"]), r["title"], r["created_at"][:19]] for r in rows],
            "No operations yet.",
        )
        return
    if watch:
        render.watch(client, operation, quiet=as_json)
    found = client.get(f"/api/v1/operations/{operation}/")
    steps = list(client.pages(f"/api/v1/operations/{operation}/steps/"))
    if as_json:
        render.print_json({**found, "steps": steps})
    else:
        render.out.print(f"{found['title']}: {render.coloured(found['state'])}")
        render.table(
            ["STEP", "STATE", "MESSAGE"],
            [[s["title"], render.coloured(s["state"]), s.get("message") or ""] for s in steps],
            "No steps: there was nothing to do.",
        )
    _exit_by(found, as_json=True)


@app.command()
def cancel(
    operation: str,
    revert: Annotated[bool, typer.Option("--revert", help="Undo what was done already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop an operation, and with --revert take back what it has done."""
    body, _ = _client().post(f"/api/v1/operations/{operation}/cancel/", {"mode": "revert" if revert else "stop"})
    render.print_json(body) if as_json else render.out.print(f"{body['title']}: {body['state']}")


@app.command()
def retry(operation: str, wait: Wait = False, as_json: AsJson = False) -> None:
    """Go on with a failed operation from the step that failed."""
    client = _client()
    body, _ = client.post(f"/api/v1/operations/{operation}/retry/")
    if wait:
        body = render.watch(client, operation, quiet=as_json)
    if as_json:
        render.print_json(body)
    elif not wait:
        render.out.print(f"Goes on. `escale operations {operation} --watch` follows it.")
    if wait:
        _exit_by(body, as_json=as_json)


def run() -> None:
    """Run the command line and turn its errors into words and exit codes."""
    try:
        app()
    except CliError as error:
        if "--json" in sys.argv:
            render.print_json({"error": {"code": error.code, "message": error.message, **error.body}})
        else:
            render.print_error(error)
        sys.exit(1 if error.code in ("compose.invalid", "cli.not_confirmed") else 3)
    except KeyboardInterrupt:
        render.err.print("Stopped watching; an operation that was started goes on.")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


def _client() -> Client:
    return Client(read_login())


def _load(path: Path, name: str | None, profiles: list[str] | None, env_file: Path | None) -> compose.Project:
    text = files.read_text(path)
    found, _ = files.beside(path, text)
    if env_file:
        found[".env"] = files.read_text(env_file)
    # The user's own machine: here, as with the reference, the shell's variables count and win over .env.
    environment = dict(os.environ)
    if name:
        environment["COMPOSE_PROJECT_NAME"] = name
    try:
        return compose.load(
            text, name=_folder_name(path), environment=environment, files=found, profiles=profiles or ()
        )
    except compose.ComposeError as error:
        findings = [finding.to_json() for finding in error.findings]
        raise CliError(f"{path} has mistakes:", code="compose.invalid", body={"findings": findings}) from None


def _folder_name(path: Path) -> str:
    return re.sub(r"[^a-z0-9_-]", "", path.resolve().parent.name.lower()).lstrip("_-") or "default"


def _plan(
    client: Client, file: Path | None, to: str, name: str | None, project: str | None, image: list[str] | None,
    no_files: bool, *, region: str, quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    path = files.find_compose(file)
    text = files.read_text(path)
    if not to and not region and not _names_clouds(text):  # a region, or all of it, may be drawn for a cloud
        raise typer.BadParameter("name a cloud: `escale clouds` lists them", param_hint="--to")
    supplied, notes = ({}, []) if no_files else files.beside(path, text)
    if not quiet:
        for sent in supplied:
            render.err.print(f"sending {sent} along", style="dim", markup=False)
        for note in notes:
            render.err.print(note, style="yellow", markup=False)
    chosen = name or _folder_name(path)
    body: dict[str, Any] = {"compose": _decode(text, path), "files": files.as_json(supplied)}
    slug = project or _only_project(client)
    known = client.get("/api/v1/blueprints/", project=slug, name=chosen)["results"]
    if known:
        blueprint = known[0]["id"]
        client.post(f"/api/v1/blueprints/{blueprint}/versions/", body)
    else:
        blueprint = client.post("/api/v1/blueprints/", {**body, "project": slug, "name": chosen})[0]["id"]
    # Each region of a design is a deployment of its own, and two of them cannot share a name.
    deployed = f"{chosen}-{region}" if region else chosen
    wanted: dict[str, Any] = {"blueprint": blueprint, "name": deployed, "region": region, "images": _images(image)}
    if to:
        wanted["cloud"] = to
    running = client.get("/api/v1/deployments/", project=slug, name=deployed)["results"]
    if running:
        wanted["deployment"] = running[0]["id"]
    made: dict[str, Any] = client.post("/api/v1/plans/", wanted)[0]
    return made


def _names_clouds(text: bytes) -> bool:
    """Tell whether a drawing may name its clouds itself; only the portal reads it whole."""
    return re.search(rb"\b(place|cloud)[\"']?\s*:", text) is not None


def _decode(text: bytes, path: Path) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CliError(f"{path} is not UTF-8 text (byte {error.start}).", code="compose.invalid") from None


def _images(given: list[str] | None) -> dict[str, str]:
    images = {}
    for item in given or ():
        service, equals, image = item.partition("=")
        if not (service and equals and image):
            raise typer.BadParameter(f"{item!r} is not SERVICE=IMAGE", param_hint="--image")
        images[service] = image
    return images


def _only_project(client: Client) -> str:
    rows = list(client.pages("/api/v1/projects/"))
    if len(rows) != 1:
        known = ", ".join(row["slug"] for row in rows) or "none"
        raise CliError(
            "It is not clear which project is meant.", code="cli.project", hint=f"Say --project; you may use: {known}."
        )
    slug: str = rows[0]["slug"]
    return slug


def _follow(client: Client, body: dict[str, Any], location: str | None, *, wait: bool, as_json: bool) -> None:
    operation = str(body["operation"])
    if not wait:
        if as_json:
            render.print_json(body)
            return
        render.out.print(f"Started as operation {operation}. `escale operations {operation} --watch` follows it.")
        return
    ended = render.watch(client, operation, quiet=as_json)
    if as_json:
        render.print_json({**client.get(f"/api/v1/deployments/{body['id']}/"), "operation_state": ended["state"]})
    _exit_by(ended, as_json=as_json)


def _exit_by(operation: dict[str, Any], *, as_json: bool) -> None:
    if not as_json:
        render.out.print(f"{operation['title']}: {render.coloured(operation['state'])}")
    if operation.get("error") and not as_json:
        error = operation["error"]
        render.print_error(
            CliError(str(error.get("message")), code=str(error.get("code")), hint=str(error.get("hint") or ""))
        )
    if operation["state"] in render.FINAL and operation["state"] != "succeeded":
        raise typer.Exit(1)


if __name__ == "__main__":
    run()
