"""Hold what a drawing becomes on a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.findings import Finding
from engine.plan import LedgerEntry, Requirements
from engine.resources import Resource


@dataclass(frozen=True, slots=True)
class Desired:
    """The resources that a deployment shall have, by key, and what was to be told on the way there.

    ``start_after``: machine -> machines that must be ready before it starts, from ``depends_on``. ``regions``:
    machine -> region of the drawing, for machines that belong to one.
    """

    resources: Mapping[str, Resource] = field(default_factory=dict)
    ledger: tuple[LedgerEntry, ...] = ()
    findings: tuple[Finding, ...] = ()
    requirements: Requirements = field(default_factory=Requirements)
    start_after: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)
