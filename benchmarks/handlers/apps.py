"""Register the handlers of the benchmarks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from django.apps import AppConfig

from apps.operations.registry import Kind, StepContext, register_handler, register_kind
from connectors.base import Outcome


class Nothing:
    """Do nothing, as Celery's plain no-op does."""

    inline = True
    needs_results = False

    def start(self, step: StepContext) -> Outcome:
        """Be done."""
        return Outcome.done()

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Never called: there is nothing to wait for."""
        return {}

    def cancel(self, step: StepContext) -> None:
        """Nothing to cancel."""

    def undo(self, step: StepContext) -> Outcome:
        """Be undone."""
        return Outcome.done()


class Delay(Nothing):
    """Start a task that takes `payload["task_s"]`; the handle holds when it ends, and a call takes 20 ms."""

    inline = False

    def start(self, step: StepContext) -> Outcome:
        """Start the task."""
        time.sleep(0.02)
        return Outcome.running(f"{time.time() + step.payload['task_s']:.6f}:{uuid.uuid4().hex}", 0)

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Look at all tasks in one call."""
        time.sleep(0.02)
        at = time.time()
        return {
            step.step_id: Outcome.done() if at >= float(step.handle.partition(":")[0]) else Outcome.running(step.handle)
            for step in steps
        }


class HandlersConfig(AppConfig):
    """Register the handlers, in workers and in the benchmark itself."""

    name = "benchmarks.handlers"
    label = "benchmarks"

    def ready(self) -> None:
        """Register."""
        register_handler("benchmark.nothing", Nothing())
        register_handler("benchmark.delay", Delay())
        register_kind(Kind("benchmark"))
