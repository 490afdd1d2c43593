"""What workers consume: pokes, beats and sweeps. A message says "look at it"; what there is to do is in the journal."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_ready, worker_shutting_down

from apps.operations import beats, relay
from apps.operations.runner import drive
from apps.operations.tuning import tuning

log = logging.getLogger(__name__)


# Extra arguments are ignored, so that workers of two releases can share a queue while one replaces the other.
@shared_task(name="operations.poke", bind=True, ignore_result=True)
def poke(self: Any, operation_id: str, *_args: Any, **_options: Any) -> None:
    """Drive an operation for a while."""
    beats.note(self.request.hostname or "worker", at_most_every_s=5.0)
    try:
        operation = uuid.UUID(operation_id)
    except ValueError:
        log.error("a poke named no operation: %.60r", operation_id)
        return
    drive(operation, self.request.hostname or "", stop=beats.is_stopping)


@shared_task(name="operations.beat", bind=True, ignore_result=True)
def beat(self: Any, *_args: Any, **_options: Any) -> None:
    """Prove that this worker consumes."""
    beats.note(self.request.hostname or "worker")


@shared_task(name="operations.sweep", ignore_result=True)
def sweep(*_args: Any, **_options: Any) -> None:
    """Do what the relay does, once: for installations whose relay is away."""
    relay.sweep()
    relay.send_outbox()
    relay.poke_due(tuning())


@celeryd_after_setup.connect
def _consume_own_queue(sender: str, instance: Any, **_options: Any) -> None:
    queues = instance.app.amqp.queues
    if instance.app.conf.task_default_queue not in queues.consume_from:
        beats.keep_quiet()
    queues.select_add(beats.queue_of(sender))


@worker_ready.connect
def _start_watch(sender: Any, **_options: Any) -> None:
    beats.Watch(sender.hostname, tuning()).start()


@worker_shutting_down.connect
def _tell_drivers(**_options: Any) -> None:
    beats.stop()
