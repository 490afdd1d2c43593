"""A password that changes and a cloud that dies cost an operation under way time, and not one step."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.clouds import circuits, connections, services
from apps.operations.models import Event, Operation, Step
from apps.operations.runner import drive as work
from sandbox.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MANY = """\
services:
  web:
    image: nginx:1.27
    deploy: {replicas: 4}
    x-escale: {isolation: machine}
  db:
    image: postgres:17
    volumes: [data:/var/lib/postgresql/data]
    x-escale: {isolation: machine}
volumes:
  data:
"""


@pytest.fixture(scope="module")
def vcenters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Simulator]]:
    """Two vCenters, one to be troubled and one that is well."""
    folder = tmp_path_factory.mktemp("vcenters")
    with (
        Simulator("paris", home=folder / "paris", strict=True, guest_delay_ms=10) as paris,
        Simulator("roubaix", home=folder / "roubaix", guest_delay_ms=10) as roubaix,
    ):
        yield {"paris": paris, "roubaix": roubaix}


@pytest.fixture(autouse=True)
def fresh_pool() -> Iterator[None]:
    connections.close_all()
    yield
    connections.close_all()


@pytest.fixture
def add(alice: Any) -> Any:
    def register(simulator: Simulator, name: str) -> Any:
        cloud = services.register_cloud(
            alice.principal, name=name, kind="vsphere", address=simulator.url, username=simulator.username,
            password=simulator.password, thumbprint=simulator.thumbprint_sha256,
        )  # fmt: skip
        assert services.refresh(cloud).ok, cloud.health
        return cloud

    return register


@pytest.fixture
def deploy(bob: Any) -> Any:
    def start(cloud: str, name: str) -> uuid.UUID:
        body = {"project": "shop", "name": name, "compose": MANY}
        made = bob.api.post("/api/v1/blueprints/", body).json()
        answer = bob.api.post("/api/v1/deployments/", {"blueprint": made["id"], "cloud": cloud, "name": name})
        assert answer.status_code == 202, answer.content
        return uuid.UUID(str(answer.json()["operation"]))

    return start


class Worker:
    """Drive an operation in a thread, as a worker would, until it has ended or is told to stop."""

    def __init__(self, operation: uuid.UUID) -> None:
        self.operation = operation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self.ended():
                work(self.operation, "tests", budget_s=2, stop=self._stop.is_set)
                time.sleep(0.05)
        finally:
            connection.close()

    def ended(self) -> bool:
        state = Operation.objects.values_list("state", flat=True).get(pk=self.operation)
        return state in ("succeeded", "failed", "cancelled", "reverted", "revert_failed")

    def wait(self, timeout_s: float) -> str:
        self._thread.join(timeout_s)
        return str(Operation.objects.values_list("state", flat=True).get(pk=self.operation))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


@pytest.fixture
def worker() -> Iterator[Any]:
    made: list[Worker] = []

    def begin(operation: uuid.UUID) -> Worker:
        made.append(Worker(operation))
        return made[-1]

    yield begin
    for each in made:
        each.stop()


def until(true: Any, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def states_of(operation: uuid.UUID) -> set[str]:
    return set(Step.objects.filter(operation=operation).values_list("state", flat=True))


def ever_failed(operation: uuid.UUID) -> list[Any]:
    rows = Event.objects.filter(operation=operation, type="step.state").values_list("data", flat=True)
    return [data for data in rows if data.get("state") in ("failed", "parked", "blocked")]


def machines_on(cloud: Any) -> int:
    return connections.connect_by_id(cloud.pk).inventory().machines


def test_a_password_that_changes_under_a_running_operation_fails_no_step(
    alice: Any, vcenters: dict[str, Simulator], add: Any, deploy: Any, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ASKED_AGAIN_S", 0.2)
    vcenter = vcenters["paris"]
    cloud = add(vcenter, "paris")
    there = machines_on(cloud)
    vcenter.delay("CloneVM_Task", 1500)
    operation = deploy("paris", "rotated")
    running = worker(operation)
    until(lambda: vcenter.calls().get("CloneVM_Task", 0) >= 1)
    old = vcenter.password
    logins = vcenter.calls()["Login"]
    try:
        # From here on the old password is refused, and nobody is signed in any more.
        vcenter.set_account(vcenter.username, password="canary-the-new-one-91")
        assert vcenter.expire_sessions() > 0
        until(lambda: Step.objects.filter(operation=operation, error__code="cloud.not_authenticated").exists())
        assert not running.ended()
        refused = vcenter.calls()["Login"] - logins
        assert 1 <= refused <= 3, "an account is locked by guesses"
        services.rotate_credential(alice.principal, cloud, vcenter.username, "canary-the-new-one-91")
        state = running.wait(90)
    finally:
        vcenter.set_account(vcenter.username, password=old)
        vcenter.delay("CloneVM_Task", 0)
    assert state == "succeeded", Operation.objects.get(pk=operation).error
    assert states_of(operation) == {"succeeded"}
    assert ever_failed(operation) == []
    # Waiting used up no try of any step.
    assert max(Step.objects.filter(operation=operation).values_list("attempt", flat=True)) == 1
    vcenter.set_account(vcenter.username, password="canary-the-new-one-91")
    assert machines_on(cloud) - there == 5, "nothing was made twice"
    vcenter.set_account(vcenter.username, password=old)


def test_a_credential_that_was_exchanged_first_is_taken_at_the_next_call(
    alice: Any, vcenters: dict[str, Simulator], add: Any, deploy: Any, worker: Any
) -> None:
    """The other order: a second account is entered while the first still works, then the first is closed."""
    vcenter = vcenters["paris"]
    cloud = add(vcenter, "paris")
    before = vcenter.calls().get("CloneVM_Task", 0)  # none yet, when this test runs first
    vcenter.set_account("escale-two@vsphere.local", password="canary-second-account-5")
    vcenter.delay("CloneVM_Task", 800)
    operation = deploy("paris", "exchanged")
    running = worker(operation)
    until(lambda: vcenter.calls().get("CloneVM_Task", 0) > before)
    old = vcenter.password
    try:
        services.rotate_credential(alice.principal, cloud, "escale-two@vsphere.local", "canary-second-account-5")
        vcenter.set_account(vcenter.username, password="canary-closed-for-good")
        state = running.wait(90)
    finally:
        vcenter.set_account(vcenter.username, password=old)
        vcenter.delay("CloneVM_Task", 0)
    assert state == "succeeded", Operation.objects.get(pk=operation).error
    assert ever_failed(operation) == []
    assert not Step.objects.filter(operation=operation, error__isnull=False).exists()


def test_a_cloud_that_hangs_is_waited_for_while_another_works_on(
    alice: Any, vcenters: dict[str, Simulator], add: Any, deploy: Any, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WORK_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connections, "OPEN_FOR_S", 1.0)
    paris, roubaix = add(vcenters["paris"], "paris"), add(vcenters["roubaix"], "roubaix")
    there = machines_on(paris)
    vcenters["paris"].delay("CloneVM_Task", 400)
    made = vcenters["paris"].calls().get("CloneVM_Task", 0)
    dead, well = deploy("paris", "waits"), deploy("roubaix", "goes-on")
    waiting = worker(dead)
    until(lambda: vcenters["paris"].calls().get("CloneVM_Task", 0) > made)
    with vcenters["paris"].hanging():
        started = time.monotonic()
        until(lambda: circuits.read([paris.pk])[paris.pk]["state"] == "open")
        # The other one is not touched: it works through its operation as if nothing were.
        other = worker(well)
        assert other.wait(60) == "succeeded"
        assert circuits.read([roubaix.pk])[roubaix.pk]["state"] == "closed"
        shown = alice.api.get("/api/v1/clouds/paris/").json()["health"]
        assert shown["circuit"]["state"] in ("open", "half_open")
        assert shown["circuit"]["asked_again_at"]
        # Longer than five tries with their pauses would have lasted.
        until(lambda: time.monotonic() - started > 8)
        assert not waiting.ended()
        assert ever_failed(dead) == []
    # Nobody presses anything.
    assert waiting.wait(90) == "succeeded", Operation.objects.get(pk=dead).error
    assert ever_failed(dead) == []
    until(lambda: circuits.read([paris.pk])[paris.pk]["state"] == "closed")
    vcenters["paris"].delay("CloneVM_Task", 0)
    assert machines_on(paris) - there == 5, "nothing was made twice"


def test_a_page_about_a_dead_cloud_does_not_wait_for_it(
    alice: Any, vcenters: dict[str, Simulator], add: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WORK_TIMEOUT_S", 0.5)
    cloud = add(vcenters["paris"], "paris")
    with vcenters["paris"].hanging():
        for _ in range(connections.FAILURES_TO_OPEN):
            services.refresh(cloud)
        monkeypatch.setattr(connections, "WORK_TIMEOUT_S", 60)  # whoever asks it now hangs that long
        started = time.monotonic()
        page = alice.browser.get("/clouds/paris/").content.decode()
        assert time.monotonic() - started < 30
        assert "is not asked for the moment" in page
        assert alice.browser.get("/clouds/").status_code == 200
