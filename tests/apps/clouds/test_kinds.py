"""What a kind asks for is said once; page, API and terminal follow it."""

import pytest

from apps.clouds import checking, kinds, services
from apps.clouds.kinds import Ask, Kind
from apps.clouds.models import Cloud
from apps.tenancy.faults import Fault
from connectors import registry
from connectors.vsphere.flavours import FLAVOURS


def test_every_flavour_of_vsphere_can_be_chosen():
    assert set(checking.flavours("vsphere")) == set(FLAVOURS)


def test_kinds_say_what_they_ask_for(viewer):
    answer = viewer.api.get("/api/v1/clouds/kinds/")
    shown = {row["name"]: row for row in answer.json()["results"]}
    asks = {ask["name"]: ask for ask in shown["vsphere"]["asks"]}
    assert asks["address"]["required"] is True
    assert asks["password"]["secret"] is True
    assert [flavour["name"] for flavour in shown["vsphere"]["flavours"]] == ["private", "ovh", "ibm", "vmc", "evs"]


@pytest.fixture
def moon(monkeypatch):
    """A kind that nobody has heard of, with the fake connector under it."""
    kind = Kind(
        "moon",
        "Moon base",
        "Machines are craters.",
        place=(Ask("options.crater", "Crater", longest=10, pattern="[A-Z][a-z]+", example="Tycho"),),
        machines=(),
    )
    monkeypatch.setitem(kinds._KINDS, "moon", kind)
    monkeypatch.setitem(registry._FACTORIES, "moon", "connectors.fake:connect")
    return kind


def test_a_new_kind_is_asked_for_on_the_page_without_any_template(alice, moon):
    assert "Moon base" in alice.browser.get("/clouds/new/").content.decode()
    page = alice.browser.get("/clouds/new/?kind=moon").content.decode()
    assert "Crater" in page
    assert 'name="options_crater"' in page
    assert 'name="address"' not in page
    answer = alice.browser.post(
        "/clouds/new/?kind=moon",
        {"name": "base", "options_crater": "Tycho", "username": "neil", "password": "canary-eagle-7"},
    )
    assert answer.status_code == 302, answer.content.decode()
    cloud = Cloud.objects.get()
    assert (cloud.kind, cloud.address, cloud.options) == ("moon", "", {"crater": "Tycho"})


@pytest.mark.parametrize("crater", ["", "tycho", "T" * 11, 5])
def test_what_a_kind_asks_for_is_checked_everywhere(alice, moon, crater):
    with pytest.raises(Fault) as caught:
        services.register_cloud(
            alice.principal, name="base", kind="moon", address="", username="n", password="p",
            options={"crater": crater},
        )  # fmt: skip
    assert [param["name"] for param in caught.value.params] == ["options.crater"]


def test_a_kind_that_needs_an_address_gets_one(alice):
    with pytest.raises(Fault) as caught:
        services.register_cloud(alice.principal, name="x", kind="vsphere", address=" ", username="u", password="p")
    assert [param["name"] for param in caught.value.params] == ["address"]


@pytest.mark.parametrize("name", ["new", "kinds", "offers", "certificate"])
def test_words_of_our_own_addresses_are_no_names(alice, make_cloud, name):
    with pytest.raises(Fault):
        make_cloud(alice, name)
