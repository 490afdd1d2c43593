"""What a machine's guest is told: the same document as everywhere, compressed for EC2's 16 kB of user-data.

EC2 keeps an instance's id for life, so cloud-init takes a document in once only. The agent in it reads the user-data
anew at each boot, and takes the files of one that has changed.
"""

from __future__ import annotations

import gzip
import hashlib

from connectors.base import ConnectorError
from engine.resources import Machine
from engine.userdata import render

MAX_BYTES = 16384


def pack(machine: Machine) -> bytes:
    """Return the user-data of a machine; ConnectorError when it is too large.

    The same machine gives the same bytes, as a repeated RunInstances with one client token needs.
    """
    document = {"hostname": machine.name, "preserve_hostname": False, **machine.userdata}
    packed = gzip.compress(render(document, compact=True).encode(), 9, mtime=0)
    if len(packed) > MAX_BYTES:
        raise ConnectorError(
            "cloud.invalid",
            f"{machine.name} would be told {len(packed)} bytes - EC2 takes {MAX_BYTES}, compressed - put large files "
            "into an image or a volume, or spread the services over more machines",
            permanent=True,
        )
    return packed


def fingerprint(packed: bytes) -> str:
    """Return what user-data is known by: a change of it is due when this changes."""
    return hashlib.sha256(packed).hexdigest()[:32]


def unpack(packed: bytes) -> str:
    """Return user-data as text, for those who look at it."""
    return gzip.decompress(packed).decode() if packed[:2] == b"\x1f\x8b" else packed.decode("utf-8", "replace")
