"""The pages of the inventory: any number of rows, names as text, filters that the address keeps, saved views."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from connectors.listing import Item
from tests.apps.inventory.conftest import machine
from tests.people import Person

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def browser(alice: Person) -> Client:
    return signed_in(alice)


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def fill(cloud: Any, items: list[Item]) -> None:
    from apps.inventory import syncing, writing
    from apps.inventory.models import SyncState

    writing.store(cloud.pk, items, (), full=False)
    state = syncing.state_of(cloud)
    SyncState.objects.filter(pk=state.pk).update(counts=writing.counts(cloud.pk), synced_at=timezone.now())


def text(client: Client, address: str, **query: Any) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def test_an_inventory_without_rows_says_what_it_is_for(browser: Client) -> None:
    assert "Nothing has been listed yet" in text(browser, "/inventory/")


def test_names_from_clouds_are_text(browser: Client, paris: Any) -> None:
    fill(paris, [machine(1, name=HOSTILE, folder=HOSTILE, annotation=HOSTILE, tags=[HOSTILE], host=HOSTILE)])
    from apps.inventory.models import Machine

    row = Machine.objects.get()
    for address in ("/inventory/", "/inventory/facets/", f"/inventory/machines/{row.pk}/"):
        page = text(browser, address, **({"column": ["host", "folder", "tags"]} if address == "/inventory/" else {}))
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(" in page or address == "/inventory/facets/"


def test_a_page_of_many_machines_takes_as_many_queries_as_one_of_few(
    browser: Client, paris: Any, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    fill(paris, [machine(number) for number in range(60)])
    text(browser, "/inventory/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        page = text(browser, "/inventory/", limit=50)
    assert page.count('data-label="Power"') == 50
    fill(paris, [machine(number) for number in range(60, 1_500)])
    with CaptureQueriesContext(connection) as many:
        text(browser, "/inventory/", limit=50)
    assert len(many) == len(few)


def test_the_list_is_walked_page_by_page_without_losing_a_row(browser: Client, paris: Any) -> None:
    import re

    fill(paris, [machine(number) for number in range(125)])
    seen: list[str] = []
    address: str | None = "/inventory/?limit=50&sort=-memory_mib"
    while address:
        page = browser.get(address).content.decode()
        seen += re.findall(r'href="/inventory/machines/([0-9a-f-]{36})/"', page)
        onward = re.search(r'rel="next" href="([^"]+)"', page)
        address = onward.group(1).replace("&amp;", "&") if onward else None
    assert len(seen) == len(set(seen)) == 125


def test_filters_narrow_the_list_and_can_be_taken_off_one_by_one(browser: Client, paris: Any) -> None:
    fill(paris, [machine(number) for number in range(12)])
    page = text(browser, "/inventory/", power="off", cluster="cluster-0")
    assert "web-00000" in page
    assert "web-00001" not in page
    assert 'href="?cluster=cluster-0"' in page  # the way to take "power" off
    assert 'href="?power=off"' in page
    assert "Nothing matches these filters" in text(browser, "/inventory/", q="no-such-machine")


def test_what_cannot_be_a_filter_is_refused_with_a_reason(browser: Client, paris: Any) -> None:
    answer = browser.get("/inventory/", {"power": "sideways"})
    assert answer.status_code == 400
    assert b"invalid" in answer.content
    assert browser.get("/inventory/", {"kind": "spaceship"}).status_code == 404
    assert browser.get("/inventory/", {"sort": "digest"}).status_code == 400


def test_each_kind_shows_its_own_columns(browser: Client, paris: Any) -> None:
    fill(
        paris,
        [
            Item("host", "host-1", "host-1", "esx-01", {"cluster": "c", "cpu_mhz": 64000, "cpu_used_mhz": 16000}),
            Item("datastore", "ds-1", "ds-1", "nvme", {"type": "VMFS", "capacity_gib": 2048.0, "free_gib": 512.0}),
            Item("network", "net-1", "net-1", "backend", {"type": "nsx", "segment": "seg-7"}),
        ],
    )
    assert "16 of 64 GHz" in text(browser, "/inventory/", kind="host")
    assert "1,536 of 2,048 GiB" in text(browser, "/inventory/", kind="datastore")
    assert "seg-7" in text(browser, "/inventory/", kind="network")
    from apps.inventory.models import Thing

    store = Thing.objects.get(kind="datastore")
    page = text(browser, f"/inventory/things/{store.pk}/")
    assert "VMFS" in page
    assert "datastore=nvme" in page  # the way to its machines


def test_a_machine_s_page_tells_disks_cards_and_whose_it_is(browser: Client, paris: Any) -> None:
    disks = [{"label": "Hard disk 1", "size_gib": 40, "datastore": "nvme-0", "path": "[nvme-0] web/web.vmdk"}]
    fill(paris, [machine(1, disks=disks)])
    from apps.inventory.models import Machine

    page = text(browser, f"/inventory/machines/{Machine.objects.get().pk}/")
    assert "[nvme-0] web/web.vmdk" in page
    assert "00:50:56:00:00:01" in page
    assert "Nothing of Escale is on it" in page


def test_facets_count_what_each_filter_would_leave(browser: Client, paris: Any) -> None:
    fill(paris, [machine(number) for number in range(9)])
    page = text(browser, "/inventory/facets/")
    assert "9 machines" in page
    assert "power=on" in page
    assert "tag=env-1" in page


def test_a_view_is_saved_opened_changed_and_deleted(browser: Client, alice: Person, paris: Any) -> None:
    from apps.inventory.models import View

    query = "power=on&column=host&column=guest&sort=-cpus&q=web"
    saved = browser.post("/inventory/views/", {"name": "Awake", "query": query, "shared": "1"})
    view = View.objects.get()
    assert saved.status_code == 302
    assert (view.filters, view.columns, view.sort) == ({"power": "on", "q": "web"}, ["host", "guest"], "-cpus")
    assert view.shared
    opened = browser.get(f"/inventory/views/{view.pk}/")
    assert f"view={view.pk}" in opened.headers["Location"]
    page = browser.get(opened.headers["Location"]).content.decode()
    assert "Awake" in page
    browser.post("/inventory/views/", {"name": "Awake", "query": "power=off", "view": str(view.pk)})
    view.refresh_from_db()
    assert view.filters == {"power": "off"}
    browser.post(f"/inventory/views/{view.pk}/delete/")
    assert not View.objects.exists()


def test_a_view_that_cannot_be_shown_is_not_saved(browser: Client, paris: Any) -> None:
    from apps.inventory.models import View

    for query in ("power=sideways", "sort=digest", "column=password", "nothing=1"):
        browser.post("/inventory/views/", {"name": "Bad", "query": query})
    assert not View.objects.exists()


def test_strangers_see_no_row_no_view_and_no_capacity(browser: Client, charlie: Person, paris: Any) -> None:
    from apps.inventory.models import Machine, View

    fill(paris, [machine(1)])
    browser.post("/inventory/views/", {"name": "Mine", "query": "", "shared": "1"})
    stranger = signed_in(charlie)
    assert "web-00001" not in text(stranger, "/inventory/")
    assert stranger.get(f"/inventory/machines/{Machine.objects.get().pk}/").status_code == 404
    assert stranger.get(f"/inventory/views/{View.objects.get().pk}/").status_code == 404
    assert stranger.get("/inventory/capacity/", {"cloud": "paris"}).status_code == 404
    assert stranger.post("/inventory/sync/paris/").status_code == 404


def test_capacity_is_plotted_with_its_figures_in_words(browser: Client, paris: Any) -> None:
    from apps.clouds.services import refresh
    from apps.inventory.models import CapacitySample

    assert refresh(paris).ok
    now = timezone.now()
    for hours in range(48):
        CapacitySample.objects.create(
            cloud=paris, at=now - timedelta(hours=48 - hours), machines=hours, cpu_mhz=320_000,
            cpu_used_mhz=100_000 + hours * 1000, memory_mib=1_048_576, memory_used_mib=400_000,
            memory_reserved_mib=100_000, storage_gib=6144, storage_used_gib=2000.0, storage_reserved_gib=500.0,
        )  # fmt: skip
    page = text(browser, "/inventory/capacity/")
    assert page.count('<svg viewBox="0 0 600 120"') == 3
    assert "plot-reserved" in page
    assert "The same as a table" in page
    assert "NaN" not in page


def test_plots_of_nothing_and_of_standstill_have_finite_points() -> None:
    from apps.inventory import capacity, plots

    at = timezone.now()
    empty = {"at": at, **dict.fromkeys(capacity.FIELDS, 0)}
    assert plots.plots(None, []) == []
    for history in ([], [empty], [empty, {**empty}]):
        for plot in plots.plots(empty, history):
            assert plot.share == 0
            assert "nan" not in (plot.used + plot.used_area).lower()


def test_hosts_and_clusters_tell_how_busy_they_were_at_the_last_reading(browser: Client, paris: Any) -> None:
    from apps.clouds.models import Cloud

    facts = {"cpu_mhz": 64_000, "memory_mib": 524_288}
    fill(paris, [Item("host", "host-1", "host-1", "esx-01", facts), Item("cluster", "c-1", "c-1", "Compute", facts)])
    assert "0 of 64 GHz" in text(browser, "/inventory/", kind="host")
    busy = {"cpu_used_mhz": 32_000, "memory_used_mib": 262_144}
    inventory = {"hosts": [{"id": "host-1", "name": "esx-01", **busy}], "clusters": [{"id": "c-1", **busy}]}
    Cloud.objects.filter(pk=paris.pk).update(inventory=inventory)
    for kind in ("host", "cluster"):
        page = text(browser, "/inventory/", kind=kind)
        assert "32 of 64 GHz" in page
        assert "256 of 512 GiB" in page
    answer = browser.get("/api/v1/inventory/things/", {"kind": "host"}).json()
    assert answer["results"][0]["facts"]["cpu_used_mhz"] == 32_000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/inventory/?q=%00", None),
        ("get", "/inventory/facets/?tag=a%00", None),
        ("post", "/inventory/views/", {"name": "a\0", "query": ""}),
        ("post", "/clouds/paris/sharing/", {"own": "1", "projects": "\0"}),
        ("post", "/onboarding/new/", {"cloud": "paris", "name": "estate", "machine": "\0"}),
    ],
)
def test_a_nul_is_refused_by_every_page(method: str, path: str, body: Any, alice: Person, paris: Any) -> None:
    answer = getattr(alice.browser, method)(path, body)
    assert answer.status_code == 400, answer.content


def test_a_view_without_a_name_is_not_saved(alice: Person, paris: Any) -> None:
    from apps.inventory.models import View

    answer = alice.browser.post("/inventory/views/", {"name": "  ", "query": "power=on"}, follow=True)
    assert "is needed" in answer.content.decode()
    assert not View.objects.exists()
