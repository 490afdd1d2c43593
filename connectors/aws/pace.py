"""Stay inside EC2's token buckets, and step back when it says that they are empty all the same.

Sizes and rates: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

import random
import threading
import time

NON_MUTATING = (100.0, 20.0)
MUTATING = (50.0, 5.0)
SPECIAL: dict[str, tuple[float, float]] = {
    "RunInstances": (5.0, 2.0),
    "TerminateInstances": (100.0, 5.0),
    "StartInstances": (5.0, 2.0),
    "StopInstances": (1000.0, 20.0),
    "CreateVolume": (100.0, 5.0),
    "CreateTags": (100.0, 10.0),
    "CreateVpc": (5.0, 1.0),
}
# Instances that are started cost tokens of a bucket of their own, besides the calls.
RESOURCES: dict[str, tuple[float, float]] = {"RunInstances": (1000.0, 2.0), "StartInstances": (1000.0, 2.0)}

_BASE_S = 0.05
_CAP_S = 4.0


class Buckets:
    """Token buckets of one account in one region, by action. Thread-safe; one set per process.

    ``factor`` multiplies all sizes and rates, for accounts whose limits were raised.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = max(factor, 0.01)
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, action: str, now: float | None = None) -> float:
        """Take a token for a call and return how many seconds the call has to wait for it."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            waits = [self._take(action, *self._rate(action), moment)]
            if action in RESOURCES:
                waits.append(self._take("resource:" + action, *RESOURCES[action], moment))
        return max(waits)

    def empty(self, action: str) -> None:
        """Believe the server that an action's bucket is empty."""
        with self._lock:
            level, since = self._levels.get(action, (0.0, time.monotonic()))
            self._levels[action] = (min(level, 0.0), since)

    def _rate(self, action: str) -> tuple[float, float]:
        if action in SPECIAL:
            return SPECIAL[action]
        return NON_MUTATING if action.startswith(("Describe", "Get", "List")) else MUTATING

    def _take(self, name: str, size: float, rate: float, now: float) -> float:
        size, rate = size * self._factor, rate * self._factor
        level, since = self._levels.get(name, (size, now))
        # A level below zero is a queue: whoever comes next waits behind those who took a token before it was there.
        level = min(size, level + max(0.0, now - since) * rate) - 1
        self._levels[name] = (level, now)
        return max(0.0, -level / rate)


def backoff_s(attempt: int) -> float:
    """Return how long to wait before another try: full jitter, so that those who were refused together part."""
    return random.uniform(0, min(_CAP_S, _BASE_S * 2**attempt))  # noqa: S311 - no secret
