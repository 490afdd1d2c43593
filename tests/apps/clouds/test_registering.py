import pytest

from apps.audit.models import Entry
from apps.clouds import services
from apps.clouds.models import Cloud, Credential
from apps.tenancy.faults import Fault
from tests.apps.clouds.conftest import PASSWORD


def params(call):
    with pytest.raises(Fault) as caught:
        call()
    return {param["name"] for param in caught.value.params}


def code(call):
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.code


def test_the_password_is_stored_sealed_and_nowhere_else(paris):
    credential = Credential.objects.get(cloud=paris)
    assert PASSWORD.encode() not in bytes(credential.sealed)
    assert PASSWORD not in str(Entry.objects.values())
    assert PASSWORD not in str(Credential.objects.values()) + repr(credential)


def test_everything_that_is_wrong_is_told_at_once(alice):
    wrong = {
        "name": "Paris!",
        "kind": "mainframe",
        "address": "vc.example",
        "username": "",
        "password": "",
        "thumbprint": "AA:BB",
        "ca_pem": "no certificate",
        "defaults": {"machine_cpus": -1, "colour": "blue", "private_supernet": "8.8.8.0/24", "isolation": "none"},
        "options": ["not", "an", "object"],
    }
    wrong.pop("options")
    names = params(lambda: services.register_cloud(alice.principal, **wrong))
    assert names >= {"name", "kind", "username", "password", "thumbprint", "ca_pem"}
    assert {f"defaults.{key}" for key in ("machine_cpus", "colour", "private_supernet", "isolation")} <= names


def test_a_sha_1_fingerprint_is_refused_and_a_written_one_is_normalised(alice, make_cloud):
    assert params(lambda: make_cloud(alice, thumbprint="AA:" * 19 + "AA")) == {"thumbprint"}
    cloud = make_cloud(alice, thumbprint="AB:" * 31 + "AB")
    assert cloud.thumbprint == "ab" * 32


def test_only_administrators_register_and_change_clouds(bob, viewer, olga, paris, make_cloud):
    for person in (bob, viewer, olga):
        assert code(lambda p=person: make_cloud(p, "other")) == "forbidden"
        assert code(lambda p=person: services.update_cloud(p.principal, paris, title="x")) == "forbidden"
        assert code(lambda p=person: services.rotate_credential(p.principal, paris, "u", "p")) == "forbidden"
        assert code(lambda p=person: services.remove_cloud(p.principal, paris)) == "forbidden"


def test_an_administrator_of_another_organization_finds_no_such_cloud(charlie, paris):
    assert code(lambda: services.update_cloud(charlie.principal, paris, title="x")) == "not_found"
    assert code(lambda: services.find_cloud(charlie.principal, "paris")) == "cloud.unknown"
    assert code(lambda: services.find_cloud(charlie.principal, paris.pk)) == "cloud.unknown"


def test_a_cloud_is_found_by_id_and_by_name(alice, paris):
    for reference in ("paris", str(paris.pk), paris.pk):
        assert services.find_cloud(alice.principal, reference) == paris


def test_two_organizations_may_use_the_same_name(alice, charlie, paris, make_cloud):
    assert make_cloud(charlie).name == "paris"
    assert code(lambda: make_cloud(alice)) == "cloud.name_in_use"


def test_the_password_is_not_sent_to_an_address_that_it_was_not_entered_for(alice, paris):
    assert (
        code(lambda: services.update_cloud(alice.principal, paris, address="evil.example")) == "cloud.credential_needed"
    )
    assert Cloud.objects.get(pk=paris.pk).address == "fake.example"
    services.update_cloud(alice.principal, paris, address="other.example", username="u", password="p")
    assert Cloud.objects.get(pk=paris.pk).address == "other.example"
    assert Credential.objects.get(cloud=paris).version == 2


def test_what_is_sent_unchanged_needs_no_password(alice, paris):
    services.update_cloud(alice.principal, paris, address="fake.example", title="Paris 2")
    assert Cloud.objects.get(pk=paris.pk).title == "Paris 2"


def test_a_cloud_that_is_used_is_not_removed(alice, paris, monkeypatch):
    monkeypatch.setattr(services, "_uses", [lambda cloud: ["shop", "blog"]])
    with pytest.raises(Fault) as caught:
        services.remove_cloud(alice.principal, paris)
    assert caught.value.code == "cloud.in_use"
    assert "blog, shop" in caught.value.detail
    assert Credential.objects.filter(cloud=paris).exists()


def test_a_removed_cloud_forgets_its_credential_and_frees_its_name(alice, paris, make_cloud):
    services.remove_cloud(alice.principal, paris)
    assert not Credential.objects.filter(cloud=paris).exists()
    assert code(lambda: services.find_cloud(alice.principal, "paris")) == "cloud.unknown"
    assert code(lambda: services.update_cloud(alice.principal, paris, title="x")) == "cloud.unknown"
    assert make_cloud(alice).pk != paris.pk


def test_the_fake_cloud_exists_only_in_the_sandbox(alice, make_cloud, settings):
    settings.SANDBOX = False
    assert params(lambda: make_cloud(alice)) == {"kind"}


def test_a_credential_that_was_tried_leaves_what_the_trial_found(alice, paris):
    paris.health = {"ok": False, "summary": "The password is wrong", "code": "cloud.not_authenticated"}
    paris.save()
    from tests.apps.clouds.conftest import PASSWORD

    services.rotate_credential(alice.principal, paris, "escale@vsphere.local", PASSWORD)
    assert Cloud.objects.get(pk=paris.pk).health["ok"] is True
    services.update_cloud(alice.principal, paris, username="escale@vsphere.local", password=PASSWORD)
    assert Cloud.objects.get(pk=paris.pk).health is None


def test_a_cloud_that_moves_takes_the_coordinates_of_its_new_place(alice, paris):
    services.update_cloud(alice.principal, paris, region="Paris", latitude=None, longitude=None)
    there = services.find_cloud(alice.principal, "paris")
    moved = services.update_cloud(alice.principal, there, region="Frankfurt")
    assert moved.latitude is not None
    assert moved.latitude != there.latitude
    assert services.update_cloud(alice.principal, moved, region="Nowhere at all").latitude is None
