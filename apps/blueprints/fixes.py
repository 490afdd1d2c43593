"""Say how a finding can be mended by one click: edits as data, which the designer makes in the text.

An edit is {path, op, value}: `set` puts a value at a path and makes the mappings that are missing on the way (with
the value None: a key without one), `delete` takes the node at a path out, `rename` gives the key at a path the new
name `value`. Only what can be mended without knowing what the author meant is offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _

from engine.findings import Finding
from engine.realise.extension import HOST_NAME

_MEANT = re.compile(r"Did you mean `([^`]+)`\?")
_UNDEFINED = re.compile(r" uses the \w+ `([^`]+)`, which is not defined ")
_UNKNOWN = re.compile(r" names the \w+ '([^']+)', which the drawing does not have.*?(?:did you mean '([^']+)'\?)?$")
_MISSPELT = re.compile(r": unknown key '([^']+)'; did you mean '([^']+)'\?")


@dataclass(frozen=True, slots=True)
class Edit:
    """Change one place of a text."""

    path: tuple[str | int, ...]
    op: Literal["set", "delete", "rename"]
    value: Any = None


@dataclass(frozen=True, slots=True)
class Fix:
    """Mend a finding; `title` says how, in the caller's language."""

    title: str
    edits: tuple[Edit, ...]


def fixes_of(finding: Finding) -> list[Fix]:
    """Return the ways to mend a finding, the likeliest first."""
    find = _FIXES.get(finding.code)
    return list(find(finding)) if find is not None else []


def with_fixes(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain data, each with its `fix` where there is one."""
    shown = []
    for finding in findings:
        fixes = [asdict(fix) for fix in fixes_of(finding)]
        shown.append(finding.to_json() | ({"fix": fixes} if fixes else {}))
    return shown


def _rename_key(finding: Finding) -> Iterable[Fix]:
    meant = _MEANT.search(finding.hint)
    if meant and finding.path:
        yield _rename(finding.path, meant[1])


def _rename_own_key(finding: Finding) -> Iterable[Fix]:
    misspelt = _MISSPELT.search(finding.message)
    if misspelt:
        yield _rename((*finding.path, misspelt[1]), misspelt[2])


def _rename(path: tuple[str | int, ...], name: str) -> Fix:
    return Fix(_("Rename “%(old)s” to “%(new)s”") % {"old": path[-1], "new": name}, (Edit(path, "rename", name),))


def _remove_key(finding: Finding) -> Iterable[Fix]:
    if finding.path:
        yield Fix(_("Remove “%(name)s”") % {"name": finding.path[-1]}, (Edit(finding.path, "delete"),))


def _declare(section: str, title: Callable[[], str], value: Callable[[str], Any]) -> Callable[[Finding], Iterable[Fix]]:
    def declare(finding: Finding) -> Iterable[Fix]:
        name = _UNDEFINED.search(finding.message)
        if name:
            yield Fix(title() % {"name": name[1]}, (Edit((section, name[1]), "set", value(name[1])),))

    return declare


def _declare_own(section: str, title: Callable[[], str]) -> Callable[[Finding], Iterable[Fix]]:
    def declare(finding: Finding) -> Iterable[Fix]:
        unknown = _UNKNOWN.search(finding.message)
        if unknown is None:
            return
        name, meant = unknown.groups()
        if meant:
            yield Fix(_("Use “%(name)s”") % {"name": meant}, (Edit(finding.path, "set", meant),))
        if re.fullmatch(HOST_NAME, name):
            yield Fix(title() % {"name": name}, (Edit(("x-escale", section, name), "set", {}),))

    return declare


def _nothing(name: str) -> None:
    return None


def _beside(name: str) -> dict[str, str]:
    return {"file": f"./{name}.txt"}  # a secret or config must say where its content comes from


_FIXES: dict[str, Callable[[Finding], Iterable[Fix]]] = {
    "compose.schema.unknown_key": _rename_key,
    "compose.version.obsolete": _remove_key,
    "compose.reference.volume": _declare("volumes", lambda: _("Define the volume “%(name)s”"), _nothing),
    "compose.reference.network": _declare("networks", lambda: _("Define the network “%(name)s”"), _nothing),
    "compose.reference.secret": _declare("secrets", lambda: _("Define the secret “%(name)s” from a file"), _beside),
    "realise.extension": _rename_own_key,
    "realise.machine_unknown": _declare_own("machines", lambda: _("Draw the machine “%(name)s”")),
    "realise.region_unknown": _declare_own("regions", lambda: _("Draw the region “%(name)s”")),
    "compose.reference.config": _declare("configs", lambda: _("Define the config “%(name)s” from a file"), _beside),
}
