"""Where containers go: filling machines, keeping apart and together, and staying where they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.realise.packing import Bounds, Unit, pack
from tests.engine.drawings import draw, errors, found, machines, placed, target

BOUNDS = Bounds(millicpus=8000, memory_mib=16_384, networks=8, disks=14)


def unit(name: str, memory: int = 1024, **options: object) -> Unit:
    return Unit(((name, 1),), 500, memory, **options)  # type: ignore[arg-type]


def test_services_share_a_machine_as_long_as_they_fit() -> None:
    assert placed(draw("services: {a: {image: a}, b: {image: b}, c: {image: c}}")) == {"host-1": ["a/1", "b/1", "c/1"]}


def test_a_machine_is_as_large_as_its_containers_and_the_engine() -> None:
    machine = machines(draw("services: {a: {image: a, mem_limit: 900m, cpus: 1.5}, b: {image: b}}"))["host-1"]
    assert (machine.cpus, machine.memory_mib) == (2, 2048)  # 900 + 512 + 512 of the engine, in steps of 512


@pytest.mark.parametrize(
    ("service", "memory"),
    [
        ("mem_limit: 2g", 2560),
        ("mem_limit: 2g, mem_reservation: 1g", 1536),
        ("deploy: {resources: {limits: {memory: 3g}, reservations: {memory: 1500m}}}", 2048),
        ("x-escale: {memory: 5GiB}, mem_limit: 2g", 5632),
        ("x-escale: {memory: 600}", 1024),
    ],
)
def test_what_a_container_is_promised_decides_before_what_it_may_use(service: str, memory: int) -> None:
    assert machines(draw(f"services: {{a: {{image: a, {service}}}}}"))["host-1"].memory_mib == memory


def test_the_bounds_of_the_cloud_and_of_the_drawing_hold() -> None:
    on = target(defaults={"machine_cpus": 2, "machine_memory_mib": 4096, "max_machine_memory_mib": 8192})
    assert machines(draw("services: {a: {image: a}}", on=on))["host-1"].memory_mib == 4096
    text = "services: {a: {image: a, mem_limit: 3g}, b: {image: b, mem_limit: 3g}, c: {image: c, mem_limit: 3g}}\n"
    assert len(machines(draw(text, on=on))) == 2
    wider = text + "x-escale: {machine: {max_memory: 12GiB, min_cpus: 4}}\n"
    machine = machines(draw(wider, on=on))["host-1"]
    assert (machine.memory_mib, machine.cpus) == (9728, 4)


def test_a_service_that_no_machine_holds_is_an_error() -> None:
    desired = draw("services: {huge: {image: a, mem_limit: 64g}}")
    (finding,) = found(desired, "realise.service_too_large")
    assert "65536 MiB" in finding.message
    assert "15872 MiB" in finding.message


def test_isolation_gives_each_replica_a_machine_of_its_own() -> None:
    text = """
    services:
      web: {image: a, deploy: {replicas: 2}, x-escale: {isolation: machine}}
      b: {image: b}
      c: {image: c}
    """
    assert placed(draw(text)) == {"host-1": ["b/1", "c/1"], "web-1": ["web/1"], "web-2": ["web/2"]}


def test_the_policy_isolates_unless_the_drawing_says_otherwise() -> None:
    text = """
    services:
      a: {image: a}
      b: {image: b, x-escale: {isolation: shared}}
      c: {image: c, x-escale: {isolation: shared}}
    """
    assert placed(draw(text, policy={"isolation": "machine"})) == {"a-1": ["a/1"], "host-1": ["b/1", "c/1"]}
    shared = text.rstrip() + "\n    x-escale: {isolation: shared}"
    assert list(placed(draw(shared, policy={"isolation": "machine"}))) == ["host-1"]


def test_replicas_spread_where_the_policy_says_so() -> None:
    text = "services: {web: {image: a, deploy: {replicas: 3}}}"
    assert len(placed(draw(text, policy={"placement": "SPREAD"}))) == 3
    assert len(placed(draw(text, policy={"placement": "BINPACK"}))) == 1


def test_replicas_go_apart_by_default_where_several_machines_have_room() -> None:
    text = """
    services:
      big: {image: b, mem_limit: 9g, deploy: {replicas: 2}}
      web: {image: a, deploy: {replicas: 2}}
    """
    assert placed(draw(text)) == {"host-1": ["big/1", "web/1"], "host-2": ["big/2", "web/2"]}


def test_hard_anti_affinity_opens_machines_and_soft_does_not() -> None:
    text = "services: {a: {image: a, x-escale: {anti_affinity: {services: [b], mode: %s}}}, b: {image: b}}"
    assert len(placed(draw(text % "hard"))) == 2
    assert len(placed(draw(text % "soft"))) == 1
    desired = draw(text % "hard")
    assert len({machine.anti_affinity for machine in machines(desired).values()}) == 1
    assert all(machine.anti_affinity for machine in machines(desired).values())


def test_its_own_name_in_anti_affinity_keeps_replicas_apart() -> None:
    text = "services: {a: {image: a, deploy: {replicas: 3}, x-escale: {anti_affinity: [{services: [a]}]}}}"
    assert len(placed(draw(text))) == 3


def test_soft_anti_affinity_avoids_where_there_is_a_choice() -> None:
    text = """
    services:
      a: {image: a, mem_limit: 9g}
      b: {image: b, mem_limit: 9g}
      c: {image: c, x-escale: {anti_affinity: {services: [a], mode: soft}}}
    """
    assert placed(draw(text)) == {"host-1": ["a/1"], "host-2": ["b/1", "c/1"]}


def test_soft_affinity_is_tried_first() -> None:
    text = """
    services:
      a: {image: a, mem_limit: 9g}
      b: {image: b, mem_limit: 9g}
      c: {image: c, x-escale: {affinity: {services: [b], mode: soft}}}
    """
    assert placed(draw(text)) == {"host-1": ["a/1"], "host-2": ["b/1", "c/1"]}


def test_affinity_and_anti_affinity_that_contradict_each_other_are_an_error() -> None:
    text = """
    services:
      a: {image: a, x-escale: {affinity: {services: [b]}, anti_affinity: {services: [b]}}}
      b: {image: b}
    """
    assert "realise.affinity_conflict" in errors(draw(text))


@pytest.mark.parametrize(
    "tie",
    [
        "network_mode: service:b",
        "pid: service:b",
        "ipc: service:b",
        "volumes_from: [b]",
        "volumes: ['shared:/x']",
        "x-escale: {affinity: {services: [b]}}",
        "depends_on: {b: {condition: service_completed_successfully}}",
    ],
)
def test_what_ties_services_puts_them_on_one_machine(tie: str) -> None:
    text = f"""
    services:
      a: {{image: a, mem_limit: 3g, {tie}}}
      b: {{image: b, mem_limit: 3g, volumes: ['shared:/y']}}
      c: {{image: c, mem_limit: 11g}}
    volumes: {{shared: {{}}}}
    """
    homes = placed(draw(text))
    assert any({"a/1", "b/1"} <= set(workloads) for workloads in homes.values())


def test_why_services_stand_together_is_told() -> None:
    text = """
    services:
      a: {image: a, volumes: ['vol:/x']}
      b: {image: b, volumes: ['vol:/y'], x-escale: {isolation: machine}}
    volumes: {vol: {}}
    """
    (finding,) = found(draw(text), "realise.together")
    assert finding.severity == "warning"
    assert "share the volume vol" in finding.message
    assert "b cannot have a machine of its own" in finding.message


def test_a_completed_job_may_stand_elsewhere_where_it_does_not_fit() -> None:
    text = """
    services:
      a: {image: a, mem_limit: 9g, depends_on: {job: {condition: service_completed_successfully}}}
      job: {image: j, mem_limit: 9g}
    """
    desired = draw(text)
    assert len(placed(desired)) == 2
    assert any(entry.code == "ledger.depends_on.completed" for entry in desired.ledger)


def test_replicas_that_publish_a_fixed_port_get_different_machines() -> None:
    text = "services: {web: {image: a, deploy: {replicas: 2}, ports: ['80:80']}}"
    assert placed(draw(text)) == {"host-1": ["web/1"], "host-2": ["web/2"]}
    free = "services: {web: {image: a, deploy: {replicas: 2}, ports: ['80']}}"
    assert len(placed(draw(free))) == 1


def test_services_that_publish_the_same_port_get_different_machines() -> None:
    text = """
    services:
      a: {image: a, ports: ['80:80']}
      b: {image: b, ports: ['80:8080']}
      c: {image: c, ports: ['80:80/udp']}
    """
    assert placed(draw(text)) == {"host-1": ["a/1", "c/1"], "host-2": ["b/1"]}


def test_replicas_that_share_a_volume_and_publish_a_fixed_port_are_an_error() -> None:
    text = (
        "services: {web: {image: a, deploy: {replicas: 2}, ports: ['80:80'], volumes: ['vol:/x']}}\nvolumes: {vol: {}}"
    )
    (finding,) = found(draw(text), "realise.port_clash")
    assert finding.severity == "error"
    assert "share the volume vol" in finding.message


def test_names_of_machines_are_dns_labels_and_unique() -> None:
    text = """
    services:
      Web_1: {image: a, x-escale: {isolation: machine}}
      web-1: {image: a, x-escale: {isolation: machine}}
      host: {image: a, x-escale: {isolation: machine}}
      %s: {image: a, x-escale: {isolation: machine}}
      b: {image: b}
    """ % ("x" * 80)
    names = [machine.name for machine in machines(draw(text)).values()]
    assert len(set(names)) == len(names) == 5
    for name in names:
        assert len(name) <= 63
        assert name.startswith("shop-")
        assert not name.endswith("-")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_what_was_placed_stays_where_it_is() -> None:
    text = "services: {b: {image: b, mem_limit: 6g}, c: {image: c, mem_limit: 6g}}"
    prior = {"b/1": "machine:host-7", "c/1": "machine:host-2"}
    assert placed(draw(text, prior=prior)) == {"host-2": ["c/1"], "host-7": ["b/1"]}
    more = "services: {a: {image: a, mem_limit: 6g}, b: {image: b, mem_limit: 6g}, c: {image: c, mem_limit: 6g}}"
    assert placed(draw(more, prior=prior)) == {"host-2": ["a/1", "c/1"], "host-7": ["b/1"]}


def test_what_grew_out_of_its_machine_moves_alone() -> None:
    text = "services: {b: {image: b, mem_limit: 6g}, c: {image: c, mem_limit: 12g}}"
    prior = {"b/1": "machine:host-1", "c/1": "machine:host-1"}
    assert placed(draw(text, prior=prior)) == {"host-1": ["b/1"], "host-2": ["c/1"]}


def test_a_name_of_before_is_not_given_to_another_machine() -> None:
    text = """
    services:
      new: {image: b, x-escale: {isolation: machine}}
      old: {image: a}
      other: {image: a, mem_limit: 15500m}
    """
    prior = {"gone/1": "machine:host-1", "old/1": "machine:host-2"}
    assert placed(draw(text, prior=prior)) == {"host-2": ["old/1"], "host-3": ["other/1"], "new-1": ["new/1"]}


def test_a_machine_joins_only_so_many_networks() -> None:
    units = [unit(f"s{n}", networks=frozenset({f"n{n}"})) for n in range(12)]
    hosts = pack(units, BOUNDS, {})
    assert [len(host.networks) for host in hosts] == [8, 4]
    later = [*units, unit("late", networks=frozenset({"n0"}))]
    assert ("late", 1) in pack(later, BOUNDS, {})[1].workloads or ("late", 1) in pack(later, BOUNDS, {})[0].workloads


sizes = st.lists(
    st.builds(
        lambda n, cpu, memory, dedicated, hard, disks: (n, cpu, memory, dedicated, hard, disks),
        st.integers(0, 9),
        st.integers(1, 8000),
        st.integers(1, 16_384),
        st.booleans(),
        st.sets(st.integers(0, 9), max_size=2),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(sizes)
@settings(max_examples=200, deadline=None)
def test_no_machine_holds_more_than_it_may(drawn: list[tuple[int, int, int, bool, set[int], int]]) -> None:
    units = [
        Unit(((f"s{n}", replica),), cpu, memory, frozenset(), disks, (), dedicated, frozenset(f"s{h}" for h in hard))
        for replica, (n, cpu, memory, dedicated, hard, disks) in enumerate(drawn)
    ]
    hosts = pack(units, BOUNDS, {})
    assert sorted(w for host in hosts for w in host.workloads) == sorted(w for u in units for w in u.workloads)
    for host in hosts:
        assert sum(u.millicpus for u in host.units) <= BOUNDS.millicpus
        assert sum(u.memory_mib for u in host.units) <= BOUNDS.memory_mib
        assert sum(u.disks for u in host.units) <= BOUNDS.disks
        assert not any(u.dedicated for u in host.units) or len(host.units) == 1
        for u in host.units:
            others = {name for other in host.units if other is not u for name in other.services}
            assert not u.hard & others
    kept = {workload: host.label for host in hosts for workload in host.workloads}
    assert {w: host.label for host in pack(units, BOUNDS, kept) for w in host.workloads} == kept


def test_ten_times_the_containers_take_about_ten_times_as_long() -> None:
    def seconds(count: int) -> float:
        units = [unit(f"s{n}", 64 + (n * 37) % 4000, networks=frozenset({f"n{n // 9}"})) for n in range(count)]
        best = 1e9
        for _ in range(3):
            started = time.process_time()
            pack(units, BOUNDS, {})
            best = min(best, time.process_time() - started)
        return best

    assert seconds(10_000) < 25 * seconds(1_000)  # a quadratic packer would need a hundred times as long
