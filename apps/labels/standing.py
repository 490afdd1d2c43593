"""Whether a label is in force at a moment: time, the cloud itself and the evidence each have a say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from apps.labels import basis, signing
from apps.labels.models import Label

LEVELS = ("deploy", "mobility")
NAMES = {level: f"escale:{level}" for level in LEVELS}
IN_FORCE = frozenset({"valid", "expiring", "unconfirmed"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a label stands.

    ``state``: candidate · valid · expiring (in force, but soon not) · unconfirmed (in force; the cloud has not
    answered the last run) · expired · suspended (``changed``: what of the cloud is not as it was) · broken (evidence
    or statement are not as they were signed) · lapsed (unconfirmed for too long) · lost · withdrawn · replaced.
    """

    state: str
    changed: tuple[str, ...] = field(default=())

    @property
    def in_force(self) -> bool:
        """Tell whether policies may rely on the label now."""
        return self.state in IN_FORCE


def standing(label: Label, now: datetime | None = None) -> Standing:
    """Say where a label stands at a moment (by default: now)."""
    if label.state != "valid":
        return Standing(label.state)
    now = now or timezone.now()
    if not signing.intact(label):
        return Standing("broken")
    changed = basis.changed(label.run.basis, label.cloud)
    if changed:
        return Standing("suspended", tuple(changed))
    assert label.valid_until is not None
    if now >= label.valid_until:
        return Standing("expired")
    since = label.unconfirmed_since
    if since is not None:
        return Standing("lapsed" if now - since >= grace() else "unconfirmed")
    return Standing("expiring" if label.valid_until - now <= expiring() else "valid")


def names_of(level: str) -> list[str]:
    """Return the labels that a level stands for: who may be moved to may be deployed to."""
    return [NAMES[each] for each in LEVELS[: LEVELS.index(level) + 1]]


def rank(level: str) -> int:
    """Return how much a level says; 0 for none."""
    return LEVELS.index(level) + 1 if level in LEVELS else 0


def grace() -> timedelta:
    """Return for how long a label stands although its cloud does not answer."""
    return timedelta(hours=float(settings.LABEL_GRACE_HOURS))


def expiring() -> timedelta:
    """Return how long before its end a label is renewed."""
    return timedelta(days=float(settings.LABEL_EXPIRING_DAYS))


def lifetime() -> timedelta:
    """Return for how long a signature holds."""
    return timedelta(days=float(settings.LABEL_DAYS))


def run_age() -> timedelta:
    """Return how old a run may be when it is signed."""
    return timedelta(days=float(settings.LABEL_MAX_RUN_AGE_DAYS))


def run_every() -> timedelta:
    """Return how often a labelled cloud is probed again."""
    return timedelta(hours=float(settings.LABEL_RUN_EVERY_HOURS))


def current(labels: Iterable[Label]) -> Label | None:
    """Return the label that a cloud's page speaks of: the signed one, else the newest."""
    rows = list(labels)
    return next((row for row in rows if row.state == "valid"), rows[0] if rows else None)
