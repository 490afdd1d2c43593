"""A small cloud in one file: stateful, asynchronous, scripted to fail; for tests, demos and kill -9 drills."""

from __future__ import annotations

from connectors.base import Access, Connector
from connectors.fake.connector import FakeConnector


def connect(access: Access) -> Connector:
    """Return a connector to the cloud in ``access.options["state"]`` (a path); see ``control`` for scripting it."""
    return FakeConnector(access)
