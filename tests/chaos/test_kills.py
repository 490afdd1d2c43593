"""Workers killed at every named place, and as a whole: nothing is lost, doubled or orphaned."""

from __future__ import annotations

import pytest

from apps.operations.models import Operation, Step
from apps.operations.registry import call_key
from tests.chaos.oracle import check, wait_for_end
from tests.chaos.plant import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

PLACES = ["before_intent", "after_intent", "after_call", "after_handle", "before_finish", "in_finish", "after_finish"]


def test_kills_at_every_place_lose_and_double_nothing(plant, order, factor):
    quota = max(1, int(2 * factor))
    for place in PLACES:
        plant.cloud.order(place, "kill", quota, 0.35)
    plant.cloud.order("relay_after_send", "kill", 1, 0.3)
    operations = [order(int(24 * max(1, factor / 5)), width=6) for _ in range(3)]
    wait_for_end(plant, *operations, timeout_s=90 * max(1, factor), relay="relay")
    check(plant, *operations)
    struck = plant.cloud.hits()
    assert sum(struck.get(place, 0) for place in PLACES) >= len(PLACES) * quota * 0.6, struck
    assert len([place for place in PLACES if struck.get(place)]) >= 6, struck


@pytest.mark.parametrize("place", ["after_intent", "after_call", "after_handle", "in_finish"])
def test_a_kill_at_one_place_is_recovered_from_within_two_leases(plant, order, place):
    plant.cloud.order(place, "kill", 1)
    operation = order(1)
    wait_for_end(plant, operation, timeout_s=20)
    check(plant, operation)
    (struck,) = plant.cloud.do("SELECT at FROM hit")
    operation.refresh_from_db()
    recovery_s = operation.finished_at.timestamp() - struck[0]
    # A lease runs out after 1.5 s here; the rest is the sweeper's interval and a busy test machine.
    assert recovery_s < 2 * 1.5 + 3
    starts = plant.cloud.calls("start")[call_key(operation.pk, "s0")]
    assert starts == (1 if place in ("after_handle", "in_finish", "after_intent") else 2)


def test_a_worker_killed_in_the_middle_of_a_task_is_replaced_and_the_task_not_started_again(plant, order):
    operation = order(4, task_s=4.0)
    until(lambda: Step.objects.filter(operation=operation, state="waiting").count() == 4, 20, "not under way", plant)
    plant.kill("worker")
    plant.start_worker()
    wait_for_end(plant, operation, timeout_s=40)
    check(plant, operation)
    assert set(plant.cloud.calls("start").values()) == {1}  # attached to, not started again
    assert plant.cloud.calls("attach") == {}
    assert all(step.takeovers == 1 for step in Step.objects.filter(operation=operation))


def test_a_worker_that_is_asked_to_end_gives_back_what_it_holds(plant, order):
    operation = order(2, task_s=3.0)
    until(lambda: Step.objects.filter(operation=operation, state="waiting").count() == 2, 20, "not under way", plant)
    took_s = plant.stop("worker")
    assert took_s < 10
    assert not Step.objects.filter(operation=operation, lease_until__isnull=False).exists()
    plant.start_worker()
    wait_for_end(plant, operation, timeout_s=40)
    check(plant, operation)
    assert not Step.objects.filter(operation=operation, takeovers__gt=0).exists()


def test_a_poison_step_is_parked_and_its_neighbours_are_done(plant, order, acme, shop):
    """The cloud's call itself ends the worker, each time."""
    from apps.operations.services import StepSpec, submit

    plant.cloud.order("after_call", "kill", 1_000)
    operation = submit(
        kind="chaos", title="Poison", organization=acme, project=shop, actor="alice", created_by=None,
        steps=[StepSpec(key="poison", title="Poison", handler="chaos", payload={"task_s": 0.1})],
    )  # fmt: skip
    Step.objects.filter(operation=operation).update(takeovers=57)  # 60 are allowed here
    wait_for_end(plant, operation, timeout_s=40)
    plant.cloud.do("DELETE FROM plan")
    operation = Operation.objects.get(pk=operation.pk)
    assert operation.state == "failed"
    assert operation.error["code"] == "operation.poison"
    assert plant.cloud.things() == {call_key(operation.pk, "poison"): 1}
