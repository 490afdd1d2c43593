"""The whitelist itself, and a state machine that throws orders at the journal in any sequence."""

from __future__ import annotations

import contextlib
import itertools
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from apps.operations import states
from apps.operations.journal import turn
from apps.operations.models import Claim, Event, Operation, Step
from apps.operations.services import cancel, retry, rollback
from apps.operations.states import ForbiddenTransition
from apps.operations.transitions import Write
from apps.tenancy.faults import Fault
from tests.apps.operations.looking import events_of


def test_every_state_leads_only_to_states_that_exist():
    for table in (states.OPERATION_TRANSITIONS, states.STEP_TRANSITIONS):
        assert {new for allowed in table.values() for new in allowed} <= set(table)


def test_an_operation_that_has_succeeded_or_was_reverted_stays_so():
    assert not states.OPERATION_TRANSITIONS[states.SUCCEEDED]
    assert not states.OPERATION_TRANSITIONS[states.REVERTED]


def test_from_every_state_of_an_operation_some_end_can_be_reached():
    for state in states.OPERATION_STATES:
        seen, edge = set(), [state]
        while edge:
            current = edge.pop()
            if current not in seen:
                seen.add(current)
                edge += states.OPERATION_TRANSITIONS[current]
        assert seen & states.OPERATION_ENDS


def test_the_database_knows_no_state_that_the_whitelist_does_not():
    from apps.operations import transitions

    source = Path(transitions.__file__).read_text(encoding="utf-8")
    for name in ("IN_FLIGHT", "OPEN"):
        listed = {part.strip(" '()") for part in getattr(transitions, name).split(",")}
        assert listed == {"IN_FLIGHT": states.STEP_IN_FLIGHT, "OPEN": states.STEP_OPEN}[name]
    assert "state = 'done'" not in source


def test_a_transition_that_is_not_listed_cannot_even_be_written_down():
    with pytest.raises(ForbiddenTransition):
        Write(1, 1, "succeeded", "running", "a")


@pytest.mark.django_db(transaction=True)
def test_an_operation_cannot_leave_the_whitelist(start):
    operation = start({"a": {}})
    with pytest.raises(ForbiddenTransition), turn(operation.pk) as current:
        current.move("reverted")
    operation.refresh_from_db()
    assert operation.state == "queued"


KEYS = "abcdef"
AFTER = {"c": ["a"], "d": ["a", "b"], "e": ["c", "d"]}
SEEDS = st.integers(0, 2**20)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_no_order_of_events_breaks_the_journal(start, script, tune):
    from apps.operations.runner import drive
    from connectors.base import ConnectorError, Outcome

    class Journal(RuleBasedStateMachine):
        """Drive, fail, cancel, retry and roll back in any order."""

        def __init__(self) -> None:
            super().__init__()
            for model in (Claim, Event, Step, Operation):
                model.objects.all().delete()
            script.calls.clear()
            script.tasks.clear()
            self.luck = random.Random(0)
            script.on_start = self.answer
            self.past: list[str] = []
            steps = {key: {} for key in KEYS}
            self.operation = start(steps, after=AFTER, claims=("deployment:x",), handler="test.inline")

        def answer(self, step):
            for needed in AFTER.get(step.step_key, ()):
                assert Step.objects.get(operation=self.operation, key=needed).state == "succeeded"
            roll = self.luck.random()
            if roll < 0.2:
                raise ConnectorError("cloud.permission", "no", permanent=True)
            if roll < 0.3:
                raise RuntimeError("a defect")
            return Outcome.done()

        @rule(seed=SEEDS)
        def work(self, seed):
            self.luck.seed(seed)
            drive(self.operation.pk, budget_s=0.0 if seed % 3 else 0.3)

        @rule(mode=st.sampled_from(["stop", "revert"]))
        def cancel(self, mode):
            self.attempt(cancel, mode)

        @rule()
        def retry(self):
            self.attempt(retry)

        @rule()
        def rollback(self):
            self.attempt(rollback)

        def attempt(self, order, *arguments):
            # Refused or not: what it leaves is looked at below.
            with contextlib.suppress(Fault):
                order(self.operation, *arguments)

        @invariant()
        def it_is_consistent(self):
            operation = Operation.objects.get()
            steps = {step.key: step for step in Step.objects.all()}
            told = [data["state"] for type_, _, data in events_of(operation) if type_ == "operation.state"]
            assert told[-1] == operation.state
            for old, new in itertools.pairwise(told):
                assert new == old or states.operation_may(old, new), (old, new)
            plan = [step for step in steps.values() if step.undoes_id is None]
            if operation.state in states.OPERATION_ENDS:
                assert not [step for step in steps.values() if step.state in states.STEP_OPEN]
                assert operation.due_at is None
                assert operation.finished_at is not None
                assert not Claim.objects.exists()
            else:
                assert operation.due_at is not None
                assert Claim.objects.exists()
            if operation.state == "succeeded":
                assert {step.state for step in plan} == {"succeeded"}
            if operation.state == "reverted":
                assert not [step for step in plan if step.state in ("succeeded", "failed", "parked", "reverting")]
            for step in plan:
                if step.state == "ready":
                    assert all(steps[key].state == "succeeded" for key in step.depends_on)
                if step.state == "pending":
                    missing = sum(1 for key in step.depends_on if steps[key].state != "succeeded")
                    assert step.waiting_for == missing > 0

    run_state_machine_as_test(
        Journal,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
