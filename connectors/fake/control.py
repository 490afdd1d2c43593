"""Hold the strings of a fake cloud: script its faults, look inside it, put other people's things into it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from connectors.fake import faults, listing
from connectors.fake.faults import Mode
from connectors.fake.store import Store, dump


class Control:
    """Script and inspect the fake cloud in a state file, from any process, while connectors use it."""

    def __init__(self, state: str) -> None:
        self._store = Store(str(state))

    def fault(self, verb: str, mode: Mode, *, times: int = 1, **details: Any) -> None:
        """Let the next ``times`` calls of a verb go wrong (-1: all of them); ``details``: see ``faults.Rule``."""
        if mode == "fail":
            details.setdefault("message", "The cloud gave up in the middle - it was told to - try again")
        elif mode in ("cut", "lose"):
            details.setdefault("code", "cloud.unreachable")
            details.setdefault("message", "The connection to the cloud broke - it may have got the call - look it up")
        with self._store.transaction() as db:
            faults.add(db, faults.Rule(verb, mode, **details), times)

    def forgive(self) -> None:
        """Take all faults back that are still to come."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM fault")

    def fill(self, datastore: str, size_gib: float) -> None:
        """Take space away, as some other user of the cloud."""
        self.put("volume", f"filler-{datastore}", {"size_gib": size_gib, "datastore": datastore, "path": ""})

    def put(self, kind: str, name: str, data: dict[str, Any], *, deployment: str = "", resource: str = "") -> str:
        """Put a thing into the cloud that no connector made; return its id."""
        external_id = str(uuid.uuid4())
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO thing (id, kind, name, deployment, resource, data) VALUES (?,?,?,?,?,?)",
                (external_id, kind, name, deployment, resource, dump(data)),
            )
        return external_id

    def put_machine(self, name: str, *, folder: str = "", deployment: str = "", resource: str = "") -> str:
        """Put a machine into the cloud that no connector made; return its id."""
        data = {
            "folder": folder,
            "template": "bare",
            "cluster": "blue",
            "datastore": "bronze",
            "cpus": 1,
            "memory_mib": 512,
            "networks": [],
            "static": [],
            "disks": [],
            "userdata": {},
            "instance_id": "",
            "power": "off",
            "on_since": None,
            "bios_uuid": str(uuid.uuid4()),
            "hash": "",
        }
        return self.put("machine", name, data, deployment=deployment, resource=resource)

    def put_disk(self, machine: str) -> None:
        """Attach a disk to a machine behind everybody's back."""
        with self._store.transaction() as db:
            row = db.execute("SELECT data FROM thing WHERE id = ?", (machine,)).fetchone()
            data = json.loads(row["data"])
            data["disks"].append({"volume": None, "id": str(uuid.uuid4()), "path": "[bronze] elsewhere/other"})
            db.execute("UPDATE thing SET data = ? WHERE id = ?", (dump(data), machine))

    def hold(self, volume: str) -> str:
        """Put a machine of somebody else's into the cloud that has a volume attached; return the machine's id."""
        machine = self.put_machine("somebody-elses")
        self.change(machine, disks=[{"volume": None, "id": volume, "path": ""}])
        return machine

    def forget_changes(self) -> None:
        """Let the cloud forget what has changed: every listing begins from scratch."""
        with self._store.transaction() as db:
            listing.forget(db)

    def change(self, external_id: str, **data: Any) -> None:
        """Change a thing's data behind everybody's back (``power="off"``)."""
        with self._store.transaction() as db:
            row = db.execute("SELECT data FROM thing WHERE id = ?", (external_id,)).fetchone()
            db.execute(
                "UPDATE thing SET data = ? WHERE id = ?", (dump({**json.loads(row["data"]), **data}), external_id)
            )

    def disown(self, external_id: str) -> None:
        """Change a thing's markers, so that it is another deployment's."""
        with self._store.transaction() as db:
            db.execute("UPDATE thing SET deployment = ?, step = '' WHERE id = ?", (str(uuid.uuid4()), external_id))

    def copy(self, external_id: str) -> str:
        """Copy a thing with its markers, as people do by hand; return the copy's id."""
        copied = str(uuid.uuid4())
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO thing (id, kind, name, deployment, resource, step, visible_at, data)"
                " SELECT ?, kind, name || ' copy', deployment, resource, step, visible_at + 1e-6, data"
                " FROM thing WHERE id = ?",
                (copied, external_id),
            )
        return copied

    def delete(self, external_id: str) -> None:
        """Delete a thing behind everybody's back."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM thing WHERE id = ?", (external_id,))

    def things(self, kind: str | None = None) -> list[dict[str, Any]]:
        """List what the cloud holds: id, kind, name, deployment, resource, step, data."""
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT id, kind, name, deployment, resource, step, data FROM thing ORDER BY kind, name, id"
            ).fetchall()
        return [{**dict(row), "data": json.loads(row["data"])} for row in rows if kind in (None, row["kind"])]

    def tasks(self) -> list[dict[str, Any]]:
        """List the tasks that were ever begun: id, verb, key, resource, state, started, due."""
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT id, verb, key, resource, state, started, due FROM task ORDER BY started, id"
            ).fetchall()
        return [dict(row) for row in rows]

    def counters(self) -> dict[str, int]:
        """Return how often each verb was called (``call:<verb>``) and led to a task (``task:<verb>``)."""
        with self._store.transaction() as db:
            return {row["name"]: row["value"] for row in db.execute("SELECT name, value FROM counter ORDER BY name")}

    def forget_tasks(self) -> None:
        """Lose the memory of all tasks, as a cloud does that is started anew; running ones are gone."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM task")

    def read(self, volume: str) -> bytes:
        """Return what was written to a volume."""
        with self._store.transaction() as db:
            row = db.execute("SELECT content FROM thing WHERE id = ?", (volume,)).fetchone()
        return bytes(row["content"] or b"")

    def write(self, volume: str, content: bytes) -> None:
        """Put bytes on a volume."""
        with self._store.transaction() as db:
            db.execute("UPDATE thing SET content = ? WHERE id = ?", (content, volume))

    def close(self) -> None:
        """Close this thread's connection to the state file."""
        self._store.close()
