from __future__ import annotations

import os
from pathlib import Path

from engine.realise.reference import ledger_document

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_the_page_on_the_ledger_is_what_the_code_says() -> None:
    if os.environ.get("ESCALE_UPDATE_GOLDEN") == "1":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(ledger_document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == ledger_document()
