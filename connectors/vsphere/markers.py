"""How our things are known again on a vCenter: extra configuration, descriptions, names and derived UUIDs.

``docs/connectors.md`` has the table of all markers; keep the two in step.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from connectors.base import ConnectorError
from connectors.vsphere.soap import Node
from engine.plan import Action
from engine.resources import Owner, canonical_json

_NAMESPACE = uuid.UUID("6f0a5d5e-2f6f-5b6e-9a52-0c5a1c1d7e41")
_GZIP_ABOVE = 32 * 1024
_GUESTINFO_MAX = 64 * 1024  # one message between a host and VMware Tools
_DOCUMENTS = ("guestinfo.userdata", "guestinfo.metadata")
PREFIX = "escale."
PLAIN_MARKS = ("organization", "project", "deployment", "resource", "step", "hash")
WORK_MARKS = ("intent", "before", "adopted")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a machine is on its way to be; kept on the machine itself, so that any process can finish the work.

    ``disks``: (volume's key, datastore path, SCSI unit or None) of our data disks. ``system``: device keys of the
    disks that came with the template. ``nics``: the networks of its cards, in order (``Network.identity``).
    ``sizes``: device keys of an adopted machine's own disks, with the KiB that they grow to.
    ``restart``: "needed" when a running machine has to go through off for its change, "on" once the change is made
    and only the power is missing, "" otherwise.
    """

    step: str
    cpus: int
    memory_mib: int
    config_hash: str
    disks: tuple[tuple[str, str, int | None], ...] = ()
    system: tuple[int, ...] = ()
    nics: tuple[str, ...] = ()
    restart: str = ""
    sizes: tuple[tuple[int, int], ...] = ()

    def dump(self) -> str:
        """Return the intent as the text of its marker."""
        body = asdict(self)
        if not self.sizes:
            del body["sizes"]
        return canonical_json(body)

    @classmethod
    def load(cls, text: str) -> Intent | None:
        """Read the marker; None when it is missing or not ours to understand."""
        try:
            data = json.loads(text)
            disks = tuple((str(volume), str(path), unit) for volume, path, unit in data.pop("disks"))
            sizes = tuple((int(key), int(kib)) for key, kib in data.pop("sizes", ()))
            system, nics = tuple(data.pop("system")), tuple(data.pop("nics"))
            return cls(disks=disks, system=system, nics=nics, sizes=sizes, **data)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def without_disks(self, step: str) -> Intent:
        """Return the same intent with no data disks, as another step's."""
        return replace(self, disks=(), step=step, restart="")


@dataclass(frozen=True, slots=True)
class Marks:
    """The markers that a machine carries; "" for those that are missing."""

    organization: str = ""
    project: str = ""
    deployment: str = ""
    resource: str = ""
    step: str = ""
    hash: str = ""
    intent: Intent | None = None
    before: Intent | None = None  # what detaching the data disks has changed
    guestinfo: Mapping[str, str] = field(default_factory=dict)  # the documents for cloud-init, as they are encoded
    container_host: bool = False  # of a template: it says that it has an engine
    adopted: bool = False  # somebody else made the machine: it is never deleted, and its description is not ours
    present: tuple[str, ...] = ()  # the keys of all markers that are there

    def belong_to(self, owner: Owner, resource: str) -> bool:
        """Tell whether a machine is a given deployment's resource."""
        return self.deployment == owner.deployment_id and self.resource == resource


def read(options: Sequence[Any]) -> Marks:
    """Read the markers of ``config.extraConfig``."""
    values = {option.get("key"): option.get("value") for option in options if isinstance(option, Node)}
    plain = {name: values.get(PREFIX + name, "") for name in PLAIN_MARKS}
    return Marks(
        **plain,
        intent=Intent.load(values.get(PREFIX + "intent", "")),
        before=Intent.load(values.get(PREFIX + "before", "")),
        guestinfo={key: value for key, value in values.items() if key.startswith(_DOCUMENTS)},
        container_host=bool(values.get("guestinfo.escale.engine")),
        adopted=bool(values.get(PREFIX + "adopted")),
        present=tuple(PREFIX + name for name in (*PLAIN_MARKS, *WORK_MARKS) if PREFIX + name in values),
    )


def marks(action: Action, key: str) -> dict[str, str]:
    """Return the markers of a machine that a step makes or changes, without hash and intent."""
    owner = action.owner
    return {
        PREFIX + "organization": owner.organization_id,
        PREFIX + "project": owner.project_id,
        PREFIX + "deployment": owner.deployment_id,
        PREFIX + "resource": action.resource,
        PREFIX + "step": key,
    }


def annotation(name: str, owner: Owner) -> str:
    """Return the note that people read in the vSphere client."""
    return (
        f"{name}: deployment {owner.deployment}, project {owner.project}, organization {owner.organization}.\n"
        "Managed by Escale. What is changed here is shown there as drift, and is not undone silently."
    )


def instance_uuid(key: str) -> str:
    """Return the instance UUID of the machine that a step makes: another try of the step gives the same."""
    return str(uuid.uuid5(_NAMESPACE, "machine\0" + key))


def bios_uuid(owner: Owner, resource: str) -> str:
    """Return the BIOS UUID of a resource's machine, whichever step makes it.

    vCenter finds machines by it in one indexed call wherever they were moved to, so that a machine is never
    made beside another one of the same resource.
    """
    return str(uuid.uuid5(_NAMESPACE, f"resource\0{owner.deployment_id}\0{resource}"))


def is_new(action: Action) -> bool:
    """Tell whether a creation's plan knew of no such thing.

    Folders and disks carry the deployment's id in their names, but have no place for a step's key. So what a step
    finds there counts as made by an earlier try of it exactly when nothing was there as it was planned.
    """
    known: Mapping[str, Any] = action.inputs.get(action.resource, {})
    return not (action.external_id or known.get("external_id"))


def short_id(owner: Owner) -> str:
    """Return the part of a deployment's id that names carry."""
    return owner.deployment_id.replace("-", "")[:8]


def folder_name(owner: Owner) -> str:
    """Return the name of a deployment's own folder."""
    return f"{owner.deployment}-{short_id(owner)}"


def volume_directory(owner: Owner) -> str:
    """Return the directory of a deployment's data disks on a datastore."""
    return f"escale-{short_id(owner)}"


def volume_file(resource: str) -> str:
    """Return the file name of a volume; it leads back to the key by ``volume_key``."""
    name = resource.partition(":")[2]
    return (
        re.sub(r"[^A-Za-z0-9._-]", lambda match: "".join(f"%{byte:02x}" for byte in match[0].encode()), name) + ".vmdk"
    )


def volume_key(file: str) -> str:
    """Return the resource key that a volume's file name stands for."""
    name = re.sub(
        r"(?:%[0-9a-f]{2})+",
        lambda match: bytes.fromhex(match[0].replace("%", "")).decode(errors="replace"),
        file.removesuffix(".vmdk"),
    )
    return f"volume:{name}"


def volume_path(datastore: str, owner: Owner, resource: str) -> str:
    """Return the datastore path of a volume: ``[nvme] escale-1a2b3c4d/db-data.vmdk``."""
    return f"[{datastore}] {volume_directory(owner)}/{volume_file(resource)}"


def describe_network(action: Action, key: str, config_hash: str) -> str:
    """Return the description of a port group: a sentence for people, and the markers on its last line."""
    owner = action.owner
    data = {
        "deployment": owner.deployment_id,
        "resource": action.resource,
        "step": key,
        "hash": config_hash,
        "organization": owner.organization_id,
        "project": owner.project_id,
    }
    return f"Made by Escale for deployment {owner.deployment}, project {owner.project}.\nescale {canonical_json(data)}"


def read_network(description: str) -> dict[str, str]:
    """Read the markers of a port group's description; empty when it has none."""
    last = description.rpartition("\n")[2]
    if not last.startswith("escale {"):
        return {}
    try:
        data = json.loads(last.removeprefix("escale "))
    except ValueError:
        return {}
    return {str(name): str(text) for name, text in data.items()} if isinstance(data, dict) else {}


def told(marks: Marks, name: str) -> str:
    """Return a document for cloud-init as a guest was given it; "" when it is missing or cannot be read."""
    raw, encoding = marks.guestinfo.get(f"guestinfo.{name}", ""), marks.guestinfo.get(f"guestinfo.{name}.encoding", "")
    try:
        content = base64.b64decode(raw, validate=True)
        return (gzip.decompress(content) if encoding.startswith("gz") else content).decode()
    except (ValueError, OSError, EOFError):
        return ""


def guestinfo(name: str, content: str) -> dict[str, str]:
    """Return the extra configuration that hands a document to cloud-init's VMware data source.

    https://docs.cloud-init.io/en/latest/reference/datasources/vmware.html: base64, compressed when it is long,
    since the machine's settings have to hold it.
    """
    raw, encoding = content.encode(), "base64"
    if len(raw) > _GZIP_ABOVE:
        raw, encoding = gzip.compress(raw, mtime=0), "gzip+base64"
    text = base64.b64encode(raw).decode()
    if len(text) > _GUESTINFO_MAX:
        raise ConnectorError(
            "cloud.invalid",
            f"The {name} of a machine is too long ({len(text)} bytes when compressed) - a guest can read "
            f"{_GUESTINFO_MAX} - ship fewer or smaller files with the drawing, or spread its services over machines",
            permanent=True,
        )
    return {f"guestinfo.{name}": text, f"guestinfo.{name}.encoding": encoding}
