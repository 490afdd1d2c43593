"""Do the housekeeping that belongs to no app in particular."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command

from apps.tenancy.api import idempotency


@shared_task(expires=3000)
def forget_expired() -> None:
    """Delete sessions and idempotency records that nobody can use any more; beat does this each hour."""
    call_command("clearsessions")
    idempotency.forget_expired()
