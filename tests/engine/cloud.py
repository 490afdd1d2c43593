"""A cloud small enough to trust: it executes plans, refuses what a real one would refuse, and can be observed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from engine import planner
from engine.observed import ObservedResource, ObservedState, Target
from engine.plan import Action, Plan
from engine.realise import Desired
from engine.resources import Owner
from tests.engine.drawings import OWNER, TARGET


class RefusedError(AssertionError):
    """The cloud would have failed here."""


@dataclass
class TinyCloud:
    """Hold things by external id, and what the journal would have recorded."""

    target: Target = TARGET
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    strays: list[ObservedResource] = field(default_factory=list)
    prior: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: count(1))

    # What people and tests do on it.

    def find(self, key: str) -> dict[str, Any]:
        """Return the thing of a key."""
        return next(thing for thing in self.things.values() if thing["key"] == key)

    def lose(self, key: str) -> None:
        """Remove a thing behind the portal's back."""
        del self.things[self.find(key)["id"]]

    def observe(self) -> ObservedState:
        """Return what exists."""
        return ObservedState(
            {thing["key"]: self._observed(thing) for thing in self.things.values()}, tuple(self.strays)
        )

    def _observed(self, thing: Mapping[str, Any]) -> ObservedResource:
        hidden = ("id", "key", "hash")
        attributes = {name: value for name, value in thing.items() if name not in hidden}
        kind = thing["key"].partition(":")[0]
        if kind == "volume":
            holders = [
                other["id"]
                for other in self.things.values()
                if any(disk["volume"] == thing["key"] for disk in other.get("disks", ()))
            ]
            assert len(holders) < 2, f"{thing['key']} hangs on two machines"
            attributes["attached_to"] = holders[0] if holders else None
        return ObservedResource(thing["key"], kind, thing["id"], thing["hash"], json.loads(json.dumps(attributes)))

    # Plans.

    def plan(self, desired: Desired, owner: Owner = OWNER) -> Plan:
        """Plan what makes this cloud as drawn."""
        return planner.plan(desired, self.observe(), self.prior, owner, "paris")

    def plan_destroy(self, owner: Owner = OWNER) -> Plan:
        """Plan the end of the deployment."""
        return planner.plan_destroy(self.observe(), self.prior, owner, "paris")

    def deploy(self, desired: Desired) -> Plan:
        """Plan and execute; the plan must be executable."""
        plan = self.plan(desired)
        assert not plan.blocked, [finding.message for finding in plan.findings if finding.severity == "error"]
        self.execute(plan)
        return plan

    def execute(self, plan: Plan, stop_after: int | None = None) -> None:
        """Execute a plan, or its first actions; each action must stand after those that it depends on."""
        done: set[str] = set()
        for action in plan.actions[:stop_after]:
            assert set(action.depends_on) <= done, f"{action.key} comes too early"
            self._execute(action)
            done.add(action.key)

    def _execute(self, action: Action) -> None:
        self.log.append(action.key)
        data = json.loads(json.dumps(action.to_json()))
        for key in action.uses:
            own = key == action.resource
            if not own and not self._exists(key):
                raise RefusedError(f"{action.key} uses {key}, which does not exist")
        getattr(self, "_" + action.verb.replace(".", "_"))(action, data["spec"])
        self._record(action, data["spec"])

    def _exists(self, key: str) -> bool:
        # Networks of the target itself have no marker.
        return any(thing["key"] == key for thing in self.things.values()) or (
            key.startswith("network:") and key != "network:@public"
        )

    def _record(self, action: Action, spec: dict[str, Any]) -> None:
        key, verb = action.resource, action.verb
        if verb.endswith(".delete"):
            self.prior.pop(key, None)
            return
        if verb.endswith((".create", ".update", ".extend")):
            self.prior[key] = {**spec, "state": self.prior.get(key, {}).get("state", "present")}
        state = {"machine.create": "stopped", "machine.stop": "stopped", "machine.start": "running"}.get(verb)
        if key in self.prior and state:
            self.prior[key]["state"] = state

    def _make(self, action: Action, spec: dict[str, Any], **attributes: Any) -> None:
        if any(thing["key"] == action.resource for thing in self.things.values()):
            raise RefusedError(f"{action.resource} exists already")
        external_id = f"id-{next(self.ids)}"
        self.things[external_id] = {
            "id": external_id,
            "key": action.resource,
            "hash": spec["config_hash"],
            **attributes,
        }

    def _own(self, action: Action) -> dict[str, Any]:
        thing = next((thing for thing in self.things.values() if thing["key"] == action.resource), None)
        if thing is None:
            raise RefusedError(f"{action.key}: {action.resource} does not exist")
        if action.external_id is not None and action.external_id != thing["id"]:
            raise RefusedError(f"{action.key} means {action.external_id}, not {thing['id']}")
        return thing

    def _folder_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(action, spec, path="/".join(spec["path"]))

    def _folder_delete(self, action: Action, spec: dict[str, Any]) -> None:
        others = [thing["key"] for thing in self.things.values() if thing["key"] != action.resource]
        if others:
            raise RefusedError(f"the folder is not empty: {others}")
        del self.things[self._own(action)["id"]]

    def _network_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(action, spec, name=spec["name"], vlan=spec["vlan"])

    def _network_delete(self, action: Action, spec: dict[str, Any]) -> None:
        users = [thing["key"] for thing in self.things.values() if action.resource in thing.get("cards", ())]
        if users:
            raise RefusedError(f"{action.resource} is used by {users}")
        del self.things[self._own(action)["id"]]

    def _firewall_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(action, spec, name=spec["name"], rules=list(spec["rules"]))

    def _firewall_update(self, action: Action, spec: dict[str, Any]) -> None:
        self._own(action).update(rules=list(spec["rules"]), hash=spec["config_hash"])

    def _firewall_delete(self, action: Action, spec: dict[str, Any]) -> None:
        users = [thing["key"] for thing in self.things.values() if thing.get("firewall") == action.resource]
        if users:
            raise RefusedError(f"{action.resource} is used by {users}")
        del self.things[self._own(action)["id"]]

    def _balancer_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(action, spec, name=spec["name"], cards=[spec["network"]], **self._balanced(spec))

    def _balancer_update(self, action: Action, spec: dict[str, Any]) -> None:
        self._own(action).update(hash=spec["config_hash"], **self._balanced(spec))

    def _balancer_delete(self, action: Action, spec: dict[str, Any]) -> None:
        del self.things[self._own(action)["id"]]

    def _balanced(self, spec: dict[str, Any]) -> dict[str, Any]:
        machines = [self.find(key) for key in spec["machines"]]
        if any(machine["power"] != "on" for machine in machines):
            raise RefusedError("a balancer leads to machines that run")
        return {"listeners": spec["listeners"], "machines": [machine["id"] for machine in machines]}

    def _volume_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(action, spec, size_gib=spec["size_gib"], datastore=spec["datastore"])

    def _volume_extend(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if spec["size_gib"] < thing["size_gib"]:
            raise RefusedError("a disk cannot shrink")
        thing.update(size_gib=spec["size_gib"], hash=spec["config_hash"])

    def _volume_delete(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if self._observed(thing).attributes["attached_to"]:
            raise RefusedError(f"{action.resource} is attached")
        del self.things[thing["id"]]

    def _attach(self, action: Action, spec: dict[str, Any], kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
        disks = [disk for disk in kept if not str(disk["volume"] or "").startswith("volume:")]
        units = [disk["unit"] for disk in spec["disks"]]
        assert len(set(units)) == len(units)
        assert not {0, 7} & set(units)
        for mount in spec["disks"]:
            volume = next((thing for thing in self.things.values() if thing["key"] == mount["volume"]), None)
            if volume is None:
                raise RefusedError(f"{action.key}: {mount['volume']} does not exist")
            holder = self._observed(volume).attributes["attached_to"]
            if holder not in (None, action.external_id):
                raise RefusedError(f"{action.key}: {mount['volume']} is attached to {holder}")
            disks.append({"volume": mount["volume"], "size_gib": volume["size_gib"], "unit": mount["unit"]})
        return disks

    def _machine_create(self, action: Action, spec: dict[str, Any]) -> None:
        self._make(
            action,
            spec,
            name=spec["name"],
            power="off",
            cpus=spec["cpus"],
            memory_mib=spec["memory_mib"],
            cluster=spec["cluster"],
            cards=[nic["network"] for nic in spec["nics"]],
            disks=[{"volume": None, "size_gib": 16, "system": True}, *self._attach(action, spec, [])],
            userdata=spec["userdata"],
            template=spec["template"],
            snapshots=0,
            **({"size": spec["size"]} if spec.get("size") else {}),
            **({"firewall": self.find(spec["firewall"])["key"]} if spec.get("firewall") else {}),
        )

    def _machine_update(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if thing["power"] != "off":
            raise RefusedError("a machine is updated while it is off")
        if thing["cards"] != [nic["network"] for nic in spec["nics"]] or thing["template"] != spec["template"]:
            raise RefusedError("cards and template only change by replacing")
        thing.update(
            cpus=spec["cpus"],
            memory_mib=spec["memory_mib"],
            disks=self._attach(action, spec, thing["disks"]),
            userdata=spec["userdata"],
            hash=spec["config_hash"],
            **({"size": spec["size"]} if spec.get("size") else {}),
            **({"firewall": self.find(spec["firewall"])["key"]} if spec.get("firewall") else {}),
        )

    def _machine_start(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if thing["power"] == "on":
            raise RefusedError(f"{action.resource} is on")
        thing["power"] = "on"

    def _machine_ready(self, action: Action, spec: dict[str, Any]) -> None:
        if self._own(action)["power"] != "on":
            raise RefusedError(f"{action.resource} is off")

    def _machine_stop(self, action: Action, spec: dict[str, Any]) -> None:
        self._own(action)["power"] = "off"

    def _machine_detach(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if thing["power"] != "off" or thing["snapshots"]:
            raise RefusedError("disks are detached from machines that are off and have no snapshots")
        thing["disks"] = [disk for disk in thing["disks"] if disk["volume"] is None]

    def _machine_delete(self, action: Action, spec: dict[str, Any]) -> None:
        thing = self._own(action)
        if thing["power"] != "off":
            raise RefusedError("a machine is deleted while it is off")
        taken = [disk for disk in thing["disks"] if not disk.get("system")]
        if taken:
            raise RefusedError(f"{action.resource} would take {taken} along")
        del self.things[thing["id"]]
