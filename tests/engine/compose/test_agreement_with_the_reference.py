"""Our normal form is, byte for byte, what the reference prints; what it refuses we refuse."""

from __future__ import annotations

import difflib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.compose import ComposeError, load, to_json
from tests.engine.compose.reference import HOME, ask_reference, fresh_folder, supplied_files

CASES = Path(__file__).parent / "cases"
CORPUS = Path(__file__).parents[2] / "corpus" / "awesome-compose"
SETTINGS = b"# settings: "


def compare(folder: Path, *, file: str = "compose.yaml", **settings: Any) -> None:
    """Load a folder with both implementations and compare what they say."""
    environment = {**HOME, **settings.get("environment", {})}
    profiles = settings.get("profiles", ())
    answer = ask_reference(folder, file=file, environment=environment, profiles=profiles)
    try:
        project = load(
            (folder / file).read_bytes(),
            name=folder.name,
            environment=environment,
            files=supplied_files(folder, file=file),
            profiles=profiles,
        )
    except ComposeError as refused:
        errors = [finding for finding in refused.findings if finding.severity == "error"]
        assert errors
        assert not answer.accepted, f"only we refuse it: {[finding.message for finding in errors]}"
        return
    assert answer.accepted, f"only the reference refuses it: {answer.error}"
    ours = to_json(project)
    assert ours == answer.output, "\n".join(
        difflib.unified_diff(answer.output.split("\n"), ours.split("\n"), "reference", "ours", lineterm="")
    )


def settings_of(text: bytes) -> dict[str, Any]:
    first = text.split(b"\n", 1)[0]
    settings: dict[str, Any] = json.loads(first[len(SETTINGS) :]) if first.startswith(SETTINGS) else {}
    return settings


def test_there_are_enough_cases() -> None:
    assert len(list(CASES.iterdir())) >= 300


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda path: path.stem)
def test_a_case_comes_out_as_in_the_reference(case: Path, tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path)
    if case.is_dir():
        shutil.copytree(case, folder, dirs_exist_ok=True)
    else:
        shutil.copy(case, folder / "compose.yaml")
    compare(folder, **settings_of((folder / "compose.yaml").read_bytes()))


@pytest.mark.parametrize("folder", sorted(path for path in CORPUS.iterdir() if path.is_dir()), ids=lambda p: p.name)
def test_a_file_from_the_wild_comes_out_as_in_the_reference(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    compare(copy, file=next(path.name for path in copy.glob("compose.y*ml")))


def test_the_corpus_is_complete() -> None:
    assert len([path for path in CORPUS.iterdir() if path.is_dir()]) == 20
