"""Networks: found when they belong to others, made as distributed port groups when they are ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Capability, ConnectorError, Outcome
from connectors.vsphere import faults, markers, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Network, Switch
from connectors.vsphere.faults import is_a
from connectors.vsphere.notes import Note, TaskEnd
from connectors.vsphere.soap import VimFault
from engine.plan import Action
from engine.resources import Owner, config_hash, from_json


def create(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Make a port group on the cloud's switch, or find the network that exists (``managed`` is false)."""
    spec = action.spec
    if not spec.get("managed"):
        return _done(cloud.surveyor.network(spec["name"]), created=False)
    with cloud.lock("network", spec["name"]):
        cloud.surveyor.forget()
        found = _existing(cloud, action, key)
        if found is not None:
            return found
        note = Note("network.create", "create", key, action.resource, action.owner, data={"name": spec["name"]})
        task = cloud.begun("network.create", key)
        if task is not None:
            return note.on(task).running(message="making the network")
        chosen = switch(cloud)
        digest = str(spec.get("config_hash") or config_hash(from_json(spec)))
        group = specs.port_group(spec["name"], markers.describe_network(action, key, digest), spec.get("vlan"))
        try:
            task = cloud.session.act_task(chosen.ref, "AddDVPortgroup_Task", operation=key, spec=[group])
        except VimFault as fault:
            if is_a(fault, "DuplicateName"):
                return advance_create(cloud, note, TaskEnd(fault=fault))
            raise
        cloud.memories.begun.put(("network.create", key), task)
    return note.on(task).running(message="making the network")


def advance_create(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Find what the task made, or what stood in its way."""
    if end.fault is not None and not is_a(end.fault, "DuplicateName"):
        return Outcome.failed(faults.to_error(end.fault, f"The network {note.data['name']} could not be made"))
    cloud.surveyor.forget()
    found = _ours(cloud, note.owner.deployment_id, note.resource)
    if found:
        return _done(found[0], created=markers.read_network(found[0].description).get("step") == note.key)
    if end.fault is not None:
        return Outcome.failed(_taken(note.data["name"]))
    return Outcome.failed(
        ConnectorError(
            "cloud.busy",
            f"The network {note.data['name']} is not there yet - the vCenter forgot the task - it is tried again",
            retry_after=2.0,
            maybe_done=True,
        )
    )


def delete(cloud: Cloud, action: Action, key: str) -> Outcome:
    """Remove a port group of ours; a network that was only found stays."""
    if action.spec.get("managed") is False:
        return Outcome.done("left as it was", kept=True)
    cloud.surveyor.forget()
    known: Mapping[str, Any] = action.inputs.get(action.resource, {})
    external_id = str(action.external_id or known.get("external_id") or "")
    found = cloud.surveyor.network_by_id(external_id) if external_id else None
    if found is None and not external_id:
        found = next(iter(_ours(cloud, action.owner.deployment_id, action.resource)), None)
    if found is None:
        return Outcome.done("gone already", gone=True)
    marks = markers.read_network(found.description)
    if (marks.get("deployment"), marks.get("resource")) != (action.owner.deployment_id, action.resource):
        raise ConnectorError(
            "cloud.foreign",
            f"The network {found.name} was left alone - it does not carry this deployment's marker - "
            "look at its description on the vCenter and plan again",
            permanent=True,
        )
    note = Note("network.delete", "delete", key, action.resource, action.owner, data={"name": found.name})
    try:
        task = cloud.session.act_task(found.ref, "Destroy_Task", operation=key)
    except VimFault as fault:
        return advance_delete(cloud, note, TaskEnd(fault=fault))
    return note.on(task).running(message="removing the network")


def advance_delete(cloud: Cloud, note: Note, end: TaskEnd) -> Outcome:
    """Believe that it is gone, unless the task says otherwise."""
    cloud.surveyor.forget()
    if end.fault is not None and not is_a(end.fault, "ManagedObjectNotFound"):
        return Outcome.failed(faults.to_error(end.fault, f"The network {note.data['name']} could not be removed"))
    if end.lost and _ours(cloud, note.owner.deployment_id, note.resource):
        message = f"The network {note.data['name']} is still there - the vCenter forgot the task - it is tried again"
        return Outcome.failed(ConnectorError("cloud.busy", message, retry_after=1.0))
    return Outcome.done()


def switch(cloud: Cloud) -> Switch:
    """Return the distributed switch that networks are made on; ConnectorError when none may be used."""
    if Capability.CREATE_NETWORK not in cloud.flavour.capabilities:
        raise ConnectorError(
            "cloud.permission",
            f"{cloud.flavour.title} does not let its customers make port groups - its networks are made in its own "
            "console - make one there and name it in the drawing as an external network",
            permanent=True,
        )
    switches = cloud.estate().switches
    wanted = cloud.option("switch")
    chosen = [each for each in switches if wanted in (None, each.name)]
    if len(chosen) != 1:
        names = ", ".join(each.name for each in switches) or "none"
        raise ConnectorError(
            "cloud.invalid",
            f"Which distributed switch to make networks on cannot be told - the vCenter has: {names} - "
            "set the cloud's option 'switch' to one of them",
            permanent=True,
        )
    return chosen[0]


def _existing(cloud: Cloud, action: Action, key: str) -> Outcome | None:
    ours = _ours(cloud, action.owner.deployment_id, action.resource)
    if ours:
        return _done(ours[0], created=markers.read_network(ours[0].description).get("step") == key)
    if any(network.name == action.spec["name"] for network in cloud.estate().networks):
        raise _taken(action.spec["name"])
    return None


def of_step(cloud: Cloud, owner: Owner, resource: str, key: str) -> str | None:
    """Return the external id of the port group that a step has made."""
    cloud.surveyor.forget()
    ours = _ours(cloud, owner.deployment_id, resource)
    return next((each.ref.value for each in ours if markers.read_network(each.description).get("step") == key), None)


def _ours(cloud: Cloud, deployment: str, resource: str) -> list[Network]:
    return [
        network
        for network in cloud.estate().networks
        if (marks := markers.read_network(network.description)).get("deployment") == deployment
        and marks.get("resource") == resource
    ]


def _taken(name: str) -> ConnectorError:
    return ConnectorError(
        "cloud.name_taken",
        f"There is a network {name!r} already, which this deployment did not make - names are unique on a vCenter - "
        "rename one of them, or declare it external in the drawing to use it",
        permanent=True,
    )


def _done(network: Network, *, created: bool) -> Outcome:
    return Outcome.done(external_id=network.ref.value, name=network.name, type=network.type, created=created)
