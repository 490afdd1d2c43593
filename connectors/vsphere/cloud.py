"""What the verbs share of one cloud: session, settings, estate, locks, and small calls that are over at once."""

from __future__ import annotations

import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from connectors.base import Access, ConnectorError
from connectors.vsphere import faults, properties
from connectors.vsphere.estate import Estate, Surveyor
from connectors.vsphere.flavours import flavour
from connectors.vsphere.notes import TaskEnd
from connectors.vsphere.session import Session
from connectors.vsphere.soap import Node, Ref

TASK_PATHS = ("info.state", "info.progress", "info.error", "info.result")

# One set for the process, since several connectors may serve one cloud. Two names may share a lock: that only waits.
_LOCKS = tuple(threading.RLock() for _ in range(256))
_REMEMBERED = 4096


class Memory:
    """A bounded dictionary of what this process did, for threads; losing it costs time, never correctness."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[Any, Any] = OrderedDict()

    def put(self, key: Any, value: Any) -> None:
        """Remember something, and forget the oldest when there is too much."""
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            while len(self._items) > _REMEMBERED:
                self._items.popitem(last=False)

    def get(self, key: Any) -> Any:
        """Return what is remembered, or None."""
        with self._lock:
            return self._items.get(key)

    def drop(self, key: Any) -> None:
        """Forget one thing."""
        with self._lock:
            self._items.pop(key, None)

    def values(self) -> list[Any]:
        """Return all that is remembered."""
        with self._lock:
            return list(self._items.values())


class Memories:
    """What this process knows of its own doings on one vCenter, whichever connector did it.

    ``begun``: (verb, key) -> task · ``clones``: task of a template -> (folder, name) of the machine ·
    ``placed``: key -> (deployment, host).
    """

    def __init__(self) -> None:
        self.begun, self.clones, self.placed = Memory(), Memory(), Memory()


_memories: dict[str, Memories] = {}
_memories_lock = threading.Lock()


class Cloud:
    """One vCenter as the verbs see it.

    ``access.options``, all optional: ``datacenter``, ``folder`` (path of names), ``pool``, ``datastores`` and
    ``avoid_datastores`` (patterns), ``switch``, ``container_hosts`` (patterns of template names),
    ``ready_timeout_s`` (600), ``plain_timeout_s`` (120), ``stop_timeout_s`` (90), ``disk_mode`` ("persistent").
    """

    def __init__(self, access: Access, session: Session) -> None:
        self.session, self.options = session, access.options
        self.where = session.where
        self.flavour = flavour(access.flavour)
        self.surveyor = Surveyor(session, self.option("datacenter"))
        with _memories_lock:
            self.memories = _memories.setdefault(self.where, Memories())

    def option(self, name: str, default: Any = None) -> Any:
        """Return a setting of the cloud."""
        value = self.options.get(name)
        return default if value in (None, "") else value

    def estate(self, max_age_s: float | None = None) -> Estate:
        """Return the datacenter as it was seconds ago."""
        return self.surveyor.estate() if max_age_s is None else self.surveyor.estate(max_age_s)

    @contextmanager
    def lock(self, *names: str) -> Iterator[None]:
        """Keep the threads of this process from doing the same thing twice at once."""
        with _LOCKS[zlib.crc32("\0".join((self.where, *names)).encode()) % len(_LOCKS)]:
            yield

    def begun(self, verb: str, key: str) -> Ref | None:
        """Return the task that this process has begun for a step and that is still under way."""
        task: Ref | None = self.memories.begun.get((verb, key))
        if task is None:
            return None
        if self.tasks([task]).get(task, {}).get("info.state") in ("queued", "running"):
            return task
        self.memories.begun.drop((verb, key))
        return None

    def tasks(self, tasks: Sequence[Ref]) -> dict[Ref, properties.Facts]:
        """Return state, progress, error and result of tasks; unknown ones are absent."""
        return properties.of_objects(self.session, tasks, {"Task": TASK_PATHS})

    def wait(self, tasks: Sequence[Ref], timeout_s: float = 20.0) -> dict[Ref, TaskEnd]:
        """Wait for tasks that last moments (searching a directory); ConnectorError when they do not end."""
        ends: dict[Ref, TaskEnd] = {}
        deadline, pause_s = time.monotonic() + timeout_s, 0.005
        while True:
            facts = self.tasks([task for task in tasks if task not in ends])
            for task in tasks:
                if task not in ends:
                    end = task_end(facts.get(task))
                    if end is not None:
                        ends[task] = end
            if len(ends) == len(set(tasks)):
                return ends
            if time.monotonic() > deadline:
                raise ConnectorError(
                    "cloud.busy",
                    f"{self.where} needs more than {timeout_s:g} s for a small task - it is busy - it is tried again",
                    retry_after=10.0,
                    maybe_done=True,
                )
            time.sleep(pause_s)
            pause_s = min(0.5, pause_s * 2)

    def settle(self, task: Ref, what: str) -> Any:
        """Wait for one short task and return its result; ConnectorError when it failed."""
        end = self.wait([task])[task]
        if end.fault is not None:
            raise faults.to_error(end.fault, what)
        return end.result


def task_end(facts: Mapping[str, Any] | None) -> TaskEnd | None:
    """Return how a task ended; None while it runs."""
    if facts is None:
        return TaskEnd(lost=True)
    state = facts.get("info.state")
    if state == "success":
        return TaskEnd(result=facts.get("info.result"))
    if state == "error":
        error = facts.get("info.error")
        return TaskEnd(fault=faults.from_task(error if isinstance(error, Node) else None))
    return None
