"""It is told which services stand on what, and how each of them fares."""

from __future__ import annotations

import base64
import json
from typing import Any

from engine import standing
from engine.userdata import HOME

PARTS = {
    "web": {"image": "nginx:1", "networks": {"front": None}, "ports": [{"published": "80", "target": 80}]},
    "db": {
        "image": "postgres:1",
        "networks": {"back": None},
        "volumes": [{"type": "volume", "source": "data", "target": "/data"}],
    },
}


def machine(parts: dict[str, Any], replicas: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    text = json.dumps({"services": parts})
    file = {"path": f"{HOME}/compose.yaml", "content": base64.b64encode(text.encode()).decode()}
    return {
        "kind": "machine",
        "name": "m",
        "cpus": 1,
        "memory_mib": 1024,
        "workloads": [
            {"service": name, "replica": replica, "image": part["image"]}
            for name, part in parts.items()
            for replica in range(1, (replicas or {}).get(name, 1) + 1)
        ],
        "disks": [{"volume": "volume:data"}],
        "nics": [{"network": "network:@LAN"}, {"network": "network:front"}],
        "userdata": {"write_files": [file]},
        **more,
    }


def fares(before: Any, after: Any, changes: dict[str, str], drawn: tuple[str, ...] = ()) -> dict[str, Any]:
    sides = [standing.Side({"machine:a": spec} if spec else {}) for spec in (after, before)]
    found = standing.service_changes(sides[0], sides[1], changes, drawn)
    return {name: told["change"] for name, told in found.items()}


def test_a_disk_and_a_network_are_told_with_those_that_use_them() -> None:
    found = standing.services_on(standing.Side({"machine:a": machine(PARTS), "volume:data": {"kind": "volume"}}))
    assert found == {
        "machine:a": ["db", "web"],
        "volume:data": ["db"],
        "network:@LAN": ["db", "web"],
        "network:front": ["web"],
    }


def test_what_was_there_before_counts_as_well() -> None:
    before = standing.Side({"machine:a": machine({"old": {"image": "x"}})})
    assert standing.services_on(standing.Side({}), before)["machine:a"] == ["old"]


def test_where_the_machine_does_not_tell_all_on_it_are_named() -> None:
    silent = machine(PARTS) | {"userdata": {"write_files": [{"path": f"{HOME}/compose.yaml", "content": "!"}]}}
    assert standing.services_on(standing.Side({"machine:a": silent}))["volume:data"] == ["db", "web"]


def test_a_new_image_changes_its_service_and_restarts_the_others() -> None:
    newer = {**PARTS, "web": {**PARTS["web"], "image": "nginx:2"}}
    after, before = standing.Side({"machine:a": machine(newer)}), standing.Side({"machine:a": machine(PARTS)})
    found = standing.service_changes(after, before, {"machine:a": "update"})
    assert (found["web"]["change"], found["web"]["restarted"]) == ("update", False)
    assert (found["db"]["change"], found["db"]["restarted"]) == ("keep", True)
    assert found["web"]["ports"] == [{"published": "80", "target": 80, "protocol": "tcp"}]


def test_a_machine_that_changes_for_itself_changes_all_that_is_on_it() -> None:
    assert fares(machine(PARTS), machine(PARTS), {"machine:a": "update"}) == {"db": "update", "web": "update"}


def test_each_way_to_fare_is_told() -> None:
    assert fares(None, machine(PARTS), {"machine:a": "create"}) == {"db": "create", "web": "create"}
    assert fares(machine(PARTS), None, {"machine:a": "delete"}) == {"db": "delete", "web": "delete"}
    assert fares(machine(PARTS), machine(PARTS), {"machine:a": "replace"}) == {"db": "replace", "web": "replace"}
    assert fares(machine(PARTS), machine(PARTS), {"machine:a": "keep"}) == {"db": "keep", "web": "keep"}
    missing = {"machine:a": "create"}  # it is known, and gone from the cloud
    assert fares(machine(PARTS), machine(PARTS), missing) == {"db": "create", "web": "create"}


def test_a_disk_that_grows_changes_those_that_use_it() -> None:
    changes = {"machine:a": "keep", "volume:data": "update"}
    assert fares(machine(PARTS), machine(PARTS), changes) == {"db": "update", "web": "keep"}


def test_another_replica_changes_its_service() -> None:
    changes = {"machine:a": "update"}
    assert fares(machine(PARTS), machine(PARTS, {"web": 2}), changes) == {"db": "keep", "web": "update"}


def test_what_is_drawn_and_stands_nowhere_is_told_without_a_change() -> None:
    assert fares(None, None, {}, ("elsewhere",)) == {"elsewhere": None}


def test_a_machine_is_shown_without_its_user_data() -> None:
    (shown,) = standing.machines({"machine:a": machine(PARTS, cluster="c1"), "volume:data": {"kind": "volume"}})
    assert shown["disks"] == ["data"]
    assert shown["workloads"][0] == {"service": "web", "replica": 1, "image": "nginx:1"}
    assert "userdata" not in shown
