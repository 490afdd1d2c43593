"""Counts and lists read as people would say them."""

from __future__ import annotations

import pytest

from engine.wording import counted, listed


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 CPUs"), (1, "1 CPU"), (1.0, "1 CPU"), (0.5, "0.5 CPUs"), (2, "2 CPUs"), (3_000_000, "3000000 CPUs")],
)
def test_one_is_said_in_the_singular(number: float, said: str) -> None:
    assert counted(number, "CPU") == said


def test_long_lists_tell_how_much_they_leave_out() -> None:
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert listed([], 2) == ""
