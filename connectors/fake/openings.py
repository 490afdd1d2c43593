"""What the verbs of firewalls and balancers do to the fake cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from connectors.base import ConnectorError

if TYPE_CHECKING:
    from connectors.fake.effects import Effects

Payload = Mapping[str, Any]
Result = dict[str, Any]


def _firewall_create(effects: Effects, payload: Payload) -> Result:
    spec = payload["spec"]
    effects.insert(payload, payload["new_id"], spec["name"], {"rules": spec["rules"], "hash": spec.get("config_hash")})
    return {"external_id": payload["new_id"], "name": spec["name"], "created": True}


def _firewall_update(effects: Effects, payload: Payload) -> Result:
    found = _owned(effects, payload)
    found["data"].update(rules=payload["spec"]["rules"], hash=payload["spec"].get("config_hash"))
    effects.save(found["id"], found["data"])
    return {"external_id": found["id"], "name": found["name"]}


def _firewall_delete(effects: Effects, payload: Payload) -> Result:
    found = effects.owned(payload)
    if found is None:
        return {"gone": True}
    users = [machine["name"] for machine in effects.all("machine") if machine["data"].get("firewall") == found["id"]]
    if users:
        raise ConnectorError(
            "cloud.busy", f"The firewall {found['name']} is in use by {', '.join(users)} - delete them first"
        )
    effects.delete(found["id"])
    return {}


def _balancer_create(effects: Effects, payload: Payload) -> Result:
    spec, inputs = payload["spec"], payload["inputs"]
    data = {
        "listeners": spec["listeners"],
        "machines": _machines(effects, payload),
        "networks": [inputs.get(spec["network"], {}).get("external_id", spec["network"])],
        "hash": spec.get("config_hash"),
    }
    effects.insert(payload, payload["new_id"], spec["name"], data)
    return {**facts(payload["new_id"], spec["name"]), "created": True}


def _balancer_update(effects: Effects, payload: Payload) -> Result:
    found, spec = _owned(effects, payload), payload["spec"]
    found["data"].update(
        listeners=spec["listeners"], machines=_machines(effects, payload), hash=spec.get("config_hash")
    )
    effects.save(found["id"], found["data"])
    return facts(found["id"], found["name"])


def _balancer_delete(effects: Effects, payload: Payload) -> Result:
    found = effects.owned(payload)
    if found is None:
        return {"gone": True}
    effects.delete(found["id"])
    return {}


EFFECTS: Mapping[str, Callable[[Effects, Payload], Result]] = {
    "firewall.create": _firewall_create,
    "firewall.update": _firewall_update,
    "firewall.delete": _firewall_delete,
    "balancer.create": _balancer_create,
    "balancer.update": _balancer_update,
    "balancer.delete": _balancer_delete,
}


def facts(external_id: str, name: str) -> Result:
    """Return what the verbs of a balancer report."""
    return {"external_id": external_id, "name": name, "address": address(name)}


def address(name: str) -> str:
    """Return the name by which a balancer is reached."""
    return f"{name}.balancers.fake.example"


def attributes(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is observed of a firewall or a balancer."""
    data = thing["data"]
    if thing["kind"] == "firewall":
        return {"name": thing["name"], "rules": data["rules"]}
    return {
        "name": thing["name"],
        "listeners": data["listeners"],
        "machines": data["machines"],
        "address": address(thing["name"]),
    }


def _owned(effects: Effects, payload: Payload) -> dict[str, Any]:
    found = effects.owned(payload)
    if found is None:
        raise _gone(payload["resource"])
    return found


def _machines(effects: Effects, payload: Payload) -> list[str]:
    """Return the ids of the machines that a balancer leads to; ConnectorError when one of them is gone."""
    ids = []
    for key in payload["spec"]["machines"]:
        found = effects.thing(payload["inputs"].get(key, {}).get("external_id"))
        if found is None:
            raise _gone(key)
        ids.append(str(found["id"]))
    return ids


def _gone(key: str) -> ConnectorError:
    return ConnectorError(
        "cloud.not_found", f"{key} is gone - somebody deleted it on the cloud - plan again", permanent=True
    )
