"""Say what a check found, in a form that a page, an API answer and a terminal can all show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Report one thing that a check found.

    `code` is stable and dotted (`compose.schema`), `message` says what is wrong, why it matters and what to do now.
    `path` leads to the node in the document (`("services", "web", "ports", 0)`); `line` and `column` are 1-based.
    """

    code: str
    severity: Severity
    message: str
    path: tuple[str | int, ...] = ()
    line: int | None = None
    column: int | None = None
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the finding as plain data, with every key present."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "path": list(self.path),
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }
