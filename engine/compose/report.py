"""Collect what the loader finds, so that a person sees every mistake of a file at once."""

from __future__ import annotations

from dataclasses import dataclass

from engine.compose.model import ComposeError, Position
from engine.findings import Finding, Severity

Path = tuple[str | int, ...]


class Refusal(Exception):  # noqa: N818 - a verdict on a value, not a fault of ours
    """Reject one value; the path grows while the exception travels from the value up to who reports it."""

    def __init__(
        self,
        code: str,
        message: str,
        path: Path = (),
        *,
        hint: str = "",
        at_key: bool = False,
        position: Position | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.hint = hint
        self.at_key = at_key
        self.position = position  # known already; otherwise it is looked up by the path

    def below(self, *parents: str | int) -> Refusal:
        """Put parents in front of the path and give the same refusal back."""
        self.path = parents + self.path
        return self


class Locator:
    """Find positions in one source text; subclasses know how, this one knows nothing."""

    name = ""

    def position(self, path: Path, *, of_key: bool = False) -> Position | None:
        """Find the position of a node or of its nearest ancestor."""
        return None


@dataclass(slots=True)
class _Note:
    finding: Finding
    locator: Locator | None
    at_key: bool


_MAX_FINDINGS = 500  # nobody reads more, and each costs a look into the source


class Report:
    """Gather findings while a file is loaded; positions are looked up only when somebody will read them."""

    def __init__(self) -> None:
        self._notes: list[_Note] = []
        self._seen: set[tuple[str, str, Path]] = set()
        self.failed = False

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        path: Path = (),
        *,
        locator: Locator | None = None,
        position: Position | None = None,
        hint: str = "",
        at_key: bool = False,
    ) -> None:
        """Note a finding once; a second one with the same code, text and path is dropped."""
        if severity == "error":
            self.failed = True
        identity = (code, message, path)
        if identity in self._seen or len(self._notes) >= _MAX_FINDINGS:
            return
        self._seen.add(identity)
        line, column = (position.line, position.column) if position else (None, None)
        if position and locator and locator.name:
            message = f"In {locator.name}: {message}"
        finding = Finding(code, severity, message, path, line, column, hint)
        self._notes.append(_Note(finding, None if position else locator, at_key))

    def error(self, code: str, message: str, path: Path = (), **details: object) -> None:
        """Note an error; the file will be refused."""
        self.add("error", code, message, path, **details)  # type: ignore[arg-type]

    def warning(self, code: str, message: str, path: Path = (), **details: object) -> None:
        """Note a warning; the file is still accepted."""
        self.add("warning", code, message, path, **details)  # type: ignore[arg-type]

    def refused(self, refusal: Refusal, locator: Locator | None) -> None:
        """Note a refusal as an error."""
        self.add(
            "error",
            refusal.code,
            refusal.message,
            refusal.path,
            locator=locator,
            position=refusal.position,
            hint=refusal.hint,
            at_key=refusal.at_key,
        )

    def findings(self) -> tuple[Finding, ...]:
        """Give all findings with their positions, errors first, in the order of the source."""
        placed = [_place(note) for note in self._notes]
        placed.sort(key=lambda found: (_RANK[found.severity], found.line or 0, found.column or 0))
        return tuple(placed)

    def raise_if_failed(self) -> None:
        """Raise `ComposeError` with everything found so far when there is an error among it."""
        if self.failed:
            raise ComposeError(self.findings())


_RANK = {"error": 0, "warning": 1, "info": 2}


def _place(note: _Note) -> Finding:
    finding = note.finding
    if note.locator is None:
        return finding
    position = note.locator.position(finding.path, of_key=note.at_key)
    message = finding.message
    if note.locator.name:
        message = f"In {note.locator.name}: {message}"
    return Finding(
        finding.code,
        finding.severity,
        message,
        finding.path,
        position.line if position else None,
        position.column if position else None,
        finding.hint,
    )


def dotted(path: Path) -> str:
    """Write a path the way people say it: `services.web.ports[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
