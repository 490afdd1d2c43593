"""What the tests order: faults, delays, lag, throttling, permissions that are missing, quotas."""

from __future__ import annotations

import fnmatch
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.wire import Refused

# Codes of Service Quotas with their defaults for a new account:
# https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
QUOTAS: dict[str, tuple[str, str, float]] = {
    "L-1216C47A": ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 256.0),
    "L-34B43A08": ("ec2", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 256.0),
    "L-F678F1CE": ("vpc", "VPCs per Region", 50.0),
    "L-7A658B76": ("ebs", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50.0),
    "L-D18FCD1D": ("ebs", "Storage for General Purpose SSD (gp2) volumes, in TiB", 50.0),
    "L-E79EC296": ("vpc", "VPC security groups per Region", 2500.0),
    "L-0263D0A3": ("ec2", "EC2-VPC Elastic IPs", 64.0),
    "L-69A177A2": ("elasticloadbalancing", "Network Load Balancers per Region", 50.0),
}

# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
AWS_BUCKETS: dict[str, tuple[float, float]] = {
    "RunInstances": (5.0, 2.0),
    "Describe*": (100.0, 20.0),
    "*": (50.0, 5.0),
}


@dataclass(slots=True)
class Fault:
    """Something that befalls calls of an action.

    ``kind``: "refuse" with ``code`` and ``message``; "cut_before" and "cut_after" break the connection before or after
    the call was done; "delay" waits ``ms``; "doom" lets the instances of RunInstances die instead of running.
    ``count`` times (0: always), after ``skip`` calls, with a ``probability`` (0 or 1: always).
    """

    action: str
    kind: str
    code: str = "InternalError"
    message: str = "ordered by the sandbox"
    status: int = 400
    ms: int = 0
    count: int = 1
    skip: int = 0
    probability: float = 1.0
    struck: int = 0


@dataclass(slots=True)
class Delays:
    """Milliseconds that things take: to be ready, for a guest to pass its checks, to be seen (``lag``)."""

    instance: int = 0
    volume: int = 0
    subnet: int = 0
    vpc: int = 0
    balancer: int = 0
    status: int = 0
    lag: int = 0


@dataclass(slots=True)
class Rules:
    """The orders that hold now."""

    faults: list[Fault] = field(default_factory=list)
    delays: Delays = field(default_factory=Delays)
    denied: set[str] = field(default_factory=set)
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)
    silent: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _chance: random.Random = field(default_factory=lambda: random.Random(20240229))  # noqa: S311

    def reset(self, delays: Delays) -> None:
        """Forget all orders."""
        with self._lock:
            self.faults.clear()
            self.delays = delays
            self.denied.clear()
            self.buckets.clear()
            self.quotas.clear()
            self._levels.clear()
            self.calls.clear()
            self.silent = False

    def struck(self, action: str) -> list[Fault]:
        """Return what befalls this call, and count it."""
        with self._lock:
            self.calls[action] += 1
            found: list[Fault] = []
            for fault in list(self.faults):
                if not fnmatch.fnmatchcase(action, fault.action):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if 0 < fault.probability < 1 and self._chance.random() >= fault.probability:
                    continue
                fault.struck += 1
                found.append(fault)
                if fault.count and fault.struck >= fault.count:
                    self.faults.remove(fault)
            return found

    def spend(self, account: str, action: str) -> None:
        """Take a token from an action's bucket; Refused when there is none."""
        with self._lock:
            pattern = next((name for name in self.buckets if fnmatch.fnmatchcase(action, name)), None)
            if pattern is None:
                return
            size, rate = self.buckets[pattern]
            now, name = time.monotonic(), f"{account}/{action}"
            level, since = self._levels.get(name, (size, now))
            level = min(size, level + (now - since) * rate)
            if level < 1:
                self._levels[name] = (level, now)
                raise Refused("RequestLimitExceeded", "Request limit exceeded.", 503)
            self._levels[name] = (level - 1, now)

    def quota(self, code: str) -> float:
        """Return what a quota is now."""
        return self.quotas.get(code, QUOTAS[code][2])

    def order(self, order: Mapping[str, Any]) -> None:
        """Take an order of the control API; TypeError or KeyError when it makes no sense."""
        if "fault" in order:
            fault = Fault(**order["fault"])
            with self._lock:
                self.faults.append(fault)
        if "delays" in order:
            for name, ms in order["delays"].items():
                getattr(self.delays, name)
                setattr(self.delays, name, int(ms))
        if "quotas" in order:
            self.quotas.update({code: float(value) for code, value in order["quotas"].items() if QUOTAS[code]})
        if "denied" in order:
            self.denied = set(order["denied"])
        if "buckets" in order:
            given = order["buckets"]
            self.buckets = (
                dict(AWS_BUCKETS) if given == "aws" else {k: (float(a), float(b)) for k, (a, b) in given.items()}
            )
        if "silent" in order:
            self.silent = bool(order["silent"])
