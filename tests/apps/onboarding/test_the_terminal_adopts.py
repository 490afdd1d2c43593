"""`escale adopt` and `escale drift` do by REST what the pages do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app as cli
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


class Wire:
    """Carry the terminal's requests to the portal without a network."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def get(self, path: str, **params: Any) -> Any:
        return self._checked(self.api.get(path, params))

    def post(self, path: str, body: Any = None) -> tuple[Any, str | None]:
        answer = self.api.post(path, body or {}, format="json")
        return self._checked(answer), answer.get("Location")

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        yield from self.get(path, **params)["results"]

    def _checked(self, answer: Any) -> Any:
        from cli.client import CliError

        body = answer.json()
        if answer.status_code >= 400:
            raise CliError(body["detail"], code=body["code"], body=body)
        return body


@pytest.fixture
def escale(bob: Person, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    from cli import adopting

    monkeypatch.setattr(adopting, "read_login", lambda: None)
    monkeypatch.setattr(adopting, "Client", lambda login: Wire(bob.api))
    return lambda *words: CliRunner().invoke(cli.app, list(words))


@pytest.fixture
def listed(paris: Any, estate: list[str], drive: Callable[[Any], Any]) -> Any:
    from apps.inventory import services

    assert drive(services.sync(paris).id).state == "succeeded"
    return paris


def test_machines_are_named_drawn_planned_and_adopted(
    escale: Callable[..., Result], listed: Any, control: Any, drive: Callable[[Any], Any]
) -> None:
    things = control.things()
    drawn = escale("adopt", "web 01", "--from", "paris", "--name", "drawn", "--draw")
    assert drawn.exit_code == 0, drawn.output
    assert "    web-01:" in drawn.output
    planned = escale("adopt", "web 01", "db", "--from", "paris", "--name", "legacy")
    assert planned.exit_code == 0, planned.output
    assert "Nothing was touched" in planned.output
    assert control.things() == things
    started = escale("adopt", "--folder", "Legacy", "--from", "paris", "--name", "all", "--start", "--json")
    assert started.exit_code == 0, started.output
    assert drive(json.loads(started.stdout)["operation"]).state == "succeeded"
    assert all(thing["deployment"] for thing in control.things("machine"))


def test_a_name_that_no_machine_or_several_have_is_told(
    escale: Callable[..., Result], listed: Any, control: Any
) -> None:
    answer = escale("adopt", "nobody", "--from", "paris", "--name", "legacy")
    assert answer.exception is not None
    assert "0 machines of paris are called 'nobody'" in str(answer.exception)


def test_drift_is_shown_written_back_and_restored(
    escale: Callable[..., Result],
    estate: list[str],
    control: Any,
    adopt: Callable[..., Any],
    drive: Callable[[Any], Any],
) -> None:
    adopt(estate)
    assert escale("drift", "show", "legacy").exit_code == 0
    control.change(estate[0], cpus=6, power="off")
    shown = escale("drift", "show", "legacy")
    assert shown.exit_code == 1
    assert "6 CPUs" in shown.output
    last = escale("drift", "show", "legacy", "--last", "--json")
    assert json.loads(last.stdout)["state"] == "drifted"
    preview = escale("drift", "write-back", "legacy", "--preview")
    assert "+      cpus: 6" in preview.output
    assert "Saved" not in preview.output
    kept = escale("drift", "write-back", "legacy")
    assert "Saved as version 2." in kept.output
    assert "escale drift settle legacy" in kept.output
    undoing = escale("drift", "restore", "legacy")
    assert "plan.newer_version" in undoing.output
    assert "plan.restart" not in undoing.output, "it is off now"
    settling = escale("drift", "settle", "legacy")
    assert settling.exit_code == 0, settling.output
    assert "plan.newer_version" not in settling.output
    restored = escale("drift", "restore", "legacy", "--start", "--json")
    assert restored.exit_code == 0, restored.output
    assert drive(json.loads(restored.stdout)["operation"]).state == "succeeded"
    machine = next(thing["data"] for thing in control.things("machine") if thing["id"] == estate[0])
    assert (machine["cpus"], machine["power"]) == (1, "on")
