"""Measure the makespan of 300 delayed resources against its lower bound, and against a slotted scheduler.

The journal with real workers, PostgreSQL and Redis; the cloud is a handler whose tasks take their time and whose
calls take 20 ms. The lower bound is the larger one of the critical path and all task time divided by the tasks that
may be open at once. The peer runs the same graph in a thread pool of ten that waits for each task, as common tools
do. Goals: <= 1.10 of the bound, <= 0.6 of the ten slots. `benchmarks.makespan_vsphere` does the same on a simulated
vCenter through the whole portal.

    python -m benchmarks.makespan [--machines 150] [--slots 16] [--scale 1.0]
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from typing import Any

from benchmarks.stage import Stage, until

PEER_SLOTS = 10


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=150)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all durations")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    graph = drawing(options.machines, options.scale)
    stage = Stage()
    try:
        stage.start_worker(options.processes)
        stage.start_relay()
        for slots in sorted({options.slots, 40}):
            report(graph, slots, measure(graph, slots))
    finally:
        stage.close()


Graph = dict[str, tuple[float, tuple[str, ...]]]


def drawing(machines: int, scale: float) -> Graph:
    """Return steps as {key: (seconds, prerequisites)}: a folder, and a disk, a clone and a start for each machine.

    Two resources a machine; one in ten depends on another machine being up, as a site waits for its database.
    """
    luck = random.Random(7)
    graph: Graph = {"folder": (0.3 * scale, ())}
    for number in range(machines):
        graph[f"disk-{number}"] = (luck.uniform(0.5, 2.0) * scale, ("folder",))
        waits = [f"disk-{number}"]
        if number >= 10 and number % 10 == 0:
            waits.append(f"start-{number - 10}" if number % 30 else f"start-{number - 7}")
        graph[f"clone-{number}"] = (luck.uniform(2.0, 8.0) * scale, tuple(waits))
        graph[f"start-{number}"] = (luck.uniform(1.0, 3.0) * scale, (f"clone-{number}",))
    return graph


def measure(graph: Graph, slots: int) -> float:
    """Run the graph once and return its makespan in seconds, from the submission to the last end."""
    import uuid

    from apps.operations.models import Operation
    from apps.operations.services import StepSpec, submit
    from apps.tenancy.models import Organization, Project

    organization, _ = Organization.objects.get_or_create(slug="benchmark", defaults={"name": "Benchmark"})
    project, _ = Project.objects.get_or_create(
        organization=organization, slug="benchmark", defaults={"name": "Benchmark"}
    )
    cloud = uuid.uuid4()
    steps = [
        StepSpec(
            key=key, title=key, handler="benchmark.delay", payload={"task_s": task_s}, depends_on=waits,
            verb=key.partition("-")[0],
            cloud_id=cloud, expected_s=task_s,
        )
        for key, (task_s, waits) in graph.items()
    ]  # fmt: skip
    operation = submit(
        kind="benchmark", title="Makespan", organization=organization, project=project, actor="benchmark",
        created_by=None, steps=steps, cloud_id=cloud, concurrency=slots,
    )  # fmt: skip
    until(lambda: Operation.objects.filter(pk=operation.pk).exclude(finished_at=None).exists(), 1_800, 0.05)
    operation.refresh_from_db()
    assert operation.state == "succeeded", operation.error
    assert operation.finished_at is not None
    print_lags(graph, operation)
    return (operation.finished_at - operation.created_at).total_seconds()


def print_lags(graph: Graph, operation: Any) -> None:
    """Print how long slots were held beyond the tasks themselves: the call before, and until the end was seen."""
    from apps.operations.models import Step

    rows = Step.objects.filter(operation=operation).values_list("key", "started_at", "finished_at")
    lags = sorted((end - start).total_seconds() - graph[key][0] for key, start, end in rows)
    late_s = lags[int(len(lags) * 0.95)]
    print(f"  a slot is held {statistics.mean(lags):.2f} s longer than its task (95 %: {late_s:.2f} s)")


def critical_path(graph: Graph) -> float:
    """Return the longest way through the graph in seconds."""
    longest: dict[str, float] = {}
    for key, (task_s, waits) in graph.items():
        longest[key] = task_s + max((longest[before] for before in waits), default=0.0)
    return max(longest.values())


def simulated(graph: Graph, slots: int) -> float:
    """Return the makespan of so many workers that take ready steps in their order and wait for each task."""
    waiting = {key: len(waits) for key, (_, waits) in graph.items()}
    after: dict[str, list[str]] = {}
    for key, (_, waits) in graph.items():
        for before in waits:
            after.setdefault(before, []).append(key)
    ready = [key for key, count in waiting.items() if not count]
    running: list[tuple[float, str]] = []
    at = 0.0
    while ready or running:
        while ready and len(running) < slots:
            key = ready.pop(0)
            heapq.heappush(running, (at + graph[key][0], key))
        at, done = heapq.heappop(running)
        for key in after.get(done, ()):
            waiting[key] -= 1
            if not waiting[key]:
                ready.append(key)
    return at


def report(graph: Graph, slots: int, taken_s: float) -> None:
    """Print one measurement."""
    work_s = sum(task_s for task_s, _ in graph.values())
    bounds = {"critical path": critical_path(graph), f"work on {slots} slots": work_s / slots}
    name, bound_s = max(bounds.items(), key=lambda item: item[1])
    peer_s = simulated(graph, PEER_SLOTS)
    resources = sum(not key.startswith("start") for key in graph)
    print(
        f"{resources} resources, {len(graph)} steps, {slots} open tasks: {taken_s:.1f} s; "
        f"lower bound {bound_s:.1f} s ({name}): ratio {taken_s / bound_s:.3f} (goal <= 1.10); "
        f"ideal {PEER_SLOTS}-slot scheduler {peer_s:.1f} s: ratio {taken_s / peer_s:.2f} (goal <= 0.6)",
        flush=True,
    )


if __name__ == "__main__":
    main()
