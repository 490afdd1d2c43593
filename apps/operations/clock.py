"""The local clock of a driver: it never jumps, and it runs on while the machine sleeps, where there is such a clock."""

from __future__ import annotations

import time


def now() -> float:
    """Return seconds since some moment in the past."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
