"""What can go wrong when a person starts, stops or repeats an operation."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenancy.catalogue import declare

declare(
    "operation.conflict",
    409,
    _("Another operation is at work there"),
    _("“{holder}” ({operation}) holds {target} until it ends - two at once could undo each other's work."),
    _("Wait until it has ended, or cancel it, and try again."),
)
declare(
    "operation.ended",
    409,
    _("The operation has ended"),
    _("“{title}” is {state} and cannot be cancelled any more."),
    _("Roll it back if it has failed or was cancelled; otherwise start an operation that changes things back."),
)
declare(
    "operation.reverting",
    409,
    _("The operation is being rolled back"),
    _("“{title}” is taking back what it did, and a rollback cannot be stopped half-way."),
    _("Wait until it has ended."),
)
declare(
    "operation.not_retryable",
    409,
    _("The operation cannot be retried"),
    _("“{title}” is {state}; only what has failed or was cancelled can be tried again."),
    _("Watch it until it ends, or start a new operation."),
)
declare(
    "operation.not_reversible",
    409,
    _("The operation cannot be rolled back"),
    _("“{title}” is {state}; only what has failed or was cancelled can be rolled back."),
    _("Cancel it first if it is still running; if it has succeeded, plan a change or destroy the deployment."),
)
declare(
    "operation.superseded",
    409,
    _("A later operation has changed things since"),
    _("“{later}” ({operation}) came after it, so its steps no longer fit what exists."),
    _("Plan anew: the plan shows what is there now and what would change."),
)
