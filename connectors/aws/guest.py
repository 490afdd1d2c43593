"""What a machine's guest is told: the same cloud-config document as everywhere, packed for EC2's 16 kB of user-data.

EC2 keeps an instance's id for life, so cloud-init would take in a changed document never again. A boot hook before the
document notices the change and lets the modules that apply it run once more.
"""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Mapping
from typing import Any

from connectors.base import ConnectorError
from engine.resources import Machine, digest
from engine.userdata import render

MAX_BYTES = 16384
_WORTH_BYTES = 512
_BOUNDARY = "==escale=="
_HEADER = f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"\nMIME-Version: 1.0\n\n'

# Runs at each boot before any module. Names of semaphores are cloud-init's own, older and newer ones.
_HOOK = """#cloud-boothook
#!/bin/sh
told={told}
state=/var/lib/cloud/data/escale-told
[ "$(cat "$state" 2>/dev/null)" = "$told" ] && exit 0
if [ -e "$state" ]; then
    for name in write_files runcmd scripts_user write-files scripts-user; do
        rm -f "/var/lib/cloud/instance/sem/config_$name" "/var/lib/cloud/instance/sem/config_$name.once"
    done
fi
echo "$told" > "$state"
"""


def fingerprint(machine: Machine) -> str:
    """Return what identifies a document: a change of it is due when this changes."""
    return digest(_document(machine))


def pack(machine: Machine, told: str) -> bytes:
    """Return the user-data of a machine; ``told`` names this telling of it. ConnectorError when it is too large.

    The same machine and name give the same bytes, as a repeated RunInstances with one client token needs.
    """
    parts = [("cloud-config", "\n".join(_slim(render(_document(machine))).splitlines()))]
    if {"write_files", "runcmd"} & set(machine.userdata):
        parts.insert(0, ("cloud-boothook", _HOOK.format(told=told)))
    text = _HEADER + "".join(
        f"--{_BOUNDARY}\nContent-Type: text/{kind}; charset=utf-8\nMIME-Version: 1.0\n\n{body}\n"
        for kind, body in parts
    )
    packed = gzip.compress(f"{text}--{_BOUNDARY}--\n".encode(), 9, mtime=0)
    if len(packed) > MAX_BYTES:
        raise ConnectorError(
            "cloud.invalid",
            f"{machine.name} would be told {len(packed)} bytes - EC2 takes {MAX_BYTES}, compressed - put large files "
            "into an image or a volume, or spread the services over more machines",
            permanent=True,
        )
    return packed


def name_of_telling(key: str) -> str:
    """Return the name of a telling: the same for all tries of a step."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"escale-told:{key}"))


def _document(machine: Machine) -> dict[str, Any]:
    return {"hostname": machine.name, "preserve_hostname": False, **machine.userdata}


def _slim(text: str) -> str:
    """Compress files in a document one by one: base64 hides from the compression of the whole what repeats."""
    head, _, body = text.partition("\n")
    document = json.loads(body)
    entries = [_slim_file(entry) for entry in document.get("write_files", ())]
    if entries:
        document["write_files"] = entries
    from engine.userdata import yaml_safe

    return f"{head}\n{yaml_safe(json.dumps(document, ensure_ascii=False, separators=(',', ':')))}\n"


def _slim_file(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if entry.get("encoding") != "b64" or len(entry.get("content", "")) < _WORTH_BYTES:
        return entry
    packed = gzip.compress(base64.b64decode(entry["content"]), 9, mtime=0)
    content = base64.b64encode(packed).decode("ascii")
    return {**entry, "encoding": "gz+b64", "content": content} if len(content) < len(entry["content"]) else entry


def unpack(packed: bytes) -> str:
    """Return user-data as text, for those who look at it."""
    return gzip.decompress(packed).decode() if packed[:2] == b"\x1f\x8b" else packed.decode("utf-8", "replace")
