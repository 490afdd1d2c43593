"""Keep a set of programs running: start them, start again with back-off what dies, stop them in order.

Each program gets a session of its own, so that Ctrl-C at the terminal reaches the launcher alone, and is tied to
the launcher's life by launcher/child.py. All of it runs on the main thread, since the kernel ties a child to the
thread that made it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from launcher.terminal import step

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0


@dataclass
class Program:
    """Say how one program is run.

    `command` makes the argument list anew at each start. Programs of a lower `rank` start first and stop last.
    `output` takes the standard output in place of the log, emptied at each start, for programs that report there.
    One that runs `once` is not started again when it has ended, however that was.
    """

    name: str
    command: Callable[[], list[str]]
    rank: int
    environ: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10
    output: Path | None = None
    once: bool = False


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    started: float
    pause_s: float = FIRST_PAUSE_S
    restart_at: float | None = None


class Supervisor:
    """Run programs; their output goes to `logs/<name>.log`, their process ids to `record`."""

    def __init__(self, logs: Path, record: Path, folder: Path) -> None:
        self.logs = logs
        self.record = record
        self.folder = folder
        self._running: dict[str, _Running] = {}

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Start a program and keep it running from now on."""
        process = self._launch(program)
        self._running[program.name] = _Running(program, process, time.monotonic())
        self._write_record()
        return process

    def log_of(self, name: str) -> Path:
        """Return the file that a program's output goes to."""
        return self.logs / f"{name}.log"

    def pid_of(self, name: str) -> int:
        """Return the process id that a program has now."""
        return self._running[name].process.pid

    def tick(self) -> None:
        """Notice what has died, and start it again when its pause is over."""
        for running in list(self._running.values()):
            now = time.monotonic()
            if running.restart_at is None:
                code = running.process.poll()
                if code is None:
                    continue
                if running.program.once:
                    self._forget(running, code)
                    continue
                if now - running.started > HEALTHY_AFTER_S:
                    running.pause_s = FIRST_PAUSE_S
                running.restart_at = now + running.pause_s
                step(
                    f"{running.program.name} {_ending(code)}; starting it again in {running.pause_s:g} s "
                    f"(see {self.log_of(running.program.name)})"
                )
                running.pause_s = min(running.pause_s * 2, LONGEST_PAUSE_S)
                _end_group(running.process.pid, signal.SIGKILL)  # what it left behind of its own children
            elif now >= running.restart_at:
                running.process = self._launch(running.program)
                running.started, running.restart_at = now, None
                self._write_record()

    def _forget(self, running: _Running, code: int) -> None:
        """Let a program go that was to run once; only a failure is worth a word."""
        name = running.program.name
        if code:
            step(f"{name} {_ending(code)} (see {self.log_of(name)})")
        _end_group(running.process.pid, signal.SIGKILL)
        del self._running[name]
        self._write_record()

    def stop_all(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop everything, highest rank first; programs of one rank together. `hurry` cuts the waiting short."""
        for rank in sorted({running.program.rank for running in self._running.values()}, reverse=True):
            together = [running for running in self._running.values() if running.program.rank == rank]
            for running in together:
                if running.process.poll() is None:
                    running.process.send_signal(running.program.stop_signal)
            until = time.monotonic() + max(running.program.stop_timeout_s for running in together)
            while any(running.process.poll() is None for running in together):
                if time.monotonic() > until or hurry():
                    break
                time.sleep(0.05)
            for running in together:
                if running.process.poll() is None:
                    step(f"{running.program.name} did not stop by itself; killing it")
                _end_group(running.process.pid, signal.SIGKILL)
                running.process.wait()
                del self._running[running.program.name]
        self.record.unlink(missing_ok=True)

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        self.logs.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as files:
            log = files.enter_context(self.log_of(program.name).open("ab"))
            output = files.enter_context(program.output.open("wb")) if program.output else log
            return subprocess.Popen(
                program.command(),
                stdout=output,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=dict(program.environ) or None,
                cwd=self.folder,
                start_new_session=True,
            )

    def _write_record(self) -> None:
        entries = []
        for name, running in self._running.items():
            try:
                made = psutil.Process(running.process.pid).create_time()
            except psutil.NoSuchProcess:
                continue
            entries.append({"name": name, "pid": running.process.pid, "created": made})
        temporary = self.record.with_suffix(".new")
        temporary.write_text(json.dumps(entries), encoding="utf-8")
        temporary.replace(self.record)


def stop_leftovers(record: Path) -> list[str]:
    """End what an earlier launcher left running when it was killed; returns the names of what was found.

    A process counts only when its id and its time of birth are those on record: ids are used again.
    """
    if not record.exists():
        return []
    found = []
    for entry in reversed(json.loads(record.read_text(encoding="utf-8"))):
        try:
            process = psutil.Process(entry["pid"])
            if abs(process.create_time() - entry["created"]) > 1 or process.status() == psutil.STATUS_ZOMBIE:
                continue
            children = process.children(recursive=True)
            # PostgreSQL's "fast" stop; a program that is not PostgreSQL stops at an interrupt just as well.
            process.send_signal(signal.SIGINT)
            _gone, alive = psutil.wait_procs([process], timeout=10)
            _gone, alive = psutil.wait_procs([*alive, *children], timeout=1)
            for survivor in alive:
                survivor.kill()
        except psutil.NoSuchProcess:
            continue
        found.append(entry["name"])
    record.unlink()
    return found


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def _end_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return
