"""The list of machines: filters, search, order, pages; the same number of queries whatever its length."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from connectors.listing import Item
from tests.apps.inventory.conftest import machine
from tests.people import Person

pytestmark = pytest.mark.django_db

LIST = "/api/v1/inventory/machines/"


@pytest.fixture
def stock(paris: Any) -> Any:
    from apps.inventory import writing

    things = [
        Item("host", "host-1", "host-1", "esx-01", {"cpus": 32}),
        Item("datastore", "ds-1", "ds-1", "nvme-1", {"capacity_gib": 100.0}),
        Item("tag", "tag-1", "tag-1", "env-1", {"category": "Environment"}),
    ]
    writing.store(paris.pk, [machine(number) for number in range(60)] + things, (), full=False)
    return paris


def listed(person: Person, query: str = "") -> list[str]:
    answer = person.api.get(f"{LIST}{query}")
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?power=off", lambda n: n % 3 == 0),
        ("?power=off&power=on", lambda n: True),
        ("?cluster=cluster-1", lambda n: n % 4 == 1),
        ("?host=esx-07", lambda n: n % 20 == 7),
        ("?network=net-2&power=on", lambda n: n % 5 == 2 and n % 3),
        ("?datastore=nvme-1&datastore=nvme-2", lambda n: n % 3 in (1, 2)),
        ("?tag=env-1", lambda n: n % 2 == 1),
        ("?address=10.0.0.5", lambda n: n == 5),
        ("?folder=Apps", lambda n: True),
        ("?folder=Apps/Team 3", lambda n: n % 10 == 3),
        ("?folder=Apps/Team", lambda n: False),
        ("?guest=debian", lambda n: True),
        ("?guest=windows", lambda n: False),
        ("?snapshots=yes", lambda n: n % 2),
        ("?owner=unmanaged", lambda n: True),
        ("?owner=managed", lambda n: False),
        ("?q=WEB-0000", lambda n: n < 10),
        ("?q=10.0.0.3 team", lambda n: "10.0.0.3" in f"10.0.0.{n}"),
        ("?q=%25", lambda n: False),
        ("?q=_", lambda n: False),
        ("?cloud=paris", lambda n: True),
        ("?cloud=roubaix", lambda n: False),
    ],
)
def test_filters_leave_what_they_say(viewer: Person, stock: Any, query: str, wanted: Any) -> None:
    assert listed(viewer, query) == [f"web-{number:05}" for number in range(60) if wanted(number)]


@pytest.mark.parametrize(
    "query", ["?power=sleeping", "?sort=facts", "?owner=me", "?snapshots=maybe", "?q=" + "x" * 400, "?sort=-"]
)
def test_what_cannot_be_used_is_named(viewer: Person, stock: Any, query: str) -> None:
    answer = viewer.api.get(f"{LIST}{query}")
    assert answer.status_code == 400
    assert answer.json()["params"][0]["name"] == query[1:].partition("=")[0]


@pytest.mark.parametrize("sort", ["name", "-name", "memory_mib", "-memory_mib", "host", "-cpus", "disk_gib", "cluster"])
def test_pages_in_any_order_hold_each_machine_once(viewer: Person, stock: Any, sort: str) -> None:
    seen: list[dict[str, Any]] = []
    address: str | None = f"{LIST}?sort={sort}&limit=7"
    while address:
        page = viewer.api.get(address).json()
        seen += page["results"]
        address = page["next"]
    assert len({row["id"] for row in seen}) == len(seen) == 60
    values = [row[sort.lstrip("-")] for row in seen]
    assert values == sorted(values, reverse=sort.startswith("-"))


def test_a_machine_is_shown_with_its_facts_by_an_id_that_lasts(viewer: Person, stock: Any) -> None:
    from apps.inventory import writing

    row = viewer.api.get(f"{LIST}?q=web-00007").json()["results"][0]
    assert row["cloud"]["name"] == "paris"
    assert "facts" not in row
    writing.begin_load(stock.pk)
    writing.store(stock.pk, [machine(7, ref="vm-9999")], (), full=True)
    writing.end_load(stock.pk)
    shown = viewer.api.get(f"{LIST}{row['id']}/").json()
    assert (shown["uid"], shown["ref"]) == (row["uid"], "vm-9999")
    assert shown["facts"]["nics"][0]["mac"] == "00:50:56:00:00:01"


def test_things_are_listed_by_kind(viewer: Person, stock: Any) -> None:
    answer = viewer.api.get("/api/v1/inventory/things/?kind=host&kind=tag").json()["results"]
    assert [(row["kind"], row["name"]) for row in answer] == [("tag", "env-1"), ("host", "esx-01")]
    one = viewer.api.get(f"/api/v1/inventory/things/{answer[1]['id']}/").json()
    assert one["facts"] == {"cpus": 32}
    assert viewer.api.get("/api/v1/inventory/things/?kind=machine").status_code == 400


def test_sums_say_how_many_there_are_of_each(viewer: Person, stock: Any) -> None:
    found = viewer.api.get("/api/v1/inventory/summary/").json()
    assert found["machines"] == 60
    assert {item["value"]: item["count"] for item in found["power"]} == {"on": 40, "off": 20}
    assert {item["value"]: item["count"] for item in found["cluster"]} == {f"cluster-{n}": 15 for n in range(4)}
    assert found["owner"] == [{"value": "unmanaged", "count": 60}]
    assert {item["value"]: item["count"] for item in found["tag"]} == {"env-0": 30, "env-1": 30}
    assert found["cloud"] == [{"value": str(stock.pk), "count": 60}]
    assert found["syncs"][0]["cloud"]["name"] == "paris"
    narrowed = viewer.api.get("/api/v1/inventory/summary/?power=off").json()
    assert narrowed["machines"] == 20
    assert {item["value"]: item["count"] for item in narrowed["power"]} == {"off": 20}
    assert viewer.api.get("/api/v1/inventory/summary/?q=nothing-like-it").json()["machines"] == 0


def test_strangers_see_nothing(charlie: Person, viewer: Person, stock: Any) -> None:
    row = viewer.api.get(LIST).json()["results"][0]
    assert listed(charlie) == []
    assert listed(charlie, f"?cloud={stock.pk}") == []
    assert charlie.api.get(f"{LIST}{row['id']}/").status_code == 404
    assert charlie.api.get("/api/v1/inventory/things/").json()["results"] == []
    assert charlie.api.get("/api/v1/inventory/summary/").json()["machines"] == 0
    assert charlie.api.get(f"/api/v1/clouds/{stock.pk}/sync/").status_code == 404
    assert charlie.api.get(f"/api/v1/clouds/{stock.pk}/capacity/").status_code == 404
    assert charlie.api.post(f"/api/v1/clouds/{stock.pk}/sync/").status_code == 404


def test_whoever_is_lent_a_cloud_sees_there_only_what_is_its_own(charlie: Person, stock: Any) -> None:
    from django.utils import timezone

    from apps.clouds.models import CloudGrant
    from apps.inventory import writing

    CloudGrant.objects.create(
        cloud=stock, organization_slug="globex", organization=charlie.organization, accepted_at=timezone.now()
    )
    mine = {"organization_id": str(charlie.organization.pk), "deployment_id": str(uuid.uuid4()), "key": "machine:web"}
    writing.store(stock.pk, [machine(1, owner=mine)], (), full=False)
    assert listed(charlie) == ["web-00001"]
    row = charlie.api.get(LIST).json()["results"][0]
    assert row["owner"] == {"deployment": mine["deployment_id"], "key": "machine:web"}
    # How the owner of the cloud has laid it out is nobody else's to read, and not to be found out by asking either.
    assert (row["host"], row["pool"], row["folder"]) == ("", "", "")
    assert (
        listed(charlie, "?host=esx-01") == listed(charlie, "?folder=Apps") == listed(charlie, "?pool=Production") == []
    )
    assert "esx-01" not in b"".join(charlie.api.get(f"{LIST}export/").streaming_content).decode()
    page = charlie.browser.get(f"/inventory/machines/{row['id']}/").content.decode()
    assert "web-00001" in page
    assert not [word for word in ("esx-01", "Production", "Apps/Team") if word in page]
    assert charlie.api.get("/api/v1/inventory/things/").json()["results"] == []
    assert charlie.api.get("/api/v1/inventory/summary/").json()["machines"] == 1


def test_the_owner_of_a_machine_is_told_to_those_who_see_all_projects_only(
    viewer: Person, stock: Any, shop: Any
) -> None:
    from apps.inventory import writing
    from apps.tenancy import services
    from apps.tenancy.access import System
    from tests.people import make_person

    owner = {"organization_id": str(viewer.organization.pk), "deployment_id": str(uuid.uuid4()), "key": "machine:web"}
    writing.store(stock.pk, [machine(1, owner=owner)], (), full=False)
    lab = services.create_project(System(viewer.organization), "lab", "Lab")
    nina = make_person("nina", viewer.organization, "admin", lab)
    inside = viewer.api.get(f"{LIST}?owner=managed").json()["results"][0]
    outside = nina.api.get(f"{LIST}?owner=managed").json()["results"][0]
    assert inside["owner"]["deployment"] == owner["deployment_id"]
    assert (outside["managed"], outside["owner"]) == (True, None)
    assert listed(viewer, f"?owner={owner['deployment_id']}") == ["web-00001"]
    assert listed(nina, f"?owner={owner['deployment_id']}") == []
    assert "web-00001" in listed(nina, f"?owner={owner['deployment_id']}&owner=managed")


def test_a_list_costs_the_same_queries_at_any_length(viewer: Person, paris: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from apps.inventory import writing

    counts = []
    listed(viewer)  # the first use of a token is noted
    for total in (5, 400):
        writing.store(paris.pk, [machine(number) for number in range(total)], (), full=False)
        with CaptureQueriesContext(connection) as queries:
            listed(viewer, "?q=web&power=on&sort=-memory_mib&limit=500")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


def test_a_cell_never_becomes_a_formula(viewer: Person, paris: Any) -> None:
    import csv
    import io

    from apps.inventory import writing

    bad = [
        "=cmd|'/C calc'!A0",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\uff1d1",
        'quo"te',
        "a,b\nc",
        "<script>",
    ]
    writing.store(paris.pk, [machine(number, name=name) for number, name in enumerate(bad)], (), full=False)
    answer = viewer.api.get(f"{LIST}export/?column=name&column=cpus&column=cloud&column=managed")
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0] == ["name", "cpus", "cloud", "managed"]
    cells = {row[0] for row in rows[1:]}
    assert len(rows) == len(bad) + 1
    assert not [cell for cell in cells if cell.strip()[:1] in tuple("=+-@\uff1d")]
    assert "'=cmd|'/C calc'!A0" in cells
    assert {"a,b\nc", 'quo"te', "<script>"} <= cells
    assert viewer.api.get(f"{LIST}export/?column=facts").status_code == 400


def test_an_export_obeys_filters_and_order_and_holds_all(viewer: Person, stock: Any) -> None:
    answer = viewer.api.get(f"{LIST}export/?power=off&sort=-name&column=name")
    lines = b"".join(answer.streaming_content).decode().removeprefix("\ufeff").split()
    assert lines == ["name", *(f"web-{number:05}" for number in range(57, -1, -3))]


class TestSavedViews:
    def test_one_is_kept_changed_and_forgotten(self, viewer: Person) -> None:
        body = {
            "name": "Off in B",
            "filters": {"power": "off", "tag": ["a", "b"]},
            "columns": ["name"],
            "sort": "-name",
        }
        made = viewer.api.post("/api/v1/inventory/views/", body)
        assert made.status_code == 201, made.content
        address = f"/api/v1/inventory/views/{made.json()['id']}/"
        changed = viewer.api.patch(address, {"sort": "host"}).json()
        assert (changed["sort"], changed["filters"], changed["mine"]) == ("host", body["filters"], True)
        assert viewer.api.post("/api/v1/inventory/views/", body).status_code == 409
        assert viewer.api.delete(address).status_code == 204
        assert viewer.api.get("/api/v1/inventory/views/").json()["results"] == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"filters": {"password": "x"}},
            {"filters": {"power": "sleeping"}},
            {"filters": {"q": {"a": 1}}},
            {"filters": {"q": "\x00"}},
            {"columns": ["facts"]},
            {"sort": "facts"},
            {"kind": "planet"},
            {"kind": "host", "filters": {"power": "on"}},
        ],
    )
    def test_what_could_not_be_shown_is_refused(self, viewer: Person, wrong: dict[str, Any]) -> None:
        answer = viewer.api.post("/api/v1/inventory/views/", {"name": "x", **wrong})
        assert answer.status_code == 400, answer.content
        assert answer.json()["params"]

    def test_a_private_one_is_nobody_elses_and_a_shared_one_everybodys(
        self, viewer: Person, olga: Person, alice: Person, bob: Person, charlie: Person
    ) -> None:
        private = olga.api.post("/api/v1/inventory/views/", {"name": "mine"}).json()
        shared = olga.api.post("/api/v1/inventory/views/", {"name": "ours", "shared": True}).json()
        for person in (viewer, alice):
            assert person.api.get(f"/api/v1/inventory/views/{private['id']}/").status_code == 404
            assert person.api.get(f"/api/v1/inventory/views/{shared['id']}/").json()["mine"] is False
        assert charlie.api.get(f"/api/v1/inventory/views/{shared['id']}/").status_code == 404
        assert viewer.api.post("/api/v1/inventory/views/", {"name": "x", "shared": True}).status_code == 403
        assert bob.api.patch(f"/api/v1/inventory/views/{shared['id']}/", {"name": "x"}).status_code == 403
        assert viewer.api.delete(f"/api/v1/inventory/views/{shared['id']}/").status_code == 403
        assert alice.api.delete(f"/api/v1/inventory/views/{shared['id']}/").status_code == 204


class TestSyncsAndCapacity:
    def test_an_operator_starts_a_sync(self, olga: Person, viewer: Person, paris: Any) -> None:
        answer = olga.api.post("/api/v1/clouds/paris/sync/")
        assert answer.status_code == 202, answer.content
        assert answer["Location"].endswith(f"/api/v1/operations/{answer.json()['id']}/")
        assert olga.api.post("/api/v1/clouds/paris/sync/").json()["id"] == answer.json()["id"]
        assert viewer.api.post("/api/v1/clouds/paris/sync/").status_code == 403
        state = viewer.api.get("/api/v1/clouds/paris/sync/").json()
        assert (state["operation"], state["synced_at"]) == (answer.json()["id"], None)

    def test_syncs_are_listed_only_when_they_are_asked_for(self, olga: Person, paris: Any) -> None:
        operation = olga.api.post("/api/v1/clouds/paris/sync/").json()["id"]
        assert olga.api.get("/api/v1/operations/").json()["results"] == []
        found = olga.api.get("/api/v1/operations/?kind=sync").json()["results"]
        assert [row["id"] for row in found] == [operation]
        assert len(olga.api.get(f"/api/v1/operations/?subject={paris.pk}").json()["results"]) == 1

    def test_capacity_is_kept_every_few_minutes_and_thinned_out(self, viewer: Person, paris: Any, control: Any) -> None:
        from datetime import timedelta

        from django.utils import timezone

        from apps.clouds import services as clouds
        from apps.inventory import capacity
        from apps.inventory.models import CapacitySample

        clouds.refresh(paris)
        assert capacity.sample(paris) is not None
        assert capacity.sample(paris) is None
        clouds.refresh(paris)
        assert capacity.sample(paris) is None
        now = timezone.now()
        CapacitySample.objects.bulk_create(
            CapacitySample(cloud=paris, at=now - timedelta(minutes=5 * number), memory_mib=number)
            for number in range(1, 12 * 24 * 4)
        )
        shown = viewer.api.get("/api/v1/clouds/paris/capacity/?days=3").json()
        assert shown["now"]["memory_mib"] == 2 * 512 * 1024
        assert 300 < len(shown["history"]) <= 401
        times = [point["at"] for point in shown["history"]]
        assert times == sorted(times)
        capacity.thin_out()
        old = CapacitySample.objects.filter(at__lt=now - timedelta(days=1, hours=1))
        assert old.count() in range(69, 74)  # one an hour
        assert CapacitySample.objects.filter(at__gt=now - timedelta(hours=23)).count() > 270
        assert viewer.api.get("/api/v1/clouds/paris/capacity/?days=0").status_code == 400

    def test_old_syncs_are_forgotten_and_the_last_ones_kept(self, paris: Any) -> None:
        from datetime import timedelta

        from django.utils import timezone

        from apps.inventory import housekeeping
        from apps.operations.models import Operation

        then = timezone.now() - timedelta(days=2)
        Operation.objects.bulk_create(
            Operation(
                organization=paris.organization,
                kind=kind,
                title=str(number),
                state="succeeded",
                cloud_id=paris.pk,
                finished_at=then,
            )
            for kind in ("sync", "deploy")
            for number in range(25)
        )
        assert housekeeping.forget_syncs() == 15
        assert Operation.objects.filter(kind="sync").count() == 10
        assert Operation.objects.filter(kind="deploy").count() == 25
        assert housekeeping.forget_syncs() == 0

    def test_the_rows_of_a_removed_cloud_go(self, alice: Person, stock: Any) -> None:
        from apps.clouds import services as clouds
        from apps.inventory import housekeeping
        from apps.inventory.models import Machine, Thing

        clouds.remove_cloud(alice.principal, stock)
        assert listed(alice) == []
        housekeeping.forget_removed()
        assert not Machine.objects.exists()
        assert not Thing.objects.exists()
