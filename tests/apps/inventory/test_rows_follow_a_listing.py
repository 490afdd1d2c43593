"""Pages of a listing become rows: once, whole, and without touching what did not change."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from connectors.listing import Item
from tests.apps.inventory.conftest import machine

pytestmark = pytest.mark.django_db


def rows(cloud: Any) -> dict[str, Any]:
    from apps.inventory.models import Machine

    return {row.ref: row for row in Machine.objects.filter(cloud=cloud)}


def test_a_machine_gets_columns_and_keeps_its_other_facts(paris: Any) -> None:
    from apps.inventory import writing

    owner = {"organization_id": str(uuid.uuid4()), "deployment_id": str(uuid.uuid4()), "key": "machine:web-1"}
    writing.store(paris.pk, [machine(1, owner=owner, annotation="Ours")], (), full=False)
    (row,) = rows(paris).values()
    assert (row.name, row.power, row.cpus, row.memory_mib, row.disk_gib) == ("web-00001", "on", 2, 2048, 11.0)
    assert row.addresses == ["10.0.0.1"]
    assert row.networks == ["net-1"]
    assert str(row.owner_deployment) == owner["deployment_id"]
    assert row.owner_key == "machine:web-1"
    assert row.facts["annotation"] == "Ours"
    assert row.facts["nics"][0]["mac"] == "00:50:56:00:00:01"
    assert "power" not in row.facts
    assert "10.0.0.1" in row.search
    assert "debian" in row.search


def test_a_page_that_comes_twice_is_written_once(paris: Any) -> None:
    from apps.inventory import writing

    page = [machine(number) for number in range(50)] + [Item("host", "host-1", "host-1", "esx-01", {"cpus": 8})]
    first = writing.store(paris.pk, page, (), full=True)
    before = {ref: row.changed_at for ref, row in rows(paris).items()}
    second = writing.store(paris.pk, page, (), full=True)
    assert len(first.stored) == 51
    assert not second
    assert {ref: row.changed_at for ref, row in rows(paris).items()} == before


def test_a_row_that_did_not_change_is_not_rewritten(paris: Any) -> None:
    from django.db import connection

    from apps.inventory import writing

    def versions() -> dict[str, str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ref, ctid::text || xmin::text || xmax::text FROM inventory_machine")
            return dict(cursor.fetchall())

    writing.store(paris.pk, [machine(1), machine(2)], (), full=False)
    before = versions()
    written = writing.store(paris.pk, [machine(1), machine(2, host="esx-99")], (), full=False)
    assert written.changed == {("machine", machine(2).id)}
    assert versions()["vm-1"] == before["vm-1"]
    assert versions()["vm-2"] != before["vm-2"]


def test_a_move_to_another_host_is_the_same_machine(paris: Any) -> None:
    from apps.inventory import writing

    writing.store(paris.pk, [machine(1)], (), full=False)
    before = rows(paris)["vm-1"]
    writing.store(paris.pk, [machine(1, host="esx-07", cluster="cluster-b")], (), full=False)
    after = rows(paris)["vm-1"]
    assert (after.pk, after.first_seen_at) == (before.pk, before.first_seen_at)
    assert (after.host, after.cluster) == ("esx-07", "cluster-b")


def test_two_machines_with_one_identity_are_both_kept(paris: Any) -> None:
    from apps.inventory import writing

    twin = machine(2, uid=machine(1).id, name="copied by hand")
    writing.store(paris.pk, [machine(1)], (), full=False)
    writing.store(paris.pk, [twin], (), full=False)
    found = rows(paris)
    assert sorted(found) == ["vm-1", "vm-2"]
    assert found["vm-1"].pk != found["vm-2"].pk
    original = found["vm-1"].pk
    writing.store(paris.pk, [], [("machine", "vm-1")], full=False)
    assert rows(paris)["vm-2"].pk == original  # the one that is left takes the key of the identity


def test_twins_in_one_page_are_both_kept(paris: Any) -> None:
    from apps.inventory import writing

    writing.store(paris.pk, [machine(1), machine(2, uid=machine(1).id)], (), full=False)
    assert len(rows(paris)) == 2


def test_references_that_were_dealt_anew_lead_to_the_right_machines(paris: Any) -> None:
    from apps.inventory import writing

    writing.store(paris.pk, [machine(1), machine(2), machine(3)], (), full=False)
    keys = {row.uid: row.pk for row in rows(paris).values()}
    writing.begin_load(paris.pk)
    restored = [machine(2, ref="vm-1"), machine(3, ref="vm-2"), machine(1, ref="vm-3")]
    writing.store(paris.pk, restored[:2], (), full=True)
    writing.store(paris.pk, restored[2:], (), full=True)
    writing.end_load(paris.pk)
    found = rows(paris)
    assert {row.ref: row.uid for row in found.values()} == {item.ref: item.id for item in restored}
    assert {row.name for row in found.values()} == {"web-00001", "web-00002", "web-00003"}
    assert len({row.pk for row in found.values()} & set(keys.values())) >= 2


def test_what_a_load_of_everything_does_not_name_has_vanished(paris: Any) -> None:
    from apps.inventory import writing
    from apps.inventory.models import Thing

    host = Item("host", "host-1", "host-1", "esx-01")
    writing.store(paris.pk, [machine(number) for number in range(10)] + [host], (), full=False)
    writing.begin_load(paris.pk)
    writing.store(paris.pk, [machine(number) for number in range(4)], (), full=True)
    writing.store(paris.pk, [machine(number) for number in range(4, 7)], (), full=True)
    assert len(rows(paris)) == 10
    gone = writing.end_load(paris.pk)
    assert len(rows(paris)) == 7
    assert not Thing.objects.filter(cloud=paris).exists()
    assert len(gone.vanished) == 4
    assert writing.counts(paris.pk) == {"machine": 7}


def test_the_end_of_a_load_leaves_other_clouds_alone(alice: Any, make_cloud: Any, paris: Any) -> None:
    from apps.inventory import writing

    roubaix = make_cloud(alice, "roubaix")
    writing.store(roubaix.pk, [machine(1)], (), full=False)
    writing.store(paris.pk, [machine(1)], (), full=False)
    writing.begin_load(paris.pk)
    writing.end_load(paris.pk)
    assert not rows(paris)
    assert len(rows(roubaix)) == 1


def test_a_machine_that_becomes_a_template_is_a_machine_no_longer(paris: Any) -> None:
    from apps.inventory import writing
    from apps.inventory.models import Thing

    writing.store(paris.pk, [machine(1)], (), full=False)
    template = Item("template", machine(1).id, "vm-1", "web-00001", {"cpus": 2})
    written = writing.store(paris.pk, [template], [("machine", "vm-1")], full=False)
    assert not rows(paris)
    assert Thing.objects.get(cloud=paris).kind == "template"
    assert written.changed == {("machine", machine(1).id), ("template", machine(1).id)}


def test_what_a_cloud_makes_up_is_kept_within_bounds(paris: Any) -> None:
    from apps.inventory import writing

    lies = machine(
        1,
        name="x" * 100_000 + "\x00\ud800",
        cpus=10**30,
        memory_mib=-5,
        disk_gib=float("inf"),
        owner={"deployment_id": "'; drop table inventory_machine; --", "organization_id": None},
        tools="y" * 5_000,
        addresses=["\x00", "::1"],
        folder=None,
        tags=None,
    )
    writing.store(paris.pk, [lies], (), full=False)
    (row,) = rows(paris).values()
    assert len(row.name) == 500
    assert row.cpus == 2**31 - 1
    assert (row.memory_mib, row.disk_gib, row.owner_deployment, row.folder, row.tags) == (0, 0.0, None, "", [])
    assert row.addresses == ["\ufffd", "::1"]


@pytest.mark.parametrize("column", ["addresses", "networks", "datastores", "tags"])
def test_a_name_that_no_index_can_hold_is_cut(paris: Any, column: str) -> None:
    """Addresses are told by guests: one of them must not keep the rows of a whole cloud from being written."""
    from apps.inventory import writing

    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    written = writing.store(paris.pk, [machine(1, **{column: ["10.0.0.1", long]}), machine(2)], (), full=False)
    assert len(written.stored) == 2
    first = next(row for row in rows(paris).values() if row.uid == machine(1).id)
    assert getattr(first, column) == ["10.0.0.1", long[:500]]


def test_an_identity_that_no_index_can_hold_is_cut(paris: Any) -> None:
    from apps.inventory import writing

    long = "".join(random.Random(2).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    for _ in range(2):
        writing.store(paris.pk, [Item("host", long, long, "a"), Item("machine", long, long, "b")], (), full=True)
    assert list(rows(paris)) == [long[:500]]


def test_looking_tells_whether_a_page_says_anything_new(paris: Any) -> None:
    from apps.inventory import writing

    page = [machine(1), Item("host", "host-1", "host-1", "esx-01")]
    assert writing.differs(paris.pk, page, ())
    writing.store(paris.pk, page, (), full=False)
    assert not writing.differs(paris.pk, page, ())
    assert writing.differs(paris.pk, [machine(1, power="suspended")], ())
    assert writing.differs(paris.pk, [Item("host", "host-1", "host-1", "renamed")], ())
    assert writing.differs(paris.pk, (), [("machine", "vm-1")])
    assert writing.differs(paris.pk, (), [("host", "host-1")])
    assert not writing.differs(paris.pk, (), [("template", "vm-1"), ("machine", "host-1")])
