import pytest

from apps.clouds.models import Cloud
from tests.apps.clouds.conftest import PASSWORD

CLOUDS = "/api/v1/clouds/"


@pytest.fixture
def body(state):
    return {
        "name": "paris",
        "kind": "fake",
        "title": "Paris",
        "region": "Paris, FR",
        "address": "fake.example",
        "username": "escale",
        "password": PASSWORD,
    }


def test_an_administrator_registers_tests_and_reads_a_cloud(alice, body):
    made = alice.api.post(CLOUDS, body)
    assert made.status_code == 201, made.content
    assert (made.json()["health"], made.json()["capacity"]) == (None, None)
    tested = alice.api.post(f"{CLOUDS}paris/test/")
    assert (tested.status_code, tested.json()["ok"]) == (200, True)
    read = alice.api.post(f"{CLOUDS}{made.json()['id']}/refresh/")
    assert read.json()["capacity"]["clusters"] > 0
    inventory = alice.api.get(f"{CLOUDS}paris/inventory/").json()
    assert inventory["clusters"]
    assert inventory["read_at"]


def test_the_password_never_comes_out(alice, viewer, body):
    made = alice.api.post(CLOUDS, body)
    answers = [made, alice.api.patch(f"{CLOUDS}paris/", {"username": "x", "password": PASSWORD + "2"})]
    answers += [alice.api.put(f"{CLOUDS}paris/credential/", {"username": "x", "password": PASSWORD})]
    for person in (alice, viewer):
        answers += [
            person.api.get(CLOUDS),
            person.api.get(f"{CLOUDS}paris/"),
            person.api.get(f"{CLOUDS}paris/inventory/"),
        ]
    for answer in answers:
        assert answer.status_code < 300, answer.content
        assert PASSWORD not in answer.content.decode()
        assert "sealed" not in answer.content.decode()


def test_addresses_and_trust_are_shown_to_administrators_only(alice, viewer, paris):
    hidden = {"address", "thumbprint", "ca_pem", "options", "credential"}
    shown = alice.api.get(f"{CLOUDS}paris/").json()
    assert hidden <= set(shown)
    assert shown["credential"]["version"] == 1
    for row in (viewer.api.get(f"{CLOUDS}paris/").json(), viewer.api.get(CLOUDS).json()["results"][0]):
        assert not hidden & set(row)


def test_a_list_can_be_narrowed(alice, paris, make_cloud):
    make_cloud(alice, "roubaix", flavour="ovh")
    names = lambda query: [row["name"] for row in alice.api.get(f"{CLOUDS}?{query}").json()["results"]]  # noqa: E731
    assert names("") == ["paris", "roubaix"]
    assert names("flavour=ovh") == ["roubaix"]
    assert names("kind=vsphere") == []
    assert alice.api.get(f"{CLOUDS}?kind=%00").status_code == 400


def test_the_credential_is_exchanged_only_when_the_cloud_takes_it(alice, paris):
    wrong = alice.api.put(f"{CLOUDS}paris/credential/", {"username": "escale", "password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "cloud.not_authenticated")
    assert "wrong" not in wrong.json()["detail"].replace("went wrong", "")
    right = alice.api.put(f"{CLOUDS}paris/credential/", {"username": "escale", "password": PASSWORD})
    assert right.status_code == 204
    assert alice.api.get(f"{CLOUDS}paris/").json()["credential"]["version"] == 2


def test_files_of_the_server_cannot_be_named_in_options(alice, body):
    answer = alice.api.post(CLOUDS, {**body, "options": {"state": "/etc/escale.sqlite"}})
    assert (answer.status_code, answer.json()["params"][0]["name"]) == (400, "options")
    assert not Cloud.objects.exists()


def test_a_removed_cloud_is_gone(alice, paris):
    assert alice.api.delete(f"{CLOUDS}paris/").status_code == 204
    assert alice.api.get(f"{CLOUDS}paris/").status_code == 404
    assert alice.api.get(CLOUDS).json()["results"] == []


def test_a_cloud_that_is_down_answers_its_test_all_the_same(alice, paris, control):
    control.fault("probe", "refuse", code="cloud.unreachable", message="It is gone - for a test - wait")
    answer = alice.api.post(f"{CLOUDS}paris/test/")
    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["code"]) == (False, "cloud.unreachable")
    assert alice.api.get(f"{CLOUDS}paris/").json()["health"]["ok"] is False


def test_the_list_asks_the_database_the_same_number_of_times_for_few_and_many(
    alice, paris, make_cloud, django_assert_max_num_queries
):
    for number in range(8):
        make_cloud(alice, f"cloud-{number}")
    with django_assert_max_num_queries(5):
        assert len(alice.api.get(CLOUDS).json()["results"]) == 9


def test_a_number_too_large_for_degrees_is_a_bad_request(alice, paris):
    answer = alice.api.patch(f"{CLOUDS}paris/", '{"latitude": 1%s}' % ("0" * 400), content_type="application/json")
    assert answer.status_code == 400, answer.content
