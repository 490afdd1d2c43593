"""A drawing's secrets reach their machine by one fetch, over HTTPS, and nothing else ever holds them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from django.utils import timezone

from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-7c0ffee-secret"
VAULT = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password}
    secrets: [password]
secrets:
  password:
    file: ./password.txt
"""
FETCH = "/machine/v1/secrets/"


@pytest.fixture
def vault(bob: Person, paris: Any, blueprint: Any, drive: Any, control: Any) -> Any:
    """A running machine with the token that its user-data holds."""
    made = blueprint(VAULT, name="vault", files={"password.txt": CANARY})
    answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": "paris", "name": "vault"}).json()
    assert drive(answer["operation"]).state == "succeeded"
    (machine,) = control.things("machine")
    fetch = find_fetch(machine)
    resources = bob.api.get(f"/api/v1/deployments/{answer['id']}/").json()["resources"]
    facts = next(resource for resource in resources if resource["kind"] == "machine")["facts"]
    return {"token": fetch["token"], "uuid": facts["bios_uuid"], "deployment": answer["id"], "machine": machine}


def find_fetch(machine: Any) -> dict[str, str]:
    """Return the fetch order {url, token, ca} out of the user-data that the cloud holds."""
    from engine.userdata import read_file

    text = read_file(machine["data"]["userdata"], "/opt/escale/fetch.json")
    assert text is not None, "the user-data holds no fetch order"
    return dict(json.loads(text))


def ask(token: str, machine: str, *, secure: bool = True) -> Any:
    headers = {"Authorization": f"Bearer {token}", "X-Escale-Machine": machine}
    return Client().post(FETCH, headers=headers, secure=secure)


def test_the_machine_gets_them_once(vault: Any) -> None:
    first = ask(vault["token"], vault["uuid"].upper())
    assert first.status_code == 200, first.content
    assert CANARY in {base64.b64decode(content).decode() for content in first.json().values()}
    second = ask(vault["token"], vault["uuid"])
    assert (second.status_code, second.json()["code"]) == (403, "fetch.refused")


@pytest.mark.parametrize("machine", ["", "00000000-0000-0000-0000-000000000000", "x" * 500])
def test_another_machine_gets_nothing_and_spoils_nothing(vault: Any, machine: str) -> None:
    assert ask(vault["token"], machine).status_code == 403
    assert ask(vault["token"], vault["uuid"]).status_code == 200


def test_a_wrong_token_gets_nothing(vault: Any) -> None:
    assert ask(vault["token"][:-1] + "x", vault["uuid"]).status_code == 403
    assert ask("", vault["uuid"]).status_code == 403
    assert Client().post(FETCH, secure=True).status_code == 403
    assert Client().get(FETCH, secure=True).status_code == 405


def test_plain_http_is_refused(vault: Any) -> None:
    answer = ask(vault["token"], vault["uuid"], secure=False)
    assert (answer.status_code, answer.json()["code"]) == (403, "fetch.insecure")


def test_an_expired_token_gets_nothing(vault: Any) -> None:
    from apps.deployments.models import FetchGrant

    FetchGrant.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(vault["token"], vault["uuid"]).status_code == 403


def test_nothing_that_is_kept_or_shown_holds_the_secret(bob: Person, vault: Any, control: Any) -> None:
    from django.apps import apps

    for model in apps.get_models():
        text = serializers.serialize("json", model._default_manager.all())
        assert CANARY not in text, model
        assert base64.b64encode(CANARY.encode()).decode() not in text, model
        assert vault["token"] not in text, model
    assert CANARY not in json.dumps(control.things(), default=str)
    for path in ("/api/v1/plans/", "/api/v1/deployments/", "/api/v1/operations/", "/api/v1/blueprints/"):
        for row in bob.api.get(path).json()["results"]:
            assert CANARY not in bob.api.get(f"{path}{row['id']}/").content.decode()
