import datetime

import pytest
from django.utils import timezone

from apps.clouds import reading, services, tasks
from apps.clouds.models import Cloud
from apps.tenancy.faults import Fault
from tests.apps.clouds.conftest import PASSWORD


def test_a_refresh_stores_health_inventory_and_capabilities(paris):
    assert services.refresh(paris).ok
    stored = Cloud.objects.get(pk=paris.pk)
    assert stored.health["ok"] is True
    assert stored.health["facts"]["product"] == "Fake cloud"
    assert stored.inventory["clusters"]
    assert "progress" in stored.capabilities
    assert stored.inventory_at is not None


def test_trouble_is_stored_as_health_and_keeps_the_last_inventory(paris, control):
    services.refresh(paris)
    before = Cloud.objects.get(pk=paris.pk)
    control.fault("probe", "refuse", code="cloud.unreachable", message="It is gone - for a test - wait")
    assert not services.refresh(paris).ok
    stored = Cloud.objects.get(pk=paris.pk)
    assert (stored.health["ok"], stored.health["code"]) == (False, "cloud.unreachable")
    assert (stored.inventory, stored.inventory_at) == (before.inventory, before.inventory_at)
    assert reading.fault_of(stored).code == "cloud.unreachable"


def test_a_wrong_password_is_told_as_such(alice, make_cloud, state):
    cloud = make_cloud(alice, password="a wrong one")
    health = services.test_connection(cloud)
    assert not health.ok
    assert cloud.health["code"] == "cloud.not_authenticated"
    assert "a wrong one" not in str(cloud.health)


def test_our_own_failure_is_told_by_a_number_only(paris, monkeypatch, caplog):
    def broken(access):
        raise RuntimeError(f"an SDK that says {access.password}")

    monkeypatch.setattr(reading.connections.registry, "connect", broken)
    health = services.refresh(paris)
    assert not health.ok
    assert PASSWORD not in str(paris.health)
    assert "RuntimeError" not in str(paris.health)
    assert paris.health["code"] == "internal"


def test_a_target_is_what_was_read_with_the_administrators_defaults(alice, make_cloud):
    cloud = make_cloud(alice, defaults={"template": "debian", "machine_cpus": 4, "cluster": ""})
    services.refresh(cloud)
    target = services.target(cloud)
    assert (target.name, target.kind) == ("paris", "fake")
    assert target.defaults == {"template": "debian", "machine_cpus": 4}
    assert target.inventory.clusters
    assert "data_disks" in target.capabilities


def test_a_cloud_that_was_never_read_is_read_when_it_is_needed(paris):
    assert paris.inventory is None
    assert services.target(paris).inventory.datastores


def test_a_cloud_that_cannot_be_read_is_no_target(paris, control):
    control.fault("probe", "refuse", code="cloud.unreachable", message="It is gone - for a test - wait")
    with pytest.raises(Fault) as caught:
        services.target(paris)
    assert caught.value.code == "cloud.not_read"
    assert caught.value.extra == {"cloud_code": "cloud.unreachable"}
    # Whoever plans may be of another organization: what the cloud says of itself is for its administrators.
    assert "It is gone" not in caught.value.detail
    assert paris.health["summary"].startswith("It is gone")


def test_a_disabled_cloud_is_no_target(paris):
    services.update_cloud(None, paris, enabled=False)
    with pytest.raises(Fault) as caught:
        services.target(Cloud.objects.get(pk=paris.pk))
    assert caught.value.code == "cloud.disabled"


def test_capacity_sums_the_inventory(paris):
    assert services.capacity(paris) is None
    services.refresh(paris)
    sums = services.capacity(paris)
    clusters = paris.inventory["clusters"]
    assert sums["memory_mib"] == sum(cluster["memory_mib"] for cluster in clusters)
    assert sums["memory_free_mib"] <= sums["memory_mib"]
    assert sums["clusters"] == len(clusters)


def test_only_one_process_reads_a_cloud_at_a_time(paris, monkeypatch):
    read = []

    def slow(cloud):
        read.append(reading.refresh_alone(cloud))  # another worker comes while this one reads
        return reading.Health(ok=True, summary="well")

    monkeypatch.setattr(reading, "refresh", slow)
    assert tasks.refresh_cloud(str(paris.pk)) is True
    assert read == [None]
    assert Cloud.objects.get(pk=paris.pk).refreshing_until is None


def test_the_lease_of_a_killed_worker_ends_by_itself(paris):
    Cloud.objects.update(refreshing_until=timezone.now() + datetime.timedelta(seconds=30))
    assert tasks.refresh_cloud(str(paris.pk)) is False
    Cloud.objects.update(refreshing_until=timezone.now() - datetime.timedelta(seconds=1))
    assert tasks.refresh_cloud(str(paris.pk)) is True


def test_a_message_for_a_cloud_that_is_gone_does_nothing(paris):
    services.remove_cloud(None, paris)
    assert tasks.refresh_cloud(str(paris.pk)) is False
    assert tasks.refresh_cloud("no id") is False


def test_each_enabled_cloud_gets_a_message(alice, paris, make_cloud, monkeypatch):
    services.update_cloud(None, make_cloud(alice, "off"), enabled=False)
    services.remove_cloud(None, make_cloud(alice, "gone"))
    sent = []
    monkeypatch.setattr(tasks.refresh_cloud, "delay", sent.append)
    tasks.refresh_clouds()
    assert sent == [str(paris.pk)]


def test_a_rotation_that_the_cloud_refuses_leaves_the_old_credential(alice, paris):
    with pytest.raises(Fault) as caught:
        services.rotate_credential(alice.principal, paris, "escale", "wrong")
    assert (caught.value.code, caught.value.status) == ("cloud.not_authenticated", 422)
    assert services.test_connection(paris).ok


def test_a_cloud_that_is_down_does_not_hinder_a_rotation(alice, paris, control):
    control.fault("probe", "refuse", code="cloud.unreachable", message="It is gone - for a test - wait")
    assert services.rotate_credential(alice.principal, paris, "escale", PASSWORD).version == 2
    assert services.test_connection(paris).ok


def test_a_region_has_its_quotas_once_however_many_zones_share_them(paris):
    zone = {"cpus": 32, "cpu_mhz": 80_000, "memory_mib": 262_144, "hosts": 0}
    paris.inventory = {
        "machines": 3,
        "clusters": [
            {
                **zone,
                "id": f"eu-west-1{letter}",
                "name": f"eu-west-1{letter}",
                "cpu_used_mhz": mhz,
                "memory_used_mib": mib,
            }
            for letter, mhz, mib in (("a", 10_000, 8192), ("b", 5_000, 4096), ("c", 0, 0))
        ],
        "datastores": [
            {"id": name, "name": name, "type": "EBS", "capacity_gib": 1024.0, "free_gib": 1000.0}
            for name in ("gp3", "gp2", "io2")
        ],
        "quotas": [
            {"name": "vcpus", "limit": 32.0, "used": 6.0, "code": ""},
            {"name": "volumes_gib", "limit": 1024.0, "used": 24.0, "code": ""},
        ],
    }
    sums = reading.capacity(paris)
    assert (sums["cpus"], sums["cpu_mhz"], sums["cpu_free_mhz"]) == (32, 80_000, 65_000)
    assert (sums["storage_gib"], sums["storage_free_gib"]) == (1024.0, 1000.0)
    assert (sums["hosts"], sums["memory_mib"], sums["memory_used_mib"]) == (0, 0, 12_288)
