"""Make what handlers hand in fit for the journal: no secrets, nothing PostgreSQL refuses, nothing endless."""

from __future__ import annotations

import json
from typing import Any

from apps.tenancy.redaction import redact_text

LONGEST_MESSAGE = 2_000
LONGEST_RESULT = 256 * 1024
LONGEST_HANDLE = 2_048


class Unfit(ValueError):  # noqa: N818 - names what the data is
    """A handler returned what cannot be kept: a defect of ours."""


def tidy_text(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return the text without registered secrets, NUL and lone surrogates, cut to its longest length."""
    if not text:
        return ""
    if "\x00" in text or not text.isascii():
        text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    text = redact_text(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def tidy(value: Any) -> Any:
    """Return JSON-able data with every text in it tidied."""
    if isinstance(value, str):
        return tidy_text(value, LONGEST_RESULT)
    if isinstance(value, dict):
        return {tidy_text(str(key)): tidy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(item) for item in value]
    return value


def result_text(result: Any) -> str:
    """Return a result as JSON text; Unfit when it is not plain data, not an object, or longer than 256 KiB."""
    if not result:
        return "{}"
    try:
        text = json.dumps(tidy(dict(result)), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Unfit(f"the result is not plain JSON data ({error})") from None
    if len(text) > LONGEST_RESULT:
        raise Unfit(f"the result has {len(text)} bytes, more than {LONGEST_RESULT}")
    return text


def handle_text(handle: str | None) -> str:
    """Return a handle that can be kept; Unfit when it is empty or longer than 2 kB."""
    if not handle or "\x00" in handle or len(handle) > LONGEST_HANDLE:
        raise Unfit("the handle is empty, or longer than 2 kB, or holds NUL")
    return handle
