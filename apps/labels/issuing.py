"""From evidence to labels: judge a run, issue a candidate, confirm a label or take it away, sign, withdraw."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.labels import basis, signing
from apps.labels.models import Evidence, Label, Run
from apps.labels.standing import LEVELS, lifetime, rank, run_age, standing
from apps.operations import states
from apps.tenancy.access import Actor, Principal, System, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Role

LONGEST_STATEMENT = 2000
_LONGEST_DAYS = 366


def earned(evidence: list[Evidence]) -> str:
    """Return the highest level that evidence is enough for; "" for none.

    A probe counts for its level and those above it. One that the flavour leaves out, or that is advisory, does not.
    """
    level = ""
    for each in LEVELS:
        counted = [row for row in evidence if row.level == each and row.required and not row.left_out]
        if not counted or any(row.verdict != "passed" for row in counted):
            break
        level = each
    return level


def settle(run: Run, operation_state: str) -> None:
    """Judge a run that has ended, and do what follows for the cloud's label; `finished_at` is set by the caller."""
    evidence = list(run.evidence.all())
    run.level = earned(evidence) if operation_state == states.SUCCEEDED else ""
    failed = _lacking(evidence, LEVELS[-1])
    if operation_state in (states.CANCELLED, states.REVERTED):
        run.state = "cancelled"
    elif operation_state != states.SUCCEEDED or (not run.level and any(row.verdict == "error" for row in evidence)):
        run.state = "inconclusive"
    else:
        run.state = "passed" if run.level else "failed"
    run.save(update_fields=["state", "level", "finished_at"])
    # Both in one look: one that is signed at this moment is found as what it has become.
    found = {label.state: label for label in _held(run.cloud_id)}
    current, candidate = found.get("valid"), found.get("candidate")
    if current is not None:
        _meet(run, current, evidence, complete=operation_state == states.SUCCEEDED)
    if candidate is not None and (lacking := _lacking(evidence, candidate.level)):
        _lose(candidate, run, lacking[0])  # what an earlier run has earned is not to be signed any more
    if run.level:
        _issue(run, current)
    details = {"run": str(run.pk), "state": run.state, "level": run.level, "failed": [row.probe for row in failed]}
    record(System(run.organization), "label.run_ended", "cloud", run.cloud_id, run.cloud.name, details)


def _lacking(evidence: list[Evidence], level: str) -> list[Evidence]:
    """Return the required probes up to a level that were tried and did not pass."""
    return [
        row
        for row in evidence
        if row.required and not row.left_out and rank(row.level) <= rank(level) and row.verdict == "failed"
    ]


def _meet(run: Run, current: Label, evidence: list[Evidence], *, complete: bool) -> None:
    """Hold a label against a later run: confirm it, take it away, or note that the cloud could not be asked."""
    now = run.finished_at or timezone.now()
    lacking = _lacking(evidence, current.level)
    # A run that broke off says nothing of what it did not try, but what failed by then has failed.
    if lacking:
        _lose(current, run, lacking[0])
    elif complete and rank(run.level) >= rank(current.level):
        current.confirmed_at, current.unconfirmed_since = now, None
        current.save(update_fields=["confirmed_at", "unconfirmed_since"])
    elif run.state != "cancelled" and current.unconfirmed_since is None:
        current.unconfirmed_since = now
        current.save(update_fields=["unconfirmed_since"])


def _lose(label: Label, run: Run, worst: Evidence) -> None:
    why = {"probe": worst.probe, "code": worst.code, "message": worst.message, "run": str(run.pk)}
    _end(label, "lost", run.finished_at or timezone.now(), System(run.organization), why)


def _issue(run: Run, current: Label | None) -> None:
    """Offer a run for signature, unless a scheduled one has only confirmed a label that stands."""
    quiet = run.cause == "schedule" and current is not None and current.state == "valid"
    if quiet and current is not None and standing(current).state == "valid" and run.level == current.level:
        return
    Label.objects.filter(cloud=run.cloud, state="candidate").update(state="replaced", ended_at=timezone.now())
    Label.objects.create(
        organization=run.organization, cloud=run.cloud, run=run, level=run.level, created_at=timezone.now()
    )


def sign(who: Actor, label: Label, statement: str, *, days: int | None = None, now: datetime | None = None) -> Label:
    """Make a candidate valid: an administrator vouches for the run, and the installation's key seals it.

    Faults: `forbidden`, `label.not_candidate`, `label.run_too_old`, `label.cloud_changed`, `label.not_passed`,
    `label.statement`, `label.days`.
    """
    _admin(who, label)
    now = now or timezone.now()
    text = statement.strip()
    if not text or len(text) > LONGEST_STATEMENT or any(ord(sign) < 32 and sign not in "\n\r\t" for sign in text):
        raise fault("label.statement", most=LONGEST_STATEMENT)
    if days is not None and not 1 <= days <= _LONGEST_DAYS:
        raise fault("label.days", most=_LONGEST_DAYS)
    with transaction.atomic():
        label = _locked(label)
        run = label.run
        if label.state != "candidate":
            raise fault("label.not_candidate", state=label.state)
        if run.finished_at is None or now - run.finished_at > run_age():
            raise fault("label.run_too_old", days=run_age().days)
        if changed := basis.changed(run.basis, label.cloud):
            raise fault("label.cloud_changed", what=", ".join(changed))
        if earned(list(run.evidence.all())) != label.level or run.state != "passed":
            raise fault("label.not_passed")
        before = Label.objects.select_for_update(of=("self",)).filter(cloud=label.cloud, state="valid").first()
        if before is not None:
            _end(before, "replaced", now, who, {"by": str(label.pk)})
        label.state, label.statement, label.signed_at = "valid", text, now
        label.signed_by = who.user if isinstance(who, Principal) else None
        label.signer = who.actor[:160]
        label.valid_until = now + (timedelta(days=days) if days is not None else lifetime())
        label.confirmed_at = run.finished_at
        label.signature = signing.sign(signing.document(label))
        label.save()
        details = {"label": str(label.pk), "name": str(label), "run": str(run.pk), "until": label.valid_until}
        record(who, "label.sign", "cloud", label.cloud_id, label.cloud.name, details)
    return label


def withdraw(who: Actor, label: Label, reason: str) -> Label:
    """Take a label away, or a candidate off the desk; faults `forbidden`, `label.not_in_force`, `label.reason`."""
    _admin(who, label)
    if not reason.strip() or len(reason) > LONGEST_STATEMENT:
        raise fault("label.reason", most=LONGEST_STATEMENT)
    with transaction.atomic():
        label = _locked(label)
        if label.state not in ("valid", "candidate"):
            raise fault("label.not_in_force", state=label.state)
        _end(label, "withdrawn", timezone.now(), who, {"reason": reason.strip()})
    return label


def _admin(who: Actor, label: Label) -> None:
    if not isinstance(who, Principal):
        return
    if label.organization_id != who.organization.pk:
        raise fault("label.not_yours", cloud=label.cloud.name)
    require(who, Role.ADMIN)


def _locked(label: Label) -> Label:
    _held(label.cloud_id)
    rows = Label.objects.select_for_update(of=("self",)).select_related("cloud__organization", "run", "organization")
    return rows.get(pk=label.pk)


def _held(cloud_id: object) -> list[Label]:
    """Lock and return the labels of a cloud that count or wait; all in one order, so that nobody waits in a round."""
    rows = Label.objects.filter(cloud=cloud_id, state__in=("valid", "candidate"))
    return list(rows.select_for_update(of=("self",)).order_by("pk"))


def _end(label: Label, state: str, now: datetime, who: Actor, why: dict[str, str]) -> None:
    label.state, label.ended_at, label.ended_by, label.ended_why = state, now, who.actor[:160], why
    label.save(update_fields=["state", "ended_at", "ended_by", "ended_why"])
    if state != "replaced":
        record(who, f"label.{state}", "cloud", label.cloud_id, label.cloud.name, {"label": str(label.pk), **why})


def lost_because(label: Label) -> str:
    """Return the sentence that says why a label is gone."""
    why = label.ended_why
    if label.state == "lost":
        return _("The probe %(probe)s failed: %(why)s") % {"probe": why.get("probe"), "why": why.get("message") or "-"}
    return str(why.get("reason", ""))
