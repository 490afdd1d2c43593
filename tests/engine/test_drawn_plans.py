"""Plans of drawings with machines and regions, a scenario a test: read tests/engine/golden/drawn-*.txt."""

from __future__ import annotations

from engine.planner import plan_text
from engine.resources import Machine
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import draw, load
from tests.engine.golden import check_golden
from tests.engine.test_plan_golden import again, changed, check, running

DRAWN = """
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    depends_on: [db]
    x-escale: {machine: front}
  worker:
    image: registry.example/worker:3
    deploy: {replicas: 4}
    environment: {DB: db}
    x-escale: {machine: workers}
  db:
    image: postgres:16
    expose: [5432]
    volumes: ["data:/var/lib/postgresql/data"]
    x-escale: {machine: back}
  mailer:
    image: registry.example/mailer:2
volumes:
  data: {x-escale: {size: 20GiB}}
x-escale:
  machines:
    front: {cpus: 2, memory: 4GiB}
    back: {cpus: 4, memory: 8GiB, datastore: nfs}
    workers: {count: 3, cluster: edge}
    bastion: {template: debian-12-minimal, cpus: 1, memory: 2GiB}
"""

TWO_REGIONS = """
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    depends_on: [db]
    networks: [front, back]
  db:
    image: postgres:16
    expose: [5432]
    networks: [back]
    volumes: ["data:/var/lib/postgresql/data"]
    x-escale: {machine: store}
  copy:
    image: registry.example/copy:1
    networks: [back]
    volumes: ["data:/from:ro"]
    x-escale: {region: backup}
networks: {front: {}, back: {}}
volumes: {data: {}}
x-escale:
  regions:
    paris: {cloud: paris}
    backup: {cloud: roubaix, title: The other house}
  machines:
    store: {region: paris, memory: 4GiB}
    jump: {region: backup, template: debian-12-minimal}
"""


def test_machines_a_pool_and_a_plain_machine_are_made_as_drawn() -> None:
    cloud = TinyCloud()
    plan = cloud.plan(draw(DRAWN))
    check("drawn-machines", cloud, plan, DRAWN)
    waits = {action.resource: action.spec for action in plan.actions if action.verb == "machine.ready"}
    assert waits["machine:bastion"] == {"plain": True}
    assert waits["machine:front"] == {}


def test_a_service_that_moves_to_another_machine_takes_its_volume_along() -> None:
    text = changed(DRAWN, ("{machine: back}", "{machine: front}"))
    cloud = running(DRAWN)
    disk = cloud.find("volume:data")["id"]
    check("drawn-service-moved", cloud, again(cloud, text), text)
    assert cloud.find("volume:data")["id"] == disk
    assert [mount["volume"] for mount in cloud.find("machine:front")["disks"]] == [None, "volume:data"]


def test_a_machine_that_loses_its_last_service_is_made_anew_as_a_plain_one() -> None:
    text = changed(DRAWN, ("{machine: front}", "{machine: back}"))
    cloud = running(DRAWN)
    plan = again(cloud, text)
    change = next(change for change in plan.changes if change.resource == "machine:front")
    assert change.change == "replace"
    assert "it becomes a plain machine" in change.cause
    cloud.execute(plan)
    assert again(cloud, text).empty


def test_a_plain_machine_that_services_come_to_is_updated_and_keeps_its_system_disk() -> None:
    before = "services: {web: {image: nginx}}\nx-escale: {machines: {m: }}\n"
    after = "services: {web: {image: nginx, x-escale: {machine: m}}}\nx-escale: {machines: {m: }}\n"
    cloud = running(before)
    identity = cloud.find("machine:m")["id"]
    plan = again(cloud, after)
    assert {change.resource: change.change for change in plan.changes}["machine:m"] == "update"
    cloud.execute(plan)
    assert cloud.find("machine:m")["id"] == identity
    assert again(cloud, after).empty


def test_a_machine_that_is_no_longer_drawn_stays_with_its_services() -> None:
    text = changed(DRAWN, ("    x-escale: {machine: front}\n", ""), ("    front: {cpus: 2, memory: 4GiB}\n", ""))
    cloud = running(DRAWN)
    identity = cloud.find("machine:front")["id"]
    cloud.execute(again(cloud, text))
    assert cloud.find("machine:front")["id"] == identity


def test_a_pool_grows_by_whole_machines() -> None:
    text = changed(DRAWN, ("count: 3", "count: 4"))
    cloud = running(DRAWN)
    check("drawn-pool-grown", cloud, again(cloud, text), text)


def test_another_template_or_cluster_of_one_machine_replaces_that_one_alone() -> None:
    text = changed(DRAWN, ("{cpus: 2, memory: 4GiB}", "{cpus: 2, memory: 4GiB, template: container-host-photon-5}"))
    cloud = running(DRAWN)
    plan = again(cloud, text)
    assert [change.resource for change in plan.changes if change.change != "keep"] == ["machine:front"]
    assert next(change for change in plan.changes if change.resource == "machine:front").change == "replace"
    cloud.execute(plan)
    assert again(cloud, text).empty


def test_each_region_of_a_drawing_has_a_plan_of_its_own() -> None:
    project = load(TWO_REGIONS)
    for region in ("paris", "backup"):
        cloud = TinyCloud()
        plan = cloud.plan(draw(project, region=region))
        check_golden(f"drawn-region-{region}", plan_text(plan))
        cloud.execute(plan)
        left = cloud.plan(draw(project, region=region, prior=cloud.prior))
        assert left.empty, plan_text(left)


def test_both_regions_on_one_cloud_are_one_plan_with_a_warning() -> None:
    cloud = TinyCloud()
    check("drawn-regions-joined", cloud, cloud.plan(draw(TWO_REGIONS)), TWO_REGIONS)
    assert {mount["volume"] for mount in cloud.find("machine:store")["disks"]} == {None, "volume:data"}


def test_conflicts_block_the_plan_and_say_what_to_do() -> None:
    text = changed(
        DRAWN,
        ("image: nginx:1.27", 'image: nginx:1.27\n    volumes: ["data:/www"]'),
        ("back: {cpus: 4, memory: 8GiB,", "back: {cpus: 4, memory: 1GiB,"),
        ("replicas: 4}", "replicas: 4}\n    ports: ['9000:9000']"),
    )
    plan = TinyCloud().plan(draw(text))
    assert plan.blocked
    check_golden("drawn-conflicts", plan_text(plan))


def test_a_plan_stored_before_machines_could_be_plain_is_still_read() -> None:
    cloud = running(DRAWN)
    for body in cloud.prior.values():
        body.pop("plain", None)
    assert Machine("machine:m", "m", "t", 1, 1024, ()).plain is False
    changes = {change.resource: change.change for change in again(cloud, DRAWN).changes}
    assert changes["machine:front"] == "keep"
