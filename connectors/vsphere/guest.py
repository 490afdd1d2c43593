"""What a machine's guest is told: user-data and metadata for cloud-init, as extra configuration."""

from __future__ import annotations

import json
from typing import Any

from connectors.vsphere import markers
from connectors.vsphere.markers import Marks
from engine.plan import Action
from engine.resources import Machine, config_hash, from_json
from engine.userdata import metadata, render


def desired(action: Action) -> Machine:
    """Return the machine that an action wants."""
    resource = from_json({name: value for name, value in action.spec.items() if name not in _BESIDES})
    assert isinstance(resource, Machine)
    return resource


_BESIDES = frozenset({"external_id", "drawn", "previous", "timeout_s"})


def marked_hash(action: Action) -> str:
    """Return the hash to mark: the plan's, which was taken before one-time tokens were put into the user-data."""
    return str(action.spec.get("config_hash") or config_hash(desired(action)))


def guestinfo(machine: Machine, instance_id: str) -> dict[str, str]:
    """Return the documents for cloud-init. A new ``instance_id`` makes the guest take them in at its next boot."""
    facts: dict[str, Any] = metadata(machine, instance_id)
    return {
        **markers.guestinfo("userdata", render(machine.userdata)),
        **markers.guestinfo("metadata", json.dumps(facts, sort_keys=True)),
    }


def same(machine: Machine, instance_id: str, marks: Marks) -> bool:
    """Tell whether a guest was told just this already, but for the MAC addresses that were filled in later."""
    if render(machine.userdata) != markers.told(marks, "userdata"):
        return False
    try:
        known: dict[str, Any] = json.loads(markers.told(marks, "metadata"))
    except ValueError:
        return False
    wanted: dict[str, Any] = json.loads(json.dumps(metadata(machine, instance_id)))
    for facts in (known, wanted):
        for card in facts.get("network", {}).get("ethernets", {}).values():
            card.pop("match", None)
    return known == wanted
