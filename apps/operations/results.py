"""What earlier steps have left for later ones, read once and then kept up to date by the driver."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from apps.operations.registry import Undone, call_key


class Results:
    """The merged results of finished steps by group, and the steps that compensations take back."""

    def __init__(self, operation_id: uuid.UUID) -> None:
        self._operation_id = operation_id
        self._seen: list[int] = []
        self._as_of = -1
        self.wanted = True
        self.by_group: Mapping[str, Mapping[str, Any]] = {}
        self.undone: dict[int, Undone] = {}

    def refresh(self, cursor: Any, steps_done: int) -> None:
        """Read what has been added since the last look; nothing when no step has succeeded meanwhile."""
        if steps_done == self._as_of:
            return
        cursor.execute(
            'SELECT id, "group", result::text FROM operations_step WHERE operation_id = %s AND undoes_id IS NULL'
            " AND state IN ('succeeded', 'reverting', 'reverted', 'revert_failed') AND \"group\" <> ''"
            " AND result <> '{}'::jsonb AND NOT id = ANY(%s) ORDER BY position",
            [self._operation_id, self._seen],
        )
        rows = cursor.fetchall()
        if rows:
            # A new mapping each time: contexts that were handed out keep what they have.
            merged = dict(self.by_group)
            for step_id, group, text in rows:
                self._seen.append(step_id)
                merged[group] = {**merged.get(group, {}), **json.loads(text)}
            self.by_group = merged
        self._as_of = steps_done

    def load_undone(self, cursor: Any, ids: Sequence[int]) -> None:
        """Read the steps that compensations take back."""
        cursor.execute(
            "SELECT id, key, result::text, handle, error::text FROM operations_step WHERE id = ANY(%s)", [list(ids)]
        )
        for step_id, key, result, handle, error in cursor.fetchall():
            self.undone[step_id] = Undone(
                key=call_key(self._operation_id, key),
                step_key=key,
                result=json.loads(result),
                handle=handle,
                error=json.loads(error) if error else None,
            )
