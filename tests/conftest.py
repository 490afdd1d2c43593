"""Set up every test session: servers first, then Django's settings, then the tests.

`pytest tests/...` is all one types. PostgreSQL and Redis come from DATABASE_URL and REDIS_URL when both are set,
and are started from their PyPI packages otherwise (tests/services.py).
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.services import DATABASES_PER_SLOT, Services

pytest_plugins = ["tests.people", "tests.browsers"]


def _prepare_environment() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker and not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        os.environ.update(Services().join())
    if worker:
        _use_own_redis_database(int(worker.removeprefix("gw")))
    defaults = {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "ESCALE_SANDBOX": "1",
        "ESCALE_URL": "http://testserver",
        "SECRET_KEY": "the key of the tests, which protects nothing at all and nobody",
        "ESCALE_KEYS": "1:" + "VGVzdHMgdXNlIHRoaXMga2V5OyAzMiBieXRlcyBsb24=",
        "LOG_FORMAT": "console",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _use_own_redis_database(number: int) -> None:
    parts = urlsplit(os.environ["REDIS_URL"])
    first = int(parts.path.strip("/") or 0)
    os.environ["REDIS_URL"] = urlunsplit(parts._replace(path=f"/{first + number % DATABASES_PER_SLOT}"))


_prepare_environment()


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Load the settings now that the environment is complete; pytest-django sets Django up after this."""
    from django.conf import settings

    assert settings.DATABASES
