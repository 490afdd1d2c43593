"""The size of a machine is the smallest that fits, whatever the order in which a cloud names its sizes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from engine.observed import SizeFact
from engine.sizes import choose

SIZES = (
    SizeFact("t3.micro", 2, 1024, 2, 2),
    SizeFact("t3.small", 2, 2048, 3, 4),
    SizeFact("m6i.large", 2, 8192, 3, 10),
    SizeFact("c6i.xlarge", 4, 8192, 4, 15),
    SizeFact("m6g.medium", 1, 4096, 2, 4, "arm64"),
    SizeFact("a1.tiny", 2, 512, 2, 2, spot=False),
)


def name_of(*wish: int, spot: bool = False) -> str | None:
    found = choose(SIZES, *wish, spot=spot)
    return found.name if found else None


def test_the_smallest_that_fits_is_chosen() -> None:
    assert name_of(1, 512) == "a1.tiny"
    assert name_of(2, 1024) == "t3.micro"
    assert name_of(2, 1025) == "t3.small"
    assert name_of(3, 1024) == "c6i.xlarge"


def test_cards_and_addresses_on_one_card_count() -> None:
    assert name_of(2, 1024, 3) == "t3.small"
    assert name_of(2, 1024, 1, 5) == "m6i.large"
    assert name_of(2, 1024, 4) == "c6i.xlarge"


def test_spot_takes_only_what_is_sold_so() -> None:
    assert name_of(1, 512, spot=True) == "t3.micro"


def test_nothing_fits_is_told() -> None:
    assert name_of(64, 1024) is None
    assert choose((), 1, 1) is None


def test_another_architecture_is_never_chosen_unasked() -> None:
    assert name_of(1, 4096) == "m6i.large"
    found = choose(SIZES, 1, 4096, architecture="arm64")
    assert found is not None
    assert found.name == "m6g.medium"


@given(st.integers(1, 8), st.integers(256, 16384), st.integers(1, 5), st.integers(1, 20), st.randoms())
def test_the_order_of_the_sizes_means_nothing(
    cpus: int, memory: int, nics: int, addresses: int, chance: random.Random
) -> None:
    shuffled = list(SIZES)
    chance.shuffle(shuffled)
    assert choose(shuffled, cpus, memory, nics, addresses) == choose(SIZES, cpus, memory, nics, addresses)
