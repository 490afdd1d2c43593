from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import graph

HOUSE = {"roof": ["walls"], "walls": ["floor"], "floor": [], "door": ["walls"], "paint": ["roof", "door"]}


def test_ready_is_what_waits_for_nothing_that_is_left() -> None:
    assert graph.ready(HOUSE, set()) == ["floor"]
    assert graph.ready(HOUSE, {"floor", "walls"}) == ["roof", "door"]
    assert graph.ready(HOUSE, list(HOUSE)) == []


def test_dependencies_outside_of_the_graph_count_as_done() -> None:
    assert graph.ready({"a": ["elsewhere"]}, set()) == ["a"]
    assert graph.levels({"a": ["elsewhere"]}) == [["a"]]


def test_reversed_turns_every_dependency_round() -> None:
    assert graph.reversed(HOUSE)["walls"] == ["roof", "door"]
    assert graph.reversed(HOUSE)["paint"] == []


def test_levels_depend_on_earlier_levels_only() -> None:
    assert graph.levels(HOUSE) == [["floor"], ["walls"], ["roof", "door"], ["paint"]]


def test_the_critical_path_is_the_heaviest_chain() -> None:
    weights = {"floor": 5.0, "walls": 3.0, "roof": 1.0, "door": 4.0, "paint": 2.0}
    assert graph.critical_path(HOUSE, weights) == (14.0, ["floor", "walls", "door", "paint"])
    assert graph.critical_path({}, {}) == (0.0, [])


def test_a_cycle_is_found_and_named_in_order() -> None:
    round_ = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}
    assert graph.find_cycle(round_) == ["a", "b", "c", "a"]
    with pytest.raises(graph.CycleError, match="a -> b -> c -> a") as caught:
        graph.levels(round_)
    assert caught.value.cycle == ["a", "b", "c", "a"]
    assert graph.find_cycle({"self": ["self"]}) == ["self", "self"]
    assert graph.find_cycle(HOUSE) is None


def test_without_cycles_keeps_all_dependencies_but_those_of_the_round() -> None:
    acyclic, rounds = graph.without_cycles({"a": ["b"], "b": ["a", "x"], "c": ["a"], "x": []})
    assert rounds == [["a", "b"]]
    assert acyclic == {"a": [], "b": ["x"], "c": ["a"], "x": []}


def test_a_chain_of_ten_thousand_is_no_trouble() -> None:
    chain = {str(n): [str(n + 1)] for n in range(10_000)}
    assert len(graph.levels(chain)) == 10_000
    assert len(graph.components(chain)) == 10_000
    assert graph.find_cycle({**chain, "10000": ["0"]}) is not None
    assert graph.critical_path(chain, {"7": 1.0})[0] == 1.0


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4)))
def test_levels_exist_just_when_there_is_no_cycle(drawn: dict[str, list[str]]) -> None:
    cycle = graph.find_cycle(drawn)
    if cycle is None:
        place = {node: number for number, level in enumerate(graph.levels(drawn)) for node in level}
        assert all(place[need] < place[node] for node, needs in drawn.items() for need in needs if need in place)
    else:
        assert cycle[0] == cycle[-1]
        assert all(after in drawn[before] for before, after in pairwise(cycle))
    acyclic, _ = graph.without_cycles(drawn)
    assert graph.find_cycle(acyclic) is None
