"""Measure durable journaled steps per second against Celery's plain no-op tasks per second, in one run.

Same Redis, same number of worker processes, rounds interleaved, medians. Celery's tasks are lost with Redis; a step
is written down twice (its claim with the intent, its end), with its events, in a PostgreSQL that syncs every commit.
Two ways to count: *running* only (everything queued before the clock starts) and *whole* (with publishing and
submitting). Goal for both: >= 1.0.

    python -m benchmarks.steps [--count 6000] [--rounds 3] [--processes 2]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.stage import Stage, until

STEPS_PER_OPERATION = 500


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    stage = Stage()
    try:
        measure(stage, options.count, options.rounds, options.processes)
    finally:
        stage.close()


def measure(stage: Stage, count: int, rounds: int, processes: int) -> None:
    """Run the rounds of peer and journal in turn, and print medians and their ratios."""
    stage.start_worker(processes, "peer", "benchmarks.noop")
    stage.start_worker(processes, "worker")
    stage.start_relay()
    peer, journal = Peer(), Journal()
    until(journal.ready, 120)
    peer.run(500)
    journal.run(500, width=0)
    results: dict[str, list[tuple[float, float]]] = {"celery": [], "journal": [], "journal, layered": []}
    for _ in range(rounds):
        results["celery"].append(peer.run(count))
        results["journal"].append(journal.run(count, width=0))
        results["journal, layered"].append(journal.run(count, width=50))
    medians = {
        name: tuple(statistics.median(row[column] for row in rows) for column in (0, 1))
        for name, rows in results.items()
    }
    print(f"{count} steps or tasks, {processes} worker processes, medians of {rounds} interleaved rounds")
    for name, (running, whole) in medians.items():
        spread = ", ".join(f"{row[0]:,.0f}" for row in results[name])
        print(f"  {name:<17} running {running:8,.0f}/s   whole {whole:8,.0f}/s   (running: {spread})")
    base = medians["celery"]
    for name in ("journal", "journal, layered"):
        running, whole = (ours / theirs for ours, theirs in zip(medians[name], base, strict=True))
        print(f"  ratio of {name:<17} running {running:.2f}   whole {whole:.2f}   (goal >= 1.0)")


class Peer:
    """Celery's no-ops; a task counts as done when it has left the queue and the set of unacknowledged messages."""

    def __init__(self) -> None:
        import os

        import redis

        from benchmarks.noop import nothing

        self._task = nothing
        self._redis: Any = redis.Redis.from_url(os.environ["REDIS_URL"])

    def run(self, count: int) -> tuple[float, float]:
        """Return tasks per second: running, and whole.

        *Whole* has the worker consume while we publish. *Running* is the rate at which a queue that is full shrinks.
        """
        began = time.perf_counter()
        self._publish(count)
        until(self._empty)
        whole = count / (time.perf_counter() - began)
        return self._drain(count), whole

    def _drain(self, count: int) -> float:
        # Fill the queue under another name, then hand it over at once: the clock runs while it is emptied.
        self._publish(count, queue="noop-held")
        began = time.perf_counter()
        self._redis.rename("noop-held", "noop")
        until(self._empty)
        return count / (time.perf_counter() - began)

    def _publish(self, count: int, queue: str = "noop") -> None:
        from benchmarks.noop import app

        with app.producer_pool.acquire(block=True) as producer:
            for number in range(count):
                self._task.apply_async((number,), producer=producer, queue=queue)

    def _empty(self) -> bool:
        return not self._redis.llen("noop") and not self._redis.hlen("unacked")


class Journal:
    """Operations of steps that do nothing."""

    def __init__(self) -> None:
        from apps.tenancy.models import Organization, Project

        self._organization = Organization.objects.create(slug="benchmark", name="Benchmark")
        self._project = Project.objects.create(organization=self._organization, slug="benchmark", name="Benchmark")

    def ready(self) -> bool:
        """Tell whether a worker consumes."""
        from apps.operations.models import WorkerBeat

        return WorkerBeat.objects.exists()

    def run(self, count: int, width: int) -> tuple[float, float]:
        """Return steps per second: running (first claim to last end), and whole (from before the first submission).

        ``width``: so many steps side by side, each waiting for the one of the layer before; 0: none waits.
        """
        from django.db.models import Max, Min

        from apps.operations.models import Operation, Step

        began = time.perf_counter()
        self._submit(count, width)
        self._wait()
        whole = count / (time.perf_counter() - began)
        self._clean()
        # Submitted while nobody looks, then set off together.
        self._submit(count, width, held=True)
        Operation.objects.filter(state="queued").update(due_at=_now(), poked_at=None)
        self._wait()
        times = Step.objects.aggregate(first=Min("started_at"), last=Max("finished_at"))
        self._clean()
        return count / (times["last"] - times["first"]).total_seconds(), whole

    def _submit(self, count: int, width: int, *, held: bool = False) -> None:
        from django.db import transaction

        from apps.operations.models import Operation, Outbox
        from apps.operations.services import StepSpec, submit

        def submit_all() -> None:
            for _ in range(count // STEPS_PER_OPERATION):
                steps = [
                    StepSpec(
                        key=f"s{number}",
                        title="Nothing",
                        handler="benchmark.nothing",
                        depends_on=(f"s{number - width}",) if width and number >= width else (),
                    )
                    for number in range(STEPS_PER_OPERATION)
                ]
                submit(
                    kind="benchmark", title="Benchmark", organization=self._organization, project=self._project,
                    actor="benchmark", created_by=None, steps=steps,
                )  # fmt: skip

        if not held:
            submit_all()
            return
        with transaction.atomic():
            submit_all()
            Outbox.objects.all().delete()
            Operation.objects.filter(state="queued").update(due_at=None)

    def _wait(self) -> None:
        from apps.operations.models import Operation

        until(lambda: not Operation.objects.filter(finished_at=None).exists(), 300, 0.02)
        bad = Operation.objects.exclude(state="succeeded").count()
        assert not bad, f"{bad} operations did not succeed"

    def _clean(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE operations_event, operations_claim, operations_outbox, operations_step,"
                           " operations_operation CASCADE")  # fmt: skip


def _now() -> Callable[..., Any]:
    from django.db.models.functions import Now

    return Now()


if __name__ == "__main__":
    main()
