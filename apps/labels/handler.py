"""The journal's handler "probe": examine, act on the canary, clean up after it, and never fail for what a cloud lacks.

What a probe finds is its result, also when that is bad: a step that failed would keep the following ones, and so the
removal of the canary, from being done. Only what may pass by itself is given back to the journal, to be tried again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from apps.clouds.connections import PooledConnector, connect_by_id
from apps.labels import canary
from apps.operations.registry import StepContext
from apps.tenancy.faults import Fault
from connectors.base import ConnectorError, Outcome
from connectors.probing import MACHINE, Canary, Probe, Report
from engine.resources import Owner

ATTEMPTS = 3
AWAY = frozenset({"cloud.unreachable", "cloud.not_authenticated"})
"""Codes for which the journal would wait for a day. A run must come to a verdict, so it gives up much sooner."""

UNASKED = AWAY | {"cloud.disabled", "cloud.unknown", "internal"}
"""Codes that say nothing about what a cloud can do: it was not asked, or we are at fault."""


class ProbeHandler:
    """Run one step of a conformance run; keeps no state between calls."""

    def start(self, step: StepContext) -> Outcome:
        """Do what the step is for, or find what an earlier attempt has done."""
        work = {"probe": self._probe, "clean": self._clean, "gone": self._gone}[step.payload["do"]]
        try:
            return work(step)
        except Fault as problem:
            return _judged(step, ConnectorError(problem.code, problem.message, permanent=problem.status < 500))
        except ConnectorError as error:
            return _judged(step, error)

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Ask for all tasks of a cloud in one call, and look again at what is waited for."""
        outcomes: dict[int, Outcome] = {}
        for group in _by_cloud(steps):
            connector = self._connector(group[0])
            tasks = [step for step in group if not _examined(step)]
            try:
                found = connector.poll([step.handle for step in tasks]) if tasks else {}
            except ConnectorError as error:
                if any(step.payload.get("patient") for step in tasks):
                    raise
                found = {step.handle: Outcome.failed(error) for step in tasks}
            for step in tasks:
                if step.handle in found:
                    outcomes[step.step_id] = _told(step, found[step.handle])
            for step in group:
                if _examined(step):
                    try:
                        outcomes[step.step_id] = self._look(step, connector, float(json.loads(step.handle)["until"]))
                    except ConnectorError as error:
                        outcomes[step.step_id] = _judged(step, error)
        return outcomes

    def cancel(self, step: StepContext) -> None:
        """Ask the cloud to stop the task; what is only looked at ends by itself."""
        if not _examined(step):
            self._connector(step).cancel(step.handle)

    def undo(self, step: StepContext) -> Outcome:
        """Take nothing back: the canary is removed as a whole, whatever became of the run."""
        return Outcome.done()

    # Kinds of steps

    def _probe(self, step: StepContext) -> Outcome:
        probe, about = _probe_of(step), _canary_of(step)
        reason = _hindrance(probe, about.found)
        if reason:
            return Outcome.done(reason, verdict="skipped", why=reason)
        connector = self._connector(step)
        if not probe.verb:
            return self._look(step, connector, time.time() + probe.patience_s)
        action = canary.action(probe, about)
        step.require_mine()
        return _told(step, connector.start(action, step.key))

    def _look(self, step: StepContext, connector: PooledConnector, until: float) -> Outcome:
        probe, about = _probe_of(step), _canary_of(step)
        report: Report = connector.use(lambda cloud: cloud.examine(probe.key, about))
        if report.verdict == "waiting":
            if time.time() < until:
                return Outcome.running(json.dumps({"until": round(until, 1)}), message=report.message)
            report = Report("failed", report.message, report.code, report.facts, report.internals)
        facts = {"verdict": report.verdict, "code": report.code, "why": report.message}
        return Outcome.done(report.message, **facts, facts=dict(report.facts), internals=dict(report.internals))

    def _clean(self, step: StepContext) -> Outcome:
        """Remove a part of a canary, found by its markers alone: nothing that an earlier step said is needed."""
        if _unasked(step.results):
            return Outcome.done(verdict="skipped")
        owner, resource = Owner(**step.payload["owner"]), str(step.payload["resource"])
        connector = self._connector(step)
        observed = connector.observe(owner)
        found = observed.resources.get(resource)
        if found is None:
            found = next((stray for stray in observed.strays if stray.key == resource), None)
        if found is not None:
            action = canary.removal(resource, owner, found.external_id, str(step.payload.get("verb", "")))
            step.require_mine()
            return _told(step, connector.start(action, step.key))
        made_by = step.payload.get("made_by")
        if resource == MACHINE and made_by:  # a clone that nobody waits for any more may still be under way
            probe = Probe("canary.clone", "deploy", verb="machine.create", resource=MACHINE)
            about = Canary(owner, step.payload["found"])
            step.require_mine()
            return _told(step, connector.undo(canary.action(probe, about), {}, str(made_by)))
        return Outcome.done(verdict="passed")

    def _gone(self, step: StepContext) -> Outcome:
        """Look by an independent listing whether anything is left."""
        if _unasked(step.results):
            reason = _("The cloud could not be asked, so that nothing was made.")
            return Outcome.done(reason, verdict="skipped", why=reason)
        observed = self._connector(step).observe(Owner(**step.payload["owner"]))
        left = [*observed.resources.values(), *observed.strays]
        if not left:
            return Outcome.done(verdict="passed", facts={"left": 0}, internals={})
        troubles = [
            str(found["why"])
            for key, found in step.results.items()
            if key.startswith("clean.") and found.get("verdict") == "failed" and found.get("why")
        ]
        names = ", ".join(sorted({each.key for each in left}))
        message = _(
            "Of the canary these are left: %(names)s - %(why)s - look at the cloud; it is tried again later"
        ) % {
            "names": names,
            "why": troubles[0] if troubles else _("the cloud shows them although their removal succeeded"),
        }
        internals = {"left": [{"key": each.key, "id": each.external_id} for each in left]}
        return Outcome.done(
            message, verdict="failed", code="label.left_over", why=message, facts={"left": len(left)},
            internals=internals,
        )  # fmt: skip

    @staticmethod
    def _connector(step: StepContext) -> PooledConnector:
        assert step.cloud_id is not None
        return connect_by_id(step.cloud_id)


PROBE = ProbeHandler()
"""The one that is registered."""


def probe_json(probe: Probe) -> dict[str, Any]:
    """Return a probe as a step's payload has it: a release that knows others must still finish this run."""
    return asdict(probe)


def _probe_of(step: StepContext) -> Probe:
    return Probe(**{**step.payload["probe"], "after": tuple(step.payload["probe"]["after"])})


def _canary_of(step: StepContext) -> Canary:
    return Canary(Owner(**step.payload["owner"]), step.results, step.payload.get("defaults", {}))


def _examined(step: StepContext) -> bool:
    return step.payload["do"] == "probe" and not step.payload["probe"]["verb"]


def _hindrance(probe: Probe, found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return why a probe is not tried; "" when it is."""
    if probe.left_out:
        return probe.left_out
    if any(each.get("verdict") == "error" for each in found.values()):
        return _("The cloud could not be asked.")
    for needed in probe.after:
        if found.get(needed, {}).get("verdict") != "passed":
            return _("It needs %(probe)s, which did not pass.") % {"probe": needed}
    return ""


def _unasked(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether the cloud did not answer the first question: then no other one is asked, and nothing is made."""
    return found.get("api", {}).get("verdict") == "error"


def _told(step: StepContext, outcome: Outcome) -> Outcome:
    """Bring the outcome of a verb to a verdict."""
    if outcome.state == "failed":
        assert outcome.error is not None
        return _judged(step, outcome.error)
    if outcome.state == "running":
        return outcome
    result = dict(outcome.result)
    return Outcome.done(outcome.message, verdict="passed", code="", why="", facts={}, internals=result)


def _judged(step: StepContext, error: ConnectorError) -> Outcome:
    """Say what an error means for the probe, or have the journal try again."""
    if step.cancelled or error.code == "cloud.cancelled":
        return Outcome.failed(error)
    if step.payload.get("patient"):
        return Outcome.failed(error)
    if not error.permanent and step.attempt < ATTEMPTS:
        if error.code in AWAY:  # counted as a try, unlike in a deployment
            wait_s = error.retry_after if error.retry_after is not None else 1.0
            error = ConnectorError("cloud.busy", error.message, retry_after=wait_s, maybe_done=error.maybe_done)
        return Outcome.failed(error)
    verdict = "error" if error.code in UNASKED else "failed"
    return Outcome.done(
        error.message, verdict=verdict, code=error.code, why=error.message, facts={},
        internals={"detail": error.detail} if error.detail else {},
    )  # fmt: skip


def _by_cloud(steps: Sequence[StepContext]) -> Iterable[list[StepContext]]:
    groups: dict[Any, list[StepContext]] = {}
    for step in steps:
        groups.setdefault(step.cloud_id, []).append(step)
    return groups.values()
