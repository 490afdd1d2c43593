import json
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from apps.clouds.models import Cloud
from apps.tenancy import tokens
from apps.tenancy.models import ApiToken, Membership, Organization, User

pytestmark = pytest.mark.django_db


def bootstrap(*arguments):
    out = StringIO()
    call_command("bootstrap", *arguments, stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def clouds_file(tmp_path):
    def write(**changed):
        facts = {
            "name": "paris", "title": "Paris", "kind": "vsphere", "flavour": "private", "region": "Paris",
            "address": "https://127.0.0.1:8989/sdk", "ca_pem": "", "thumbprint": "ab" * 32,
            "username": "escale@vsphere.local", "password": "the cloud's own password", **changed,
        }  # fmt: skip
        path = tmp_path / "clouds.json"
        path.write_text(json.dumps([facts]))
        return str(path)

    return write


def test_it_makes_three_people_whose_passwords_work():
    told = bootstrap("--people", "architect,admin,viewer")
    assert [person["username"] for person in told["people"]] == ["architect", "admin", "viewer"]
    for person in told["people"]:
        user = authenticate(username=person["username"], password=person["password"])
        assert user is not None
        assert Membership.objects.get(user=user).role == person["username"]


def test_a_second_time_changes_nothing_and_shows_no_password(tmp_path):
    token = tmp_path / "token"
    bootstrap("--people", "admin,viewer", "--token-file", str(token))
    text, password = token.read_text(), User.objects.get(username="admin").password
    told = bootstrap("--people", "admin,viewer", "--token-file", str(token))
    assert told["people"] == []
    assert told["token_is_new"] is False
    assert token.read_text() == text
    assert User.objects.get(username="admin").password == password
    assert Organization.objects.count() == 1
    assert ApiToken.objects.count() == 1


def test_the_token_works_and_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "token"
    assert bootstrap("--people", "admin", "--token-file", str(path))["token_is_new"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tokens.authenticate(path.read_text().strip()).user.username == "admin"


def test_a_token_that_no_longer_works_is_replaced(tmp_path):
    path = tmp_path / "token"
    bootstrap("--people", "admin", "--token-file", str(path))
    old = path.read_text()
    ApiToken.objects.all().delete()
    assert bootstrap("--token-file", str(path))["token_is_new"] is True
    assert path.read_text() != old


def test_without_an_administrator_there_is_no_token(tmp_path):
    with pytest.raises(CommandError, match="add admin to --people"):
        bootstrap("--people", "viewer", "--token-file", str(tmp_path / "token"))
    assert not User.objects.exists(), "what fails leaves nothing behind"


def test_it_registers_clouds_and_brings_a_moved_one_up_to_date(clouds_file):
    bootstrap("--clouds", clouds_file())
    first = Cloud.objects.get(name="paris")
    bootstrap("--clouds", clouds_file(address="https://127.0.0.1:9999/sdk"))
    moved = Cloud.objects.get(name="paris")
    assert moved.pk == first.pk
    assert "9999" in moved.address
    assert moved.address != first.address


def test_an_unchanged_cloud_is_left_alone(clouds_file):
    bootstrap("--clouds", clouds_file())
    version = Cloud.objects.get(name="paris").credential.version
    bootstrap("--clouds", clouds_file())
    assert Cloud.objects.get(name="paris").credential.version == version


def test_a_cloud_that_somebody_removed_stays_removed(clouds_file):
    from apps.clouds.services import remove_cloud

    bootstrap("--clouds", clouds_file())
    remove_cloud(None, Cloud.objects.get(name="paris"))
    bootstrap("--clouds", clouds_file())
    assert not Cloud.objects.present().exists()


def test_no_password_of_a_cloud_is_printed(clouds_file, capfd):
    told = bootstrap("--clouds", clouds_file())
    assert "the cloud's own password" not in json.dumps(told)
