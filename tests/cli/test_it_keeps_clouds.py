"""`escale clouds` does by the public API what the pages do."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from apps.clouds.models import Cloud
from cli import app, clouds
from cli.client import CliError

pytestmark = pytest.mark.django_db
PASSWORD = "canary-cli-password-3x"


class Portal:
    """Speak to the portal of the tests instead of one over the network."""

    api: Any = None

    def __init__(self, *_: Any) -> None: ...

    def _answer(self, answer: Any) -> Any:
        body = answer.json() if answer.content else None
        if answer.status_code >= 400:
            raise CliError(body["detail"], code=body["code"], body=body)
        return body

    def get(self, path: str, **params: Any) -> Any:
        return self._answer(self.api.get(path, params))

    def pages(self, path: str, **params: Any) -> Any:
        yield from self.get(path, **params)["results"]

    def post(self, path: str, body: Any = None) -> tuple[Any, None]:
        return self._answer(self.api.post(path, body or {})), None

    def patch(self, path: str, body: Any) -> Any:
        return self._answer(self.api.patch(path, body))

    def put(self, path: str, body: Any) -> Any:
        return self._answer(self.api.put(path, body))

    def delete(self, path: str) -> tuple[Any, None]:
        return self._answer(self.api.delete(path)), None


@pytest.fixture
def escale(alice: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(clouds, "Client", Portal)
    monkeypatch.setattr(clouds, "read_login", lambda: None)
    Portal.api = alice.api

    def run(*words: str, typed: str = "", who: Any = alice) -> Any:
        Portal.api = who.api
        environment = {"COLUMNS": "200", "ESCALE_CLOUD_PASSWORD": None if typed else PASSWORD}
        return CliRunner(env=environment).invoke(app.app, ["clouds", *words], input=typed or None)

    return run


def added(escale: Any, *more: str, **options: Any) -> Any:
    return escale("add", "paris", "--kind", "fake", "--address", "fake.example", "-u", "escale", *more, **options)


def test_a_cloud_is_added_tested_and_listed(escale: Any) -> None:
    rates = {"currency": "EUR", "cpu_month": "9", "memory_gib_month": "4", "disk_gib_month": "0.1"}
    prices = [word for name, value in rates.items() for word in ("--price", f"{name}={value}")]
    shown = added(escale, "--region", "Paris, FR", "--flavour", "ovh", "--limit", "machines=9", *prices)
    assert shown.exit_code == 0, shown.output
    cloud = Cloud.objects.get()
    assert (cloud.flavour, cloud.latitude, cloud.limits) == ("ovh", 48.9, {"machines": 9})
    assert cloud.prices["currency"] == "EUR"
    assert cloud.health["ok"] is True
    assert PASSWORD not in shown.output
    listed = escale()
    assert "paris" in listed.output
    assert "ok" in listed.output
    assert [row["name"] for row in json.loads(escale("--json").output)] == ["paris"]
    assert "machines: 0 of 9 held" in escale("show", "paris").output


def test_a_password_is_asked_for_without_an_echo(escale: Any) -> None:
    shown = added(escale, typed="canary-typed-password\n")
    assert shown.exit_code == 0, shown.output
    assert "canary-typed-password" not in shown.output


def test_a_certificate_is_shown_and_trusted_only_after_a_yes(escale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.clouds import certificates

    digest = hashlib.sha256(b"certificate").hexdigest()
    seen = {"subject": "vc.example", "issuer": "vc.example", "self_signed": True, "sha256": digest, "trusted": False,
            "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z", "days_left": 30, "names": [],
            "address": "vc.example", "host": "vc.example", "port": 443}  # fmt: skip
    monkeypatch.setattr(certificates, "presented", lambda principal, address: seen)
    words = ("add", "paris", "--kind", "vsphere", "--address", "10.0.0.1", "-u", "escale", "--no-test")
    refused = escale(*words, typed="n\n")
    assert refused.exit_code == 1
    assert digest[:2].upper() + ":" in refused.output
    assert not Cloud.objects.exists()
    assert escale(*words, typed="y\nsecret-password\n").exit_code == 0
    assert Cloud.objects.get().thumbprint == digest


def test_only_what_is_given_changes(escale: Any) -> None:
    added(escale, "--limit", "machines=9", "--limit", "cpus=4")
    shown = escale("edit", "paris", "--title", "Paris", "--limit", "cpus=", "--disable", "--at", "1.5,2")
    assert shown.exit_code == 0, shown.output
    cloud = Cloud.objects.get()
    assert (cloud.title, cloud.limits, cloud.enabled, cloud.latitude) == ("Paris", {"machines": 9}, False, 1.5)
    assert cloud.address == "fake.example"


def test_a_user_name_that_is_given_is_not_passed_over(escale: Any) -> None:
    from apps.clouds.models import Credential

    added(escale)
    shown = escale("edit", "paris", "--username", "another", "--title", "Paris")
    assert shown.exit_code == 0, shown.output
    assert Credential.objects.get().version == 2
    assert PASSWORD not in shown.output


def test_a_test_tells_what_is_wrong_and_ends_with_1(escale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.base import ConnectorError
    from connectors.fake.connector import FakeConnector

    added(escale)

    def probe(self: Any) -> Any:
        raise ConnectorError("cloud.unreachable", "fake.example did not answer [bold]")

    monkeypatch.setattr(FakeConnector, "probe", probe)
    shown = escale("test", "paris")
    assert shown.exit_code == 1
    assert "did not answer [bold]" in shown.output
    assert "cloud.unreachable" in shown.output


def test_a_cloud_is_shared_and_accepted_from_the_terminal(escale: Any, charlie: Any) -> None:
    added(escale)
    assert "not answered" in escale("share", "paris", "globex").output
    accepted = escale("offers", "--accept", "paris", who=charlie)
    assert "accepted" in accepted.output, accepted.output
    assert "acme" in escale(who=charlie).output
    assert "Not shared" in escale("share", "paris", "globex", "--take-back").output


def test_a_credential_is_exchanged_and_a_cloud_removed(escale: Any) -> None:
    added(escale)
    assert escale("rotate", "paris", "-u", "another").exit_code == 0
    assert Cloud.objects.get().credential.version == 2
    assert escale("remove", "paris", typed="n\n").exit_code == 1
    assert escale("remove", "paris", "--yes").exit_code == 0
    assert not Cloud.objects.present().exists()


@pytest.mark.parametrize("words", [("--limit", "cpus=many"), ("--at", "north"), ("--option", "region")])
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(escale: Any, words: tuple[str, str]) -> None:
    assert added(escale, *words).exit_code == 2
    assert not Cloud.objects.exists()
