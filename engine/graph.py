"""Answer questions on dependency graphs: what is ready, in which order, how long at least, where it goes round.

A graph maps each node to the nodes that it depends on. Dependencies that are no nodes themselves count as done.
Nothing here recurses, so that a chain of ten thousand nodes is as welcome as a flat graph.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

Graph = Mapping[str, Collection[str]]


class CycleError(ValueError):
    """Tell that nodes depend on each other in a round; ``cycle`` names them in order, the first one again at the "
    "end."""

    def __init__(self, cycle: list[str]) -> None:
        super().__init__(f"a cycle of dependencies: {' -> '.join(cycle)}")
        self.cycle = cycle


def ready(graph: Graph, done: Collection[str]) -> list[str]:
    """Return the nodes that are not done and depend on nothing that is not done, in the graph's order."""
    finished = done if isinstance(done, set | frozenset) else set(done)
    return [
        node
        for node, needs in graph.items()
        if node not in finished and all(need in finished or need not in graph for need in needs)
    ]


def reversed(graph: Graph) -> dict[str, list[str]]:
    """Return the graph with every dependency turned round: node -> the nodes that depend on it."""
    turned: dict[str, list[str]] = {node: [] for node in graph}
    for node, needs in graph.items():
        for need in needs:
            if need in turned:
                turned[need].append(node)
    return turned


def levels(graph: Graph) -> list[list[str]]:
    """Return the nodes in levels: each depends only on nodes of earlier levels. CycleError when there is no such "
    "order."""
    waiting = {node: sum(1 for need in set(needs) if need in graph) for node, needs in graph.items()}
    dependants = reversed({node: set(needs) for node, needs in graph.items()})
    level = [node for node, count in waiting.items() if count == 0]
    found: list[list[str]] = []
    left = len(waiting)
    while level:
        found.append(level)
        left -= len(level)
        following: list[str] = []
        for node in level:
            for dependant in dependants[node]:
                waiting[dependant] -= 1
                if waiting[dependant] == 0:
                    following.append(dependant)
        level = following
    if left:
        cycle = find_cycle(graph)
        assert cycle is not None
        raise CycleError(cycle)
    return found


def in_order(graph: Graph) -> list[str]:
    """Return the nodes so that each comes after what it depends on; otherwise as early as the graph's order says."""
    return [node for level in levels(graph) for node in level]


def critical_path(graph: Graph, weights: Mapping[str, float]) -> tuple[float, list[str]]:
    """Return the length and the nodes of the heaviest chain; a node without a weight weighs nothing."""
    length: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for node in in_order(graph):
        best: str | None = None
        for need in graph[node]:
            if need in length and (best is None or length[need] > length[best]):
                best = need
        length[node] = weights.get(node, 0.0) + (length[best] if best is not None else 0.0)
        before[node] = best
    if not length:
        return 0.0, []
    last: str | None = max(length, key=lambda node: length[node])
    assert last is not None
    total, path = length[last], []
    while last is not None:
        path.append(last)
        last = before[last]
    return total, path[::-1]


def find_cycle(graph: Graph) -> list[str] | None:
    """Return one cycle, each node depending on the next and the first again at the end; None when there is none."""
    for component in components(graph):
        if len(component) == 1 and component[0] not in graph[component[0]]:
            continue
        inside = set(component)
        node, path, seen = component[0], [component[0]], {component[0]: 0}
        while True:
            node = next(need for need in graph[node] if need in inside)
            if node in seen:
                return [*path[seen[node] :], node]
            seen[node] = len(path)
            path.append(node)
    return None


def components(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components (Tarjan), dependencies before dependants, nodes in the graph's order."""
    order = {node: position for position, node in enumerate(graph)}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    inside: set[str] = set()
    found: list[list[str]] = []
    for root in graph:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        node = root
        index[node] = low[node] = len(index)
        stack.append(node)
        inside.add(node)
        work.append((node, iter(graph[node])))
        while work:
            node, needs = work[-1]
            for need in needs:
                if need not in order:
                    continue
                if need not in index:
                    index[need] = low[need] = len(index)
                    stack.append(need)
                    inside.add(need)
                    work.append((need, iter(graph[need])))
                    break
                if need in inside:
                    low[node] = min(low[node], index[need])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: list[str] = []
                    while True:
                        member = stack.pop()
                        inside.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    found.append(sorted(component, key=order.__getitem__))
    return found


def without_cycles(graph: Graph) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Return the graph without the dependencies inside its cycles, and the groups of nodes that went round."""
    member: dict[str, int] = {}
    groups: list[list[str]] = []
    for number, component in enumerate(components(graph)):
        for node in component:
            member[node] = number
        if len(component) > 1:
            groups.append(component)
    return {
        node: [need for need in needs if need not in member or member[need] != member[node]]
        for node, needs in graph.items()
    }, groups
