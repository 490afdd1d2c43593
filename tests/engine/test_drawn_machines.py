"""Services stand on the machines that the drawing names; what cannot stand there is said, with what to do."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose.model import Project
from engine.realise import Desired
from engine.resources import Volume
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import INVENTORY, draw, entry, errors, found, machines, part, placed, target
from tests.engine.test_plan_properties import VOLUMES, apply, drawings

FRONT = """
services:
  web: {image: nginx, x-escale: {machine: front}}
  db: {image: postgres, x-escale: {machine: front}}
  other: {image: o}
x-escale: {machines: {front: {cpus: 4, memory: 6GiB}}}
"""


def named(text: str, **options: Any) -> str:
    (found_,) = [finding for finding in draw(text, **options).findings if finding.severity == "error"]
    assert found_.line is not None
    return found_.code


def test_services_stand_on_the_machine_that_they_name_and_no_other_joins_them() -> None:
    desired = draw(FRONT)
    assert placed(desired) == {"front": ["db/1", "web/1"], "host-1": ["other/1"]}
    front = machines(desired)["front"]
    assert (front.cpus, front.memory_mib, front.name, front.plain) == (4, 6144, "shop-front", False)
    assert set(part(desired, "front")["services"]) == {"web", "db"}
    assert entry(desired, "x-escale", "machines", "front").reason == "a machine of 4 CPUs and 6144 MiB for db, web"
    assert entry(desired, "services", "web", "x-escale", "machine").verdict == "honoured"


def test_a_machine_without_a_size_is_as_large_as_its_containers() -> None:
    text = "services: {a: {image: a, cpus: 1.5, mem_limit: 2g, x-escale: {machine: m}}}\nx-escale: {machines: {m: }}"
    assert [(m.cpus, m.memory_mib) for m in machines(draw(text)).values()] == [(2, 2560)]


def test_memory_is_rounded_up_to_what_a_virtual_machine_can_have() -> None:
    text = """
    services: {a: {image: a, mem_limit: 10m, x-escale: {machine: m}}}
    x-escale: {machines: {m: {memory: 1001MiB}}}
    """
    assert machines(draw(text))["m"].memory_mib == 1004


def test_a_drawn_machine_may_be_larger_than_those_that_are_packed() -> None:
    text = """
    services: {a: {image: a, x-escale: {machine: m, memory: 20GiB, cpus: 12}}}
    x-escale: {machines: {m: {cpus: 12, memory: 24GiB}}}
    """
    assert not errors(draw(text))
    assert named(text.replace("{cpus: 12, memory: 24GiB}", "")) == "realise.machine_too_small"


def test_a_machine_that_is_too_small_for_its_services_is_an_error_at_the_machine() -> None:
    desired = draw(FRONT.replace("6GiB", "1GiB"))
    (finding,) = found(desired, "realise.machine_too_small")
    assert (finding.severity, finding.path, finding.line) == ("error", ("x-escale", "machines", "front"), 6)
    assert "need 1 CPU and 1024 MiB" in finding.message
    assert "512 MiB besides the engine's 512" in finding.message


def test_place_and_template_are_the_machine_s_own() -> None:
    text = """
    services:
      a: {image: a, volumes: ["data:/d"], x-escale: {machine: m}}
      b: {image: b}
    volumes: {data: {}}
    x-escale: {machines: {m: {cluster: edge, datastore: nfs, template: container-host-photon-5}}}
    """
    desired = draw(text)
    made = machines(desired)
    assert (made["m"].cluster, made["m"].datastore, made["m"].template) == ("edge", "nfs", "container-host-photon-5")
    assert (made["host-1"].cluster, made["host-1"].datastore) == ("compute", "vsan")
    data = desired.resources["volume:data"]
    assert isinstance(data, Volume)
    assert data.datastore == "nfs"


@pytest.mark.parametrize(
    ("body", "code", "key"),
    [
        ("template: debain-12", "realise.template_missing", "template"),
        ("cluster: nowhere", "placement.cluster_missing", "cluster"),
        ("datastore: nowhere", "placement.datastore_missing", "datastore"),
    ],
)
def test_a_place_that_the_cloud_does_not_have_is_an_error_at_its_key(body: str, code: str, key: str) -> None:
    text = f"services: {{a: {{image: a, x-escale: {{machine: m}}}}}}\nx-escale: {{machines: {{m: {{{body}}}}}}}"
    (finding,) = found(draw(text), code)
    assert finding.path == ("x-escale", "machines", "m", key)
    assert finding.line == 2
    assert "choose one of" in finding.message


def test_machines_of_one_cluster_take_the_room_of_those_after_them() -> None:
    small = replace(INVENTORY.clusters[0], hosts=1, memory_mib=16_384, memory_used_mib=0, cpu_used_mhz=0)
    only = target(clusters=(small, replace(small, id="domain-c10", name="spare", memory_mib=10_240)))
    text = """
    services: {a: {image: a, x-escale: {memory: 9GiB}}}
    x-escale: {machines: {m: {cluster: compute, template: debian-12-minimal, memory: 12GiB}}}
    """
    made = machines(draw(text, on=only))
    assert (made["m"].cluster, made["host-1"].cluster) == ("compute", "spare")


def test_services_on_a_template_that_is_no_container_host_are_warned_of() -> None:
    text = FRONT.replace("cpus: 4", "template: debian-12-minimal, cpus: 4")
    (finding,) = found(draw(text), "realise.template_not_host")
    assert finding.severity == "warning"


# Plain machines.

PLAIN = """
services: {web: {image: nginx}}
x-escale: {machines: {bastion: {template: debian-12-minimal}}}
"""


def test_a_machine_without_services_is_only_cloned_and_named() -> None:
    desired = draw(PLAIN)
    bastion = machines(desired)["bastion"]
    assert bastion.plain
    assert bastion.userdata == {"hostname": "shop-bastion", "preserve_hostname": False}
    assert (bastion.template, bastion.cpus, bastion.memory_mib, bastion.system_disk_gib) == (
        "debian-12-minimal",
        1,
        1024,
        8,
    )
    assert (bastion.workloads, bastion.disks, [nic.network for nic in bastion.nics]) == (
        (),
        (),
        ["network:@VM Network"],
    )
    assert not bastion.fetches_secrets
    assert "nothing else is installed" in entry(desired, "x-escale", "machines", "bastion").reason
    assert desired.requirements.machines == 2


def test_a_drawing_may_hold_nothing_but_plain_machines_on_a_cloud_without_container_hosts() -> None:
    bare = target(templates=INVENTORY.templates[:1])
    desired = draw("services: {}\nx-escale: {machines: {m: {template: debian-12-minimal, count: 2}}}", on=bare)
    assert not errors(desired)
    assert list(placed(desired)) == ["m-1", "m-2"]


def test_a_plain_machine_is_on_no_network_of_the_services() -> None:
    text = """
    services: {a: {image: a, x-escale: {isolation: machine}}, b: {image: b, x-escale: {isolation: machine}}}
    x-escale: {machines: {m: {template: debian-12-minimal}}}
    """
    nics = {label: len(machine.nics) for label, machine in machines(draw(text)).items()}
    assert nics == {"a-1": 2, "b-1": 2, "m": 1}


# Pools.

POOL = """
services:
  web: {image: nginx, deploy: {replicas: %d}, x-escale: {machine: workers%s}}
x-escale: {machines: {workers: {count: %d}}}
"""


@pytest.mark.parametrize(("replicas", "count", "most"), [(3, 3, 1), (4, 3, 2), (7, 2, 4), (2, 3, 1)])
def test_replicas_are_spread_evenly_over_a_pool(replicas: int, count: int, most: int) -> None:
    homes = placed(draw(POOL % (replicas, "", count)))
    assert list(homes) == [f"workers-{number}" for number in range(1, count + 1)]
    assert max(map(len, homes.values())) == most
    assert max(map(len, homes.values())) - min(map(len, homes.values())) <= 1


def test_services_of_a_pool_take_turns() -> None:
    text = "services:\n" + "".join(f"  s{n}: {{image: a, x-escale: {{machine: p}}}}\n" for n in range(6))
    homes = placed(draw(text + "x-escale: {machines: {p: {count: 3}}}\n"))
    assert [len(workloads) for workloads in homes.values()] == [2, 2, 2]


def test_the_machines_of_a_pool_are_alike_and_want_different_hosts() -> None:
    made = machines(draw(POOL % (4, ", memory: 2GiB", 3)))
    assert {(machine.cpus, machine.memory_mib) for machine in made.values()} == {(1, 4608)}
    assert len({machine.anti_affinity for machine in made.values()}) == 1
    assert all(machine.anti_affinity for machine in made.values())


def test_a_machine_of_a_pool_that_no_replica_has_come_to_is_a_host_all_the_same() -> None:
    desired = draw(POOL % (1, "", 2))
    assert not any(machine.plain for machine in machines(desired).values())
    assert "services" not in part(desired, "workers-2")


def test_a_pool_that_grows_takes_its_share_and_one_that_shrinks_gives_it_back() -> None:
    one, three = POOL % (3, "", 1), POOL % (3, "", 3)
    before = placed(draw(one))
    assert before == {"workers-1": ["web/1", "web/2", "web/3"]}
    prior = {key: f"machine:{label}" for label, keys in before.items() for key in keys}
    after = placed(draw(three, prior=prior))
    assert [len(keys) for keys in after.values()] == [1, 1, 1]
    assert after["workers-1"] == ["web/1"]
    prior = {key: f"machine:{label}" for label, keys in after.items() for key in keys}
    assert placed(draw(three, prior=prior)) == after
    assert placed(draw(one, prior=prior)) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("placement: SPREAD", "x-escale.placement is SPREAD"),
        ("isolation: machine", "x-escale.isolation gives each"),
        ("anti_affinity: {services: [web]}", "x-escale.anti_affinity names the service itself"),
    ],
)
def test_replicas_that_need_a_machine_each_must_not_outnumber_the_pool(change: str, why: str) -> None:
    assert not errors(draw(POOL % (3, f", {change}", 3)))
    (finding,) = found(draw(POOL % (3, f", {change}", 2)), "realise.machine_count")
    assert (finding.severity, finding.path) == ("error", ("services", "web", "x-escale", "machine"))
    assert why in finding.message
    assert "count: 3" in finding.message


def test_replicas_that_publish_a_fixed_port_need_a_machine_each() -> None:
    text = POOL.replace("image: nginx,", "image: nginx, ports: ['80:80'],")
    assert len(placed(draw(text % (3, "", 3)))) == 3
    assert named(text % (3, "", 2)) == "realise.machine_count"


def test_what_the_cloud_prefers_does_not_forbid_what_is_drawn() -> None:
    text = "services: {a: {image: a, deploy: {replicas: 2}, x-escale: {machine: m}}}\nx-escale: {machines: {m: }}"
    for policy in ({"placement": "SPREAD"}, {"isolation": "machine"}):
        assert placed(draw(text, policy=policy)) == {"m": ["a/1", "a/2"]}
        assert not errors(draw(text, policy=policy))


# What contradicts itself.


def test_a_volume_of_services_on_two_machines_is_an_error_that_says_what_to_do() -> None:
    text = """
    services:
      a: {image: a, volumes: ["data:/d"]}
      b: {image: b, volumes: ["data:/d"], x-escale: {machine: m}}
      c: {image: c, volumes: ["data:/d"], x-escale: {machine: n}}
    volumes: {data: {}}
    x-escale: {machines: {m: , n: }}
    """
    (finding,) = found(draw(text), "realise.volume_pinned_apart")
    assert finding.path == ("services", "c", "x-escale", "machine")
    assert "b on m, c on n" in finding.message
    assert "put them on one machine (x-escale.machine), or give each a volume of its own" in finding.message
    assert errors(draw(text)) == ["realise.volume_pinned_apart"]


@pytest.mark.parametrize(
    "tie", ["network_mode: 'service:b'", "volumes_from: [b]", "x-escale: {affinity: {services: [b]}, machine: m}"]
)
def test_services_that_are_tied_and_drawn_apart_are_an_error(tie: str) -> None:
    tie = tie if "x-escale" in tie else f"{tie}, x-escale: {{machine: m}}"
    text = f"""
    services:
      a: {{image: a, {tie}}}
      b: {{image: b, x-escale: {{machine: n}}}}
    x-escale: {{machines: {{m: , n: }}}}
    """
    assert named(text) == "realise.pinned_apart"


def test_what_is_tied_to_a_service_of_a_machine_follows_it() -> None:
    text = """
    services:
      a: {image: a, x-escale: {machine: m}, volumes: ["data:/d"]}
      b: {image: b, volumes: ["data:/d"]}
      job: {image: j}
      c: {image: c, depends_on: {job: {condition: service_completed_successfully}}, x-escale: {machine: m}}
    volumes: {data: {}}
    x-escale: {machines: {m: }}
    """
    desired = draw(text)
    assert placed(desired) == {"host-1": ["job/1"], "m": ["a/1", "b/1", "c/1"]}
    assert "share the volume data" in found(desired, "realise.together")[0].message
    assert [mount.volume for mount in machines(desired)["m"].disks] == ["volume:data"]
    assert any(one.code == "ledger.depends_on.completed" for one in desired.ledger)


def test_services_of_one_machine_must_not_publish_the_same_port_nor_refuse_each_other() -> None:
    text = """
    services:
      a: {image: a, ports: ["80:80"], x-escale: {machine: m}}
      b: {image: b, ports: ["80:81"], x-escale: {machine: m}}
    x-escale: {machines: {m: }}
    """
    (finding,) = found(draw(text), "realise.port_clash")
    assert finding.path == ("services", "b", "ports")
    refused = text.replace('ports: ["80:81"], x-escale: {', "x-escale: {anti_affinity: {services: [a]}, ")
    assert named(refused) == "realise.affinity_conflict"


def test_a_service_that_wants_a_machine_of_its_own_and_has_company_is_told() -> None:
    text = FRONT.replace("web: {image: nginx, x-escale: {", "web: {image: nginx, x-escale: {isolation: machine, ")
    (finding,) = found(draw(text), "realise.machine_shared")
    assert (finding.severity, finding.path) == ("warning", ("services", "web", "x-escale", "isolation"))


@pytest.mark.parametrize(
    ("text", "code", "path", "said"),
    [
        (
            "services: {a: {image: a, x-escale: {machine: fornt}}}\nx-escale: {machines: {front: }}",
            "realise.machine_unknown",
            ("services", "a", "x-escale", "machine"),
            "did you mean 'front'?",
        ),
        (
            "services: {a: {image: a, x-escale: {machine: front}}}",
            "realise.machine_unknown",
            ("services", "a", "x-escale", "machine"),
            "declare it",
        ),
        (
            "services: {a: {image: a, x-escale: {region: pari}}}\nx-escale: {regions: {paris: }}",
            "realise.region_unknown",
            ("services", "a", "x-escale", "region"),
            "did you mean 'paris'?",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {m: {region: lyon}}}",
            "realise.region_unknown",
            ("x-escale", "machines", "m", "region"),
            "declare it",
        ),
        (
            "services: {a: {image: a, x-escale: {region: two, machine: m}}}\n"
            "x-escale: {regions: {one: , two: }, machines: {m: }}",
            "realise.region_conflict",
            ("services", "a", "x-escale", "region"),
            "its machine m in one",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {m: {count: 2}, m-2: }}",
            "realise.machine_name",
            ("x-escale", "machines", "m-2"),
            "'m-2'",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {'<script>': }}",
            "realise.machine_name",
            ("x-escale", "machines", "<script>"),
            "lower-case letters, digits and hyphens",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {regions: {Paris: }}",
            "realise.region_name",
            ("x-escale", "regions", "Paris"),
            "lower-case letters, digits and hyphens",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {m: {cpu: 2}}}",
            "realise.extension",
            ("x-escale", "machines", "m"),
            "did you mean 'cpus'?",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {m: {count: 101}}}",
            "realise.extension",
            ("x-escale", "machines", "m", "count"),
            "101",
        ),
        (
            "services: {a: {image: a}}\nx-escale: {machines: {"
            + ", ".join(f"m{n}: {{count: 100}}" for n in range(51))
            + "}}",
            "realise.too_many_machines",
            ("x-escale", "machines"),
            "5,100 machines",
        ),
    ],
)
def test_a_mistake_is_found_at_its_place(text: str, code: str, path: tuple[str, ...], said: str) -> None:
    findings = [finding for finding in draw(text).findings if finding.severity == "error"]
    assert [(finding.code, finding.path) for finding in findings] == [(code, path)]
    assert said in findings[0].message
    assert findings[0].line is not None


def test_a_mistake_in_the_machines_is_not_told_again_at_each_service() -> None:
    text = FRONT.replace("cpus: 4", "cpus: many")
    assert errors(draw(text)) == ["realise.extension"]


# What the designer keeps.


def test_the_canvas_is_the_designer_s_and_stops_nothing() -> None:
    text = """
    services: {web: {image: nginx}}
    x-escale:
      canvas:
        services: {web: [120, 240.5]}
        machines: {front: [40, 40, 320, 260]}
        collapsed: ["machine:front"]
        comments: [{on: "service:web", text: "why?", by: alice, at: 2026-01-31T12:00:00Z, resolved: false}]
        later: {anything: 1}
    """
    desired = draw(text)
    assert not [finding for finding in desired.findings if finding.severity != "info"]
    assert entry(desired, "x-escale", "canvas").verdict == "honoured"
    broken = draw(text.replace("[120, 240.5]", "[1, here]"))
    (finding,) = found(broken, "realise.canvas")
    assert (finding.severity, finding.path[:4]) == ("warning", ("x-escale", "canvas", "services", "web"))
    assert not errors(broken)


# Whatever is drawn.


@st.composite
def pinned_drawings(pick: Any) -> Project:
    """The drawings of the plans' properties, with machines that some services name."""
    project = pick(drawings())
    declared = {
        name: pick(
            st.sampled_from([{}, {"cpus": 8, "memory": "40GiB"}, {"count": 2}, {"cluster": "edge"}, {"count": 3}])
        )
        for name in pick(st.lists(st.sampled_from(["front", "back", "host-1"]), unique=True, max_size=3))
    }
    names = [None, *declared]
    bodies: dict[str, Any] = {name: {} for name in project.services()}
    for name, body in bodies.items():
        extension = dict(project.extensions("services", name).get("x-escale") or {})
        machine = pick(st.sampled_from(names))
        if machine is not None:
            extension["machine"] = machine
        if extension:
            body["x-escale"] = extension
    return replace(project, model={**project.model, "services": bodies, "x-escale": {"machines": declared}})


COMMON = settings(max_examples=40, deadline=None)


def homes_of(desired: Desired) -> dict[str, set[str]]:
    homes: dict[str, set[str]] = {}
    for label, keys in placed(desired).items():
        for key in keys:
            homes.setdefault(key.partition("/")[0], set()).add(label)
    return homes


@given(pinned_drawings())
@COMMON
def test_every_container_stands_once_and_where_its_service_says(project: Project) -> None:
    desired = draw(project)
    standing = Counter(key for keys in placed(desired).values() for key in keys)
    wanted = {
        f"{name}/{replica}"
        for name, body in project.services().items()
        for replica in range(1, body.get("deploy", {}).get("replicas", 1) + 1)
    }
    assert standing == Counter(wanted)
    if errors(desired):
        return
    declared = project.extensions()["x-escale"]["machines"]
    labels = {
        name: {f"{name}-{n}" for n in range(1, body["count"] + 1)} if "count" in body else {name}
        for name, body in declared.items()
    }
    assert set().union(*labels.values()) <= set(placed(desired))
    sharing = {mount["source"] for body in project.services().values() for mount in body.get("volumes", ())}
    for name, homes in homes_of(desired).items():
        machine = project.extensions("services", name).get("x-escale", {}).get("machine")
        if machine is not None:
            assert homes <= labels[machine]
        elif not sharing:
            assert not homes & set().union(*labels.values())


@given(pinned_drawings(), pinned_drawings())
@COMMON
def test_any_update_with_drawn_machines_converges(before: Project, after: Project) -> None:
    cloud = TinyCloud()
    _, first = apply(cloud, before)
    if first.blocked:
        return
    cloud.execute(first)
    kept = {volume: cloud.find(f"volume:{volume}")["id"] for volume in VOLUMES if f"volume:{volume}" in cloud.prior}
    _, second = apply(cloud, after)
    if second.blocked:
        return
    cloud.execute(second)
    _, left = apply(cloud, after)
    assert left.empty
    for volume, identity in kept.items():
        if f"volume:{volume}" in cloud.prior:
            assert cloud.find(f"volume:{volume}")["id"] == identity  # a volume moves, and is never made anew


def test_a_pool_of_ten_times_the_containers_takes_about_ten_times_as_long() -> None:
    def seconds(count: int) -> float:
        services = {f"s{n}": {"image": "a", "deploy": {"replicas": 10}} for n in range(count // 10)}
        model = {
            "services": {
                name: {"x-escale": {"machine": "pool", "memory": 1 << 20, "cpus": 0.001}} for name in services
            },
            "x-escale": {"machines": {"pool": {"count": 50, "memory": "64GiB", "cpus": 64}}},
        }
        project = Project("shop", {"name": "shop", "services": services}, model=model)
        started = time.process_time()
        assert len(machines(draw(project))) == 50
        return time.process_time() - started

    assert seconds(10_000) < 25 * min(seconds(1_000) for _ in range(3))
