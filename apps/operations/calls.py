"""Run calls to handlers on a few threads, so that the driver itself never waits for a cloud."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

IDLE_S = 0.5  # after this long without work a thread gives its database connections back


class Calls:
    """A bounded pool; every answer, or what was raised, comes back through ``inbox`` as (tag, answer)."""

    def __init__(self, limit: int, name: str) -> None:
        self.inbox: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[tuple[Any, Callable[..., Any], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._limit, self._name = limit, name
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._idle = 0
        self._queued = 0

    def start(self, tag: Any, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on a thread of the pool; another thread is made only when all are busy."""
        with self._lock:
            self._queued += 1
            if self._queued > self._idle and len(self._threads) < self._limit:
                thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._tasks.put((tag, function, arguments))

    def put(self, tag: Any, answer: Any = None) -> None:
        """Put something into the inbox from any thread."""
        self.inbox.put((tag, answer))

    def close(self) -> None:
        """Let the threads end once they have nothing left; a call that hangs keeps only its own thread."""
        for _ in self._threads:
            self._tasks.put(None)

    def _serve(self) -> None:
        dirty = False
        try:
            while True:
                with self._lock:
                    self._idle += 1
                try:
                    while True:
                        try:
                            task = self._tasks.get(timeout=IDLE_S if dirty else None)
                            break
                        except queue.Empty:
                            connections.close_all()
                            dirty = False
                finally:
                    with self._lock:
                        self._idle -= 1
                if task is None:
                    return
                with self._lock:
                    self._queued -= 1
                tag, function, arguments = task
                dirty = True
                try:
                    answer = function(*arguments)
                except BaseException as error:
                    answer = error
                self.inbox.put((tag, answer))
        finally:
            connections.close_all()
