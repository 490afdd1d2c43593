"""Read every setting from the environment, each declared once.

Standard library only: the launcher reads the same declarations before anything is installed.
A variable `X` of kind `secret` may also be given as `X_FILE`, the path of a file whose text is
the value (as Docker and Kubernetes mount their secrets).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["text", "secret", "integer", "number", "boolean", "list", "networks", "path"]
Reader = Literal["portal", "launcher", "tests"]

TRUE = {"1", "true", "yes", "on"}
SHORTEST_SECRET_KEY = 50
FALSE = {"0", "false", "no", "off", ""}


class SettingsError(ValueError):
    """Say everything that is wrong with the environment at once; `problems` is the list of sentences."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The settings cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


@dataclass(frozen=True)
class Variable:
    """Declare one environment variable.

    `default` None means "unset is fine" unless `required`, which makes an unset one an error outside the sandbox.
    `choices` lists the only values allowed; `minimum` bounds numbers.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    reader: Reader = "portal"

    def convert(self, text: str) -> Any:
        """Turn the text into the declared type; raises ValueError with a half-sentence on why it cannot."""
        value: Any = text
        if self.kind in ("integer", "number"):
            try:
                value = int(text) if self.kind == "integer" else float(text)
            except ValueError:
                raise ValueError(f"is not {'a whole number' if self.kind == 'integer' else 'a number'}") from None
            if self.minimum is not None and value < self.minimum:
                raise ValueError(f"is below the smallest value allowed, {self.minimum:g}")
        elif self.kind == "boolean":
            lowered = text.strip().lower()
            if lowered not in TRUE | FALSE:
                raise ValueError("is neither 1 nor 0")
            value = lowered in TRUE
        elif self.kind == "list":
            value = _parts(text)
        elif self.kind == "networks":
            value = [_network(part) for part in _parts(text)]
        elif self.kind == "path":
            value = Path(text).expanduser()
        if self.choices and value not in self.choices:
            raise ValueError("is not one of " + ", ".join(self.choices))
        return value

    def shown(self, text: str) -> str:
        """Return the value as an error message may show it: never a secret."""
        return "(hidden)" if self.kind == "secret" else repr(text)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"holds {text!r}, which is no network such as 10.0.0.0/8 ({error})") from None


VARIABLES: tuple[Variable, ...] = (
    # What every process of the portal needs.
    Variable(
        "ESCALE_SANDBOX",
        "boolean",
        "1 starts or expects the sandbox: generated keys, simulated clouds, no TLS "
        "asked for. `make run` sets it unless it is given as 0.",
        default=False,
    ),
    Variable(
        "DATABASE_URL",
        "secret",
        "PostgreSQL, as `postgresql://user:password@host:5432/name`; "
        "`?sslmode=verify-full` and other libpq options are passed on.",
        required=True,
    ),
    Variable(
        "DATABASE_POOL_MAX",
        "integer",
        "Connections that one process may pool; 0 opens one per request or task thread.",
        default=0,
        minimum=0,
    ),
    Variable(
        "REDIS_URL",
        "secret",
        "The broker, as `redis://host:6379/0` or `rediss://…`. Nothing in it is kept: "
        "it may be flushed at any time. Run it with `maxmemory-policy noeviction`.",
        required=True,
    ),
    Variable("SECRET_KEY", "secret", "Signs sessions and one-time links; 50 or more random characters.", required=True),
    Variable(
        "ESCALE_KEYS",
        "secret",
        "The keys that encrypt cloud credentials, newest first, as "
        "`version:base64-of-32-bytes,…`. Add a new one in front to rotate.",
        required=True,
    ),
    Variable(
        "ESCALE_URL",
        "text",
        "The address people and clients use, without a slash at the end. Decides whether cookies need HTTPS.",
        default="http://127.0.0.1:8000",
    ),
    Variable(
        "ALLOWED_HOSTS",
        "list",
        "Host names the portal answers to, by commas. The host of ESCALE_URL is always among them.",
    ),
    Variable(
        "ESCALE_MACHINE_URL",
        "text",
        "The HTTPS address at which deployed machines reach the portal to fetch their secrets. Empty uses ESCALE_URL.",
        default="",
    ),
    Variable(
        "ESCALE_MACHINE_CA",
        "path",
        "PEM file of the authority that signed that address's certificate; unset means a public one.",
    ),
    Variable(
        "ESCALE_CLOUD_NETWORKS",
        "networks",
        "The networks that clouds may be in, as `10.20.0.0/16,2001:db8::/32`; checked when a cloud is entered and at "
        "each connection. Empty allows every network. Link-local and metadata addresses are refused whatever stands "
        "here, and outside the sandbox the portal's own loopback.",
    ),
    Variable("ESCALE_DEBUG", "boolean", "1 shows Django's debug pages. Refused outside the sandbox.", default=False),
    Variable(
        "STATIC_ROOT",
        "path",
        "The folder that `collectstatic` fills and the web processes serve; unset serves the sources themselves.",
    ),
    Variable("TIME_ZONE", "text", "The zone in which times are shown.", default="UTC"),
    Variable(
        "LOG_LEVEL",
        "text",
        "The least serious message that is logged.",
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
    Variable(
        "LOG_FORMAT", "text", "`json` for machines, `console` for eyes.", default="json", choices=("json", "console")
    ),
    Variable("METRICS_TOKEN", "secret", "Bearer token for `/metrics`. Without one only loopback may read it."),
    Variable(
        "FORWARDED_ALLOW_IPS",
        "text",
        "Addresses of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, by commas; read by "
        "uvicorn.",
        default="127.0.0.1",
    ),
    Variable(
        "PROMETHEUS_MULTIPROC_DIR",
        "path",
        "An empty folder in which several processes behind one port share their request counters.",
    ),
    Variable(
        "ESCALE_OPERATIONS",
        "list",
        "Figures of the journal that differ from `apps/operations/tuning.py`, as `lease_s=30,sweep_s=5`.",
    ),
    Variable("ESCALE_LABEL_DAYS", "number", "Days for which a signed label of a cloud holds.", default=90.0, minimum=1),
    Variable(
        "ESCALE_LABEL_EXPIRING_DAYS",
        "number",
        "Days before its end in which a label counts as expiring, and its cloud is probed once more for a new one.",
        default=14.0,
        minimum=0,
    ),
    Variable(
        "ESCALE_LABEL_RUN_EVERY_HOURS",
        "number",
        "Hours after which a labelled cloud is probed again.",
        default=168.0,
        minimum=1,
    ),
    Variable(
        "ESCALE_LABEL_GRACE_HOURS",
        "number",
        "Hours for which a label stands although its cloud could not be asked.",
        default=72.0,
        minimum=0,
    ),
    Variable(
        "ESCALE_LABEL_MAX_RUN_AGE_DAYS",
        "number",
        "Days after which a run is too old to be signed.",
        default=7.0,
        minimum=0,
    ),
    # What the launcher alone reads.
    Variable(
        "PORT",
        "integer",
        "The port of the pages and the API. 0 chooses a free one and remembers it in ESCALE_HOME.",
        default=8000,
        minimum=0,
        reader="launcher",
    ),
    Variable(
        "HOST",
        "text",
        "The address that the pages and the API listen at. Anything but loopback opens the sandbox to the network; "
        "name it in ALLOWED_HOSTS then.",
        default="127.0.0.1",
        reader="launcher",
    ),
    Variable(
        "MACHINE_PORT",
        "integer",
        "The port of the HTTPS listener for deployed machines. 0 chooses a free one and remembers it.",
        default=0,
        minimum=0,
        reader="launcher",
    ),
    Variable(
        "POSTGRES_PORT",
        "integer",
        "The port of the embedded PostgreSQL; 0 as above. Unused when DATABASE_URL is set.",
        default=0,
        minimum=0,
        reader="launcher",
    ),
    Variable(
        "REDIS_PORT",
        "integer",
        "The port of the embedded Redis; 0 as above. Unused when REDIS_URL is set.",
        default=0,
        minimum=0,
        reader="launcher",
    ),
    Variable(
        "SIMULATOR_PORTS",
        "list",
        "Ports of simulated clouds, as `paris=9001,ireland=9002`; those not named get free ones, remembered.",
        reader="launcher",
    ),
    Variable(
        "ESCALE_HOME",
        "path",
        "The folder of everything that is kept: data, keys, certificates, logs.",
        default=".escale in the clone",
        reader="launcher",
    ),
    Variable(
        "ESCALE_VENV", "path", "The folder of the virtual environment.", default=".venv in the clone", reader="launcher"
    ),
    Variable("ESCALE_WORKERS", "integer", "How many worker processes run.", default=2, minimum=1, reader="launcher"),
    # What the tests alone read.
    Variable(
        "ESCALE_REQUIRE_COMPONENTS",
        "boolean",
        "1 turns each skip for a missing component (Chromium, a Docker engine) into a failure.",
        default=False,
        reader="tests",
    ),
)


class Environment:
    """Give the checked values of the declared variables as items: `environment["DATABASE_URL"]`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]


def load(
    environ: Mapping[str, str], variables: Iterable[Variable] = VARIABLES, reader: Reader = "portal"
) -> Environment:
    """Read and check the variables of one reader; raises SettingsError naming every problem, not only the first."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    chosen = [variable for variable in variables if variable.reader == reader]
    for variable in chosen:
        text = _text_of(variable, environ, problems)
        if text is None or (text == "" and variable.kind != "text"):
            if variable.required:
                problems.append(
                    f"{variable.name} is not set - {variable.doc.split('.')[0].strip()} - "
                    f"set it (docs/settings.md), or use `make run` for a sandbox that makes its own."
                )
            values[variable.name] = (
                [] if variable.kind in ("list", "networks") and variable.default is None else variable.default
            )
            continue
        try:
            values[variable.name] = variable.convert(text)
        except ValueError as error:
            problems.append(
                f"{variable.name} is {variable.shown(text)} - that {error} - see {variable.name} in docs/settings.md."
            )
    if problems:
        raise SettingsError(problems)
    return Environment(values)


def check_together(values: Environment) -> None:
    """Check what no variable can be checked for alone; raises SettingsError naming every problem."""
    problems: list[str] = []
    for name in ("ESCALE_URL", "ESCALE_MACHINE_URL"):
        parts = urlsplit(values[name])
        if values[name] and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
            problems.append(
                f"{name} is {values[name]!r} - that is no address of a server - write it as https://escale.example.com."
            )
    if not values["ESCALE_SANDBOX"]:
        if values["ESCALE_DEBUG"]:
            problems.append("ESCALE_DEBUG is 1 - its pages show settings and code to everybody - unset it.")
        if values["SECRET_KEY"] and len(values["SECRET_KEY"]) < SHORTEST_SECRET_KEY:
            problems.append(
                f"SECRET_KEY has fewer than {SHORTEST_SECRET_KEY} characters - it could be guessed - make one by: "
                "python -c 'import secrets; print(secrets.token_urlsafe(50))'."
            )
    if problems:
        raise SettingsError(problems)


def _text_of(variable: Variable, environ: Mapping[str, str], problems: list[str]) -> str | None:
    text = environ.get(variable.name)
    if variable.kind != "secret":
        return text
    path = environ.get(f"{variable.name}_FILE")
    if not path:
        return text
    if text:
        problems.append(
            f"{variable.name} and {variable.name}_FILE are both set - only one can be meant - unset one of them."
        )
        return text
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        problems.append(
            f"{variable.name}_FILE is {path!r} - it cannot be read ({error.strerror}) - mount the secret there."
        )
        return "unreadable"


def figure(text: str) -> tuple[str, int | float]:
    """Split `name=number`; raises SettingsError when it is not that."""
    name, _sign, number = text.partition("=")
    try:
        return name.strip(), int(number) if number.strip().isdigit() else float(number)
    except ValueError:
        raise SettingsError([f"{text!r} is no figure - {number!r} is not a number - write it as lease_s=30."]) from None


def declared(name: str) -> Variable:
    """Return the declaration of a variable."""
    return next(variable for variable in VARIABLES if variable.name == name)


_TITLES: dict[Reader, str] = {
    "portal": "Every process of the portal",
    "launcher": "The launcher (`make run`)",
    "tests": "The tests",
}


def document() -> str:
    """Return the tables of docs/settings.md, written from the declarations."""
    lines: list[str] = []
    for reader, title in _TITLES.items():
        lines += [f"## {title}", "", "| Variable | Kind | Default | Meaning |", "| --- | --- | --- | --- |"]
        for variable in VARIABLES:
            if variable.reader == reader:
                lines.append(f"| `{variable.name}` | {_kind(variable)} | {_default(variable)} | {variable.doc} |")
        lines.append("")
    return "\n".join(lines)


def _kind(variable: Variable) -> str:
    if variable.choices:
        return " or ".join(f"`{choice}`" for choice in variable.choices)
    return {
        "boolean": "1 or 0",
        "list": "list, by commas",
        "networks": "networks, by commas",
        "secret": "secret (or `_FILE`)",
    }.get(variable.kind, variable.kind)


def _default(variable: Variable) -> str:
    if variable.required:
        return "required; made by the sandbox"
    if variable.default is None or variable.default == "":
        return "-"
    if isinstance(variable.default, bool):
        return "`1`" if variable.default else "`0`"
    return f"`{variable.default}`"
