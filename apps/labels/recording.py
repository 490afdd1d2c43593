"""What conformance operations record, in the transaction of the transition that they speak of."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.clouds.models import Cloud
from apps.labels import basis, issuing, running
from apps.labels.models import Evidence, Run
from apps.labels.salt import salted
from apps.operations.models import Operation, Step
from apps.operations.registry import StepReport
from connectors.probing import Probe

_PRODUCT = ("product", "version", "build", "api_version")


def on_steps_done(operation: Operation, steps: list[StepReport]) -> None:
    """Keep what finished probes have found, and note of which canaries nothing is left."""
    run = Run.objects.filter(pk=operation.data.get("run")).first() if operation.data.get("run") else None
    times = {row.pk: row for row in Step.objects.filter(pk__in=[step.id for step in steps])}
    for step in steps:
        result, payload = dict(step.result or {}), step.payload
        if run is not None and "probe" in payload:
            _keep(run, times[step.id], payload["probe"], result, acted=bool(payload["probe"]["verb"]))
        if payload["do"] == "gone" and result.get("verdict") in ("passed", "skipped"):
            _cleaned(payload["owner"]["deployment_id"])


def _cleaned(run_id: str) -> None:
    """Note that nothing is left of a canary, unless it was looked for on another cloud than it was made on."""
    run = Run.objects.select_related("cloud__organization").get(pk=run_id)
    if not basis.moved(run.basis, run.cloud):
        Run.objects.filter(pk=run_id).update(cleaned_at=timezone.now())


def _keep(run: Run, step: Step, body: dict[str, Any], result: dict[str, Any], *, acted: bool) -> None:
    probe = Probe(**{**body, "after": tuple(body["after"])})
    now = timezone.now()
    started = step.started_at or now
    verdict = str(result.get("verdict", "error"))
    facts = dict(result.get("facts") or {})
    if acted and verdict == "passed":
        facts["seconds"] = round((now - started).total_seconds(), 2)
    Evidence.objects.update_or_create(
        run=run,
        probe=probe.key,
        defaults={
            "position": step.position,
            "level": probe.level,
            "required": probe.required,
            "left_out": probe.left_out,
            "verdict": verdict,
            "code": str(result.get("code", ""))[:60],
            "message": str(result.get("why", "")),
            "facts": facts,
            "internals": salted(dict(result.get("internals") or {})),
            "started_at": started,
            "finished_at": now,
        },
    )
    if probe.key == "api" and verdict == "passed":
        run.product = {name: facts[name] for name in _PRODUCT if facts.get(name)}
        run.basis = {**run.basis, "instance_uuid": str((result.get("internals") or {}).get("instance_uuid") or "")}
        run.save(update_fields=["product", "basis"])


def on_finished(operation: Operation) -> None:
    """Judge a run by its evidence, and have the canary removed if the run did not come so far."""
    run = Run.objects.select_related("cloud__organization", "organization").filter(pk=operation.data.get("run")).first()
    if run is None:
        return
    run.finished_at = timezone.now()
    issuing.settle(run, operation.state)
    run.refresh_from_db()
    if run.cleaned_at is None:
        transaction.on_commit(lambda: _send_cleaner(run), robust=True)  # the sweep finds it without a broker


def on_resumed(operation: Operation) -> None:
    """Let a run that somebody retries go on where it was."""
    Run.objects.filter(pk=operation.data.get("run")).update(state="running", finished_at=None)


def uses_of(cloud: Cloud) -> list[str]:
    """Name what still needs a cloud: a run under way, or one whose canary can still be removed."""
    rows = Run.objects.filter(cloud=cloud)
    answers = cloud.enabled and bool((cloud.health or {}).get("ok"))
    left = answers and any(not basis.moved(run.basis, cloud) for run in rows.to_clean())
    return [running.KIND] if left or rows.live().exists() else []


def _send_cleaner(run: Run) -> None:
    # Not by an import at the top: the tasks import the services above this module.
    from apps.labels.tasks import clean_up

    clean_up.delay(str(run.pk))
