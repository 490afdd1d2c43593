"""Tell the person at the terminal what happens, one line a step, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_started = time.monotonic()


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


def step(text: str) -> None:
    """Print a line of progress with the time since the start."""
    print(f"[{time.monotonic() - _started:6.1f} s] {text}", flush=True)


@contextmanager
def steps(begin: str, end: str) -> Iterator[None]:
    """Print what begins, and when it has ended without an error, that it has."""
    step(f"{begin} …")
    yield
    step(end)


def complain(text: str) -> None:
    """Print an error to where errors belong."""
    print(text, file=sys.stderr, flush=True)
