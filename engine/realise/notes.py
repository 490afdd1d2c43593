"""Collect what the realiser has to tell: ledger entries and findings, each with its place in the source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.compose.model import Project
from engine.findings import Finding, Severity
from engine.plan import LedgerEntry

Verdict = Literal["honoured", "approximated", "dropped"]
Path = tuple[str | int, ...]


# Keys with maps below them, on whose parts verdicts differ.
_MAPS = frozenset({"depends_on", "deploy", "networks"})


class Notes:
    """Gather ledger entries and findings of one drawing; the first entry of a path and code wins."""

    def __init__(self, project: Project) -> None:
        self._locate = project.locate
        self._entries: dict[tuple[Path, str], LedgerEntry] = {}
        self._tabled: list[LedgerEntry] = []
        self._findings: list[Finding] = []
        self.covered: set[Path] = set()  # keys that an entry speaks on: the table of verdicts is silent on them
        self.split: set[Path] = set()  # keys of which entries speak on parts only

    def ledger(self, path: Path, verdict: Verdict, reason: str, code: str, *, covers: bool = True) -> None:
        """Enter how a key fares; ``code`` without its ``ledger.`` prefix.

        ``covers``: the table of verdicts need not speak on this key any more.
        """
        if (path, code) in self._entries:
            return
        position = self._locate(path)
        self._entries[path, code] = LedgerEntry(
            path, verdict, reason, f"ledger.{code}", position.line if position else None
        )
        if not covers:
            return
        self.covered.add(path[:3])
        if len(path) > 3 and path[2] in _MAPS:
            self.covered.remove(path[:3])
            self.split.add(path[:3])
            self.covered.update((path[:4], path))

    def enter(self, path: Path, verdict: Verdict, reason: str, code: str) -> None:
        """Enter a verdict of the table, which comes by each path once and after all others; ``code`` in full."""
        position = self._locate(path)
        self._tabled.append(LedgerEntry(path, verdict, reason, code, position.line if position else None))

    def finding(self, code: str, severity: Severity, message: str, path: Path = (), hint: str = "") -> None:
        """Report a finding at a node of the drawing (or at none)."""
        position = self._locate(path) if path else None
        self._findings.append(
            Finding(
                code,
                severity,
                message,
                path,
                position.line if position else None,
                position.column if position else None,
                hint,
            )
        )

    def extend(self, findings: tuple[Finding, ...] | list[Finding]) -> None:
        """Take findings over that were made elsewhere."""
        self._findings.extend(findings)

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return the ledger in the order of the source; entries without a line last, of one line as they were made."""
        return in_order((*self._entries.values(), *self._tabled))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings, errors first, otherwise in the order in which they were made."""
        rank = {"error": 0, "warning": 1, "info": 2}
        return tuple(sorted(self._findings, key=lambda finding: rank[finding.severity]))


def in_order(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Return entries in the order of the source; those without a line last."""
    return tuple(sorted(entries, key=_line))


def _line(entry: LedgerEntry) -> int:
    return entry.line if entry.line is not None else 1 << 30
