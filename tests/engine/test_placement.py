"""Which cluster and which datastore, and why not the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.observed import ClusterFact, DatastoreFact, Inventory
from engine.placement import Wish, choose
from tests.engine.drawings import INVENTORY, draw, errors, found, load, machines, target

SMALL = [(2, 2048)]


def said(choice: object, code: str) -> list[str]:
    return [finding.message for finding in choice.findings if finding.code == code]  # type: ignore[attr-defined]


def test_the_cluster_with_the_most_free_memory_is_chosen() -> None:
    choice = choose(INVENTORY, Wish(SMALL))
    assert choice.cluster == "compute"
    assert said(choice, "placement.chosen")[0] == "The cluster compute was chosen; edge would have had room too."


def test_bin_packing_takes_the_fullest_cluster_that_fits() -> None:
    assert choose(INVENTORY, Wish(SMALL, policy="BINPACK")).cluster == "edge"


def test_a_deployment_stays_on_its_cluster_as_long_as_that_has_room() -> None:
    assert choose(INVENTORY, Wish(SMALL, usual_cluster="edge")).cluster == "edge"
    large = [(2, 8192)] * 3
    assert choose(INVENTORY, Wish(large, usual_cluster="edge")).cluster == "compute"
    held = Wish(large, usual_cluster="edge", held_memory_mib=2 * 8192, held_cpus=4)
    assert choose(INVENTORY, held).cluster == "edge"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish([(1, 17_000)]), "needs 17000 MiB of memory, 16384 MiB are free"),
        (Wish([(1, 40_000)]), "a machine needs 40000 MiB, a host has 32768 MiB"),
        (Wish([(9, 1024)]), "a machine needs 9 CPUs, a host has 8"),
        (Wish([(8, 1024)] * 5), "needs 40 virtual CPUs, 32 are free (4 a core)"),
        (Wish(SMALL, cluster="compute"), "'compute' is asked for"),
    ],
)
def test_every_cluster_that_was_not_chosen_is_explained(wish: Wish, reason: str) -> None:
    choice = choose(INVENTORY, wish)
    assert choice.cluster == "compute"
    assert said(choice, "placement.rejected")[0] == f"The cluster edge was not chosen: {reason}."


def test_hosts_in_maintenance_and_hosts_without_storage_are_no_choice() -> None:
    clusters = (replace(INVENTORY.clusters[0], hosts=0), INVENTORY.clusters[1])
    stores = (DatastoreFact("d", "local", "VMFS", 100, 100, ("compute",)),)
    choice = choose(replace(INVENTORY, clusters=clusters, datastores=stores), Wish(SMALL))
    (message,) = said(choice, "placement.no_capacity")
    assert "compute: no host is connected and out of maintenance" in message
    assert "edge: its hosts reach no datastore" in message


def test_no_capacity_is_an_error_that_says_what_and_why_and_what_now() -> None:
    desired = draw("services: {a: {image: a, mem_limit: 15g, deploy: {replicas: 200}}}")
    (finding,) = found(desired, "placement.no_capacity")
    assert finding.severity == "error"
    assert "200 machines" in finding.message
    assert "compute: needs 3174400 MiB of memory, 786432 MiB are free" in finding.message
    assert "choose another cloud" in finding.message


def test_an_unknown_cluster_is_an_error_that_names_the_known_ones() -> None:
    desired = draw("services: {a: {image: a}}\nx-escale: {cluster: moon}")
    (finding,) = found(desired, "placement.cluster_missing")
    assert "'moon'" in finding.message
    assert "compute, edge" in finding.message


def test_the_datastore_with_the_most_room_is_filled_first_then_the_next() -> None:
    stores = (DatastoreFact("a", "a", "VMFS", 100, 60), DatastoreFact("b", "b", "VMFS", 100, 50))
    disks = {"volume:one": 40, "volume:two": 30, "volume:three": 10}
    choice = choose(replace(INVENTORY, datastores=stores), Wish(SMALL, disks=disks))
    assert choice.datastores == {"volume:one": "a", "volume:two": "b", "volume:three": "a"}


def test_a_full_datastore_is_an_error() -> None:
    desired = draw("services: {db: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {x-escale: {size: 30TiB}}}")
    (finding,) = found(desired, "placement.datastore_full")
    assert finding.severity == "error"
    assert "30720" in finding.message
    assert "nfs 3584 GiB, vsan 11264 GiB" in finding.message


def test_a_datastore_that_was_asked_for_must_exist_be_reachable_and_have_room() -> None:
    text = "services: {db: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {x-escale: {datastore: %s, size: %s}}}"
    assert errors(draw(text % ("tape", "1GiB"))) == ["placement.datastore_missing"]
    (finding,) = found(draw(text % ("old", "1GiB")), "placement.datastore_full")
    assert "is not accessible" in finding.message
    (finding,) = found(draw(text % ("nfs", "4TiB")), "placement.datastore_full")
    assert "has 3584 GiB free" in finding.message
    desired = draw(text % ("nfs", "1GiB"))
    assert desired.resources["volume:data"].datastore == "nfs"  # type: ignore[union-attr]
    on_edge = text % ("vsan", "1GiB") + "\nx-escale: {cluster: edge}"
    assert "cannot be reached from the cluster edge" in found(draw(on_edge), "placement.datastore_full")[0].message


def test_an_unread_inventory_is_a_warning_and_leaves_the_choice_to_the_cloud() -> None:
    choice = choose(Inventory(), Wish(SMALL, disks={"volume:a": 1}, datastore="fast"))
    assert choice.cluster is None
    assert choice.datastores == {"volume:a": "fast"}
    assert said(choice, "placement.unknown")


def test_an_update_counts_only_what_it_adds() -> None:
    text = "services: {a: {image: a, mem_limit: 12g, deploy: {replicas: 50}}}"
    first = draw(text)
    prior = {key: _json(resource) for key, resource in first.resources.items()}
    busy = replace(INVENTORY.clusters[0], memory_used_mib=1_048_576 - 1024)
    again = draw(text, prior=prior, on=target(clusters=(busy, INVENTORY.clusters[1])))
    assert not errors(again)
    assert machines(again) == machines(first)


def test_only_the_drawing_moves_machines_to_another_template_or_cluster() -> None:
    text = "services: {a: {image: a}}"
    prior = {key: _json(resource) for key, resource in draw(text).resources.items()}
    moved = target(defaults={"template": "container-host-photon-5", "cluster": "edge", "network": "dmz"})
    assert draw(text, prior=prior, on=moved).resources == draw(text).resources
    asked = draw(text + "\nx-escale: {template: container-host-photon-5, cluster: edge}", prior=prior)
    assert machines(asked)["host-1"].template == "container-host-photon-5"
    assert machines(asked)["host-1"].cluster == "edge"


def test_a_missing_template_is_an_error_that_lists_those_that_exist() -> None:
    (finding,) = found(draw("services: {a: {image: a}}\nx-escale: {template: moon}"), "realise.template_missing")
    assert (finding.line, finding.severity) == (2, "error")
    assert "container-host-debian-12, container-host-photon-5" in finding.message
    bare = target(templates=INVENTORY.templates[:1])
    (finding,) = found(draw("services: {a: {image: a}}", on=bare), "realise.template_missing")
    assert "debian-12-minimal" in finding.message


def test_requirements_are_the_sum_of_all() -> None:
    text = """
    services:
      a: {image: a, volumes: ['data:/x'], x-escale: {isolation: machine}}
      b: {image: b}
    volumes: {data: {}}
    """
    needs = draw(load(text)).requirements
    assert (needs.machines, needs.cpus, needs.memory_mib, needs.disk_gib, needs.networks) == (2, 2, 2048, 42, 1)


def test_the_largest_host_bounds_machines_that_have_no_other_bound() -> None:
    tiny = target(clusters=(ClusterFact("c", "tiny", 2, 4, 9176, 0, 8192, 0),))
    desired = draw("services: {a: {image: a, mem_limit: 3g}, b: {image: b, mem_limit: 3g}}", on=tiny)
    assert not errors(desired)
    assert [machine.memory_mib for machine in machines(desired).values()] == [3584, 3584]


def _json(resource: object) -> dict[str, object]:
    from engine.resources import to_json

    return to_json(resource)  # type: ignore[arg-type]
