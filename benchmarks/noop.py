"""The peer: Celery's plain no-op, without results, over the same Redis."""

import os

from celery import Celery

app = Celery("noop", broker=os.environ["REDIS_URL"])
app.conf.update(task_ignore_result=True, task_default_queue="noop", broker_connection_retry_on_startup=True)


@app.task
def nothing(number: int) -> None:
    """Do nothing."""
