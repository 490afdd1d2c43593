"""Scripted misfortune: rules that match a verb and say what goes wrong, and how often."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any, Literal

from connectors.base import ConnectorError

Mode = Literal["refuse", "fail", "cut", "lose", "hang", "block", "lag", "slow"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of misfortune.

    ``mode``: ``refuse`` the call at once · ``fail`` the task at ``at_percent`` · ``cut`` the connection after the
    cloud has processed the call · ``lose`` the call before the cloud saw it (the caller cannot tell the two
    apart) · ``hang``: the task never ends (it can be cancelled) · ``block`` the call for ``seconds`` · ``lag``: what
    was made becomes visible ``seconds`` after the task's end · ``slow``: the task lasts ``seconds`` longer.
    ``verb``: one of the verbs, ``"poll"``, ``"observe"``, ``"probe"``, ``"inventory"``, or ``"*"``.
    """

    verb: str
    mode: Mode
    code: str = "cloud.fault"
    message: str = "The cloud failed because it was told to - try again"
    permanent: bool = False
    retry_after: float | None = None
    at_percent: int = 50
    seconds: float = 0.0
    resource: str = ""  # only for this resource's key; empty: any

    def error(self, *, maybe_done: bool = False) -> ConnectorError:
        """Return the error that the rule stands for."""
        return ConnectorError(
            self.code, self.message, permanent=self.permanent, retry_after=self.retry_after, maybe_done=maybe_done
        )


def add(db: sqlite3.Connection, rule: Rule, times: int) -> None:
    """Remember a rule for the next ``times`` matching calls; -1: for all of them."""
    db.execute("INSERT INTO fault (rule, remaining) VALUES (?, ?)", (json.dumps(asdict(rule)), times))


def take(db: sqlite3.Connection, verb: str, resource: str = "") -> list[Rule]:
    """Return the rules that apply to a call, oldest first, and use each up by one."""
    taken: list[Rule] = []
    for row in db.execute("SELECT id, rule, remaining FROM fault WHERE remaining != 0 ORDER BY id").fetchall():
        data: dict[str, Any] = json.loads(row["rule"])
        rule = Rule(**data)
        if rule.verb not in (verb, "*") or (rule.resource and rule.resource != resource):
            continue
        if row["remaining"] > 0:
            db.execute("UPDATE fault SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
        taken.append(rule)
    return taken
