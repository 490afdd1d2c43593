from __future__ import annotations

import json
import os
from importlib.resources import files

import jsonschema_rs
import pytest

from engine.realise.extension import SCHEMAS, schema_document

FILE = files("engine.realise") / "schema" / "x-escale.json"


def test_the_schema_that_the_designer_shares_is_what_the_engine_checks_by() -> None:
    if os.environ.get("ESCALE_UPDATE_GOLDEN") == "1":
        with open(str(FILE), "w", encoding="utf-8") as file:
            file.write(schema_document())
    assert FILE.read_text(encoding="utf-8") == schema_document()


@pytest.mark.parametrize("place", sorted(SCHEMAS))
def test_each_place_has_a_whole_schema_that_refuses_what_it_does_not_know(place: str) -> None:
    validator = jsonschema_rs.validator_for(json.loads(FILE.read_text(encoding="utf-8"))[place])
    assert validator.is_valid({})
    assert not validator.is_valid({"no-such-key": 1})
