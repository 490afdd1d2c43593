"""A cloud in a SQLite file: it outlives every process, refuses no duplicate, and counts what is done to it.

Beside it lies what the test orders to happen at failpoints: how often, and whether the process is killed or stopped.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from apps.operations.registry import StepContext
from connectors.base import ConnectorError, Outcome

SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (task TEXT, key TEXT, ends_at REAL, cancelled INTEGER DEFAULT 0, pid INTEGER);
CREATE TABLE IF NOT EXISTS call (what TEXT, key TEXT, pid INTEGER, fence INTEGER, at REAL);
CREATE TABLE IF NOT EXISTS plan (place TEXT PRIMARY KEY, action TEXT, quota INTEGER, chance REAL);
CREATE TABLE IF NOT EXISTS hit (place TEXT, action TEXT, pid INTEGER, at REAL);
CREATE INDEX IF NOT EXISTS thing_key ON thing (key);
CREATE INDEX IF NOT EXISTS thing_task ON thing (task);
"""


class FileCloud:
    """Open the file anew for each call: a killed process leaves nothing behind but what it had committed."""

    def __init__(self, path: str) -> None:
        self.path = path
        # Between the last question whether a step is still ours and the request itself there is a moment in which no
        # worker can be helped that is suspended (docs/operations.md). The tests stop processes outside of it.
        self.creating = threading.Lock()
        with self._open() as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            yield connection
        finally:
            connection.close()

    def do(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own."""
        with self._open() as connection:
            return connection.execute(statement, values).fetchall()

    # What the test orders and reads -----------------------------------------------------------------------------

    def order(self, place: str, action: str, quota: int, chance: float = 1.0) -> None:
        """Have processes that come by a failpoint killed or stopped, at most so often."""
        self.do("INSERT OR REPLACE INTO plan VALUES (?, ?, ?, ?)", place, action, quota, chance)

    def clear(self) -> None:
        """Forget everything."""
        for table in ("thing", "call", "plan", "hit"):
            self.do(f"DELETE FROM {table}")

    def hits(self) -> dict[str, int]:
        """Return how often each failpoint has struck."""
        return dict(self.do("SELECT place, count(*) FROM hit GROUP BY place"))

    def stopped(self) -> list[int]:
        """Return the ids of the processes that were stopped."""
        return [pid for (pid,) in self.do("SELECT pid FROM hit WHERE action = 'stop'")]

    def things(self) -> dict[str, int]:
        """Return how many things exist by the key that they were made for."""
        return dict(self.do("SELECT key, count(*) FROM thing GROUP BY key"))

    def calls(self, what: str) -> dict[str, int]:
        """Return how often something was called by key."""
        return dict(self.do("SELECT key, count(*) FROM call WHERE what = ? GROUP BY key", what))

    # Failpoints -------------------------------------------------------------------------------------------------

    def reach(self, place: str) -> None:
        """Come by a failpoint: perhaps it strikes."""
        with self._open() as connection:
            row = connection.execute("SELECT action, quota, chance FROM plan WHERE place = ?", (place,)).fetchone()
            if row is None or random.random() > row[2]:
                return
            action, quota, _ = row
            connection.execute("BEGIN IMMEDIATE")
            (count,) = connection.execute("SELECT count(*) FROM hit WHERE place = ?", (place,)).fetchone()
            if count < quota:
                connection.execute("INSERT INTO hit VALUES (?, ?, ?, ?)", (place, action, os.getpid(), time.time()))
            connection.execute("COMMIT")
            if count >= quota:
                return
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        with self.creating:
            os.kill(os.getpid(), signal.SIGSTOP)


class FileCloudHandler:
    """The handler of the file cloud, as careful as a connector has to be: look the key up, ask, then create."""

    needs_results = False

    def __init__(self, cloud: FileCloud) -> None:
        self.cloud = cloud

    def _note(self, what: str, step: StepContext) -> None:
        self.cloud.do("INSERT INTO call VALUES (?, ?, ?, ?, ?)", what, step.key, os.getpid(), step.fence, time.time())

    def start(self, step: StepContext) -> Outcome:
        self._note("start", step)
        found = self.cloud.do("SELECT task FROM thing WHERE key = ?", step.key)
        if found:
            self._note("attach", step)
            return Outcome.running(found[0][0], 0)
        if step.payload.get("fail"):
            raise ConnectorError("cloud.permission", "Denied - as ordered - ask.", permanent=True)
        task = uuid.uuid4().hex
        ends_at = time.time() + step.payload.get("task_s", 0.1)
        with self.cloud.creating:
            step.require_mine()
            self.cloud.do(
                "INSERT INTO thing (task, key, ends_at, pid) VALUES (?, ?, ?, ?)", task, step.key, ends_at, os.getpid()
            )
        self._note("create", step)
        return Outcome.running(task, 0)

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        marks = ",".join("?" * len(steps))
        rows = self.cloud.do(f"SELECT task, ends_at, cancelled FROM thing WHERE task IN ({marks})",
                             *[step.handle for step in steps])  # fmt: skip
        found = {task: (ends_at, cancelled) for task, ends_at, cancelled in rows}
        outcomes = {}
        for step in steps:
            ends_at, cancelled = found[step.handle]
            if cancelled:
                outcomes[step.step_id] = Outcome.failed(ConnectorError("cloud.cancelled", "Cancelled.", permanent=True))
            elif time.time() >= ends_at:
                outcomes[step.step_id] = Outcome.done(task=step.handle, fence=step.fence)
            else:
                outcomes[step.step_id] = Outcome.running(step.handle, 50)
        return outcomes

    def cancel(self, step: StepContext) -> None:
        self._note("cancel", step)
        self.cloud.do("UPDATE thing SET cancelled = 1 WHERE task = ?", step.handle)

    def undo(self, step: StepContext) -> Outcome:
        self._note("undo", step)
        assert step.undoes is not None
        step.require_mine()
        self.cloud.do("DELETE FROM thing WHERE key = ?", step.undoes.key)
        return Outcome.done()
