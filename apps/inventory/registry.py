"""Tell the apps above what a sync has changed; they register in their ``ready()``."""

from __future__ import annotations

import logging
from collections.abc import Callable

from apps.clouds.models import Cloud

log = logging.getLogger(__name__)

Changed = set[tuple[str, str]]
"""(kind, id) of what came, changed or vanished; the id is ``connectors.listing.Item.id``."""

Listener = Callable[[Cloud, Changed], None]

_listeners: list[Listener] = []


def register_listener(listener: Listener) -> None:
    """Call ``listener(cloud, changed)`` after each sync that wrote something, when its rows are committed.

    It runs in the worker that synced, after each part of the sync that was committed. A worker that is lost in between
    leaves the call out: a listener that must not miss anything needs a clock of its own besides.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def tell(cloud: Cloud, changed: Changed) -> None:
    """Call the listeners; one that fails keeps neither the others nor the sync from going on."""
    for listener in _listeners:
        try:
            listener(cloud, changed)
        except Exception:
            log.exception("A listener of the inventory failed for %s", cloud.name)
