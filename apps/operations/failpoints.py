"""Named places at which a test may kill, stop or fail a worker; they cost one look at an empty dict otherwise."""

from __future__ import annotations

from collections.abc import Callable

NAMES = frozenset(
    {
        "before_intent",  # steps chosen, nothing committed
        "after_intent",  # intent committed, call not made
        "after_call",  # the cloud has been called, nothing recorded
        "after_handle",  # handle committed
        "before_finish",  # end known, not recorded
        "in_finish",  # inside the transaction that records the end
        "after_finish",  # end committed, nothing else done
        "relay_after_send",  # message sent, outbox row still there
    }
)
_armed: dict[str, Callable[[], None]] = {}


def arm(name: str, action: Callable[[], None]) -> None:
    """Run an action each time that the place is reached; for tests only. KeyError: no such place."""
    if name not in NAMES:
        raise KeyError(name)
    _armed[name] = action


def disarm() -> None:
    """Forget all actions."""
    _armed.clear()


def hit(name: str) -> None:
    """Mark a place in the code."""
    if _armed and (action := _armed.get(name)):
        action()
