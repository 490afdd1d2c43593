"""One scenario a test, compared as text: read tests/engine/golden/*.txt to see what a plan looks like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine import planner
from engine.observed import ObservedResource, ObservedState
from engine.plan import Plan
from engine.planner import plan_text
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import OWNER, draw, target
from tests.engine.golden import check_golden

SHOP = """
services:
  web:
    image: nginx:1.25
    ports: ["80:80"]
    depends_on: [db]
  db:
    image: postgres:16
    environment: {POSTGRES_DB: shop}
    expose: [5432]
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data: {x-escale: {size: 20GiB}}
"""

TWO_MACHINES = """
services:
  web:
    image: nginx:1.25
    ports: ["80:80"]
    depends_on: [db]
    x-escale: {isolation: machine}
  db:
    image: postgres:16
    expose: [5432]
    volumes: ["data:/var/lib/postgresql/data"]
    x-escale: {isolation: machine}
volumes:
  data: {x-escale: {size: 20GiB}}
"""


def running(text: str = SHOP, **options: Any) -> TinyCloud:
    cloud = TinyCloud()
    cloud.deploy(draw(text, **options))
    return cloud


def changed(before: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in before, old
        before = before.replace(old, new)
    return before


def again(cloud: TinyCloud, text: str, **options: Any) -> Plan:
    return cloud.plan(draw(text, prior=cloud.prior, **options))


def check(name: str, cloud: TinyCloud, plan: Plan, follow: str | None = None) -> None:
    """Compare the plan's text; where it may run, run it, and see that nothing is left to do after it."""
    check_golden(name, plan_text(plan))
    if not plan.blocked:
        cloud.execute(plan)
        if follow is not None:
            left = again(cloud, follow)
            assert left.empty, plan_text(left)


def test_a_first_deployment_is_made_from_the_folder_up() -> None:
    cloud = TinyCloud()
    check("first", cloud, cloud.plan(draw(SHOP)), SHOP)


def test_a_first_deployment_on_two_machines_starts_in_the_order_of_depends_on() -> None:
    cloud = TinyCloud()
    check("first-two-machines", cloud, cloud.plan(draw(TWO_MACHINES)), TWO_MACHINES)


def test_a_second_apply_is_an_empty_plan() -> None:
    cloud = running()
    plan = again(cloud, SHOP)
    assert plan.empty
    check("second-apply", cloud, plan, SHOP)


def test_a_changed_image_updates_its_machine_alone() -> None:
    text = changed(TWO_MACHINES, ("nginx:1.25", "nginx:1.27"))
    cloud = running(TWO_MACHINES)
    check("image-changed", cloud, again(cloud, text), text)


def test_a_changed_image_keeps_the_other_containers_of_the_machine() -> None:
    text = changed(SHOP, ("nginx:1.25", "nginx:1.27"))
    cloud = running()
    check("image-changed-shared", cloud, again(cloud, text), text)


def test_a_changed_environment_is_named_without_its_values() -> None:
    text = changed(SHOP, ("POSTGRES_DB: shop", "POSTGRES_DB: topsecret"))
    cloud = running()
    plan = again(cloud, text)
    assert "topsecret" not in plan_text(plan)
    check("environment-changed", cloud, plan, text)


def test_a_changed_shipped_file_updates_the_machine() -> None:
    text = changed(SHOP, ('ports: ["80:80"]', 'volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]'))
    cloud = running(text, files={"nginx.conf": "events {}"})
    plan = cloud.plan(draw(text, files={"nginx.conf": "events { }"}, prior=cloud.prior))
    check("file-changed", cloud, plan)


def test_more_memory_is_an_update() -> None:
    text = changed(SHOP, ("image: postgres:16", "image: postgres:16\n    mem_reservation: 3g"))
    cloud = running()
    check("memory-changed", cloud, again(cloud, text), text)


def test_another_template_replaces_the_machines_and_keeps_their_disks() -> None:
    text = SHOP + "x-escale: {template: container-host-photon-5}\n"
    cloud = running()
    disk = cloud.find("volume:data")["id"]
    check("template-changed", cloud, again(cloud, text), text)
    assert cloud.find("volume:data")["id"] == disk


def test_another_cluster_replaces_the_machines() -> None:
    text = SHOP + "x-escale: {cluster: edge}\n"
    cloud = running()
    check("cluster-changed", cloud, again(cloud, text), text)


def test_a_service_that_needs_a_second_machine_replaces_the_first_for_its_card() -> None:
    text = changed(
        SHOP,
        ("volumes:\n  data:", "  cache:\n    image: redis:7\n    x-escale: {isolation: machine}\nvolumes:\n  data:"),
    )
    cloud = running()
    check("second-machine", cloud, again(cloud, text), text)


def test_a_service_that_was_added_joins_a_machine_with_room() -> None:
    text = changed(SHOP, ("volumes:\n  data:", "  cache:\n    image: redis:7\nvolumes:\n  data:"))
    cloud = running()
    check("service-added", cloud, again(cloud, text), text)


def test_a_service_that_was_removed_takes_only_its_own_along() -> None:
    text = changed(TWO_MACHINES, ("    depends_on: [db]\n", ""))
    text = text[: text.index("  db:")]
    cloud = running(TWO_MACHINES)
    plan = again(cloud, text)
    assert plan.data_loss == ("volume:data",)
    check("service-removed", cloud, plan, text)
    assert {thing["key"] for thing in cloud.things.values()} >= {"machine:web-1", "folder:deployment"}


def test_a_volume_that_was_removed_is_data_loss() -> None:
    text = changed(SHOP, ('    volumes: ["data:/var/lib/postgresql/data"]\n', ""))
    text = text[: text.index("volumes:\n  data")]
    cloud = running()
    check("volume-removed", cloud, again(cloud, text), text)


def test_a_volume_that_was_added_is_attached() -> None:
    text = changed(
        SHOP,
        ("depends_on: [db]", 'volumes: ["logs:/var/log/nginx"]'),
        ("volumes:\n  data", "volumes:\n  logs: {}\n  data"),
    )
    cloud = running()
    check("volume-added", cloud, again(cloud, text), text)


def test_a_volume_that_grows_is_extended_while_the_machine_runs() -> None:
    text = changed(SHOP, ("20GiB", "50GiB"))
    cloud = running()
    plan = again(cloud, text)
    check("volume-grown", cloud, plan, text)
    assert [action.verb for action in plan.actions] == ["volume.extend"]


def test_a_volume_that_shrinks_is_an_error() -> None:
    text = changed(SHOP, ("20GiB", "5GiB"))
    cloud = running()
    plan = again(cloud, text)
    assert plan.blocked
    check("volume-shrunk", cloud, plan)


def test_a_volume_that_somebody_extended_stays_as_it_is() -> None:
    cloud = running()
    cloud.find("volume:data")["size_gib"] = 40
    check("volume-extended-by-hand", cloud, again(cloud, SHOP), SHOP)


def test_a_volume_that_moves_to_another_machine_is_given_away_first() -> None:
    before = """
    services:
      web: {image: nginx:1.25, x-escale: {isolation: machine}}
      db: {image: "postgres:16", volumes: ["data:/data"], x-escale: {isolation: machine}}
    volumes: {data: {}}
    """
    after = changed(
        before, ("db: {image: \"postgres:16\", volumes: [\"data:/data\"],", "db: {image: \"postgres:16\","),
        ("web: {image: nginx:1.25,", "web: {image: nginx:1.25, volumes: [\"data:/data\"],"),
    )  # fmt: skip
    cloud = running(before)
    check("volume-moved", cloud, again(cloud, after), after)


def test_machines_can_exchange_their_volumes() -> None:
    before = """
    services:
      one: {image: a, volumes: ["red:/data", "own:/own"], x-escale: {isolation: machine}}
      two: {image: b, volumes: ["blue:/data"], x-escale: {isolation: machine}}
    volumes: {red: {}, blue: {}, own: {}}
    """
    after = before.replace('"red:/data"', "x").replace("blue:/data", "red:/data").replace("[x,", '["blue:/data",')
    cloud = running(before)
    check("volumes-exchanged", cloud, again(cloud, after), after)


def test_a_volume_that_somebody_attached_elsewhere_is_not_taken_away() -> None:
    text = changed(SHOP, ("nginx:1.25", "nginx:1.27"))
    cloud = running()
    disk = cloud.find("machine:host-1")["disks"].pop()
    bobs = {"id": "id-88", "key": "machine:bobs", "hash": "", "name": "bobs", "power": "on", "disks": [disk]}
    cloud.things["id-88"] = bobs
    seen = cloud.observe()
    ours = {key: found for key, found in seen.resources.items() if key != "machine:bobs"}
    plan = planner.plan(draw(text, prior=cloud.prior), ObservedState(ours), cloud.prior, OWNER, "paris")
    assert plan.blocked
    check_golden("volume-elsewhere", plan_text(plan))


def test_sizes_that_somebody_changed_are_kept() -> None:
    cloud = running()
    cloud.find("machine:host-1").update(cpus=6, memory_mib=8192)
    plan = again(cloud, SHOP)
    assert plan.empty
    check("drift-kept", cloud, plan, SHOP)


def test_sizes_that_somebody_changed_are_kept_by_an_update_for_another_reason() -> None:
    text = changed(SHOP, ("nginx:1.25", "nginx:1.27"))
    cloud = running()
    cloud.find("machine:host-1").update(cpus=6)
    check("drift-kept-in-update", cloud, again(cloud, text), text)
    assert cloud.find("machine:host-1")["cpus"] == 6


def test_a_machine_that_somebody_switched_off_stays_off() -> None:
    cloud = running()
    cloud.find("machine:host-1")["power"] = "off"
    check("switched-off", cloud, again(cloud, SHOP), SHOP)


def test_a_machine_that_somebody_switched_off_is_updated_and_stays_off() -> None:
    text = changed(SHOP, ("nginx:1.25", "nginx:1.27"))
    cloud = running()
    cloud.find("machine:host-1")["power"] = "off"
    check("switched-off-updated", cloud, again(cloud, text), text)
    assert cloud.find("machine:host-1")["power"] == "off"


def test_a_machine_that_an_interrupted_deployment_left_off_is_started() -> None:
    cloud = TinyCloud()
    plan = cloud.plan(draw(SHOP))
    names = [action.verb for action in plan.actions]
    cloud.execute(plan, stop_after=names.index("machine.create") + 1)
    check("interrupted", cloud, again(cloud, SHOP), SHOP)
    assert cloud.find("machine:host-1")["power"] == "on"


def test_a_machine_that_is_missing_is_made_again_with_its_disk() -> None:
    cloud = running()
    machine = cloud.find("machine:host-1")
    machine["disks"] = []
    cloud.lose("machine:host-1")
    check("machine-missing", cloud, again(cloud, SHOP), SHOP)


def test_a_volume_that_is_missing_is_made_again_with_a_warning() -> None:
    cloud = running()
    machine = cloud.find("machine:host-1")
    machine["disks"] = [disk for disk in machine["disks"] if disk["volume"] != "volume:data"]
    cloud.lose("volume:data")
    check("volume-missing", cloud, again(cloud, SHOP), SHOP)


def test_a_foreign_disk_keeps_a_machine_from_being_replaced() -> None:
    text = SHOP + "x-escale: {template: container-host-photon-5}\n"
    cloud = running()
    cloud.find("machine:host-1")["disks"].append({"volume": None, "path": "[vsan] bob/archive.vmdk", "size_gib": 100})
    plan = again(cloud, text)
    assert plan.blocked
    assert not any(action.verb in ("machine.delete", "machine.detach") for action in plan.actions)
    check("foreign-disk-replace", cloud, plan)


def test_a_snapshot_keeps_a_machine_from_being_deleted() -> None:
    cloud = running()
    cloud.find("machine:host-1")["snapshots"] = 2
    plan = cloud.plan_destroy()
    assert plan.blocked
    check("snapshot-destroy", cloud, plan)


def test_a_snapshot_keeps_disks_from_being_extended() -> None:
    cloud = running()
    cloud.find("machine:host-1")["snapshots"] = 1
    check("snapshot-extend", cloud, again(cloud, changed(SHOP, ("20GiB", "30GiB"))))


def test_a_data_disk_that_somebody_detached_stays_off_and_is_told() -> None:
    cloud = running()
    cloud.find("machine:host-1")["disks"].pop()
    plan = again(cloud, SHOP)
    assert plan.empty
    check("disk-detached-by-hand", cloud, plan)


def test_a_data_disk_that_an_interrupted_replacement_took_off_is_attached_again() -> None:
    cloud = running()
    plan = again(cloud, SHOP + "x-escale: {template: container-host-photon-5}\n")
    cloud.execute(plan, stop_after=[action.verb for action in plan.actions].index("machine.detach") + 1)
    check("disk-detached-by-us", cloud, again(cloud, SHOP), SHOP)


def test_a_foreign_disk_keeps_what_it_hangs_on_from_being_destroyed() -> None:
    cloud = running(TWO_MACHINES)
    cloud.find("machine:web-1")["disks"].append({"volume": None, "path": "[vsan] bob/archive.vmdk", "size_gib": 100})
    plan = cloud.plan_destroy()
    assert plan.blocked
    verbs = {action.key for action in plan.actions}
    assert "machine:web-1/machine.delete" not in verbs
    assert "folder:deployment/folder.delete" not in verbs
    check("foreign-disk-destroy", cloud, plan)


def test_destroy_removes_everything_in_reverse_order() -> None:
    cloud = running(TWO_MACHINES)
    plan = cloud.plan_destroy()
    check("destroy", cloud, plan)
    assert not cloud.things
    assert not cloud.prior


def test_destroy_of_nothing_is_empty() -> None:
    cloud = TinyCloud()
    plan = cloud.plan_destroy()
    assert plan.empty
    check("destroy-nothing", cloud, plan)


def test_strays_are_shown_and_left_alone() -> None:
    cloud = running()
    stray = ObservedResource("machine:host-1", "machine", "id-99", "", {"name": "shop-host-1-copy", "power": "on"})
    cloud.strays.append(stray)
    check("strays", cloud, again(cloud, SHOP), SHOP)
    plan = cloud.plan_destroy()
    assert not any(action.external_id == "id-99" for action in plan.actions)
    check("strays-destroy", cloud, plan)


def test_what_an_unfinished_operation_left_is_removed() -> None:
    cloud = running()
    cloud.things["id-77"] = {
        "id": "id-77",
        "key": "machine:host-9",
        "hash": "",
        "name": "shop-host-9",
        "power": "off",
        "disks": [],
    }
    check("left-over", cloud, again(cloud, SHOP), SHOP)


def test_machines_that_depend_on_each_other_in_a_round_start_together() -> None:
    text = """
    services:
      a1:
        image: a
        expose: [1]
        depends_on: [b1]
        x-escale: {affinity: {services: [a2]}, anti_affinity: {services: [b1]}}
      a2: {image: a, expose: [2]}
      b1: {image: b, expose: [3], x-escale: {affinity: {services: [b2]}}}
      b2: {image: b, expose: [4], depends_on: [a2]}
    """
    cloud = TinyCloud()
    check("start-cycle", cloud, cloud.plan(draw(text)), text)


def test_another_vlan_makes_the_network_and_its_machines_anew() -> None:
    text = TWO_MACHINES + "networks: {default: {x-escale: {vlan: 120}}}\n"
    cloud = running(TWO_MACHINES)
    disk = cloud.find("volume:data")["id"]
    check("vlan-changed", cloud, again(cloud, text), text)
    assert cloud.find("volume:data")["id"] == disk


def test_without_port_groups_machines_use_the_existing_network() -> None:
    cloud = TinyCloud()
    here = target(capabilities={"data_disks"})
    plan = cloud.plan(draw(TWO_MACHINES, on=here))
    check("existing-network", cloud, plan)
    assert cloud.plan(draw(TWO_MACHINES, on=here, prior=cloud.prior)).empty


def test_replicas_that_are_scaled_up_leave_the_others_alone() -> None:
    text = """
    services:
      web: {image: nginx:1.25, deploy: {replicas: 2}, ports: ["80:80"]}
    """
    more = changed(text, ("replicas: 2", "replicas: 3"))
    cloud = running(text)
    plan = again(cloud, more)
    check("scaled-up", cloud, plan, more)
    assert all(action.resource == "machine:host-3" for action in plan.actions)


def test_replicas_that_are_scaled_down_take_the_last_machine_along() -> None:
    text = """
    services:
      web: {image: nginx:1.25, deploy: {replicas: 3}, ports: ["80:80"]}
    """
    less = changed(text, ("replicas: 3", "replicas: 2"))
    cloud = running(text)
    plan = again(cloud, less)
    check("scaled-down", cloud, plan, less)
    assert {action.resource for action in plan.actions} == {"machine:host-3"}


def test_an_unknown_past_is_an_update_and_no_replacement() -> None:
    cloud = running()
    cloud.prior.clear()
    cloud.find("machine:host-1")["hash"] = "of an older release"
    check("unknown-past", cloud, cloud.plan(draw(SHOP)), SHOP)


def test_an_update_that_reached_the_cloud_but_not_the_journal_is_only_started() -> None:
    text = changed(SHOP, ("nginx:1.25", "nginx:1.27"))
    cloud = running()
    before = {key: dict(value) for key, value in cloud.prior.items()}
    plan = again(cloud, text)
    cloud.execute(plan, stop_after=[action.verb for action in plan.actions].index("machine.update") + 1)
    cloud.prior = before
    cloud.prior["machine:host-1"]["state"] = "stopped"
    check("update-unrecorded", cloud, again(cloud, text), text)


@pytest.mark.parametrize("name", ["address", "host", "tools"])
def test_what_changes_by_itself_makes_no_plan_stale(name: str) -> None:
    cloud = running()
    before = again(cloud, SHOP).base
    cloud.find("machine:host-1")[name] = "something else"
    assert again(cloud, SHOP).base == before
    cloud.find("machine:host-1")["power"] = "off"
    assert again(cloud, SHOP).base != before


def test_a_plan_survives_its_json() -> None:
    from engine.plan import actions_from_json

    cloud = TinyCloud()
    plan = cloud.plan(draw(TWO_MACHINES))
    again_ = replace(plan, actions=actions_from_json(plan.to_json()["actions"]))
    assert again_.hash == plan.hash == plan.to_json()["hash"]
