"""The pages on clouds: map, report, and no more of a cloud's inside than the reader may see."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.clouds import circuits, mapping
from apps.clouds.models import Cloud


def cloud_at(latitude, longitude, name="x"):
    return Cloud(name=name, latitude=latitude, longitude=longitude)


def test_places_are_where_they_are_on_the_map():
    assert mapping.point(80, -180) == (4, 4)  # the edge
    x, y = mapping.point(0, 0)
    assert (round(x), round(y)) == (144, 80)
    assert mapping.point(48.9, 2.4)[0] > x
    assert mapping.point(-90, 180) == (mapping.WIDTH - 4, mapping.HEIGHT - 4)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_clouds_of_one_place_stand_side_by_side(count):
    pins = mapping.pins([cloud_at(48.9, 2.4, str(number)) for number in range(count)])
    assert len(pins) == count
    gaps = [
        ((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5
        for at, one in enumerate(pins)
        for other in pins[at + 1 :]
    ]
    assert min(gaps) > 4.8  # two dots' width


def test_very_many_share_a_pin_that_counts_them():
    pins = mapping.pins([cloud_at(48.9, 2.4, str(number)) for number in range(40)] + [cloud_at(-33.9, 151.2)])
    assert sorted(len(pin.clouds) for pin in pins) == [1, 40]


def test_clouds_without_a_place_are_not_on_the_map():
    assert mapping.pins([cloud_at(None, None), cloud_at(5, None)]) == []


def test_the_list_is_on_the_map_and_every_pin_can_be_reached_by_keyboard(alice, make_cloud):
    make_cloud(alice, "paris", title="<script>alert(1)</script>")
    make_cloud(alice, "sydney", region="Sydney, AU")
    page = alice.browser.get("/clouds/").content.decode()
    assert "<script>alert(1)" not in page
    assert len(re.findall(r'<a href="/clouds/[a-z]+/" class="pin', page)) == 2
    assert 'transform="translate(' in page
    # Numbers of the drawing know no comma, whatever the language.
    french = alice.browser.get("/clouds/", HTTP_ACCEPT_LANGUAGE="fr").content.decode()
    assert re.findall(r"translate\([^)]*\)", french) == re.findall(r"translate\([^)]*\)", page)
    assert re.search(r'viewBox="0 0 288 136"', french)


def test_an_organization_without_clouds_is_told_what_they_are(alice, viewer):
    assert "Add a cloud" in alice.browser.get("/clouds/").content.decode()
    assert "Adding one needs the role Admin" in viewer.browser.get("/clouds/").content.decode()


def test_the_number_of_queries_does_not_grow_with_the_clouds(alice, make_cloud):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser = alice.browser

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/clouds/").status_code == 200
            assert alice.api.get("/api/v1/clouds/").status_code == 200
        return len(caught)

    make_cloud(alice, "c-0")
    queries()  # what is kept for later
    few = queries()
    for number in range(1, 12):
        make_cloud(alice, f"c-{number}")
    assert queries() == few


def test_the_report_names_what_is_missing_and_what_it_is_for(alice, viewer, paris):
    until = timezone.now() + timedelta(days=12, hours=1)
    paris.health = {
        "ok": True, "summary": "well", "code": None, "findings": [],
        "facts": {
            "product": "VMware vCenter Server", "version": "8.0.2", "latency_ms": 41.3, "clock_skew_s": -84.0,
            "privileges_asked": 24,
            "privileges_missing": [{"name": "Folder.Delete", "for": "remove a <b>deployment's</b> folder"}],
            "certificate": {"issuer": "CA 3", "valid_until": until.isoformat()},
        },
    }  # fmt: skip
    paris.health_at = timezone.now()
    paris.save()
    for person in (alice, viewer):
        page = person.browser.get("/clouds/paris/").content.decode()
        assert "VMware vCenter Server 8.0.2" in page
        assert "Folder.Delete" in page
        assert "remove a &lt;b&gt;deployment" in page
        assert "84 s apart" in page
        assert "The cloud is behind" in page
        assert "valid for 12 days" in page
    facts = alice.api.get("/api/v1/clouds/paris/").json()["health"]["facts"]
    assert facts["privileges_missing"][0]["name"] == "Folder.Delete"


def test_a_circuit_that_is_open_is_shown_on_page_and_in_json(alice, paris):
    from apps.clouds import services

    services.test_connection(paris)
    circuits.tell(paris.pk, 60)
    assert "is not asked for the moment" in alice.browser.get("/clouds/paris/").content.decode()
    assert alice.api.get("/api/v1/clouds/paris/").json()["health"]["circuit"]["state"] == "open"
    circuits.tell(paris.pk, 0)
    assert alice.api.get("/api/v1/clouds/paris/").json()["health"]["circuit"]["state"] == "closed"


def test_the_address_is_for_administrators(alice, viewer, paris):
    assert "fake.example" in alice.browser.get("/clouds/paris/").content.decode()
    assert "fake.example" not in viewer.browser.get("/clouds/paris/").content.decode()


def test_a_new_address_asks_for_the_credential_on_the_page_too(alice, paris):
    form = {"flavour": "private", "address": "other.example"}
    answer = alice.browser.post("/clouds/paris/edit/", form)
    assert answer.status_code == 422
    assert "not sent to an address that it was not entered for" in answer.content.decode()
    paris.refresh_from_db()
    assert paris.address == "fake.example"


def test_limits_prices_and_place_are_edited_on_the_page(alice, paris):
    form = {
        "flavour": "ovh", "address": "fake.example", "region": "Elsewhere", "latitude": "1.5", "longitude": "-2",
        "limit_machines": "40", "limit_cpus": "", "currency": "eur", "cpu_month": "9", "memory_gib_month": "4",
        "disk_gib_month": "0.1",
    }  # fmt: skip
    answer = alice.browser.post("/clouds/paris/edit/", form)
    assert answer.status_code == 302, answer.content.decode()
    paris.refresh_from_db()
    assert (paris.flavour, paris.limits, paris.latitude, paris.longitude) == ("ovh", {"machines": 40}, 1.5, -2.0)
    assert paris.prices["currency"] == "EUR"
    assert paris.options["state"], "what the form does not ask for stays"


def test_an_endpoint_in_the_options_is_an_address_like_any_other(alice):
    from apps.clouds import services
    from apps.tenancy.faults import Fault

    def add(**options):
        return services.register_cloud(
            alice.principal, name="ireland", kind="aws", address="", username="AKIA", password="canary-secret-key",
            options={"region": "eu-west-1", **options},
        )  # fmt: skip

    for options in ({"endpoint_url": "https://169.254.169.254"}, {"endpoint_urls": {"ec2": "https://[fe80::1]"}}):
        with pytest.raises(Fault) as caught:
            add(**options)
        assert caught.value.code == "cloud.address_refused"
    cloud = add()
    assert (cloud.address, cloud.latitude) == ("", 53.3)
    with pytest.raises(Fault) as caught:
        services.update_cloud(
            alice.principal, cloud, options={"region": "eu-west-1", "endpoint_url": "https://thief.example"}
        )
    assert caught.value.code == "cloud.credential_needed"


def test_a_cloud_in_use_offers_no_removal(alice, paris, monkeypatch):
    from apps.clouds import services

    monkeypatch.setattr(services, "_uses", [lambda cloud: ["shop"]])
    page = alice.browser.get("/clouds/paris/remove/").content.decode()
    assert "shop" in page
    assert 'name="confirm"' not in page


def test_only_administrators_read_why_a_cloud_fails(alice, viewer, paris):
    secret = "svc@vsphere.local was refused at vc.example"
    code = "cloud.not_authenticated"
    found = [{"severity": "error", "code": code, "message": secret}]
    paris.health = {"ok": False, "summary": secret, "code": code, "facts": {}, "findings": found}
    paris.save()
    for path in ("/", "/clouds/", "/clouds/paris/"):
        assert secret in alice.browser.get(path).content.decode()
        assert secret not in viewer.browser.get(path).content.decode()
    for path in ("/api/v1/clouds/", "/api/v1/clouds/paris/"):
        assert secret in alice.api.get(path).content.decode()
        told = viewer.api.get(path).content.decode()
        assert secret not in told
        assert code in told


def test_operators_test_and_read_clouds_on_pages_as_over_rest(olga, viewer, paris, control):
    page = olga.browser.get("/clouds/paris/").content.decode()
    for path in ("/clouds/paris/test/", "/clouds/paris/read/"):
        assert f'action="{path}"' in page
        assert viewer.browser.post(path).status_code == 403
        assert olga.browser.post(path).status_code == 302
    assert Cloud.objects.get(pk=paris.pk).inventory is not None
    assert 'action="/clouds/paris/switch/"' not in page
    assert olga.browser.post("/clouds/paris/switch/", {"enabled": "0"}).status_code == 403
