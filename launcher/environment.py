"""Make up the environment variables of the processes that the launcher starts."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

# Commands that only read the code: they work in a clone where nothing has been started yet.
STATIC_COMMANDS = {"makemigrations", "check", "spectacular", "makemessages", "compilemessages", "collectstatic"}


def complete_for_manage(environ: MutableMapping[str, str], command: Sequence[str]) -> None:
    """Fill in what a command typed by hand needs: placeholders for commands that only read the code.

    A variable that is set already is never touched.
    """
    if "DATABASE_URL" in environ or "DATABASE_URL_FILE" in environ:
        return
    if command and command[0] in STATIC_COMMANDS:
        for name, value in placeholders().items():
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
