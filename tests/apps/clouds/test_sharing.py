"""A cloud is used by whom its owner lets, after they said yes, and they see no more of it than they need."""

import pytest

from apps.clouds import holdings, services, sharing
from apps.clouds.models import Cloud, CloudGrant
from apps.tenancy import services as tenancy
from apps.tenancy.access import System
from apps.tenancy.faults import Fault
from tests.people import make_person

CLOUDS = "/api/v1/clouds/"
OFFERS = "/api/v1/cloud-offers/"


@pytest.fixture
def offered(alice, charlie, paris):
    """Acme's paris, offered to globex."""
    answer = alice.api.post(f"{CLOUDS}paris/grants/", {"organization": "globex"})
    assert answer.status_code == 201, answer.content
    return CloudGrant.objects.get(pk=answer.json()["id"])


@pytest.fixture
def shared(charlie, offered):
    """The same, accepted by charlie."""
    answer = charlie.api.post(f"{OFFERS}{offered.pk}/accept/")
    assert answer.status_code == 200, answer.content
    return CloudGrant.objects.get(pk=offered.pk)


def names(person):
    return [row["name"] for row in person.api.get(CLOUDS).json()["results"]]


def test_an_offer_is_nothing_until_it_is_accepted(charlie, attic, offered, paris):
    assert names(charlie) == []
    assert charlie.api.get(f"{CLOUDS}paris/").status_code == 404
    assert not Cloud.objects.usable_by(attic).exists()
    shown = charlie.api.get(OFFERS).json()["results"]
    assert [(row["cloud"]["name"], row["owner"]["slug"], row["accepted"]) for row in shown] == [
        ("paris", "acme", False)
    ]
    assert charlie.api.post(f"{OFFERS}{offered.pk}/accept/").json()["accepted"] is True
    assert names(charlie) == ["paris"]
    assert list(Cloud.objects.usable_by(attic)) == [paris]


def test_those_it_is_shared_with_see_nothing_of_its_inside(alice, charlie, paris, shared):
    services.test_connection(paris)
    shown = charlie.api.get(f"{CLOUDS}paris/").json()
    assert shown["owner"] == {"slug": "acme", "name": "Acme"}
    assert not {"address", "thumbprint", "ca_pem", "options", "credential"} & set(shown)
    assert (shown["limits"], shown["health"]["ok"]) == (None, True)
    assert (shown["health"]["facts"], shown["health"]["findings"]) == ({}, [])
    assert "fake.example" not in str(shown)
    assert alice.api.get(f"{CLOUDS}paris/").json()["owner"] is None
    page = charlie.browser.get("/clouds/paris/").content.decode()
    assert "fake.example" not in page
    assert "Exchange the credential" not in page
    services.refresh(paris)
    paris.inventory["hosts"] = [{"id": "host-1", "name": "esx-1", "cpu_used_mhz": 1, "memory_used_mib": 1}]
    paris.save()
    assert alice.api.get(f"{CLOUDS}paris/inventory/").json()["hosts"]
    inside = charlie.api.get(f"{CLOUDS}paris/inventory/").json()
    assert "hosts" not in inside
    assert inside["clusters"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "test/", {}),
        ("post", "refresh/", {}),
        ("get", "usage/", None),
        ("get", "grants/", None),
        ("post", "grants/", {"organization": "umbrella"}),
        ("patch", "", {"title": "Mine now"}),
        ("put", "credential/", {"username": "u", "password": "p"}),
        ("delete", "", None),
    ],
)
def test_those_it_is_shared_with_change_nothing(charlie, shared, paris, method, path, body):
    answer = getattr(charlie.api, method)(f"{CLOUDS}paris/{path}", *([body] if body is not None else []))
    assert answer.status_code == 404, answer.content
    paris.refresh_from_db()
    assert (paris.title, paris.removed_at) == ("Paris", None)


@pytest.mark.parametrize("page", ["edit", "credential", "remove", "sharing"])
def test_its_owners_pages_do_not_exist_for_them(charlie, shared, page):
    assert charlie.browser.get(f"/clouds/paris/{page}/").status_code == 404


def test_an_owner_cannot_find_out_who_exists(alice, charlie, paris):
    answers = [
        alice.api.post(f"{CLOUDS}paris/grants/", {"organization": slug, "project": project})
        for slug, project in (("globex", ""), ("nobody", ""), ("globex", "attic"), ("globex", "no-such"))
    ]
    assert {answer.status_code for answer in answers} == {201}
    shown = alice.api.get(f"{CLOUDS}paris/grants/").json()["results"]
    assert {row["accepted"] for row in shown} == {False}
    assert {frozenset(row) for row in shown} == {frozenset(shown[0])}


def test_a_slug_that_stands_for_nothing_does_not_begin_to_when_somebody_takes_it(alice, paris, db):
    alice.api.post(f"{CLOUDS}paris/grants/", {"organization": "later"})
    later = tenancy.create_organization("later", "Later")
    lena = make_person("lena", later, "admin")
    assert lena.api.get(OFFERS).json()["results"] == []


def test_a_right_for_one_project_holds_for_no_other(alice, charlie, globex, attic, paris):
    cellar = tenancy.create_project(System(globex), "cellar", "Cellar")
    grant = sharing.share(alice.principal, paris, "globex", "attic")
    sharing.accept(charlie.principal, grant)
    assert list(Cloud.objects.usable_by(attic)) == [paris]
    assert not Cloud.objects.usable_by(cellar).exists()
    carla = make_person("carla", globex, "architect", cellar)
    assert names(carla) == []
    arno = make_person("arno", globex, "architect", attic)
    assert names(arno) == ["paris"]


@pytest.mark.parametrize("role", ["viewer", "architect", "operator"])
def test_only_administrators_accept(globex, offered, role):
    person = make_person(f"g-{role}", globex, role)
    assert person.api.post(f"{OFFERS}{offered.pk}/accept/").status_code == 403
    assert person.api.get(OFFERS).status_code == 403
    assert person.browser.post(f"/clouds/offers/{offered.pk}/", {"answer": "accept"}).status_code == 403
    offered.refresh_from_db()
    assert offered.accepted_at is None


def test_nobody_accepts_what_is_offered_to_others(alice, charlie, paris):
    sharing.share(alice.principal, paris, "umbrella")
    grant = CloudGrant.objects.get()
    assert charlie.api.post(f"{OFFERS}{grant.pk}/accept/").status_code == 404
    assert alice.api.post(f"{OFFERS}{grant.pk}/accept/").status_code == 404


def test_a_name_stands_for_one_cloud_in_an_organization(charlie, offered, make_cloud):
    make_cloud(charlie, "paris")
    answer = charlie.api.post(f"{OFFERS}{offered.pk}/accept/")
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud.name_in_use")


def test_nobody_takes_the_name_of_a_cloud_that_was_accepted(charlie, shared, make_cloud):
    with pytest.raises(Fault) as caught:
        make_cloud(charlie, "paris")
    assert caught.value.code == "cloud.name_in_use"


def test_a_right_is_not_taken_from_under_deployments(alice, charlie, globex, attic, paris, shared, monkeypatch):
    held = holdings.Holding(paris.pk, attic.pk, globex.pk, "their-secret-project", {"machines": 2})
    monkeypatch.setattr(holdings, "_finders", [lambda cloud: [held]])
    answer = alice.api.delete(f"{CLOUDS}paris/grants/{shared.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud.grant_in_use")
    assert "1 deployments" in answer.json()["detail"]
    assert "their-secret-project" not in answer.content.decode()
    # Its holder is told which they are.
    answer = charlie.api.delete(f"{OFFERS}{shared.pk}/")
    assert (answer.status_code, answer.json()["used_by"]) == (409, ["their-secret-project"])
    # A right that another one covers may go.
    other = sharing.share(alice.principal, paris, "globex", "attic")
    sharing.accept(charlie.principal, other)
    assert alice.api.delete(f"{CLOUDS}paris/grants/{shared.pk}/").status_code == 204
    assert names(charlie) == ["paris"]


def test_a_right_that_nobody_lives_by_is_taken_back_and_given_back(alice, charlie, shared):
    assert charlie.api.delete(f"{OFFERS}{shared.pk}/").status_code == 204
    assert names(charlie) == []
    assert alice.api.get(f"{CLOUDS}paris/grants/").json()["results"] == []


def test_a_removed_cloud_is_gone_for_all(alice, charlie, shared, paris):
    services.remove_cloud(alice.principal, paris)
    assert names(charlie) == []
    assert charlie.api.get(OFFERS).json()["results"] == []


@pytest.mark.parametrize(
    "body", [{"organization": "acme"}, {"organization": ""}, {"organization": "a b"}, {"organization": "x" * 64}, {}]
)
def test_what_is_no_other_organization_is_refused(alice, paris, body):
    assert alice.api.post(f"{CLOUDS}paris/grants/", body).status_code in (400, 422)
    assert not CloudGrant.objects.exists()


def test_the_same_offer_is_not_made_twice(alice, charlie, offered):
    answer = alice.api.post(f"{CLOUDS}paris/grants/", {"organization": "Globex "})
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud.shared_already")


def test_sharing_is_in_both_audit_logs(alice, charlie, shared):
    from apps.audit.models import Entry

    rows = set(Entry.objects.values_list("organization__slug", "action"))
    assert {("acme", "cloud.share"), ("globex", "cloud.accept")} <= rows


def test_an_owner_keeps_a_cloud_for_some_of_its_own_projects(alice, bob, shop, paris):
    lab = tenancy.create_project(System(alice.organization), "lab", "Laboratory")
    answer = alice.api.patch(f"{CLOUDS}paris/", {"projects": ["lab"]})
    assert answer.status_code == 200, answer.content
    assert answer.json()["projects"] == ["lab"]
    assert list(Cloud.objects.usable_by(lab)) == [paris]
    assert not Cloud.objects.usable_by(shop).exists()
    assert "projects" not in (bob.api.get(f"{CLOUDS}paris/").json() or {})
    alice.api.patch(f"{CLOUDS}paris/", {"projects": []})
    assert list(Cloud.objects.usable_by(shop)) == [paris]
    refused = alice.api.patch(f"{CLOUDS}paris/", {"projects": ["attic"]})
    assert refused.status_code == 400
    assert refused.json()["params"][0]["name"] == "projects"


def test_a_project_with_deployments_is_not_shut_out(alice, shop, paris, monkeypatch):
    lab = tenancy.create_project(System(alice.organization), "lab", "Laboratory")
    held = holdings.Holding(paris.pk, shop.pk, alice.organization.pk, "web", {})
    monkeypatch.setattr(holdings, "_finders", [lambda cloud: [held]])
    refused = alice.api.patch(f"{CLOUDS}paris/", {"projects": [lab.slug]})
    assert refused.status_code == 409
    assert refused.json()["code"] == "cloud.grant_in_use"
    assert alice.api.patch(f"{CLOUDS}paris/", {"projects": [lab.slug, shop.slug]}).status_code == 200
