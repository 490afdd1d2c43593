"""Keep the values of secrets that this process has opened, so that nothing written down repeats them.

Whoever decrypts a credential or mints a token registers its text; the log pipeline, the journal and error
messages pass their text through `redact_text`. Only a bounded number is kept, the latest ones.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

HIDDEN = "(hidden)"
SHORTEST = 6  # shorter values would blank out ordinary words
CAPACITY = 4096

_lock = threading.Lock()
_known: OrderedDict[str, None] = OrderedDict()


def remember_secret(*values: str) -> None:
    """Register values that must never be written; those shorter than six characters cannot be protected."""
    with _lock:
        for value in values:
            if len(value) >= SHORTEST:
                _known[value] = None
                _known.move_to_end(value)
        while len(_known) > CAPACITY:
            _known.popitem(last=False)


def redact_text(text: str) -> str:
    """Return the text with every registered secret replaced; the longest first, since one may contain another."""
    with _lock:
        found = [value for value in _known if value in text]
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text
