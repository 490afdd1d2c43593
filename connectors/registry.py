"""Kinds of clouds and where their connectors live; SDKs are imported only when a kind is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from connectors.base import Access, Connector

# Dotted names instead of imports: an SDK loads only in the process that needs it.
_FACTORIES = {
    "vsphere": "connectors.vsphere:connect",
    "fake": "connectors.fake:connect",
    "aws": "connectors.aws:connect",
}


def kinds() -> tuple[str, ...]:
    """Return the kinds of clouds that can be connected."""
    return tuple(_FACTORIES)


def connect(access: Access) -> Connector:
    """Return a connector for an access; opens no connection before the first call. KeyError: unknown kind."""
    module, _, function = _FACTORIES[access.kind].partition(":")
    return cast(Connector, getattr(import_module(module), function)(access))
