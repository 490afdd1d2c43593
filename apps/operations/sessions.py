"""Keep a driver's database session from holding anybody up: a suspended worker must not sit on a lock."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, connection

from apps.operations.tuning import Tuning


class Session:
    """Bound how long transactions may idle and wait for locks, on whatever connection Django uses at the moment."""

    def __init__(self, figures: Tuning) -> None:
        self._figures = figures
        self._known: Any = None

    def prepare(self) -> None:
        """Set the bounds, once per connection."""
        connection.ensure_connection()
        if self._known is connection.connection:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, false),"
                " set_config('lock_timeout', %s, false)",
                [f"{int(self._figures.session_idle_s * 1000)}ms", f"{int(self._figures.lock_wait_s * 1000)}ms"],
            )
        self._known = connection.connection

    def reset(self) -> None:
        """Take the bounds off again, since a pooled connection goes on to others."""
        if self._known is None or self._known is not connection.connection:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute("RESET idle_in_transaction_session_timeout")
                cursor.execute("RESET lock_timeout")
        except DatabaseError:
            connection.close()
