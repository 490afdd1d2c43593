"""Translate a PostgreSQL address into Django's database settings."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from portal.env import SettingsError


def database_from_url(url: str, pool_max: int = 0) -> dict[str, Any]:
    """Return the `DATABASES` entry for a `postgresql://` address.

    The query's `host` is a socket folder; every other option (`sslmode`, `sslrootcert`, …) goes to libpq unchanged.
    Raises SettingsError for anything but PostgreSQL: the journal needs its row locks and its clock.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise SettingsError(
            [
                f"DATABASE_URL begins with {parts.scheme!r} - only PostgreSQL can keep the journal - "
                "use postgresql://user:password@host:5432/name."
            ]
        )
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise SettingsError(["DATABASE_URL names no database - the path is empty - end it with /escale."])
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or unquote(parts.hostname or "")
    options.setdefault("connect_timeout", "10")
    if pool_max:
        options["pool"] = {"min_size": 1, "max_size": pool_max, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or options.pop("port", "") or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": not pool_max,
        "OPTIONS": options,
    }
