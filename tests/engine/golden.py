"""Compare text with a file beside the tests; ESCALE_UPDATE_GOLDEN=1 writes the files anew."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Assert that a text is as the golden file says."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ESCALE_UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: run with ESCALE_UPDATE_GOLDEN=1 and read what it wrote"
    assert text == path.read_text(encoding="utf-8")
