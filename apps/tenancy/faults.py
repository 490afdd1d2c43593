"""Tell the user's faults from our own: two families that never mix.

A `Fault` is something the user can act on; it reaches a page, an API client or a terminal with its code and hint.
A `Defect` is ours: users see only an incident number, and the log holds the rest under that number.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from apps.tenancy import catalogue
from engine.findings import Finding


class Fault(Exception):  # noqa: N818 - the name of the family
    """Say what a user did that cannot be done: what, why, what now.

    What is left empty comes from the catalogue's entry of `code`: `Fault("not_found")` is complete.
    `params` lists the fields that cannot be used, as [{"name", "reason", "code"}]. `extra` holds further members
    of the problem document (JSON-able, no secrets). `retry_after_s` becomes the `Retry-After` header.
    """

    def __init__(
        self,
        code: str,
        title: str = "",
        detail: str = "",
        status: int = 0,
        hint: str = "",
        findings: Sequence[Finding | Mapping[str, Any]] = (),
        extra: Mapping[str, Any] | None = None,
        *,
        params: Sequence[Mapping[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        entry = catalogue.find(code)
        self.code = code
        self.title = str(title or (entry.title if entry else code))
        self.detail = str(detail or (entry.detail if entry else ""))
        self.status = status or (entry.status if entry else 400)
        self.hint = str(hint or (entry.hint if entry else ""))
        self.findings = tuple(findings)
        self.extra = dict(extra or {})
        self.params = tuple(dict(param) for param in params)
        self.retry_after_s = retry_after_s
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """Return the fault in one line for a log or a terminal: what - why - what now."""
        return " - ".join(part.rstrip(".") for part in (self.title, self.detail, self.hint) if part)

    def to_json(self) -> dict[str, Any]:
        """Return the members of the problem document, without those that depend on the request."""
        body: dict[str, Any] = {
            "code": self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            "findings": [item.to_json() if isinstance(item, Finding) else dict(item) for item in self.findings],
        }
        if self.params:
            body["params"] = [dict(param) for param in self.params]
        return {**self.extra, **body}


def fault(
    code: str,
    *,
    findings: Sequence[Finding | Mapping[str, Any]] = (),
    extra: Mapping[str, Any] | None = None,
    params: Sequence[Mapping[str, str]] = (),
    retry_after_s: float | None = None,
    **values: Any,
) -> Fault:
    """Return the catalogue's fault of a code with its placeholders filled; KeyError: nobody declared the code."""
    entry = catalogue.find(code)
    if entry is None:
        raise KeyError(f"the fault {code!r} is not in the catalogue")
    return Fault(
        code,
        str(entry.title).format_map(values),
        str(entry.detail).format_map(values),
        entry.status,
        str(entry.hint).format_map(values),
        findings,
        extra,
        params=params,
        retry_after_s=retry_after_s,
    )


class Defect(Exception):  # noqa: N818 - the name of the family
    """Say what is wrong on our side; the message is for the log and holds no secrets."""

    def __init__(self, message: str, *, code: str = "internal") -> None:
        super().__init__(message)
        self.code = code


def incident_id() -> str:
    """Return a new number under which the log keeps what a user is not shown."""
    return secrets.token_hex(6)
