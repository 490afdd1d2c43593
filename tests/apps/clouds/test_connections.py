import json
import threading

import pytest

from apps.clouds import connections, services
from apps.clouds.models import Cloud, Credential
from connectors.base import Capability, ConnectorError, Health
from engine.findings import Finding
from tests.apps.clouds.conftest import PASSWORD


class Scripted:
    """A connector that does what a test tells it, and remembers what was done to it."""

    capabilities = frozenset({Capability.PROGRESS})
    made = []

    def __init__(self, access):
        self.access = access
        self.closed = 0
        self.script = lambda: Health(ok=True, summary="well")
        type(self).made.append(self)

    def probe(self):
        return self.script()

    def close(self):
        self.closed += 1


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(Scripted, "made", [])
    monkeypatch.setattr(connections.registry, "connect", Scripted)
    return Scripted


def unreachable():
    raise ConnectorError("cloud.unreachable", "no route")


def test_one_connector_serves_a_cloud_as_long_as_nothing_changes(paris, scripted):
    first = connections.connect(paris)
    assert connections.connect(paris) is first
    services.update_cloud(None, paris, title="Another title")
    assert connections.connect(paris) is first
    assert len(scripted.made) == 1


def test_a_connector_gets_what_was_sealed(paris, scripted):
    connections.connect(paris)
    access = scripted.made[0].access
    assert (access.username, access.password, access.address) == ("escale@vsphere.local", PASSWORD, "fake.example")
    assert PASSWORD not in repr(access)


def test_a_rotated_credential_is_used_from_the_next_call_on(alice, paris, scripted):
    old = connections.connect(paris)
    services.rotate_credential(alice.principal, paris, "other", "another password", try_first=False)
    fresh = connections.connect(paris)
    assert fresh is not old
    assert scripted.made[-1].access.password == "another password"
    assert scripted.made[0].closed == 1


def test_another_process_that_rotated_is_noticed(paris, scripted):
    """The pool is asked with the database's version, not told by the process that rotated."""
    connections.connect(paris)
    credential = Credential.objects.select_related("cloud__organization").get(cloud=paris)
    credential.version += 1
    services._seal(credential, "other", "another password").save()
    assert connections.connect(paris)
    assert [connector.access.username for connector in scripted.made] == ["escale@vsphere.local", "other"]
    assert scripted.made[0].closed == 1


def test_a_call_under_way_ends_before_its_connector_is_closed(alice, paris, scripted):
    connector = connections.connect(paris)
    inside, leave = threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert leave.wait(10)
        return Health(ok=True, summary="late")

    scripted.made[0].script = slow
    answers = []
    thread = threading.Thread(target=lambda: answers.append(connector.probe()))
    thread.start()
    assert inside.wait(10)
    services.rotate_credential(alice.principal, paris, "u", "p", try_first=False)
    connections.connect(paris)
    assert scripted.made[0].closed == 0
    leave.set()
    thread.join(10)
    assert answers[0].summary == "late"
    assert scripted.made[0].closed == 1


def test_a_dead_cloud_is_not_asked_again_for_a_while(paris, scripted):
    connector = connections.connect(paris)
    calls = []
    scripted.made[0].script = lambda: calls.append(1) or unreachable()
    for _ in range(connections.FAILURES_TO_OPEN + 5):
        with pytest.raises(ConnectorError) as caught:
            connector.probe()
        assert caught.value.code == "cloud.unreachable"
        assert not caught.value.permanent
    assert len(calls) == connections.FAILURES_TO_OPEN
    assert 0 < caught.value.retry_after <= connections.OPEN_FOR_S


def test_a_probe_that_reports_a_dead_cloud_counts_as_well(paris, scripted):
    connector = connections.connect(paris)
    dead = Health(False, "no route", findings=(Finding("cloud.unreachable", "error", "no route"),))
    scripted.made[0].script = lambda: dead
    for _ in range(connections.FAILURES_TO_OPEN):
        assert not connector.probe().ok
    with pytest.raises(ConnectorError, match="not asked again"):
        connector.probe()


def test_one_dead_cloud_does_not_stop_another_one(alice, paris, make_cloud, scripted):
    dead, well = connections.connect(paris), connections.connect(make_cloud(alice, "oregon"))
    scripted.made[0].script = unreachable
    for _ in range(connections.FAILURES_TO_OPEN):
        with pytest.raises(ConnectorError):
            dead.probe()
    assert well.probe().ok


def test_after_the_while_one_caller_tries_and_its_end_decides():
    now = [0.0]
    breaker = connections.Breaker(clock=lambda: now[0])
    for _ in range(connections.FAILURES_TO_OPEN):
        assert breaker.admit() == 0
        breaker.missed()
    assert breaker.admit() == connections.OPEN_FOR_S
    now[0] += connections.OPEN_FOR_S
    assert breaker.admit() == 0
    assert breaker.admit() > 0  # the others wait for the one that tries
    breaker.missed()
    assert breaker.admit() == connections.OPEN_FOR_S
    now[0] += connections.OPEN_FOR_S
    assert breaker.admit() == 0
    breaker.reached()
    assert [breaker.admit(), breaker.admit()] == [0, 0]


def test_a_caller_that_never_comes_back_does_not_keep_the_others_out_for_ever():
    now = [0.0]
    breaker = connections.Breaker(clock=lambda: now[0])
    for _ in range(connections.FAILURES_TO_OPEN):
        breaker.missed()
    now[0] += connections.OPEN_FOR_S
    assert breaker.admit() == 0
    now[0] += connections.OPEN_FOR_S
    assert breaker.admit() == 0


def test_errors_that_the_cloud_itself_gave_do_not_open_the_breaker(paris, scripted):
    connector = connections.connect(paris)
    calls = []

    def refuses():
        calls.append(1)
        raise ConnectorError("cloud.permission", "no")

    scripted.made[0].script = refuses
    for _ in range(10):
        with pytest.raises(ConnectorError):
            connector.probe()
    assert len(calls) == 10


def test_a_disabled_or_removed_cloud_gives_no_connector(paris, scripted):
    connections.connect(paris)
    Cloud.objects.update(enabled=False)
    with pytest.raises(ConnectorError, match="switched off") as caught:
        connections.connect(paris)
    assert (caught.value.code, caught.value.permanent) == ("cloud.disabled", False)
    assert scripted.made[0].closed == 1
    services.remove_cloud(None, paris)
    with pytest.raises(ConnectorError) as caught:
        connections.connect(paris)
    assert (caught.value.code, caught.value.permanent) == ("cloud.unknown", True)


def test_a_credential_moved_to_another_cloud_does_not_open_it(alice, paris, make_cloud, scripted):
    """Whoever writes tables must not get a password sent to a cloud of their own."""
    other = make_cloud(alice, "oregon", address="elsewhere.example")
    Credential.objects.filter(cloud=other).update(sealed=bytes(Credential.objects.get(cloud=paris).sealed))
    with pytest.raises(ConnectorError) as caught:
        connections.connect(other)
    assert (caught.value.code, caught.value.permanent) == ("cloud.not_authenticated", True)
    assert not scripted.made


def test_an_address_changed_behind_our_back_is_checked_again(paris, scripted):
    Cloud.objects.update(address="169.254.169.254")
    with pytest.raises(ConnectorError) as caught:
        connections.connect(paris)
    assert caught.value.code == "cloud.address_refused"
    assert not scripted.made


def test_a_test_of_the_connection_leaves_nothing_open(paris, scripted):
    services.test_connection(paris)
    assert [connector.closed for connector in scripted.made] == [1]
    assert scripted.made[0].access.timeout_s == connections.PROBE_TIMEOUT_S


def test_a_forked_process_starts_with_an_empty_pool(paris, scripted, tmp_path):
    import os

    connections.connect(paris)
    report = tmp_path / "report.json"
    pid = os.fork()
    if pid == 0:
        report.write_text(json.dumps([len(connections._pool), connections._lock.locked()]))
        os._exit(0)
    os.waitpid(pid, 0)
    assert json.loads(report.read_text()) == [0, False]
    assert len(connections._pool) == 1
