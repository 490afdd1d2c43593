"""Tell the person at the terminal what happens, one line a step, with the seconds since the start."""

from __future__ import annotations

import os
import sys
import time

# The launcher changes over to the environment's Python on the way; the clock of the start goes with it.
_started = float(os.environ.pop("ESCALE_STARTED_AT", "") or time.time())


def started_at() -> str:
    """Return when this start began, for the process that goes on with it."""
    return str(_started)


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


def step(text: str) -> None:
    """Print a line of progress with the time since the start."""
    print(f"[{time.time() - _started:6.1f} s] {text}", flush=True)


def complain(text: str) -> None:
    """Print an error to where errors belong."""
    print(text, file=sys.stderr, flush=True)
