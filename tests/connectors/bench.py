"""What a connector has to bring along to go through the contract suite, and small tools that the suite uses."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from connectors.base import Access, Connector, Outcome
from engine.plan import Action
from engine.resources import (
    DiskMount,
    Folder,
    Machine,
    Network,
    Nic,
    Owner,
    Resource,
    Volume,
    config_hash,
    to_json,
)

PATIENCE_S = 30.0


class Bench(Protocol):
    """A cloud under test, with the strings to pull behind the connector's back."""

    template: str
    network: str  # one that exists
    datastore: str
    supports_cancel: bool
    creates_running: bool  # machines run once they are made, as on clouds that know no stopped birth
    snapshots_hold_disks: bool  # a disk with a snapshot cannot be taken off its machine
    shows_progress: bool
    tells_hosts: bool  # False: the cloud says nothing of what its machines run on

    def access(self, **changes: Any) -> Access: ...
    def connect(self, **changes: Any) -> Connector: ...
    def new_process(self) -> None:
        """Forget what this process did on the cloud, as a worker that was started anew."""

    def listing(self) -> list[str]:
        """Name everything in the cloud, read past the connector."""

    def slow(self, verb: str, seconds: float) -> None: ...
    def refuse(self, verb: str, code: str) -> None:
        """Let the next call of a verb fail with a code."""

    def fail_midway(self, verb: str) -> None: ...
    def cut_after(self, verb: str) -> None:
        """Break the connection once the cloud has processed the verb's call."""

    def lose(self, verb: str) -> None:
        """Break the connection before the cloud sees the verb's call."""

    def fill(self) -> None:
        """Leave no space on any datastore."""

    def silence(self) -> Mapping[str, Any]:
        """Return options with which guests are given up soon, and make the guests silent."""

    def put_machine(self, folder: Mapping[str, Any], name: str) -> str: ...
    def put_disk(self, machine: str) -> None:
        """Attach somebody else's disk to a machine."""

    def hold(self, volume: Mapping[str, Any]) -> str:
        """Attach a volume to a machine of somebody else's, elsewhere; return the machine's external id."""

    def release(self, machine: str, volume: Mapping[str, Any]) -> None:
        """Take the volume off again, as the owner of that machine."""

    def snapshot(self, machine: str) -> None: ...
    def disown(self, machine: str) -> None:
        """Change a machine's markers, so that it is another deployment's."""

    def copy_machine(self, machine: str) -> None:
        """Copy a machine with its markers, as people do in the vSphere client."""

    def destroy_machine(self, machine: str) -> None: ...
    def write(self, volume: Mapping[str, Any], content: bytes) -> None: ...
    def read(self, volume: Mapping[str, Any], size: int) -> bytes: ...
    def userdata(self, machine: str) -> str:
        """Return what the guest is told, as text."""

    def instance_id(self, machine: str) -> str: ...
    def machines(self) -> int:
        """Count the machines that the suite's deployments own."""


def owner(name: str = "shop") -> Owner:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    return Owner(ids[0], "acme", ids[1], "web", ids[2], name)


@dataclass
class Site:
    """One deployment on a bench: makes actions, runs them as the runner would, and remembers their results."""

    bench: Bench
    connector: Connector
    owner: Owner = field(default_factory=owner)
    operation: str = field(default_factory=lambda: uuid.uuid4().hex)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    # The drawing

    @property
    def folder(self) -> Folder:
        name = f"{self.owner.deployment}-{self.owner.deployment_id[:8]}"
        return Folder("folder:deployment", ("escale", self.owner.organization, self.owner.project, name))

    def backnet(self) -> Network:
        return Network("network:back", f"back-{self.owner.deployment_id[:8]}", True, vlan=77)

    def frontnet(self) -> Network:
        return Network("network:front", self.bench.network, False)

    def volume(self, size_gib: int = 1) -> Volume:
        return Volume("volume:data", "data", size_gib)

    def machine(self, number: int = 1, *, disk: bool = False, **changes: Any) -> Machine:
        machine = Machine(
            key=f"machine:host-{number}",
            name=f"{self.owner.deployment}-{self.owner.deployment_id[:4]}-host-{number}",
            template=self.bench.template,
            cpus=2,
            memory_mib=1024,
            nics=(Nic("network:front"),),
            disks=(DiskMount("volume:data", "/var/lib/data", 1),) if disk else (),
            userdata={"write_files": [], "runcmd": [["true"]]},
        )
        return replace(machine, **changes)

    # Actions

    def action(self, verb: str, about: Resource | str, **changes: Any) -> Action:
        key = about if isinstance(about, str) else about.key
        spec: dict[str, Any] = {}
        if not isinstance(about, str):
            spec = {**to_json(about), "config_hash": config_hash(about)}
            spec = json.loads(json.dumps(spec))  # as it comes out of the database
        known = self.facts.get(key, {})
        external_id = None if verb.endswith(".create") else known.get("external_id")
        action = Action(
            key=f"{key}/{verb}",
            verb=verb,
            resource=key,
            change="create",
            title=f"{verb} {key}",
            cause="a test",
            owner=self.owner,
            spec=spec,
            external_id=external_id,
            inputs={name: dict(facts) for name, facts in self.facts.items()},
        )
        return replace(action, **changes)

    def key(self, action: Action) -> str:
        return f"{self.operation}/{action.key}"

    # Running

    def start(self, action: Action, connector: Connector | None = None) -> Outcome:
        return (connector or self.connector).start(action, self.key(action))

    def finish(self, outcome: Outcome, connector: Connector | None = None) -> Outcome:
        deadline = time.monotonic() + PATIENCE_S
        while outcome.state == "running":
            assert outcome.handle is not None
            assert len(outcome.handle.encode()) <= 2048
            assert json.loads(outcome.handle)
            assert time.monotonic() < deadline, outcome
            time.sleep(0.01)
            outcome = (connector or self.connector).poll([outcome.handle])[outcome.handle]
        json.dumps(dict(outcome.result))
        return outcome

    def run(self, verb: str, about: Resource | str, **changes: Any) -> Outcome:
        """Run one action to its end; it must succeed."""
        action = self.action(verb, about, **changes)
        outcome = self.finish(self.start(action))
        assert outcome.state == "done", outcome.error and (outcome.error.code, outcome.error.message)
        if "external_id" in outcome.result:
            self.facts[action.resource] = {**self.facts.get(action.resource, {}), **outcome.result}
        return outcome

    def fails(self, verb: str, about: Resource | str, **changes: Any) -> Any:
        """Run one action that must fail, at once or in the end; return the error."""
        from connectors.base import ConnectorError

        action = self.action(verb, about, **changes)
        try:
            outcome = self.finish(self.start(action))
        except ConnectorError as error:
            return error
        assert outcome.state == "failed", outcome
        assert outcome.error is not None
        return outcome.error

    def lay_ground(self, *, volume: bool = False) -> None:
        self.run("folder.create", self.folder)
        self.run("network.create", self.frontnet())
        if volume:
            self.run("volume.create", self.volume())

    def observe(self) -> Any:
        return self.connector.observe(self.owner)

    def next_operation(self) -> None:
        self.operation = uuid.uuid4().hex


def execute(site: Site, actions: Sequence[tuple[str, Resource | str]]) -> list[str]:
    """Run a plan one action after the other, and say what happened, a line each."""
    lines = []
    for verb, about in actions:
        outcome = site.run(verb, about)
        key = about if isinstance(about, str) else about.key
        lines.append(f"{verb} {key}: {outcome.state}")
    return lines


def codes(errors: Iterable[Any]) -> list[str]:
    return [error.code for error in errors]
