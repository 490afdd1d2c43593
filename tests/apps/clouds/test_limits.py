"""Limits are arithmetic here; tests/apps/deployments/test_limits_hold.py shows that plans keep to them."""

import pytest

from apps.clouds import limits, services
from apps.tenancy.faults import Fault

CLOUDS = "/api/v1/clouds/"


def needs(machines=0, cpus=0, memory_mib=0, disk_gib=0):
    return {"machines": machines, "cpus": cpus, "memory_mib": memory_mib, "disk_gib": disk_gib}


def passed(*arguments, **options):
    return {excess.kind: (excess.held, excess.wanted) for excess in limits.exceeded(*arguments, **options)}


def test_what_fits_exactly_is_let_through():
    held = [needs(2, 4, 2048, 40), needs(1, 2, 1024, 20)]
    bounds = {"machines": 4, "cpus": 8, "memory_gib": 4, "disk_gib": 80}
    assert passed(bounds, held, needs(1, 2, 1024, 20)) == {}
    assert passed(bounds, held, needs(2, 2, 1025, 20)) == {"machines": (3, 2), "memory_gib": (3, 1.001)}


def test_what_is_not_named_is_not_limited_and_zero_allows_nothing():
    assert passed({}, [], needs(10**6)) == {}
    assert passed({"machines": 0}, [], needs(1)) == {"machines": (0, 1)}
    assert passed({"machines": 0}, [], needs(0)) == {}


def test_what_is_there_already_may_shrink_and_stay_but_not_grow_when_a_limit_was_lowered():
    bounds, others = {"machines": 2}, [needs(3)]
    assert passed(bounds, others, needs(4), needs(5)) == {}
    assert passed(bounds, others, needs(5), needs(5)) == {}
    assert passed(bounds, others, needs(6), needs(5)) == {"machines": (3, 6)}


def test_limits_are_read_and_shown(alice, viewer, paris):
    answer = alice.api.patch(f"{CLOUDS}paris/", {"limits": {"machines": 40, "memory_gib": 64, "cpus": None}})
    assert answer.status_code == 200, answer.content
    assert answer.json()["limits"] == {"machines": 40, "cpus": None, "memory_gib": 64, "disk_gib": None}
    usage = viewer.api.get(f"{CLOUDS}paris/usage/").json()["results"]
    assert {"kind": "machines", "limit": 40, "held": 0.0} in usage
    assert alice.api.patch(f"{CLOUDS}paris/", {"limits": None}).json()["limits"]["machines"] is None


@pytest.mark.parametrize(
    "value", [{"machines": -1}, {"machines": 1.5}, {"machines": True}, {"machines": "4"}, {"gpus": 1}, [], "many"]
)
def test_what_is_no_limit_is_refused(alice, paris, value):
    with pytest.raises(Fault) as caught:
        services.update_cloud(alice.principal, paris, limits=value)
    assert caught.value.code == "invalid"


def test_a_well_known_region_puts_a_cloud_on_the_map(alice, make_cloud):
    paris = make_cloud(alice)
    assert (paris.latitude, paris.longitude) == (48.9, 2.4)
    own = make_cloud(alice, "cave", region="Paris, FR", latitude=-12.5, longitude=130.25)
    assert (own.latitude, own.longitude) == (-12.5, 130.25)
    nowhere = make_cloud(alice, "nowhere", region="Cellar")
    assert (nowhere.latitude, nowhere.longitude) == (None, None)


@pytest.mark.parametrize(
    "place",
    [
        {"latitude": 91, "longitude": 0},
        {"latitude": 0, "longitude": 180.5},
        {"latitude": float("nan"), "longitude": 0},
        {"latitude": 5, "longitude": None},
        {"latitude": True, "longitude": 1},
    ],
)
def test_what_is_no_place_is_refused(alice, make_cloud, place):
    with pytest.raises(Fault) as caught:
        make_cloud(alice, region="Cellar", **place)
    assert caught.value.code == "invalid"
