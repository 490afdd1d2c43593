"""Make cloud-init user-data as data, shared by every target that boots machines.

A document is a cloud-config of ``write_files`` (base64) and ``runcmd`` (argv lists): no text is ever concatenated into
a shell. What is the same on all machines (the agent and its units) and what is known only at run time (where to fetch
secrets, and the token) stand in it as placeholders: a plan is small, does not change when only the agent is improved,
and never holds a secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from engine.compose.model import Project
from engine.resources import Machine
from engine.userdata.contents import content_of, secret_names

HOME = "/opt/escale"
# The number is that of the files' format: a plan made before an upgrade is executed with the agent of after it, so
# an agent that cannot read what older plans hold needs a new number.
FORMAT = 1
_STATIC = f"escale:static/{FORMAT}/"
FETCH = f"escale:fetch/{FORMAT}"

_STATIC_FILES = (
    (f"{HOME}/agent", "agent", "0755"),
    (f"{HOME}/agent.sh", "agent.sh", "0755"),
    ("/etc/systemd/system/escale-disks.service", "escale-disks.service", "0644"),
    ("/etc/systemd/system/escale.service", "escale.service", "0644"),
    ("/etc/systemd/system/escale-grow.service", "escale-grow.service", "0644"),
    ("/etc/systemd/system/escale-grow.timer", "escale-grow.timer", "0644"),
)
_OWNER = "root:root"

# JSON escapes these by surrogates or not at all; YAML readers refuse or fold them.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def document(
    compose: str, machine: Mapping[str, Any], files: Mapping[str, tuple[bytes, str]], fetches_secrets: bool
) -> dict[str, Any]:
    """Return the user-data of a machine.

    ``compose`` is its part of the drawing, ``machine`` what the agent reads as machine.json, ``files`` path ->
    (content, octal mode) of what is shipped beside.
    """
    entries = [_file(path, f"{_STATIC}{name}", mode, encoded=True) for path, name, mode in _STATIC_FILES]
    entries.append(
        _file(f"{HOME}/machine.json", _text(json.dumps(machine, sort_keys=True, ensure_ascii=False)), "0600")
    )
    entries.append(_file(f"{HOME}/compose.yaml", _text(compose), "0600"))
    entries.extend(_file(path, content, mode) for path, (content, mode) in sorted(files.items()))
    if fetches_secrets:
        entries.append(_file(f"{HOME}/fetch.json", FETCH, "0600", encoded=True))
    return {"write_files": entries, "runcmd": [["/bin/sh", f"{HOME}/agent.sh", "install"]]}


def plain_document(name: str) -> dict[str, Any]:
    """Return the user-data of a plain machine: cloud-init gives it its host name, and nothing else."""
    return {"hostname": name, "preserve_hostname": False}


def materialise(userdata: Mapping[str, Any], fetch: Mapping[str, str]) -> dict[str, Any]:
    """Return the user-data with what a machine needs to fetch its secrets.

    ``fetch``: ``url`` (https), ``token``, ``ca`` (PEM text, or empty for a public authority). The token is worth
    nothing after its first use. KeyError when one is missing.
    """
    offer = {"url": fetch["url"], "token": fetch["token"], "ca": fetch["ca"]}
    return _replace(userdata, {FETCH: _encode(_text(json.dumps(offer, sort_keys=True, ensure_ascii=False)))})


def render(userdata: Mapping[str, Any], *, compact: bool = False) -> str:
    """Return the text for ``guestinfo.userdata``, or EC2's user-data: "#cloud-config" and JSON, which is YAML.

    ``compact``: files that are text stand in it as text, which compresses a third better than base64 does. ValueError
    when it still waits for ``materialise``. The caller compresses it: a guestinfo value holds 64 KiB, EC2 takes 16.
    """
    filled = _replace(userdata, {f"{_STATIC}{name}": _encode(static(name).encode()) for _, name, _ in _STATIC_FILES})
    if any(entry.get("content") == FETCH for entry in filled.get("write_files", ())):
        raise ValueError("this user-data waits for a fetch token: call materialise first")
    if compact and "write_files" in filled:
        filled["write_files"] = [_in_clear(entry) for entry in filled["write_files"]]
    return f"#cloud-config\n{_text(json.dumps(filled, ensure_ascii=False, indent=1)).decode()}\n"


def metadata(machine: Machine, instance_id: str, macs: Sequence[str] = ()) -> dict[str, Any]:
    """Return the metadata for ``guestinfo.metadata``: name, instance id and network configuration.

    cloud-init applies user-data once for each ``instance_id``: an update needs a new one. ``macs`` are the MAC
    addresses of the machine's cards in order; without them the names that Linux gives to the VMXNET3 cards of a
    virtual machine are assumed, which holds only for templates without cards of their own.
    """
    ethernets: dict[str, Any] = {}
    for position, nic in enumerate(machine.nics):
        if position < len(macs):
            card: dict[str, Any] = {"match": {"macaddress": macs[position].lower()}}
        elif len(machine.nics) == 1:
            card = {"match": {"name": "e*"}}
        else:
            card = {"match": {"name": _VMXNET3[position]}}
        if nic.address is None:
            card["dhcp4"] = True
        else:
            card["dhcp4"] = False
            card["addresses"] = [nic.address, *(nic.aliases[service] for service in sorted(nic.aliases))]
        ethernets[f"nic{position}"] = card
    return {
        "instance-id": instance_id,
        "local-hostname": machine.name,
        "network": {"version": 2, "ethernets": ethernets},
    }


# Slots that vSphere gives to the cards of a machine, in order, as systemd names them.
_VMXNET3 = ("ens192", "ens224", "ens256", "ens161", "ens193", "ens225", "ens257", "ens162", "ens194", "ens226")


def secret_files(project: Project, machine: Machine, environment: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Return path on the machine -> content of the secrets that a machine may fetch.

    Only what its services use and what was supplied; ``environment`` replaces the project's for secrets that name a
    variable.
    """
    if environment is not None:
        project = replace(project, environment=environment)
    names = secret_names(project, sorted({workload.service for workload in machine.workloads}))
    drawn = project.secrets()
    found: dict[str, bytes] = {}
    for path, name in sorted(names.items()):
        content = content_of(project, drawn[name])
        if content is not None:
            found[path] = content
    return found


def read_file(userdata: Mapping[str, Any], path: str) -> str | None:
    """Return a text file out of user-data, or None when it holds none of that path."""
    for entry in userdata.get("write_files", ()):
        if entry.get("path") == path:
            try:
                return base64.b64decode(entry["content"], validate=True).decode()
            except (binascii.Error, ValueError):
                return None
    return None


@cache
def static(name: str) -> str:
    """Return a file that is the same on all machines; part of this package, read once."""
    return (Path(__file__).parent / "machine" / name).read_text(encoding="utf-8")


def yaml_safe(text: str) -> str:
    """Return JSON text in which nothing is left that a YAML reader refuses or changes."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _text(text: str) -> bytes:
    return yaml_safe(text).encode()


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _file(path: str, content: bytes | str, mode: str, encoded: bool = False) -> dict[str, str]:
    text = content if encoded else _encode(content)  # type: ignore[arg-type]
    return {"path": path, "content": str(text), "encoding": "b64", "owner": _OWNER, "permissions": mode}


def _in_clear(entry: Mapping[str, str]) -> dict[str, str]:
    try:
        text = base64.b64decode(entry["content"], validate=True).decode()
    except ValueError:
        return dict(entry)
    return {**{name: value for name, value in entry.items() if name != "encoding"}, "content": text}


def _replace(userdata: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    if "write_files" not in userdata:
        return dict(userdata)
    entries = [
        {**entry, "content": values[entry["content"]]} if entry.get("content") in values else entry
        for entry in userdata["write_files"]
    ]
    return {**userdata, "write_files": entries}
