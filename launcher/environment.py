"""Make up the environment variables of the processes that the launcher starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from launcher.home import Home
from launcher.places import CLONE, home_folder

# Commands that only read the code: they work in a clone where nothing has been started yet.
STATIC_COMMANDS = {"makemigrations", "check", "spectacular", "makemessages", "compilemessages", "collectstatic"}
OWN_NOTE = "ESCALE_LAUNCHED"
PORTAL = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ESCALE_KEYS")


def of_the_portal(
    given: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    sandbox: bool,
    database_url: str,
    redis_url: str,
    url: str,
    machine_url: str,
    machine_ca: Path,
) -> dict[str, str]:
    """Return the settings of the portal's processes: what was given, and in the sandbox what it makes itself.

    An empty `database_url` or `redis_url` means that the environment gives it. Whatever the environment gives, as
    `X` or as `X_FILE`, is left alone, but for an ESCALE_URL that is another port of this machine: a shell that has
    sourced a sandbox.env still has it.
    """
    made = {
        "ESCALE_SANDBOX": "1" if sandbox else "0",
        "ESCALE_URL": url,
        "ESCALE_MACHINE_URL": machine_url,
        "ESCALE_MACHINE_CA": str(machine_ca),
    }
    if database_url:
        made["DATABASE_URL"] = database_url
    if redis_url:
        made["REDIS_URL"] = redis_url
    if sandbox:
        made["SECRET_KEY"] = secrets["secret_key"]
        made["ESCALE_KEYS"] = secrets["escale_keys"]
    kept = {name for name in made if is_given(given, name)}
    if sandbox and _is_of_another_copy(given.get("ESCALE_URL", ""), url):
        kept.discard("ESCALE_URL")
    return {name: value for name, value in made.items() if name not in kept}


def _is_of_another_copy(given: str, own: str) -> bool:
    try:
        there, here = urlsplit(given), urlsplit(own)
        return there.hostname in ("127.0.0.1", "localhost", "::1") and there.port != here.port
    except ValueError:
        return False


def is_given(environ: Mapping[str, str], name: str) -> bool:
    """Tell whether the variable has a value, directly or by a file."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def of_a_child(environ: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a child: this process's, with what was made on top."""
    child = {
        **environ,
        **made,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', os.defpath)}",
    }
    # An empty variable is as good as none, but would hide what its _FILE says; the launcher's own note ends with it.
    return {name: value for name, value in child.items() if (value or name not in PORTAL) and name != OWN_NOTE}


def complete_for_manage(environ: MutableMapping[str, str], command: Sequence[str]) -> None:
    """Fill in what a command typed by hand needs: the settings of the sandbox that was started here.

    Commands that only read the code get placeholders where nothing was started. What is set already is kept.
    """
    if is_given(environ, "DATABASE_URL"):
        return
    made = Home(home_folder(environ)).runtime_env()
    if not made and command and command[0] in STATIC_COMMANDS:
        made = placeholders()
    for name, value in made.items():
        environ.setdefault(name, value)


def placeholders() -> dict[str, str]:
    """Return settings with which the code loads and nothing answers."""
    return {
        "ESCALE_SANDBOX": "1",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "a placeholder that signs nothing, for commands that only read the code",
        "ESCALE_KEYS": "0:" + "A" * 43 + "=",
    }


def modules_on_path(environ: Mapping[str, str]) -> str:
    """Return PYTHONPATH with the clone in front, so that processes find the code wherever they stand."""
    rest = environ.get("PYTHONPATH", "")
    return f"{CLONE}{os.pathsep}{rest}" if rest else str(CLONE)
