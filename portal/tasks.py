"""Do the housekeeping that belongs to no app in particular."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command

from apps.blueprints import drafts
from apps.tenancy.api import idempotency


@shared_task(expires=3000)
def forget_expired() -> None:
    """Delete what nobody can or will use any more: sessions, idempotency records, drafts; beat does this each hour."""
    call_command("clearsessions")
    idempotency.forget_expired()
    drafts.forget_abandoned()
