"""Write structured logs: one JSON object a line, with the operation and step they belong to, and no secret.

Everything ends in one pipeline, whether it came from structlog or from the standard library (Django, Celery,
uvicorn). Operation and step ids are bound by who works on them, with `structlog.contextvars.bind_contextvars`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from apps.tenancy.redaction import redact_text

HIDDEN = "(hidden)"
SECRET_KEY_NAME = re.compile(
    r"pass(word|wd|phrase)?$|token|secret|authorization|cookie|credential|private_?key|api_?key|^sealed$|^kek$", re.I
)

SHARE_LINK = re.compile(r"(/shared/)[A-Za-z0-9_-]{43}")
"""Addresses that open a drawing: they are logged also for who is not signed in, when nothing has looked at them."""


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace the values of keys that name a secret, and every registered secret inside any text."""
    return {key: _clean(key, value) for key, value in event.items()}


def _drop_decoration(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn says everything twice, the second time in colour
    return event


def _clean(key: object, value: Any) -> Any:
    if isinstance(key, str) and SECRET_KEY_NAME.search(key) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, str):
        return SHARE_LINK.sub(rf"\1{HIDDEN}", redact_text(value))
    if isinstance(value, MutableMapping):
        return {inner: _clean(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean(None, item) for item in value]
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean(key, repr(value))  # as it would be written: Django logs whole requests, with their address


# Exceptions become text before redaction, so that what a traceback quotes is cleaned too.
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(log_format: str, level: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING, which does the same for the standard library."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False)
        if log_format == "console"
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    through_root = {"handlers": [], "propagate": True, "level": "NOTSET"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _drop_decoration,
                    structlog.processors.format_exc_info,
                    structlog.processors.UnicodeDecoder(),
                    redact,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": through_root,
            "django.server": through_root,
            "uvicorn": through_root,
            "uvicorn.error": through_root,
            # The request line is logged once, by portal.requests, with the route and without the query.
            "uvicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
            "celery": through_root,
            # Two lines for every poke would drown what the pokes did, which the journal's own lines tell.
            "celery.worker.strategy": {"handlers": [], "propagate": True, "level": "WARNING"},
            "celery.app.trace": {"handlers": [], "propagate": True, "level": "WARNING"},
            "httpx": {"handlers": [], "propagate": True, "level": "WARNING"},
        },
    }


def monotonic_ms(since: float) -> float:
    """Return the milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - since) * 1000, 1)


def keep_celery_from_changing_logs(**_kwargs: Any) -> None:
    """Receive Celery's `setup_logging`: that somebody listens is what keeps Celery's own set-up away."""
    logging.captureWarnings(True)
