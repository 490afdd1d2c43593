"""The journal's statements: each transition is one UPDATE filtered on the old state and, where owned, on the fence.

All of them run inside a ``journal.Turn``, which has locked the operation's row first. So the transitions of one
operation come one after the other, no two transactions lock steps in a different order, and events get their
numbers without gaps. Time is the database's ``clock_timestamp()`` throughout: workers' clocks decide nothing.
"""

# ruff: noqa: S608 - the statements are put together from constants of this module alone

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.operations import states

IN_FLIGHT = "('running', 'waiting')"
OPEN = "('pending', 'ready', 'running', 'waiting')"


@dataclass(slots=True)
class OperationRow:
    """An operation as its turn found it, locked; the turn changes it here and writes it back once."""

    id: uuid.UUID
    kind: str
    state: str
    cancel_mode: str
    last_seq: int
    steps_total: int
    steps_done: int
    undo_total: int
    undo_done: int
    concurrency: int | None
    started: bool
    error: Any = None


@dataclass(slots=True)
class StepRow:
    """A step that was just claimed or adopted."""

    id: int
    key: str
    title: str
    group: str
    verb: str
    change: str
    handler: str
    payload: str  # JSON text
    cloud_id: uuid.UUID | None
    attempt: int
    max_attempts: int
    fence: int
    state: str
    handle: str
    takeovers: int
    undoes_id: int | None
    age_s: float
    trouble_s: float | None
    lost: bool  # taken over from a worker whose lease ran out


@dataclass(slots=True)
class Write:
    """What becomes of a step that this worker owns: one transition, applied only under its fence.

    ``delay_s`` sets when it is due again and gives the lease back; ``progress`` in percent. None leaves a column alone.
    ``trouble``: its cloud cannot be asked; a try that ends so is not counted.
    """

    id: int
    fence: int
    old: str
    new: str
    key: str
    undoes_id: int | None = None
    handle: str | None = None
    progress: int | None = None
    message: str = ""
    result: str | None = None  # JSON text
    error: dict[str, Any] | None = None
    delay_s: float | None = None
    trouble: bool = False
    proven: bool = False  # it was worked on alone and did no harm: forget its takeovers
    quiet: bool = False  # no event of its own
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        states.check_step(self.old, self.new)


def lock(cursor: Any, operation_id: uuid.UUID) -> OperationRow | None:
    """Lock an operation until the end of the transaction; None when there is none."""
    cursor.execute(
        "SELECT id, kind, state, cancel_mode, last_seq, steps_total, steps_done, undo_total, undo_done, concurrency,"
        " started_at IS NOT NULL, error::text FROM operations_operation WHERE id = %s FOR NO KEY UPDATE",
        [operation_id],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    found = OperationRow(*row)
    found.error = json.loads(found.error) if found.error else None
    return found


def save_operation(cursor: Any, row: OperationRow, old_state: str, due_in_s: float | None, *, poked: bool) -> None:
    """Write an operation back; a state that ends it clears its due time, else ``due_in_s`` None leaves it alone."""
    cursor.execute(
        "UPDATE operations_operation SET state = %s, cancel_mode = %s, last_seq = %s, steps_total = %s,"
        " steps_done = %s, undo_total = %s, undo_done = %s, error = %s::jsonb,"
        " started_at = CASE WHEN %s THEN coalesce(started_at, clock_timestamp()) ELSE started_at END,"
        " finished_at = CASE WHEN %s THEN coalesce(finished_at, clock_timestamp()) END,"
        " due_at = CASE WHEN %s THEN NULL WHEN %s::float8 IS NULL THEN due_at"
        " ELSE clock_timestamp() + %s::float8 * interval '1 second' END,"
        " poked_at = CASE WHEN %s THEN clock_timestamp() ELSE poked_at END WHERE id = %s AND state = %s",
        [
            row.state, row.cancel_mode, row.last_seq, row.steps_total, row.steps_done, row.undo_total, row.undo_done,
            json.dumps(row.error) if row.error is not None else None, row.started,
            row.state in states.OPERATION_ENDS, row.state in states.OPERATION_ENDS, due_in_s, due_in_s,
            poked, row.id, old_state,
        ],
    )  # fmt: skip
    if cursor.rowcount != 1:
        raise AssertionError("the locked operation changed under its lock")


def touch_operation(cursor: Any, row: OperationRow, due_in_s: float | None, *, poked: bool) -> None:
    """Write back only what events and finished steps change: the short form of ``save_operation``."""
    cursor.execute(
        "UPDATE operations_operation SET last_seq = %s, steps_done = %s, undo_done = %s,"
        " due_at = CASE WHEN %s::float8 IS NULL THEN due_at"
        " ELSE clock_timestamp() + %s::float8 * interval '1 second' END,"
        " poked_at = CASE WHEN %s THEN clock_timestamp() ELSE poked_at END WHERE id = %s",
        [row.last_seq, row.steps_done, row.undo_done, due_in_s, due_in_s, poked, row.id],
    )


_RETURNING = (
    's.id, s.key, s.title, s."group", s.verb, s.change, s.handler, s.payload::text, s.cloud_id, s.attempt,'
    " s.max_attempts, s.fence, s.state, s.handle, s.takeovers, s.undoes_id,"
    " extract(epoch FROM clock_timestamp() - s.started_at)::float8,"
    " extract(epoch FROM clock_timestamp() - s.trouble_since)::float8"
)

_CLAIM = f"""
UPDATE operations_step s
   SET state = 'running', fence = s.fence + 1, attempt = s.attempt + 1, worker = %(worker)s,
       lease_until = clock_timestamp() + %(lease_s)s * interval '1 second', due_at = NULL,
       started_at = coalesce(s.started_at, clock_timestamp()),
       intent_hash = CASE WHEN s.intent_hash = ''
                     THEN encode(sha256(convert_to(s.payload::text, 'UTF8')), 'hex') ELSE s.intent_hash END
  FROM picked
 WHERE s.id = picked.id AND s.state = 'ready'
RETURNING {_RETURNING}, false, s.rank, s.position"""

_CLAIM_ANYWHERE = f"""
WITH picked AS MATERIALIZED (
  SELECT id FROM operations_step
   WHERE operation_id = %(operation)s AND state = 'ready' AND cloud_id IS NULL AND handler = ANY(%(handlers)s)
     AND (due_at IS NULL OR due_at <= clock_timestamp())
   ORDER BY rank DESC, position LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) {_CLAIM}"""

# Of the steps that exclude each other only the first is taken, and only when none of them is under way on the cloud.
_CLAIM_ON_CLOUD = f"""
WITH chosen AS (
  SELECT id, rank, position, serial,
         row_number() OVER (PARTITION BY serial ORDER BY rank DESC, position) AS place
    FROM operations_step
   WHERE operation_id = %(operation)s AND state = 'ready' AND cloud_id = %(cloud)s AND handler = ANY(%(handlers)s)
     AND (due_at IS NULL OR due_at <= clock_timestamp())
), picked AS MATERIALIZED (
  SELECT s.id FROM operations_step s JOIN chosen c ON c.id = s.id
   WHERE c.serial = '' OR (c.place = 1 AND NOT EXISTS (
           SELECT 1 FROM operations_step other
            WHERE other.cloud_id = %(cloud)s AND other.serial = c.serial AND other.state IN {IN_FLIGHT}))
   ORDER BY s.rank DESC, s.position LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED
) {_CLAIM}"""


def claim(
    cursor: Any,
    operation_id: uuid.UUID,
    *,
    worker: str,
    lease_s: float,
    handlers: Sequence[str],
    cloud_id: uuid.UUID | None,
    limit: int,
) -> list[StepRow]:
    """Take up to ``limit`` ready steps that are due, the ones with the longest way before them first.

    The intent (hash of the payload) is written by the same statement: it commits before any call is made.
    """
    cursor.execute(
        _CLAIM_ANYWHERE if cloud_id is None else _CLAIM_ON_CLOUD,
        {
            "operation": operation_id, "worker": worker, "lease_s": lease_s, "handlers": list(handlers),
            "cloud": cloud_id, "limit": limit,
        },
    )  # fmt: skip
    rows = cursor.fetchall()
    rows.sort(key=lambda row: (-row[-2], row[-1]))
    return [StepRow(*row[:-2]) for row in rows]


def lock_cloud(cursor: Any, cloud_id: uuid.UUID) -> int:
    """Keep other claims on a cloud out until the transaction ends, and return how many of its tasks are open."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('escale cloud ' || %s, 0))", [str(cloud_id)])
    cursor.execute(
        f"SELECT count(*) FROM operations_step WHERE cloud_id = %s AND state IN {IN_FLIGHT}",
        [cloud_id],
    )
    return int(cursor.fetchone()[0])


_ADOPT = f"""
WITH picked AS MATERIALIZED (
  SELECT id, lease_until IS NOT NULL AS lost FROM operations_step
   WHERE operation_id = %(operation)s AND state IN {IN_FLIGHT} AND handler = ANY(%(handlers)s)
     AND (lease_until < clock_timestamp() OR (lease_until IS NULL AND state = 'waiting'))
     AND CASE WHEN %(suspects)s THEN takeovers >= %(suspect_after)s ELSE takeovers < %(suspect_after)s END
   ORDER BY rank DESC, position LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE operations_step s
   SET fence = s.fence + 1, worker = %(worker)s, due_at = NULL,
       lease_until = clock_timestamp() + %(lease_s)s * interval '1 second',
       takeovers = s.takeovers + picked.lost::int
  FROM picked
 WHERE s.id = picked.id AND s.state IN {IN_FLIGHT}
RETURNING {_RETURNING}, picked.lost"""


def adopt(
    cursor: Any,
    operation_id: uuid.UUID,
    *,
    worker: str,
    lease_s: float,
    handlers: Sequence[str],
    limit: int,
    suspects: bool,
    suspect_after: int,
) -> list[StepRow]:
    """Take over steps whose lease ran out, and waiting ones that were given back; under a new fence.

    ``suspects`` chooses those over which several workers were lost already, or all others.
    """
    cursor.execute(
        _ADOPT,
        {
            "operation": operation_id, "worker": worker, "lease_s": lease_s, "handlers": list(handlers),
            "limit": limit, "suspects": suspects, "suspect_after": suspect_after,
        },
    )  # fmt: skip
    return [StepRow(*row) for row in cursor.fetchall()]


def mine(cursor: Any, writes: Sequence[Write]) -> set[int]:
    """Return the ids of the writes whose step is still under their fence and in their old state."""
    cursor.execute(
        "SELECT s.id FROM operations_step s JOIN unnest(%s::bigint[], %s::bigint[], %s::text[]) AS v(id, fence, old)"
        " ON s.id = v.id AND s.fence = v.fence AND s.state = v.old",
        [[w.id for w in writes], [w.fence for w in writes], [w.old for w in writes]],
    )
    return {row[0] for row in cursor.fetchall()}


_WRITE = """
UPDATE operations_step s
   SET state = v.new, handle = coalesce(v.handle, s.handle), progress = coalesce(v.progress, s.progress),
       message = v.message, result = coalesce(v.result::jsonb, s.result),
       error = CASE WHEN v.new = 'succeeded' THEN NULL ELSE coalesce(v.error::jsonb, s.error) END,
       due_at = clock_timestamp() + v.delay_s * interval '1 second',
       lease_until = CASE WHEN v.new = 'waiting' AND v.delay_s IS NULL
                     THEN clock_timestamp() + %s * interval '1 second' END,
       trouble_since = CASE WHEN v.trouble THEN coalesce(s.trouble_since, clock_timestamp()) END,
       takeovers = CASE WHEN v.proven THEN 0 ELSE s.takeovers END,
       attempt = CASE WHEN v.new = 'ready' AND v.trouble THEN greatest(s.attempt - 1, 0) ELSE s.attempt END,
       finished_at = CASE WHEN v.new IN ('running', 'waiting', 'ready') THEN NULL ELSE clock_timestamp() END
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::text[],
              %s::text[], %s::float8[], %s::bool[], %s::bool[])
       AS v(id, fence, old, new, handle, progress, message, result, error, delay_s, trouble, proven)
 WHERE s.id = v.id AND s.fence = v.fence AND s.state = v.old
RETURNING s.id"""


def write(cursor: Any, writes: Sequence[Write], lease_s: float) -> set[int]:
    """Apply transitions of owned steps in one statement; the ids that are missing in the answer were stale."""
    cursor.execute(
        _WRITE,
        [
            lease_s,
            [w.id for w in writes], [w.fence for w in writes], [w.old for w in writes], [w.new for w in writes],
            [w.handle for w in writes], [w.progress for w in writes], [w.message for w in writes],
            [w.result for w in writes], [json.dumps(w.error) if w.error is not None else None for w in writes],
            [w.delay_s for w in writes], [w.trouble for w in writes], [w.proven for w in writes],
        ],
    )  # fmt: skip
    return {row[0] for row in cursor.fetchall()}


def unclaim(cursor: Any, owned: Sequence[tuple[int, int]]) -> None:
    """Give back steps that were claimed but not called, as if they had never been claimed."""
    cursor.execute(
        "UPDATE operations_step s SET state = 'ready', lease_until = NULL, attempt = greatest(s.attempt - 1, 0)"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, fence)"
        " WHERE s.id = v.id AND s.fence = v.fence AND s.state = 'running'",
        [[step for step, _ in owned], [fence for _, fence in owned]],
    )


def renew(cursor: Any, owned: Sequence[tuple[int, int]], lease_s: float) -> set[int]:
    """Prolong leases; the ids that are missing in the answer belong to somebody else by now."""
    cursor.execute(
        "UPDATE operations_step s SET lease_until = clock_timestamp() + %s * interval '1 second'"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, fence)"
        f" WHERE s.id = v.id AND s.fence = v.fence AND s.state IN {IN_FLIGHT} RETURNING s.id",
        [lease_s, [step for step, _ in owned], [fence for _, fence in owned]],
    )
    return {row[0] for row in cursor.fetchall()}


def release_dependants(cursor: Any, counts: dict[int, int]) -> int:
    """Count finished prerequisites down in one statement, and return how many steps became ready by it."""
    cursor.execute(
        "UPDATE operations_step s SET waiting_for = greatest(s.waiting_for - v.n, 0),"
        " state = CASE WHEN s.waiting_for <= v.n THEN 'ready' ELSE s.state END"
        " FROM unnest(%s::bigint[], %s::int[]) AS v(id, n) WHERE s.id = v.id AND s.state = 'pending'"
        " RETURNING s.state = 'ready'",
        [list(counts), list(counts.values())],
    )
    return sum(1 for (ready,) in cursor.fetchall() if ready)


def block(cursor: Any, ids: Iterable[int], message: str) -> list[tuple[int, str, int | None]]:
    """Block pending steps whose prerequisite has failed; returns (id, key, undoes) of those that it blocked."""
    cursor.execute(
        "UPDATE operations_step SET state = 'blocked', message = %s, finished_at = clock_timestamp()"
        " WHERE id = ANY(%s) AND state = 'pending' RETURNING id, key, undoes_id",
        [message, list(ids)],
    )
    return list(cursor.fetchall())


def skip_unstarted(cursor: Any, operation_id: uuid.UUID, message: str) -> list[str]:
    """Skip every step that nobody works on; returns their keys."""
    cursor.execute(
        "UPDATE operations_step SET state = 'skipped', message = %s, due_at = NULL, finished_at = clock_timestamp()"
        " WHERE operation_id = %s AND state IN ('pending', 'ready') AND undoes_id IS NULL RETURNING key, position",
        [message, operation_id],
    )
    return [key for key, _ in sorted(cursor.fetchall(), key=lambda row: row[1])]


def follow_undone(cursor: Any, ids: Sequence[int], new: str) -> list[str]:
    """Move steps that are being taken back to ``reverted`` or ``revert_failed``; returns their keys."""
    cursor.execute(
        "UPDATE operations_step SET state = %s, finished_at = clock_timestamp()"
        " WHERE id = ANY(%s) AND state = 'reverting' RETURNING key",
        [new, list(ids)],
    )
    return [row[0] for row in cursor.fetchall()]


def has_open_steps(cursor: Any, operation_id: uuid.UUID) -> bool:
    """Tell whether any step of the operation still has something before it."""
    cursor.execute(
        f"SELECT EXISTS (SELECT 1 FROM operations_step WHERE operation_id = %s AND state IN {OPEN})",
        [operation_id],
    )
    return bool(cursor.fetchone()[0])


def has_ready(cursor: Any, operation_id: uuid.UUID) -> bool:
    """Tell whether any step of the operation could be claimed now, if there were room for it."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM operations_step WHERE operation_id = %s AND state = 'ready'"
        " AND (due_at IS NULL OR due_at <= clock_timestamp()))",
        [operation_id],
    )
    return bool(cursor.fetchone()[0])


def root_cause(cursor: Any, operation_id: uuid.UUID, *, of_undo: bool) -> tuple[str, str, Any] | None:
    """Return (key, title, error) of the first step that failed of its own; what it blocked is not asked."""
    cursor.execute(
        "SELECT key, title, error::text FROM operations_step WHERE operation_id = %s"
        " AND state IN ('failed', 'parked') AND (undoes_id IS NOT NULL) = %s ORDER BY finished_at, position LIMIT 1",
        [operation_id, of_undo],
    )
    row = cursor.fetchone()
    return (row[0], row[1], json.loads(row[2]) if row[2] else None) if row else None


def usual_durations(cursor: Any, operation_id: uuid.UUID) -> list[tuple[str, str, float]]:
    """Return how long tasks have taken in this operation so far, in seconds, by handler and verb."""
    cursor.execute(
        "SELECT handler, verb, avg(extract(epoch FROM finished_at - started_at))::float8 FROM operations_step"
        " WHERE operation_id = %s AND state = 'succeeded' AND handle <> '' GROUP BY handler, verb",
        [operation_id],
    )
    return list(cursor.fetchall())


def next_due(cursor: Any, operation_id: uuid.UUID, worker: str) -> tuple[float | None, bool]:
    """Return in how many seconds somebody should look at the operation again, and whether somebody else drives it."""
    cursor.execute(
        "SELECT extract(epoch FROM min(CASE WHEN state = 'ready' THEN coalesce(due_at, clock_timestamp())"
        " ELSE coalesce(lease_until, due_at, clock_timestamp()) END) - clock_timestamp())::float8,"
        " coalesce(bool_or(lease_until > clock_timestamp() AND worker <> %s), false)"
        " FROM operations_step WHERE operation_id = %s AND state IN ('ready', 'running', 'waiting')",
        [worker, operation_id],
    )
    seconds, others = cursor.fetchone()
    return seconds, others


def append_events(cursor: Any, row: OperationRow, events: Sequence[tuple[str, str, str]]) -> None:
    """Append (type, step key, JSON text) with the next numbers of the operation."""
    cursor.execute(
        "INSERT INTO operations_event (operation_id, seq, at, type, step_key, data)"
        " SELECT %s, %s + v.place, clock_timestamp(), v.type, v.step_key, v.data::jsonb"
        " FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS v(type, step_key, data, place)",
        [row.id, row.last_seq, [e[0] for e in events], [e[1] for e in events], [e[2] for e in events]],
    )
    row.last_seq += len(events)


def add_poke(cursor: Any, operation_id: uuid.UUID) -> None:
    """Add an outbox row and wake the relay; both take effect when the transaction commits."""
    cursor.execute(
        "WITH added AS (INSERT INTO operations_outbox (operation_id, created_at) VALUES (%s, clock_timestamp())"
        " RETURNING id) SELECT pg_notify('operations_outbox', '') FROM added",
        [operation_id],
    )
