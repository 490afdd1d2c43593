"""The report: one run as a partner may read it, as a file that can be checked, and the checking of such a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils import timezone
from django.utils.translation import override

from apps.labels import signing
from apps.labels.models import Evidence, Label, Run
from apps.labels.standing import Standing, rank, standing
from apps.labels.wording import Wording, wording
from apps.tenancy.faults import fault
from apps.tenancy.querysets import as_uuid
from connectors.vsphere.flavours import FLAVOURS
from engine.resources import canonical_json

Edition = Literal["full", "partner"]
MAX_BYTES = 2 * 2**20
_DATED = ("verdict", "required", "left_out", "level")


@dataclass(frozen=True, slots=True)
class Row:
    """A probe of a report, with its words."""

    evidence: Evidence
    words: Wording

    @property
    def seconds(self) -> float:
        """Return how long the probe took."""
        return (self.evidence.finished_at - self.evidence.started_at).total_seconds()

    @property
    def figures(self) -> list[tuple[str, Any]]:
        """Return the facts that fit on one line."""
        return [(name, value) for name, value in self.evidence.facts.items() if not isinstance(value, list | dict)]

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of events that were seen."""
        return [str(kind) for kind in self.evidence.facts.get("kinds", [])]

    @property
    def privileges(self) -> list[Mapping[str, Any]]:
        """Return the privileges that were asked for."""
        return list(self.evidence.facts.get("privileges", []))

    @property
    def inside(self) -> list[tuple[str, Any]]:
        """Return what only the owner's people see."""
        return [(name, value) for name, value in self.evidence.internals.items() if name != "salt" and value]


def rows(run: Run) -> list[Row]:
    """Return the probes of a run in their order."""
    return [Row(evidence, wording(evidence.probe)) for evidence in run.evidence.all()]


def label_of(run: Run) -> Label | None:
    """Return the label that was issued on a run, if there is one."""
    return run.labels.select_related("cloud__organization", "run", "signed_by").order_by("-created_at").first()


def report(run: Run, edition: Edition = "partner") -> dict[str, Any]:
    """Return a run as a file; `docs/labels.md` has the schema. Fault `label.not_finished` while it runs."""
    if run.finished_at is None:
        raise fault("label.not_finished")
    label = label_of(run)
    sealed = label is not None and bool(label.signature)
    signed = signing.document(label) if label is not None and sealed else _unsigned(run)
    with override("en"):
        probes = [_described(row, edition) for row in rows(run)]
    flavour = FLAVOURS.get(run.basis.get("flavour", ""))
    return {
        "format": signing.FORMAT,
        "edition": edition,
        "exported_at": timezone.now().isoformat(),
        "cloud": {
            "title": str(run.cloud),
            "region": run.cloud.region,
            "flavour": flavour.title if flavour is not None else run.basis.get("flavour", ""),
        },
        "standing": standing(label).state if label is not None else "none",
        "signed": signed,
        "signature": label.signature if label is not None and sealed else None,
        "probes": probes,
    }


def check(file: Any) -> dict[str, Any]:
    """Say whether a report is one of this installation's, unchanged, and where its label stands now.

    `authentic`: the signature is ours, over just this (null: its key is gone, or nobody has signed). `details`: the
    details beside the signed part belong to it (null: they are withheld, as in the edition for partners). `standing`:
    of the label in this installation, "unknown" when it does not know it. Fault `label.report_unreadable`.
    """
    signed, signature, probes = _parts(file)
    authentic = signing.holds(signed, signature) if signature else None
    label_id = as_uuid(signed.get("label", {}).get("id")) if isinstance(signed.get("label"), dict) else None
    label = Label.objects.select_related("cloud__organization", "run").filter(pk=label_id).first() if label_id else None
    now = standing(label) if label is not None and authentic else Standing("unknown")
    details = _details(signed, probes)
    return {
        "authentic": authentic,
        "details": details,
        "valid": authentic is True and details is not False and now.in_force,
        "label": (signed.get("label") or {}).get("name") if authentic else None,
        "signer": (signed.get("label") or {}).get("signer") if authentic else None,
        "valid_until": (signed.get("label") or {}).get("valid_until") if authentic else None,
        "standing": now.state,
    }


def _parts(file: Any) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    if not isinstance(file, dict) or file.get("format") != signing.FORMAT:
        raise fault("label.report_unreadable", reason=f"its format is not {signing.FORMAT}")
    signed, signature, probes = file.get("signed"), file.get("signature") or {}, file.get("probes", [])
    if not isinstance(signed, dict) or not isinstance(signature, dict) or not isinstance(probes, list):
        raise fault("label.report_unreadable", reason="a part of it is missing")
    return signed, signature, probes


def _details(signed: Mapping[str, Any], probes: Sequence[Any]) -> bool | None:
    """Hold the details of each probe against what was signed of it."""
    known = {entry.get("probe"): entry for entry in signed.get("probes", []) if isinstance(entry, dict)}
    seen = False
    for probe in probes:
        if not isinstance(probe, dict) or probe.get("probe") not in known:
            return False
        entry = known[probe["probe"]]
        if any(probe.get(name) != entry.get(name) for name in _DATED):
            return False
        if "withheld" in probe:
            seen = True
            if hashlib.sha256(canonical_json(probe["withheld"]).encode()).hexdigest() != entry.get("withheld_sha256"):
                return False
    return True if seen else None


def _described(row: Row, edition: Edition) -> dict[str, Any]:
    evidence = row.evidence
    told: dict[str, Any] = {
        "probe": evidence.probe,
        "title": str(row.words.title),
        "proves": str(row.words.proves),
        "needed_for": str(row.words.needed),
        "level": evidence.level,
        "required": evidence.required,
        "left_out": evidence.left_out,
        "verdict": evidence.verdict,
        "seconds": round(row.seconds, 3),
    }
    return told | ({"withheld": signing.withheld(evidence)} if edition == "full" else {})


def _unsigned(run: Run) -> dict[str, Any]:
    return {
        "format": signing.FORMAT,
        "label": None,
        "cloud": signing.cloud_entry(run),
        "run": signing.run_entry(run),
        "probes": [signing.probe_entry(evidence) for evidence in run.evidence.all()],
    }


def summary(run: Run) -> dict[str, int]:
    """Return how many probes ended how; those that the flavour leaves out by themselves."""
    counts = {"passed": 0, "failed": 0, "skipped": 0, "error": 0, "left_out": 0, "advised": 0}
    for row in run.evidence.all():
        if row.left_out:
            counts["left_out"] += 1
        elif row.verdict == "failed" and not row.required:
            counts["advised"] += 1
        else:
            counts[row.verdict] += 1
    return counts


def reached(run: Run, level: str) -> bool:
    """Tell whether a run has earned a level."""
    return rank(run.level) >= rank(level)
