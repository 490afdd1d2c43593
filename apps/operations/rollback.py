"""Turn what an operation did into compensations: steps of their own, in the reverse order of the dependencies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.operations import states
from apps.operations.graph import ranks
from apps.operations.journal import Turn

PREFIX = "undo:"

_STARTED = """
SELECT id, key, depends_on::text FROM operations_step
 WHERE operation_id = %s AND undoes_id IS NULL
   AND (state = 'succeeded' OR (state IN ('failed', 'parked', 'skipped') AND intent_hash <> ''))
 ORDER BY position"""

_INSERT = """
INSERT INTO operations_step (operation_id, undoes_id, position, rank, key, title, "group", verb, change, handler,
    payload, depends_on, waiting_for, state, cloud_id, serial, attempt, max_attempts, takeovers, fence, worker,
    intent_hash, handle, message, result, services)
SELECT s.operation_id, s.id, v.position, v.rank, left(%s || s.key, 200), left('Undo: ' || s.title, 300), s."group",
       s.verb, s.change, s.handler, s.payload, v.depends_on::jsonb, v.waiting_for,
       CASE WHEN v.waiting_for = 0 THEN 'ready' ELSE 'pending' END, s.cloud_id, s.serial, 0, s.max_attempts, 0, 0, '',
       '', '', '', '{}'::jsonb, s.services
  FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::int[])
       AS v(id, position, rank, depends_on, waiting_for)
  JOIN operations_step s ON s.id = v.id"""


def add_compensations(turn: Turn) -> int:
    """Add a compensation for each step that was started, or make those of an earlier rollback ready again.

    A step that failed half-way, or was stopped under way, may have left something behind: it is compensated too.
    Returns the number of compensations that are open now.
    """
    cursor, operation_id = turn.cursor, turn.row.id
    cursor.execute(
        "SELECT count(*) FROM operations_step WHERE operation_id = %s AND undoes_id IS NOT NULL", [operation_id]
    )
    if cursor.fetchone()[0]:
        return _resume(turn)
    cursor.execute(_STARTED, [operation_id])
    started = [(step_id, key, json.loads(needed)) for step_id, key, needed in cursor.fetchall()]
    if not started:
        return 0
    keys = {key for _, key, _ in started}
    # A step is taken back once everything that was built on it is gone. What was never started built nothing.
    before: dict[str, list[str]] = {key: [] for key in keys}
    for _, key, needed in started:
        for prerequisite in needed:
            if prerequisite in keys:
                before[prerequisite].append(key)
    rank = ranks(dict.fromkeys(keys, 1_000.0), before)
    ids = [step_id for step_id, _, _ in started]
    cursor.execute(
        _INSERT,
        [
            PREFIX,
            ids,
            [turn.row.steps_total + len(started) - place for place in range(len(started))],
            [int(rank[key]) for _, key, _ in started],
            [json.dumps([compensation_key(later) for later in before[key]]) for _, key, _ in started],
            [len(before[key]) for _, key, _ in started],
        ],
    )
    cursor.execute(
        "UPDATE operations_step SET state = 'reverting' WHERE id = ANY(%s) AND state = ANY(%s) RETURNING key, position",
        [ids, list(states.sources_of(states.REVERTING))],
    )
    for key, _ in sorted(cursor.fetchall(), key=lambda row: row[1]):
        turn.event("step.state", key, state=states.REVERTING)
    return len(started)


def compensation_key(key: str) -> str:
    """Return the key of the step that takes another one back."""
    return f"{PREFIX}{key}"[:200]


def _resume(turn: Turn) -> int:
    """Make the compensations that have not succeeded ready again."""
    cursor, operation_id = turn.cursor, turn.row.id
    cursor.execute(
        "SELECT id, key, state, depends_on::text FROM operations_step"
        " WHERE operation_id = %s AND undoes_id IS NOT NULL ORDER BY position",
        [operation_id],
    )
    rows = [(step_id, key, state, json.loads(needed)) for step_id, key, state, needed in cursor.fetchall()]
    reopened = reopen(turn, rows)
    cursor.execute(
        "UPDATE operations_step SET state = 'reverting', finished_at = NULL WHERE state = 'revert_failed' AND id IN"
        " (SELECT undoes_id FROM operations_step WHERE id = ANY(%s)) RETURNING key",
        [list(reopened)],
    )
    for (key,) in cursor.fetchall():
        turn.event("step.state", key, state=states.REVERTING)
    return len(rows) - sum(1 for _, _, state, _ in rows if state == states.SUCCEEDED)


def reopen(turn: Turn, rows: Sequence[tuple[int, str, str, Sequence[str]]]) -> Mapping[int, str]:
    """Send the steps among (id, key, state, depends_on) that did not succeed back to pending or ready.

    Returns the new state by id. Attempts start anew; the intent stays, so that ``start`` looks its key up first.
    """
    finished = {key for _, key, state, _ in rows if state == states.SUCCEEDED}
    chosen: list[tuple[int, int, str]] = []
    for step_id, key, state, needed in rows:
        missing = sum(1 for prerequisite in set(needed) if prerequisite not in finished)
        new = states.PENDING if missing else states.READY
        if state == states.SUCCEEDED or not states.step_may(state, new):
            continue
        chosen.append((step_id, missing, new))
        turn.event("step.state", key, state=new)
    _reset(turn.cursor, chosen)
    return {step_id: new for step_id, _, new in chosen}


def _reset(cursor: Any, chosen: Sequence[tuple[int, int, str]]) -> None:
    cursor.execute(
        "UPDATE operations_step s SET state = v.state, waiting_for = v.missing, attempt = 0, takeovers = 0,"
        " handle = '', due_at = NULL, lease_until = NULL, error = NULL, message = '', progress = NULL,"
        " trouble_since = NULL, finished_at = NULL"
        " FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS v(id, missing, state)"
        " WHERE s.id = v.id AND s.state IN ('failed', 'parked', 'blocked', 'skipped')",
        [[c[0] for c in chosen], [c[1] for c in chosen], [c[2] for c in chosen]],
    )
