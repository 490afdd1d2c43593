"""Start conformance runs, and the removal of what they may have left: journaled operations, one a cloud at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.clouds.models import Cloud
from apps.labels import basis, canary
from apps.labels.handler import ATTEMPTS, probe_json
from apps.labels.models import Run
from apps.labels.wording import wording
from apps.operations.models import Operation
from apps.operations.registry import call_key
from apps.operations.services import ClaimSpec, StepSpec, submit
from apps.tenancy.access import Actor, Principal, System, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Role
from connectors.probing import FOLDER, MACHINE, Probe, of_kind
from engine.resources import Owner

KIND = "conformance"
CLEANING = "conformance.clean"
_MOST_LEFTOVERS = 3  # earlier canaries that a run removes first; the sweep removes the others
_FOLDERS = "folders"
_EXPECTED_S = {"canary.clone": 60.0, "canary.address": 60.0, "canary.relocate.datastore": 60.0}


def claim(cloud: Cloud) -> ClaimSpec:
    """Return the hold that keeps runs and removals of one cloud apart."""
    return ClaimSpec(f"conformance:{cloud.pk}")


def start(who: Actor, cloud: Cloud, cause: str = "manual") -> Run:
    """Begin a conformance run; fault `operation.conflict` while another one is under way.

    Other faults: `forbidden`, `label.not_offered` (no label for this kind), `cloud.disabled`.
    """
    if isinstance(who, Principal):
        if cloud.organization_id != who.organization.pk:
            raise fault("not_found") if not _visible(who, cloud) else fault("label.not_yours", cloud=cloud.name)
        require(who, Role.OPERATOR)
    if not cloud.enabled:
        raise fault("cloud.disabled", cloud=cloud.name)
    probes = of_kind(cloud.kind, cloud.flavour)
    if not probes:
        raise fault("label.not_offered", cloud=cloud.name, kind=cloud.kind)
    with transaction.atomic():
        organization = cloud.organization
        run = Run(
            organization=organization,
            cloud=cloud,
            cause=cause,
            basis={**basis.of(cloud), "instance_uuid": ""},
            actor=who.actor[:160],
            started_at=timezone.now(),
        )
        owner = canary.owner(organization.pk, organization.slug, run.pk)
        leftovers = list(Run.objects.filter(cloud=cloud).to_clean().order_by("-started_at")[:_MOST_LEFTOVERS])
        steps = [*_removals(cloud, leftovers), *_probes(cloud, probes, owner)]
        run.operation = submit(
            kind=KIND,
            title=_("Probe %(cloud)s for a label") % {"cloud": cloud.name},
            organization=organization,
            project=None,
            actor=who.actor,
            created_by=who.user if isinstance(who, Principal) else None,
            steps=_in_order(steps),
            claims=[claim(cloud)],
            subject=("conformance", run.pk),
            cloud_id=cloud.pk,
            data={"run": str(run.pk), "cleans": [str(each.pk) for each in leftovers]},
        )
        run.save(force_insert=True)
        record(who, "label.run", "cloud", cloud.pk, cloud.name, {"run": str(run.pk), "cause": cause})
    return run


def clean(run: Run) -> Operation:
    """Begin the removal of whatever a run that has ended may have left; fault `operation.conflict` meanwhile."""
    cloud = run.cloud
    with transaction.atomic():
        return submit(
            kind=CLEANING,
            title=_("Remove the canary of %(cloud)s") % {"cloud": cloud.name},
            organization=run.organization,
            project=None,
            actor=System(run.organization).actor,
            created_by=None,
            steps=_in_order(_removals(cloud, [run], patient=True)),
            claims=[claim(cloud)],
            subject=("conformance", run.pk),
            cloud_id=cloud.pk,
            data={"cleans": [str(run.pk)]},
        )


def gone_key(run_id: object) -> str:
    """Return the key of the step that proves that nothing is left of an earlier run."""
    return f"gone.{str(run_id)[:8]}"


def _visible(who: Principal, cloud: Cloud) -> bool:
    return Cloud.objects.visible_to(who).filter(pk=cloud.pk).exists()


def _probes(cloud: Cloud, probes: tuple[Probe, ...], owner: Owner) -> list[StepSpec]:
    steps: list[StepSpec] = []
    for probe in probes:
        if probe.key == "canary.destroy":
            steps += _removal_steps(cloud, owner, "")
            steps.append(_step(cloud, probe.key, "gone", owner, str(wording(probe.key).title), probe=probe))
            continue
        steps.append(
            _step(cloud, probe.key, "probe", owner, str(wording(probe.key).title), probe=probe,
                  defaults={name: value for name, value in cloud.defaults.items() if isinstance(value, str)})
        )  # fmt: skip
    return steps


def _removals(cloud: Cloud, runs: list[Run], *, patient: bool = False) -> list[StepSpec]:
    """Return the steps that remove what earlier runs may have left, and prove it.

    ``patient`` ones wait for a cloud that is away, as the journal does: nobody waits for their end.
    """
    steps: list[StepSpec] = []
    for run in runs:
        owner = canary.owner(run.organization_id, run.organization.slug, run.pk)
        steps += _removal_steps(cloud, owner, f".{str(run.pk)[:8]}", _clone_of(run), patient=patient)
        title = _("Prove that nothing is left of an earlier run")
        steps.append(_step(cloud, gone_key(run.pk), "gone", owner, title, patient=patient))
    return steps


def _clone_of(run: Run) -> dict[str, Any]:
    """Return what the undoing of a run's clone needs, when the run had come so far as to begin one."""
    found = {row.probe: {"verdict": row.verdict, "internals": row.internals} for row in run.evidence.all()}
    if "ground" not in found or run.operation_id is None or found["ground"]["verdict"] != "passed":
        return {}
    return {"made_by": call_key(run.operation_id, "canary.clone"), "found": found}


def _removal_steps(
    cloud: Cloud, owner: Owner, suffix: str, more: Mapping[str, Any] | None = None, *, patient: bool = False
) -> list[StepSpec]:
    titles = {
        "folder": _("Remove the canary's folder"),
        "network": _("Remove the canary's network"),
        "volume": _("Remove the canary's disk"),
        "machine": _("Remove the canary's machine"),
    }
    steps = [
        _step(cloud, f"clean.snapshots{suffix}", "clean", owner, _("Remove the canary's snapshots"),
              resource=MACHINE, verb="machine.unsnapshot", patient=patient)
    ]  # fmt: skip
    for resource in canary.CLEANED:
        kind = resource.partition(":")[0]
        extra = dict(more or {}) if resource == MACHINE else {}
        steps.append(
            _step(
                cloud,
                f"clean.{kind}{suffix}",
                "clean",
                owner,
                titles[kind],
                resource=resource,
                patient=patient,
                **extra,
            )
        )
    return steps


def _step(
    cloud: Cloud, key: str, do: str, owner: Owner, title: str, *, probe: Probe | None = None, **payload: Any
) -> StepSpec:
    resource = str(payload.get("resource", "")) or (probe.resource if probe is not None else "")
    return StepSpec(
        key=key,
        title=title,
        handler="probe",
        payload={
            "do": do,
            "owner": owner.to_json(),
            **({"probe": probe_json(probe)} if probe is not None else {}),
            **payload,
        },
        group=key,  # each leaves its result under its own name
        verb=probe.verb if probe is not None else str(payload.get("verb", "")),
        cloud_id=cloud.pk,
        serial=_FOLDERS if resource == FOLDER else "",
        max_attempts=ATTEMPTS,
        expected_s=_EXPECTED_S.get(key, 2.0),
    )


def _in_order(steps: list[StepSpec]) -> list[StepSpec]:
    """Let each step wait for the one before it: what is measured must not be measured beside something else."""
    ordered: list[StepSpec] = []
    for step in steps:
        before = (ordered[-1].key,) if ordered else ()
        ordered.append(StepSpec(**{**{name: getattr(step, name) for name in step.__slots__}, "depends_on": before}))
    return ordered
