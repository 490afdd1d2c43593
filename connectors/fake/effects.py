"""What each verb does to the fake cloud, once its task is due."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from connectors.base import ConnectorError
from connectors.fake import adoption, openings, world
from connectors.fake.store import dump
from engine.resources import config_hash, from_json

Payload = Mapping[str, Any]
Result = dict[str, Any]


class Effects:
    """Apply verbs to the things of one cloud, inside one transaction."""

    def __init__(self, db: sqlite3.Connection, options: Mapping[str, Any], now: float) -> None:
        self.db, self.options, self.now = db, options, now

    def apply(self, payload: Payload) -> Result:
        """Do what a task was for; ConnectorError when the cloud would refuse."""
        if payload["verb"] in openings.EFFECTS:
            return openings.EFFECTS[payload["verb"]](self, payload)
        effect: Callable[[Payload], Result] = getattr(self, "_" + payload["verb"].replace(".", "_"))
        return effect(payload)

    # Reading and writing things

    def thing(self, external_id: str | None) -> dict[str, Any] | None:
        """Return a thing by id: its columns, with ``data`` decoded."""
        row = self.db.execute("SELECT * FROM thing WHERE id = ?", (external_id,)).fetchone()
        return None if row is None else {**dict(row), "data": json.loads(row["data"])}

    def of_deployment(self, deployment: str, kind: str | None = None) -> list[dict[str, Any]]:
        """List what carries a deployment's marker."""
        rows = self.db.execute("SELECT * FROM thing WHERE deployment = ? ORDER BY id", (deployment,)).fetchall()
        return [{**dict(row), "data": json.loads(row["data"])} for row in rows if kind in (None, row["kind"])]

    def made_by(self, key: str) -> dict[str, Any] | None:
        """Return what the step with this key made."""
        row = self.db.execute("SELECT id FROM thing WHERE step = ? ORDER BY id LIMIT 1", (key,)).fetchone()
        return None if row is None else self.thing(row["id"])

    def save(self, external_id: str, data: Mapping[str, Any]) -> None:
        """Replace a thing's data."""
        self.db.execute("UPDATE thing SET data = ? WHERE id = ?", (dump(data), external_id))

    def insert(self, payload: Payload, external_id: str, name: str, data: Mapping[str, Any]) -> None:
        """Make a thing that carries the markers of the payload's owner and step."""
        kind = payload["resource"].partition(":")[0]
        self.db.execute(
            "INSERT INTO thing (id, kind, name, deployment, resource, step, visible_at, data) VALUES (?,?,?,?,?,?,?,?)",
            (
                external_id,
                kind,
                name,
                payload["owner"]["deployment_id"],
                payload["resource"],
                payload["key"],
                self.now + payload.get("lag_s", 0.0),
                dump({**data, "organization": payload["owner"].get("organization_id", "")}),
            ),
        )

    def delete(self, external_id: str) -> None:
        """Remove a thing."""
        self.db.execute("DELETE FROM thing WHERE id = ?", (external_id,))

    def owned(self, payload: Payload) -> dict[str, Any] | None:
        """Return the thing that a verb is about, None when it is gone; refuse what is not the owner's."""
        found = self.thing(payload["external_id"])
        if found is None:
            return None
        if found["deployment"] != payload["owner"]["deployment_id"]:
            raise ConnectorError(
                "cloud.foreign",
                f"{found['name']} was left alone - it does not carry this deployment's marker - "
                "look at it on the cloud and plan again",
                permanent=True,
            )
        return found

    def machine(self, payload: Payload) -> dict[str, Any]:
        """Return the thing that a verb is about; ConnectorError when it is gone or not the owner's."""
        found = self.owned(payload)
        if found is None:
            raise ConnectorError(
                "cloud.not_found",
                f"The machine of {payload['resource']} is gone - somebody deleted it on the cloud - plan again",
                permanent=True,
            )
        return found

    # Folders, networks, volumes

    def _folder_create(self, payload: Payload) -> Result:
        path = list(payload["spec"]["path"])
        ground = {name: payload["spec"][name] for name in ("cidr", "zone") if name in payload["spec"]}
        data = {"path": path, "hash": _hash(payload["spec"]), **ground}
        self.insert(payload, payload["new_id"], "/".join(path), data)
        return {"external_id": payload["new_id"], "path": "/".join(path), "created": True, **ground}

    def _folder_delete(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        if any(machine["data"]["folder"] == found["name"] for machine in self.all("machine")):
            raise ConnectorError(
                "cloud.foreign",
                f"The folder {found['name']} was left alone - it still holds machines - move or delete them first",
                permanent=True,
            )
        self.delete(found["id"])
        return {}

    def _network_create(self, payload: Payload) -> Result:
        spec = payload["spec"]
        known = {fact.name: fact for fact in world.current(self.db, self.options).networks}
        if not spec["managed"]:
            if spec["name"] not in known:
                raise _missing("network", spec["name"], known)
            return {"external_id": known[spec["name"]].id, "name": spec["name"], "created": False}
        self.insert(payload, payload["new_id"], spec["name"], {"vlan": spec.get("vlan"), "hash": _hash(spec)})
        return {"external_id": payload["new_id"], "name": spec["name"], "created": True}

    def _network_delete(self, payload: Payload) -> Result:
        if payload["spec"].get("managed") is False:
            return {"kept": True}
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        users = [
            user["name"]
            for user in (*self.all("machine"), *self.all("balancer"))
            if found["id"] in user["data"]["networks"]
        ]
        if users:
            raise ConnectorError(
                "cloud.busy", f"The network {found['name']} is in use by {', '.join(users)} - delete them first"
            )
        self.delete(found["id"])
        return {}

    def _volume_create(self, payload: Payload) -> Result:
        spec = payload["spec"]
        datastore = self._datastore(spec["size_gib"], spec.get("datastore"))
        path = f"[{datastore}] escale-{payload['owner']['deployment_id'][:8]}/{payload['resource'].partition(':')[2]}"
        data = {"size_gib": spec["size_gib"], "datastore": datastore, "path": path, "hash": _hash(spec)}
        self.insert(payload, payload["new_id"], spec["name"], data)
        return {"external_id": payload["new_id"], "path": path, "datastore": datastore, "created": True}

    def _volume_extend(self, payload: Payload) -> Result:
        found = self.machine(payload)
        data, wanted = found["data"], payload["spec"]["size_gib"]
        if wanted > data["size_gib"]:
            self._datastore(wanted - data["size_gib"], data["datastore"])
            data.update(size_gib=wanted)
        data.update(hash=_hash(payload["spec"]))
        self.save(found["id"], data)
        return {"external_id": found["id"], "path": data["path"], "size_gib": data["size_gib"]}

    def _volume_delete(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        for machine in self.all("machine"):
            if any(disk["id"] == found["id"] for disk in machine["data"]["disks"]):
                if machine["deployment"] != found["deployment"]:
                    raise ConnectorError(
                        "cloud.foreign",
                        f"The volume {found['name']} was not deleted - the machine {machine['name']}, which is not in "
                        "this deployment, holds it - detach it there, then retry",
                        permanent=True,
                    )
                raise ConnectorError(
                    "cloud.busy", f"The volume {found['name']} is attached to {machine['name']} - detach it first"
                )
        self.delete(found["id"])
        return {}

    # Machines

    def _machine_create(self, payload: Payload) -> Result:
        spec, inputs = payload["spec"], payload["inputs"]
        inventory = world.current(self.db, self.options)
        templates = {fact.name: fact for fact in inventory.templates}
        if spec["template"] not in templates:
            raise _missing("template", spec["template"], templates)
        clusters = [fact.name for fact in inventory.clusters]
        if spec.get("cluster") not in (None, *clusters):
            raise _missing("cluster", spec["cluster"], clusters)
        folder = inputs.get("folder:deployment", {})
        data = {
            "folder": folder.get("path", ""),
            "template": spec["template"],
            "cluster": spec.get("cluster") or min(inventory.clusters, key=lambda fact: fact.memory_used_mib).name,
            "datastore": self._datastore(world.SYSTEM_DISK_GIB, None),
            "cpus": spec["cpus"],
            "memory_mib": spec["memory_mib"],
            "networks": [inputs.get(nic["network"], {}).get("external_id", nic["network"]) for nic in spec["nics"]],
            "static": [nic["address"].partition("/")[0] for nic in spec["nics"] if nic.get("address")],
            "disks": self._disks(payload),
            "userdata": spec.get("userdata", {}),
            "instance_id": payload["new_id"],
            "power": "off",
            "on_since": None,
            "bios_uuid": payload["bios_uuid"],
            "hash": _hash(spec),
            **_bought(spec, inputs),
        }
        self.insert(payload, payload["new_id"], spec["name"], data)
        return {**self.machine_facts(payload["new_id"], spec["name"], data), "created": True}

    def machine_facts(self, external_id: str, name: str, data: Mapping[str, Any]) -> Result:
        """Return what ``machine.create`` and ``machine.update`` report."""
        return {
            "external_id": external_id,
            "moref": "vm-" + external_id[:8],
            "bios_uuid": data["bios_uuid"],
            "name": name,
            "host": f"{data['cluster']}-host-1",
            "path": f"{data['folder']}/{name}".lstrip("/"),
        }

    def _machine_start(self, payload: Payload) -> Result:
        found = self.machine(payload)
        if found["data"]["power"] != "on":
            found["data"].update(power="on", on_since=self.now)
            self.save(found["id"], found["data"])
        return {"external_id": found["id"]}

    def _machine_stop(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        found["data"].update(power="off", on_since=None)
        self.save(found["id"], found["data"])
        return {"external_id": found["id"]}

    def _machine_snapshot(self, payload: Payload) -> Result:
        found = self.machine(payload)
        found["data"].update(snapshots=found["data"].get("snapshots", 0) + 1)
        self.save(found["id"], found["data"])
        return {"external_id": found["id"]}

    def _machine_unsnapshot(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        found["data"].update(snapshots=0)
        self.save(found["id"], found["data"])
        return {"external_id": found["id"]}

    def _machine_relocate(self, payload: Payload) -> Result:
        found, to, origin = self.machine(payload), payload["spec"]["to"], payload["spec"]["from"]
        data = found["data"]
        if data.get(to, origin) == origin:
            if to == "host":
                data["host"] = f"{data['cluster']}-host-2"
            else:
                names = [fact.name for fact in world.current(self.db, self.options).datastores]
                others = [name for name in names if name != origin]
                if not others:
                    raise _missing("datastore", "beside " + str(origin), names)
                data["datastore"] = others[0]
            self.save(found["id"], data)
        return {"external_id": found["id"], to: data[to]}

    def _machine_update(self, payload: Payload) -> Result:
        if payload["spec"].get("adopted"):
            return adoption.update(self, payload)
        found, spec = self.machine(payload), payload["spec"]
        data = found["data"]
        data.update(
            cpus=spec["cpus"],
            memory_mib=spec["memory_mib"],
            disks=self._disks(payload),
            hash=_hash(spec),
            **_bought(spec, payload["inputs"]),
        )
        if "userdata" in spec and spec["userdata"] != data["userdata"]:
            data.update(userdata=spec["userdata"], instance_id=payload["new_id"])
            if data["power"] == "on":
                data.update(on_since=self.now)  # power cycled
        self.save(found["id"], data)
        return self.machine_facts(found["id"], found["name"], data)

    def _machine_adopt(self, payload: Payload) -> Result:
        return adoption.adopt(self, payload)

    def _machine_release(self, payload: Payload) -> Result:
        return adoption.release(self, payload)

    def _machine_detach(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        data = found["data"]
        detached = [disk["volume"] for disk in data["disks"] if disk["volume"]]
        if detached:
            _refuse_snapshots(found)
            data.update(before={"disks": data["disks"], "hash": data["hash"]}, hash="detached")
            data["disks"] = [disk for disk in data["disks"] if not disk["volume"]]
            self.save(found["id"], data)
        return {"external_id": found["id"], "detached": detached}

    def _machine_restore(self, payload: Payload) -> Result:
        """Take back what detaching the data disks has done."""
        found = self.machine(payload)
        found["data"].update(found["data"].pop("before", {}))
        self.save(found["id"], found["data"])
        return {"external_id": found["id"]}

    def _machine_delete(self, payload: Payload) -> Result:
        found = self.owned(payload)
        if found is None:
            return {"gone": True}
        if found["data"].get("adopted"):
            raise ConnectorError(
                "cloud.foreign",
                f"The machine {found['name']} was left alone - it was adopted, not made, and such a machine is "
                "released and never deleted - plan again",
                permanent=True,
            )
        _refuse_snapshots(found)
        if any(not disk["volume"] for disk in found["data"]["disks"]):
            raise ConnectorError(
                "cloud.foreign",
                f"The machine {found['name']} was left alone - it holds a disk that this deployment did not make, "
                "which would be destroyed with it - detach that disk and try again",
                permanent=True,
            )
        self.delete(found["id"])
        return {}

    # Details

    def all(self, kind: str) -> list[dict[str, Any]]:
        """List the things of a kind, whosever they are."""
        rows = self.db.execute("SELECT * FROM thing WHERE kind = ? ORDER BY id", (kind,)).fetchall()
        return [{**dict(row), "data": json.loads(row["data"])} for row in rows]

    def _disks(self, payload: Payload) -> list[dict[str, Any]]:
        disks = []
        for mount in payload["spec"].get("disks", ()):
            external_id = payload["inputs"].get(mount["volume"], {}).get("external_id")
            volume = self.thing(external_id)
            if volume is None:
                raise ConnectorError(
                    "cloud.not_found",
                    f"The disk of {mount['volume']} is gone - somebody deleted it on the cloud - plan again",
                    permanent=True,
                )
            facts = volume["data"]
            disks.append(
                {
                    "volume": mount["volume"],
                    "id": external_id,
                    "path": facts["path"],
                    "size_gib": facts["size_gib"],
                }
            )
        return disks

    def _datastore(self, size_gib: float, name: str | None) -> str:
        facts = {fact.name: fact for fact in world.current(self.db, self.options).datastores}
        if name is not None and name not in facts:
            raise _missing("datastore", name, facts)
        candidates = [facts[name]] if name else sorted(facts.values(), key=lambda fact: -fact.free_gib)
        if not candidates or candidates[0].free_gib < size_gib:
            free = candidates[0].free_gib if candidates else 0.0
            raise ConnectorError(
                "cloud.no_space",
                f"There is no room for {size_gib:g} GiB - {candidates[0].name if candidates else 'no datastore'} has "
                f"{free:g} GiB left - free some space or choose another datastore",
                permanent=True,
            )
        return candidates[0].name


def _bought(spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only machines of some clouds have: a size, a firewall, and whether they may be taken away."""
    firewall = inputs.get(spec.get("firewall") or "", {}).get("external_id")
    given = {"size": spec.get("size"), "firewall": firewall, "spot": spec.get("spot")}
    return {name: value for name, value in given.items() if value}


def _hash(spec: Mapping[str, Any]) -> str:
    return str(spec.get("config_hash") or config_hash(from_json(spec)))


def _refuse_snapshots(machine: Mapping[str, Any]) -> None:
    if machine["data"].get("snapshots"):
        raise ConnectorError(
            "cloud.foreign",
            f"The machine {machine['name']} was left alone - somebody took snapshots of it, which hold its disks - "
            "delete or consolidate the snapshots, then retry",
            permanent=True,
        )


def _missing(what: str, name: str, known: Any) -> ConnectorError:
    return ConnectorError(
        "cloud.not_found",
        f"There is no {what} {name!r} - the cloud has {', '.join(sorted(known)) or 'none'} - choose one of these",
        permanent=True,
    )
