"""A scripted handler for the tests: what each step does is in its payload, and what was called is written down."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.operations.registry import Kind, StepContext, StepReport, register_handler, register_kind
from connectors.base import ConnectorError, Outcome


def error_of(spec: dict[str, Any]) -> ConnectorError:
    return ConnectorError(
        spec.get("code", "cloud.fault"),
        spec.get("message", "It failed - as scripted - try again."),
        permanent=spec.get("permanent", False),
        retry_after=spec.get("retry_after"),
    )


@dataclass
class Task:
    key: str
    ends_at: float
    cancelled: bool = False


@dataclass
class Script:
    """Do as each payload says.

    ``task_s``: start answers with a handle, and the task is done after so long. ``fail``: an error, raised by start
    ``fail_times`` times (default: always). ``task_fail``: the task ends in that error. ``raise``: a defect.
    ``result``: what the step leaves behind. ``undo_fail``: likewise for undo.
    """

    calls: list[tuple[str, str]] = field(default_factory=list)
    contexts: list[StepContext] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    poll_error: BaseException | None = None
    on_start: Callable[[StepContext], Outcome | None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, step: StepContext) -> None:
        with self.lock:
            self.calls.append((what, step.step_key))
            self.contexts.append(step)

    def called(self, what: str) -> list[str]:
        return [key for name, key in self.calls if name == what]

    def start(self, step: StepContext) -> Outcome:
        self.note("start", step)
        if self.on_start and (outcome := self.on_start(step)) is not None:
            return outcome
        payload = step.payload
        if "raise" in payload:
            raise RuntimeError(payload["raise"])
        if "fail" in payload:
            with self.lock:
                self.failures[step.key] += 1
                count = self.failures[step.key]
            if count <= payload.get("fail_times", 10_000):
                raise error_of(payload["fail"])
        if "log" in payload:
            step.log(payload["log"])
        if "task_s" in payload:
            with self.lock:
                self.tasks.setdefault(step.key, Task(step.key, time.monotonic() + payload["task_s"]))
            return Outcome.running(f"task:{step.key}", 0)
        return Outcome.done(**payload.get("result", {}))

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        with self.lock:
            self.calls.append(("poll", ",".join(step.step_key for step in steps)))
        if self.poll_error is not None:
            raise self.poll_error
        outcomes: dict[int, Outcome] = {}
        for step in steps:
            task = self.tasks[step.handle.removeprefix("task:")]
            if task.cancelled:
                outcomes[step.step_id] = Outcome.failed(ConnectorError("cloud.cancelled", "Cancelled.", permanent=True))
            elif time.monotonic() < task.ends_at:
                outcomes[step.step_id] = Outcome.running(step.handle, 50)
            elif "task_fail" in step.payload:
                outcomes[step.step_id] = Outcome.failed(error_of(step.payload["task_fail"]))
            else:
                outcomes[step.step_id] = Outcome.done(**step.payload.get("result", {}))
        return outcomes

    def cancel(self, step: StepContext) -> None:
        self.note("cancel", step)
        if not step.payload.get("uncancellable"):
            self.tasks[step.handle.removeprefix("task:")].cancelled = True

    def undo(self, step: StepContext) -> Outcome:
        self.note("undo", step)
        if "undo_fail" in step.payload:
            with self.lock:
                self.failures["undo" + step.key] += 1
                count = self.failures["undo" + step.key]
            if count <= step.payload.get("undo_fail_times", 10_000):
                raise error_of(step.payload["undo_fail"])
        return Outcome.done()


class Stage:
    """The handlers as registered once per process; each test puts its own script on."""

    script = Script()

    def start(self, step: StepContext) -> Outcome:
        return Stage.script.start(step)

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        return Stage.script.poll(steps)

    def cancel(self, step: StepContext) -> None:
        Stage.script.cancel(step)

    def undo(self, step: StepContext) -> Outcome:
        return Stage.script.undo(step)


class InlineStage(Stage):
    inline = True


class Recorder:
    """The callbacks of a kind, written down."""

    events: list[tuple[str, Any]] = []
    refuse: Callable[[str, Any], None] | None = None

    @classmethod
    def note(cls, what: str, value: Any) -> None:
        cls.events.append((what, value))
        if cls.refuse is not None:
            cls.refuse(what, value)


def _done(operation: Any, steps: list[StepReport]) -> None:
    Recorder.note("done", [(s.key, s.state, dict(s.result)) for s in steps])


def _reverted(operation: Any, steps: list[StepReport]) -> None:
    Recorder.note("reverted", [(s.key, s.state) for s in steps])


def _finished(operation: Any) -> None:
    Recorder.note("finished", operation.state)


def _resumed(operation: Any) -> None:
    Recorder.note("resumed", operation.state)


def install() -> None:
    register_handler("test", _STAGE)
    register_handler("test.inline", _INLINE)
    register_kind(_PLAIN)
    register_kind(_RECORDED)


_STAGE, _INLINE = Stage(), InlineStage()
_PLAIN = Kind("test")
_RECORDED = Kind(
    "test.recorded", on_steps_done=_done, on_steps_reverted=_reverted, on_finished=_finished, on_resumed=_resumed
)
