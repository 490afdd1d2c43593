"""The contract on the fake cloud: looks things up by key before it makes them, as the real ones must."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.base import Access, Capability, ConnectorError, Handle, Health, Outcome
from connectors.fake import adoption, examining, faults, listing, openings, world
from connectors.fake.effects import Effects
from connectors.fake.store import Store, count, dump
from connectors.listing import ListingPage
from connectors.probing import EXTRA_VERBS, Canary, Report
from engine.findings import Finding
from engine.found import FoundMachine
from engine.observed import Inventory, ObservedResource, ObservedState
from engine.plan import VERBS, Action
from engine.resources import Folder, Owner, config_hash

_NAMESPACE = uuid.UUID("5b7c7c52-3f0f-4c7e-9d3e-6f3f5b8f2a10")
_INVERSE = {
    "folder.create": "folder.delete",
    "network.create": "network.delete",
    "volume.create": "volume.delete",
    "firewall.create": "firewall.delete",
    "balancer.create": "balancer.delete",
    "machine.create": "machine.delete",
    "machine.start": "machine.stop",
    "machine.stop": "machine.start",
    "machine.detach": "machine.restore",
    "machine.adopt": "machine.release",
    "machine.release": "machine.adopt",
}
_USUAL = frozenset(Capability) - {Capability.FIREWALLS, Capability.BALANCERS, Capability.OWN_GROUND}
_IRREVERSIBLE = frozenset({"folder.delete", "network.delete", "volume.delete", "machine.delete", "firewall.delete",
                           "balancer.delete"})  # fmt: skip


class FakeConnector:
    """One fake cloud.

    ``access.options``: ``state`` path of the file (default: one per address in the temporary folder) ·
    ``duration_s`` of every task, or a mapping of verb to seconds, ``"*"`` for the others (default 0.02) ·
    ``boot_s`` from power-on to the first address (default 0.02) · ``password_sha256`` and ``thumbprint``
    of the right ones (default: any) · ``inventory`` the bare cloud as ``Inventory.to_json`` · ``capabilities``
    names of those it has.
    """

    def __init__(self, access: Access) -> None:
        self._access, self._options = access, access.options
        default = Path(tempfile.gettempdir()) / f"escale-fake-{access.address.replace('/', '_')}.sqlite"
        self._store = Store(str(self._options.get("state", default)))

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Return those of a vSphere, or the ones in ``access.options["capabilities"]``."""
        given = self._options.get("capabilities")
        return _USUAL if given is None else frozenset(Capability(name) for name in given)

    # Reads

    def probe(self) -> Health:
        """Say that the cloud is there, or what is wrong."""
        started = time.monotonic()
        try:
            self._call("probe")
        except ConnectorError as error:
            return Health(False, error.message, findings=(Finding(error.code, "error", error.message),))
        facts = {
            "product": "Fake cloud",
            "version": "1.0",
            "api_version": "1",
            "instance_uuid": str(uuid.uuid5(_NAMESPACE, self._store.path)),
            "latency_ms": round((time.monotonic() - started) * 1000, 1),
            "clock_skew_s": 0.0,
        }
        return Health(ok=True, summary="Fake cloud 1.0", facts=facts)

    def inventory(self) -> Inventory:
        """Return the bare cloud less what is used."""
        self._call("inventory")
        with self._store.transaction() as db:
            self._advance(db)
            return world.current(db, self._options)

    def observe(self, owner: Owner) -> ObservedState:
        """Return what carries the deployment's marker and is visible already."""
        self._call("observe")
        now = time.time()
        resources: dict[str, ObservedResource] = {}
        strays: list[ObservedResource] = []
        with self._store.transaction() as db:
            self._advance(db)
            effects = Effects(db, self._options, now)
            things = effects.of_deployment(owner.deployment_id)
            # Machines of others, too: theirs count most, since nothing here takes a disk off them.
            holders = sorted(effects.all("machine"), key=lambda each: each["deployment"] != owner.deployment_id)
            adopted = {
                thing["id"]: adoption.described(effects, thing).observed()
                for thing in things
                if thing["data"].get("adopted")
            }
        attached = {disk["id"]: thing["id"] for thing in holders for disk in thing["data"]["disks"]}
        for thing in sorted(things, key=lambda each: (each["visible_at"], each["id"])):
            if thing["visible_at"] > now:
                continue
            seen = adopted.get(thing["id"]) or _observed(thing, attached)
            if thing["resource"] in resources:
                strays.append(seen)
            else:
                resources[thing["resource"]] = seen
        return ObservedState(resources, tuple(strays))

    def describe(self, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
        """Return machines by id as they are now, whosever they are."""
        self._call("describe")
        with self._store.transaction() as db:
            self._advance(db)
            return adoption.describe(Effects(db, self._options, time.time()), ids)

    def check(self, action: Action) -> list[Finding]:
        """Look for what an action needs and the cloud lacks."""
        with self._store.transaction() as db:
            self._advance(db)
            inventory = world.current(db, self._options)
        findings: list[Finding] = []
        wanted: list[tuple[str, str | None, set[str]]] = []
        if action.verb == "machine.create":
            wanted.append(("template", action.spec["template"], {fact.name for fact in inventory.templates}))
            wanted.append(("cluster", action.spec.get("cluster"), {fact.name for fact in inventory.clusters}))
        elif action.verb == "network.create" and not action.spec["managed"]:
            wanted.append(("network", action.spec["name"], {fact.name for fact in inventory.networks}))
        elif action.verb == "volume.create":
            wanted.append(("datastore", action.spec.get("datastore"), {fact.name for fact in inventory.datastores}))
            room = max((fact.free_gib for fact in inventory.datastores), default=0.0)
            if room < action.spec["size_gib"]:
                message = (
                    f"{action.resource} does not fit - the emptiest datastore has {room:g} GiB left - free some space"
                )
                findings.append(Finding("cloud.no_space", "error", message))
        for what, name, known in wanted:
            if name is not None and name not in known:
                have = ", ".join(sorted(known)) or "none"
                message = f"{action.resource} needs the {what} {name!r} - the cloud has {have} - choose one of these"
                findings.append(Finding("cloud.not_found", "error", message))
        return findings

    # Work

    def start(self, action: Action, key: str) -> Outcome:
        """Begin a task, or find the one, or the thing, that this key has led to before."""
        if action.verb not in VERBS | EXTRA_VERBS | set(_INVERSE.values()):
            raise ConnectorError("cloud.invalid", f"The fake cloud knows no verb {action.verb!r}", permanent=True)
        rules = self._call(action.verb, action.resource)
        error = next((rule.error() for rule in rules if rule.mode == "refuse"), None)
        if error is None:
            error = next((rule.error(maybe_done=True) for rule in rules if rule.mode == "lose"), None)
        if error is not None:
            raise error
        with self._store.transaction() as db:
            self._advance(db)
            outcome = self._start(db, action, key, rules)
        cut = next((rule for rule in rules if rule.mode == "cut"), None)
        if cut is not None:
            raise cut.error(maybe_done=True)
        return outcome

    def _start(self, db: sqlite3.Connection, action: Action, key: str, rules: Sequence[faults.Rule]) -> Outcome:
        now = time.time()
        effects = Effects(db, self._options, now)
        if action.verb == "machine.ready":
            plain = bool(action.spec.get("plain"))
            usual = self._options.get("plain_timeout_s", 120) if plain else self._options.get("ready_timeout_s", 600)
            until = now + float(action.spec.get("timeout_s", usual))
            note = {"ready": _target(action), "until": until, "resource": action.resource, "plain": plain}
            return Outcome.running(dump(note))
        row = db.execute(
            "SELECT id FROM task WHERE key = ? AND verb = ? AND state = 'running'", (key, action.verb)
        ).fetchone()
        if row is not None:
            return self._outcome(db, row["id"])
        if action.verb.endswith(".create"):
            found = self._existing(effects, action, key)
            if found is not None:
                return found
        elif action.verb == "machine.adopt":
            marked = effects.made_by(key)
            if marked is not None:
                facts = effects.machine_facts(marked["id"], marked["name"], marked["data"])
                return Outcome.done(**facts, power=marked["data"]["power"], created=True)
        elif action.verb in ("machine.start", "machine.stop"):
            machine = effects.owned({"external_id": _target(action), "owner": action.owner.to_json()})
            wanted = "on" if action.verb == "machine.start" else "off"
            if machine is not None and machine["data"]["power"] == wanted:
                return Outcome.done(external_id=machine["id"])
        payload = {
            "verb": action.verb,
            "key": key,
            "resource": action.resource,
            "owner": action.owner.to_json(),
            "spec": dict(action.spec),
            "inputs": {name: dict(value) for name, value in action.inputs.items()},
            "external_id": _target(action),
            "new_id": str(uuid.uuid5(_NAMESPACE, f"{self._store.path}/{key}")),
            "bios_uuid": str(uuid.uuid5(_NAMESPACE, f"{action.owner.deployment_id}/{action.resource}")),
            "lag_s": sum(rule.seconds for rule in rules if rule.mode == "lag"),
        }
        hang = any(rule.mode == "hang" for rule in rules)
        fail = next((rule for rule in rules if rule.mode == "fail"), None)
        duration_s = self._duration_s(action.verb) + sum(rule.seconds for rule in rules if rule.mode == "slow")
        due = None if hang else now + duration_s * (fail.at_percent / 100 if fail else 1)
        task_id = "task-" + uuid.uuid4().hex[:12]
        db.execute(
            "INSERT INTO task (id, verb, key, resource, deployment, started, due, state, payload, error)"
            " VALUES (?,?,?,?,?,?,?,'running',?,?)",
            (
                task_id,
                action.verb,
                key,
                action.resource,
                action.owner.deployment_id,
                now,
                due,
                dump({**payload, "duration_s": duration_s}),
                dump(_error_json(fail.error())) if fail else None,
            ),
        )
        count(db, "task:" + action.verb)
        self._advance(db)
        return self._outcome(db, task_id)

    def _existing(self, effects: Effects, action: Action, key: str) -> Outcome | None:
        """Find what this step, or an earlier one for the same resource, has made."""
        same = [
            thing for thing in effects.of_deployment(action.owner.deployment_id) if thing["resource"] == action.resource
        ]
        found = next((thing for thing in same if thing["step"] == key), None)
        if found is None and same:
            found = same[0]
            wanted = action.spec.get("config_hash")
            if found["kind"] == "machine" and wanted is not None and wanted != found["data"]["hash"]:
                raise ConnectorError(
                    "cloud.name_taken",
                    f"{action.resource} exists already and differs - another operation made it - plan again",
                    permanent=True,
                )
        if found is None:
            return None
        data = found["data"]
        facts: dict[str, Any] = {"external_id": found["id"], "created": found["step"] == key}
        if found["kind"] == "machine":
            facts.update(effects.machine_facts(found["id"], found["name"], data))
        elif found["kind"] == "volume":
            facts.update(path=data["path"], datastore=data["datastore"])
        elif found["kind"] == "folder":
            facts.update(path=found["name"], **{name: data[name] for name in ("cidr", "zone") if name in data})
        elif found["kind"] == "balancer":
            facts.update(openings.facts(found["id"], found["name"]))
        else:
            facts.update(name=found["name"])
        return Outcome.done(**facts)

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Outcome]:
        """Read all handles in one transaction."""
        for rule in self._call("poll"):
            if rule.mode in ("refuse", "lose", "cut"):
                raise rule.error()
        with self._store.transaction() as db:
            self._advance(db)
            return {handle: self._poll(db, handle) for handle in handles}

    def _poll(self, db: sqlite3.Connection, handle: Handle) -> Outcome:
        try:
            note: dict[str, Any] = json.loads(handle)
            task = None if "ready" in note else note["task"]
        except (ValueError, KeyError, TypeError):
            message = "The handle of a step cannot be read - another version wrote it - retry the step"
            return Outcome.failed(ConnectorError("cloud.invalid", message, permanent=True))
        if task is not None:
            return self._outcome(db, task)
        now = time.time()
        machine = Effects(db, self._options, now).thing(note["ready"])
        if machine is None:
            message = f"The machine of {note['resource']} is gone - somebody deleted it on the cloud - plan again"
            return Outcome.failed(ConnectorError("cloud.not_found", message, permanent=True))
        data = machine["data"]
        if data["power"] == "on" and now >= data["on_since"] + float(self._options.get("boot_s", 0.02)):
            return Outcome.done(external_id=machine["id"], addresses=world.addresses(machine))
        if now >= note["until"] and note.get("plain") and data["power"] == "on":
            return Outcome.done(f"{machine['name']} runs; its guest tells no address", external_id=machine["id"])
        if now >= note["until"]:
            message = f"{machine['name']} reported no address in time - it did not boot, or its network has no DHCP"
            return Outcome.failed(ConnectorError("cloud.fault", message + " - look at its console, then retry"))
        return Outcome.running(handle, message="waiting for an address")

    def cancel(self, handle: Handle) -> None:
        """Stop a task where it stands; what it was to make is not made."""
        self._call("cancel")
        note = json.loads(handle)
        with self._store.transaction() as db:
            self._advance(db)
            error = ConnectorError("cloud.cancelled", "The task was cancelled on request", permanent=True)
            db.execute(
                "UPDATE task SET state = 'failed', due = NULL, error = ? WHERE id = ? AND state = 'running'",
                (dump(_error_json(error)), note.get("task")),
            )

    def undo(self, action: Action, result: Mapping[str, Any], key: str) -> Outcome:
        """Start the inverse of what this key did; what it merely found stays."""
        if action.verb in _IRREVERSIBLE:
            message = f"{action.resource} cannot be brought back - it was deleted - deploy again"
            return Outcome.failed(ConnectorError("cloud.invalid", message, permanent=True))
        if action.verb not in _INVERSE or result.get("created") is False:
            return Outcome.done("nothing to undo")
        external_id = result.get("external_id")
        with self._store.transaction() as db:
            self._advance(db)
            if not external_id and action.verb.endswith(".create"):
                db.execute("DELETE FROM task WHERE key = ? AND state = 'running'", (key,))
                made = Effects(db, self._options, time.time()).made_by(key)
                external_id = made["id"] if made else None
        if not external_id and action.external_id is None:
            return Outcome.done("nothing to undo")
        inverse = replace(action, verb=_INVERSE[action.verb], external_id=external_id or action.external_id)
        return self.start(inverse, key + "/undo")

    def examine(self, probe: str, canary: Canary) -> Report:
        """Look at one thing that a label needs; rules for ``examine:<probe>`` go wrong first."""
        self._call(f"examine:{probe}")
        with self._store.transaction() as db:
            self._advance(db)
            return examining.examine(probe, canary, Effects(db, self._options, time.time()))

    def listing(self, cursor: str) -> Iterator[ListingPage]:
        """Yield what changed since a cursor, or everything; see ``connectors.listing``."""
        for rule in self._call("listing"):
            raise rule.error()
        with self._store.transaction() as db:
            self._advance(db)
        for page in listing.listing(self._store, self._options, cursor):
            yield page
            for rule in self._call("listing.page"):
                raise rule.error()

    def close(self) -> None:
        """Close this thread's connection to the state file."""
        self._store.close()

    # Details

    def _call(self, verb: str, resource: str = "") -> list[faults.Rule]:
        """Count a call, check the access, and return the misfortunes that await it (blocking ones are over)."""
        expected = self._options.get("thumbprint")
        if expected and self._access.thumbprint.replace(":", "").lower() != expected:
            raise ConnectorError(
                "cloud.trust",
                f"{self._access.address} presented a certificate with the fingerprint {expected}, which is not the "
                "pinned one - compare it with the cloud's own and pin it if it is right",
                permanent=True,
            )
        digest = hashlib.sha256(self._access.password.encode()).hexdigest()
        if self._options.get("password_sha256", digest) != digest:
            raise ConnectorError(
                "cloud.not_authenticated",
                f"{self._access.address} refused the user name or the password - correct the cloud's credential",
                permanent=True,
            )
        with self._store.transaction() as db:
            count(db, "call:" + verb)
            rules = faults.take(db, verb, resource)
        for rule in rules:
            if rule.mode == "block":
                time.sleep(rule.seconds)
            if verb not in VERBS and rule.mode == "refuse":
                raise rule.error()
        return rules

    def _advance(self, db: sqlite3.Connection) -> None:
        """Let all tasks happen that are due, in their order."""
        now = time.time()
        due = db.execute(
            "SELECT id, due, payload, error FROM task WHERE state = 'running' AND due <= ? ORDER BY due, id", (now,)
        ).fetchall()
        for row in due:
            if row["error"] is not None:
                db.execute("UPDATE task SET state = 'failed' WHERE id = ?", (row["id"],))
                continue
            try:
                result = Effects(db, self._options, row["due"]).apply(json.loads(row["payload"]))
            except ConnectorError as error:
                db.execute(
                    "UPDATE task SET state = 'failed', error = ? WHERE id = ?", (dump(_error_json(error)), row["id"])
                )
            else:
                db.execute("UPDATE task SET state = 'done', result = ? WHERE id = ?", (dump(result), row["id"]))

    def _outcome(self, db: sqlite3.Connection, task_id: str) -> Outcome:
        row = db.execute("SELECT * FROM task WHERE id = ?", (task_id,)).fetchone()
        if row is None:
            message = "The cloud has forgotten the task - it was started anew - the step is looked up by its key"
            return Outcome.failed(ConnectorError("cloud.busy", message, maybe_done=True))
        if row["state"] == "done":
            return Outcome.done(**json.loads(row["result"]))
        if row["state"] == "failed":
            return Outcome.failed(ConnectorError(**json.loads(row["error"])))
        duration_s = json.loads(row["payload"])["duration_s"]
        percent = int(100 * (time.time() - row["started"]) / duration_s) if duration_s > 0 else 99
        return Outcome.running(dump({"task": task_id}), min(99, percent), row["verb"])

    def _duration_s(self, verb: str) -> float:
        duration = self._options.get("duration_s", 0.02)
        if isinstance(duration, Mapping):
            duration = duration.get(verb, duration.get("*", 0.02))
        return float(duration)


def _target(action: Action) -> str | None:
    """Return the id of the existing thing that an action is about."""
    known = action.inputs.get(action.resource, {}).get("external_id")
    found = action.external_id or action.spec.get("external_id") or known
    return None if found is None else str(found)


def _error_json(error: ConnectorError) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "permanent": error.permanent,
        "retry_after": error.retry_after,
        "maybe_done": error.maybe_done,
    }


def _observed(thing: Mapping[str, Any], attached: Mapping[str, str]) -> ObservedResource:
    data, owner_hash = thing["data"], thing["data"].get("hash", "")
    attributes: dict[str, Any]
    if thing["kind"] == "machine":
        attributes = {
            "name": thing["name"],
            "power": data["power"],
            "cpus": data["cpus"],
            "memory_mib": data["memory_mib"],
            "addresses": world.addresses(thing) if data["power"] == "on" else [],
            "host": f"{data['cluster']}-host-1",
            "cluster": data["cluster"],
            "instance_uuid": thing["id"],
            "bios_uuid": data["bios_uuid"],
            "disks": [
                {"volume": disk["volume"], "path": disk["path"], "size_gib": disk.get("size_gib", 0)}
                for disk in data["disks"]
            ],
            "tools": data["power"] == "on",
            "snapshots": data.get("snapshots", 0),
            **({"size": data["size"], "spot": bool(data.get("spot"))} if "size" in data else {}),
        }
    elif thing["kind"] == "volume":
        attributes = {
            "size_gib": data["size_gib"],
            "datastore": data["datastore"],
            "path": data["path"],
            "attached_to": attached.get(thing["id"]),
        }
    elif thing["kind"] == "network":
        attributes = {"name": thing["name"], "vlan": data.get("vlan")}
    elif thing["kind"] in ("firewall", "balancer"):
        attributes = openings.attributes(thing)
    else:
        attributes = {"path": data["path"]}
        # What was made by an older version has no hash of its own.
        owner_hash = owner_hash or config_hash(Folder(thing["resource"], tuple(data["path"])))
    return ObservedResource(thing["resource"], thing["kind"], thing["id"], owner_hash, attributes)
