"""A price list and what a drawing needs give a price that adds up to the cent."""

from __future__ import annotations

from decimal import Decimal

from engine import pricing

PRICES = {"currency": "EUR", "cpu_month": "6.505", "memory_gib_month": "2.8", "disk_gib_month": "0.000333"}


def test_the_lines_add_up_to_the_price() -> None:
    made = pricing.price({"cpus": 3, "memory_mib": 1536, "disk_gib": 31}, PRICES)
    assert made is not None
    assert [(line["what"], line["quantity"], line["unit"], line["rate"]) for line in made["lines"]] == [
        ("cpu", 3, "cpu", "6.505"),
        ("memory", 1.5, "GiB", "2.8"),
        ("disk", 31, "GiB", "0.000333"),
    ]
    assert [line["monthly"] for line in made["lines"]] == ["19.52", "4.20", "0.01"]
    assert Decimal(made["monthly"]) == sum(Decimal(line["monthly"]) for line in made["lines"])
    assert (made["currency"], made["monthly"], made["hourly"]) == ("EUR", "23.73", "0.0325")
    assert made["monthly_before"] is None


def test_tenths_are_no_floats() -> None:
    made = pricing.price({"disk_gib": 3}, {**PRICES, "disk_gib_month": "0.1"})
    assert made is not None
    assert made["monthly"] == "0.30"


def test_what_nobody_has_priced_has_no_price() -> None:
    assert pricing.price({"cpus": 3}, {}) is None


def test_what_exists_is_priced_beside_what_is_drawn() -> None:
    applied = {
        "folder:deployment": {"kind": "folder"},
        "machine:host-1": {"kind": "machine", "cpus": 2, "memory_mib": 2048, "system_disk_gib": 10},
        "machine:host-2": {"kind": "machine", "cpus": 1, "memory_mib": 1024, "system_disk_gib": None},
        "volume:data": {"kind": "volume", "size_gib": 20},
    }
    before = pricing.needed(applied)
    assert before == {"machines": 2, "cpus": 3, "memory_mib": 3072, "disk_gib": 30}
    rates = {"currency": "USD", "cpu_month": "10", "memory_gib_month": "1", "disk_gib_month": "0"}
    made = pricing.price({}, rates, before)
    assert made is not None
    assert (made["monthly"], made["monthly_before"]) == ("0.00", "33.00")
