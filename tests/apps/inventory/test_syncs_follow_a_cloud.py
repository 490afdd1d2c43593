"""A sync brings the rows to what the cloud is: whole at first, then by what changed, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import ConnectorError

pytestmark = pytest.mark.django_db


def names(cloud: Any) -> set[str]:
    from apps.inventory.models import Machine

    return set(Machine.objects.filter(cloud=cloud).values_list("name", flat=True))


def kinds(cloud: Any) -> dict[str, int]:
    from apps.inventory import writing

    return writing.counts(cloud.pk)


def state(cloud: Any) -> Any:
    from apps.inventory import syncing

    return syncing.state_of(cloud)


def test_the_first_sync_loads_everything(paris: Any, control: Any) -> None:
    from apps.inventory import syncing

    for number in range(5):
        control.put_machine(f"web-{number}")
    done = syncing.follow(paris, 10)
    assert (done.ended, done.full) == (True, True)
    assert names(paris) == {f"web-{number}" for number in range(5)}
    assert kinds(paris) == {"machine": 5, "cluster": 2, "host": 8, "datastore": 2, "network": 1, "template": 2}
    row = state(paris)
    assert row.full_at is not None
    assert row.synced_at is not None
    assert (row.loading, row.trouble) == (False, None)


def test_later_ones_take_only_what_changed(paris: Any, control: Any) -> None:
    from apps.inventory import syncing
    from apps.inventory.models import Machine

    ids = [control.put_machine(f"web-{number}") for number in range(5)]
    syncing.follow(paris, 10)
    control.change(ids[0], cluster="green")
    control.delete(ids[1])
    new = control.put_machine("new")
    done = syncing.follow(paris, 10)
    assert (done.ended, done.full) == (True, False)
    assert {key for kind, key in done.written.changed if kind == "machine"} == {ids[0], ids[1], new}
    assert names(paris) == {"web-0", "web-2", "web-3", "web-4", "new"}
    assert Machine.objects.get(uid=ids[0]).cluster == "green"


def test_a_cloud_that_forgot_is_loaded_anew(paris: Any, control: Any) -> None:
    from apps.inventory import syncing

    control.put_machine("kept")
    gone = control.put_machine("gone")
    syncing.follow(paris, 10)
    control.delete(gone)
    control.forget_changes()
    done = syncing.follow(paris, 10)
    assert (done.ended, done.full) == (True, True)
    assert names(paris) == {"kept"}
    assert {pair for pair in done.written.changed if pair[0] == "machine"} == {("machine", gone)}


def test_a_load_that_is_cut_goes_on_behind_its_last_page(alice: Any, make_cloud: Any, tmp_path: Any) -> None:
    from apps.inventory import syncing
    from connectors.fake.control import Control

    cloud = make_cloud(alice, "roubaix", options={"state": str(tmp_path / "r.sqlite"), "listing_page": 10})
    control = Control(str(tmp_path / "r.sqlite"))
    for number in range(45):
        control.put_machine(f"web-{number:02}")
    first = syncing.follow(cloud, 10)
    assert first.ended
    control.forget_changes()
    part = syncing.follow(cloud, 0)  # no time: it stops after the first page that can be resumed
    assert not part.ended
    assert state(cloud).loading
    read = part.read
    while not part.ended:
        part = syncing.follow(cloud, 0)
        read += part.read
    assert len(names(cloud)) == 45
    assert read == 45 + 15  # nothing was read twice
    assert not state(cloud).loading
    control.close()


def test_a_cloud_that_breaks_in_the_middle_loses_nothing(alice: Any, make_cloud: Any, tmp_path: Any) -> None:
    from apps.inventory import syncing
    from connectors.fake.control import Control

    cloud = make_cloud(alice, "roubaix", options={"state": str(tmp_path / "r.sqlite"), "listing_page": 10})
    control = Control(str(tmp_path / "r.sqlite"))
    for number in range(45):
        control.put_machine(f"web-{number:02}")
    syncing.follow(cloud, 10)
    control.forget_changes()
    control.fault("listing.page", "refuse", code="cloud.unreachable", message="The line broke - x - y")
    with pytest.raises(ConnectorError):
        syncing.follow(cloud, 10)
    assert len(names(cloud)) == 45  # nothing vanishes before the load has ended
    done = syncing.follow(cloud, 10)
    assert done.ended
    assert len(names(cloud)) == 45
    control.close()


def test_a_page_that_was_stored_before_a_crash_may_come_again(paris: Any, control: Any, monkeypatch: Any) -> None:
    from apps.inventory import syncing, writing

    ids = [control.put_machine(f"web-{number}") for number in range(3)]
    syncing.follow(paris, 10)
    control.change(ids[0], cpus=8)
    control.delete(ids[1])

    def crash(*_: Any, **__: Any) -> Any:
        stored(*_, **__)
        raise KeyboardInterrupt

    stored = writing.store
    with monkeypatch.context() as patch:
        patch.setattr(writing, "store", crash)
        with pytest.raises(KeyboardInterrupt):
            syncing.follow(paris, 10)
    assert names(paris) == {"web-0", "web-1", "web-2"}  # the page and its cursor were taken back together
    done = syncing.follow(paris, 10)
    assert done.ended
    assert names(paris) == {"web-0", "web-2"}


def test_of_two_workers_at_once_one_gives_way(paris: Any, control: Any, monkeypatch: Any) -> None:
    from apps.inventory import syncing

    control.put_machine("web")
    pages = syncing.pages

    def slow(cloud: Any, cursor: str, take: Any) -> Any:
        monkeypatch.setattr(syncing, "pages", pages)
        assert syncing.follow(cloud, 10).ended  # the other worker is faster
        return pages(cloud, cursor, take)

    monkeypatch.setattr(syncing, "pages", slow)
    with pytest.raises(syncing.Overtaken):
        syncing.follow(paris, 10)
    assert names(paris) == {"web"}
    assert syncing.look(paris) is False


def test_looking_writes_nothing_but_the_time_when_nothing_has_changed(paris: Any, control: Any) -> None:
    from apps.inventory import syncing
    from apps.inventory.models import Machine

    machine = control.put_machine("web")
    syncing.follow(paris, 10)
    before = Machine.objects.get().changed_at
    synced = state(paris).synced_at
    assert syncing.look(paris) is False
    assert Machine.objects.get().changed_at == before
    assert state(paris).synced_at > synced
    control.change(machine, cpus=4)
    assert syncing.look(paris) is True
    assert Machine.objects.get().cpus == 1  # looking does not write
    assert syncing.look(paris) is True
    syncing.follow(paris, 10)
    assert syncing.look(paris) is False


def test_a_change_that_shows_in_no_row_starts_no_sync(paris: Any, control: Any) -> None:
    from apps.inventory import syncing

    machine = control.put_machine("web")
    syncing.follow(paris, 10)
    control.change(machine, userdata={"a": 1})
    assert syncing.look(paris) is False


def test_a_cloud_that_is_down_keeps_its_rows_and_says_since_when(paris: Any, control: Any) -> None:
    from apps.inventory import services

    control.put_machine("web")
    from apps.inventory import syncing

    syncing.follow(paris, 10)
    control.fault("listing", "refuse", code="cloud.unreachable", message="It is down - x - y", times=-1)
    assert services.check(paris) is None
    first = state(paris).trouble
    assert first["code"] == "cloud.unreachable"
    services.check(paris)
    assert state(paris).trouble["since"] == first["since"]
    assert names(paris) == {"web"}


def test_the_cursor_is_sealed_for_its_cloud(alice: Any, make_cloud: Any, paris: Any, control: Any) -> None:
    from apps.inventory import syncing
    from apps.inventory.models import SyncState

    syncing.follow(paris, 10)
    row = state(paris)
    assert b"epoch" not in bytes(row.sealed)
    roubaix = make_cloud(alice, "roubaix")
    syncing.state_of(roubaix)
    SyncState.objects.filter(pk=roubaix.pk).update(sealed=row.sealed)
    assert syncing.cursor_of(roubaix, syncing.state_of(roubaix)) == ""  # a moved cursor is worth nothing


def test_a_cloud_without_news_is_listed_whole_now_and_then_only(alice: Any, make_cloud: Any, tmp_path: Any) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from apps.inventory import services, syncing
    from apps.inventory.models import SyncState

    cloud = make_cloud(alice, "ireland", options={"state": str(tmp_path / "i.sqlite"), "listing": "full"})
    syncing.follow(cloud, 10)
    assert syncing.look(cloud) is True  # it may have forgotten
    syncing.follow(cloud, 10)
    assert services.check(cloud) is None
    SyncState.objects.filter(pk=cloud.pk).update(full_at=timezone.now() - timedelta(minutes=6))
    operation = services.check(cloud)
    assert operation is not None
    assert operation.kind == "sync"


@pytest.mark.django_db(transaction=True)
class TestAsOperations:
    def test_a_check_starts_an_operation_only_when_there_is_something_to_write(
        self, paris: Any, control: Any, drive: Any
    ) -> None:
        from apps.inventory import registry, services
        from apps.operations.models import Operation

        heard: list[tuple[Any, set[tuple[str, str]]]] = []

        def listener(cloud: Any, changed: set[tuple[str, str]]) -> None:
            heard.append((cloud.pk, changed))

        registry.register_listener(listener)
        try:
            machine = control.put_machine("web")
            operation = drive(services.check(paris))
            assert operation.state == "succeeded", operation.error
            assert names(paris) == {"web"}
            assert heard[0][0] == paris.pk
            assert ("machine", machine) in heard[0][1]
            assert services.check(paris) is None
            assert services.check(paris) is None
            assert Operation.objects.count() == 1
            control.change(machine, cpus=2)
            heard.clear()
            drive(services.check(paris))
            assert Operation.objects.count() == 2
            assert ("machine", machine) in heard[0][1]
            result = operation.steps.get().result
            assert (result["full"], result["vanished"]) == (True, 0)
        finally:
            registry._listeners.remove(listener)

    def test_there_is_one_sync_of_a_cloud_at_a_time(self, alice: Any, paris: Any) -> None:
        from apps.inventory import services

        first = services.sync(paris, alice.principal)
        assert services.sync(paris, alice.principal).pk == first.pk
        assert services.check(paris) is None

    def test_a_load_of_everything_shows_how_far_it_is(
        self, alice: Any, make_cloud: Any, tmp_path: Any, drive: Any, monkeypatch: Any
    ) -> None:
        from apps.inventory import handler, services
        from connectors.fake.control import Control

        monkeypatch.setattr(handler, "SLICE_S", 0.0)
        state = str(tmp_path / "r.sqlite")
        cloud = make_cloud(alice, "roubaix", options={"state": state, "listing_page": 20})
        control = Control(state)
        for number in range(60):
            control.put_machine(f"web-{number:02}")
        operation = drive(services.sync(cloud))
        control.close()
        assert operation.state == "succeeded", operation.error
        assert len(names(cloud)) == 60
        shown = [event.data for event in operation.events.filter(type="step.progress")]
        assert any("of about" in event.get("message", "") for event in shown), shown
        assert operation.steps.get().result["read"] == 60 + 15

    def test_a_sync_of_a_cloud_that_is_down_fails_and_says_so(self, paris: Any, control: Any, drive: Any) -> None:
        from apps.inventory import services

        control.fault(
            "listing", "refuse", code="cloud.not_authenticated", message="No - x - y", permanent=True, times=-1
        )
        operation = drive(services.sync(paris))
        assert operation.state == "failed"
        assert operation.error["code"] == "inventory.away"
        assert state(paris).trouble["code"] == "cloud.not_authenticated"

    def test_a_first_load_that_failed_is_not_tried_again_at_each_look(
        self, paris: Any, control: Any, drive: Any
    ) -> None:
        from django.utils import timezone

        from apps.inventory import services
        from apps.operations.models import Operation

        control.fault("listing", "refuse", code="cloud.unreachable", message="No - x - y", times=-1)
        assert drive(services.check(paris)).state == "failed"
        assert [services.check(paris) for _ in range(3)] == [None] * 3
        long_ago = timezone.now() - services.TRY_AGAIN_AFTER
        Operation.objects.filter(kind="sync").update(created_at=long_ago)
        assert services.check(paris) is not None
