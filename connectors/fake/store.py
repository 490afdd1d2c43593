"""The fake cloud's memory: one SQLite file that several processes may open, and that outlives them all."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, deployment TEXT NOT NULL DEFAULT '',
    resource TEXT NOT NULL DEFAULT '', step TEXT NOT NULL DEFAULT '', visible_at REAL NOT NULL DEFAULT 0,
    data TEXT NOT NULL, content BLOB
);
CREATE TABLE IF NOT EXISTS task (
    id TEXT PRIMARY KEY, verb TEXT NOT NULL, key TEXT NOT NULL, resource TEXT NOT NULL, deployment TEXT NOT NULL,
    started REAL NOT NULL, due REAL, state TEXT NOT NULL, payload TEXT NOT NULL,
    result TEXT NOT NULL DEFAULT '{}', error TEXT
);
CREATE INDEX IF NOT EXISTS task_open ON task (state, due);
CREATE INDEX IF NOT EXISTS task_key ON task (key);
CREATE TABLE IF NOT EXISTS fault (id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, remaining INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS change (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS epoch (one INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS thing_came AFTER INSERT ON thing
BEGIN INSERT INTO change (id, kind) VALUES (new.id, new.kind); END;
CREATE TRIGGER IF NOT EXISTS thing_changed AFTER UPDATE ON thing
BEGIN INSERT INTO change (id, kind) VALUES (new.id, new.kind); END;
CREATE TRIGGER IF NOT EXISTS thing_went AFTER DELETE ON thing
BEGIN INSERT INTO change (id, kind) VALUES (old.id, old.kind); END;
"""


class Store:
    """Run transactions on one fake cloud; safe for threads, processes and forks."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            return held[1]
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
        self._local.held = (os.getpid(), connection)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the cloud alone for a moment; everything inside happens or nothing of it."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        held: tuple[int, sqlite3.Connection] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            held[1].close()
        self._local.held = None


def count(db: sqlite3.Connection, name: str) -> None:
    """Add one to a counter."""
    db.execute(
        "INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1", (name,)
    )


def dump(value: Any) -> str:
    """Return JSON with sorted keys; mappings of any class become objects."""
    return json.dumps(value, sort_keys=True, default=dict)
