"""Prepare plans and deployments for the eye: groups of changes, the ledger by line, needs against room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.blueprints import source
from apps.clouds.models import Cloud
from apps.clouds.services import capacity
from apps.deployments.across import parts_json, total_price
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations.models import Operation
from engine import pricing
from engine.across import joined

ORDER = ("create", "update", "replace", "delete", "keep")
KIND_ICONS = {
    "machine": "server", "volume": "disc", "network": "network", "folder": "folder", "firewall": "shield-check",
    "balancer": "sitemap",
}  # fmt: skip
NOTABLE = ("dropped", "approximated")
"""Verdicts that a reader must not miss; what is honoured is told only when asked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the changes of one kind, as dictionaries of `ResourceChange.to_json`, each with an icon added."""

    change: str
    changes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Need:
    """Hold what a plan needs of one thing against what the cloud has; numbers in the unit of the label."""

    label: str
    wanted: float
    used: float
    total: float
    unit: str

    @property
    def too_much(self) -> bool:
        """Tell whether the cloud has less than that free."""
        return self.total > 0 and self.used + self.wanted > self.total

    @property
    def free(self) -> float:
        """Return what is free."""
        return max(0.0, self.total - self.used)


@dataclass(slots=True)
class Line:
    """Hold one line of the source with what the ledger says of it."""

    number: int
    html: SafeString
    notes: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def worst(self) -> str:
        """Return the worst verdict on the line."""
        verdicts = {note["verdict"] for note in self.notes}
        return next((verdict for verdict in NOTABLE if verdict in verdicts), "")


def titled(items: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return things of a plan with their clouds called as people call them; ``titles``: name -> title."""
    keys = ("cloud", "caller_cloud", "called_cloud")
    return [{**item, **{key: titles.get(item[key], item[key]) for key in keys if item.get(key)}} for item in items]


def groups(plan: Plan, titles: Mapping[str, str]) -> tuple[list[Group], list[dict[str, Any]]]:
    """Return the harmless changes by kind, and apart from them those that destroy something."""
    harmless: dict[str, list[dict[str, Any]]] = {change: [] for change in ORDER}
    destructive: list[dict[str, Any]] = []
    for change in titled(plan.body["changes"], titles):
        shown = {**change, "icon": KIND_ICONS.get(change["kind"], "blocks")}
        if change["destructive"] or change["data_loss"] or change["change"] == "delete":
            destructive.append(shown)
        else:
            harmless[change["change"]].append(shown)
    return [Group(change, found) for change, found in harmless.items() if found], destructive


@dataclass(frozen=True, slots=True)
class Share:
    """Hold what a plan is on one of its clouds."""

    cloud: Cloud
    body: Mapping[str, Any]  # across.parts_json: services, counts, requirements, price
    needs: list[Need]


def shares(plan: Plan) -> list[Share]:
    """Return the clouds of a plan side by side, the main one first."""
    bodies = parts_json(plan.body, plan.cloud)
    known = Cloud.objects.in_bulk([body["cloud"]["id"] for body in bodies])
    clouds = {str(key): cloud for key, cloud in known.items()}
    return [
        Share(clouds[body["cloud"]["id"]], body, needs(body["requirements"], clouds[body["cloud"]["id"]]))
        for body in bodies
    ]


def needs(wanted: Mapping[str, Any], cloud: Cloud) -> list[Need]:
    """Return what a desired state needs against the room of its cloud, as last read."""
    room = capacity(cloud) or {}
    cores = room.get("cpus", 0)
    mhz = room.get("cpu_mhz", 0)
    used_cores = cores * (mhz - room.get("cpu_free_mhz", 0)) / mhz if mhz else 0
    memory, storage = room.get("memory_mib", 0) / 1024, room.get("storage_gib", 0)
    used_memory = memory - room.get("memory_free_mib", 0) / 1024
    return [
        Need(_("CPU"), wanted["cpus"], used_cores, cores, _("cores")),
        Need(_("Memory"), wanted["memory_mib"] / 1024, used_memory, memory, _("GiB")),
        Need(_("Disk"), wanted["disk_gib"], storage - room.get("storage_free_gib", 0), storage, _("GiB")),
    ]


def ledger_lines(text: str, ledger: Sequence[Mapping[str, Any]]) -> tuple[list[Line], list[Mapping[str, Any]]]:
    """Return the source's lines with their notes, and the notes on what stands on no line (defaults)."""
    lines = [Line(number, html) for number, html in enumerate(source.coloured(text), start=1)]
    elsewhere: list[Mapping[str, Any]] = []
    for entry in ledger:
        number = entry.get("line")
        (lines[number - 1].notes if number and 0 < number <= len(lines) else elsewhere).append(entry)
    return lines, elsewhere


def verdicts(ledger: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many entries there are of each verdict."""
    counts = {"honoured": 0, "approximated": 0, "dropped": 0}
    for entry in ledger:
        counts[entry["verdict"]] += 1
    return counts


def start_label(plan: Plan) -> str:
    """Return what the button that starts the plan says: a verb and what it is done to."""
    changes = plan.body["changes"]
    machines = sum(change["kind"] == "machine" for change in changes if change["change"] != "keep")
    disks = sum(change["kind"] == "volume" for change in changes if change["change"] == "delete")
    if plan.purpose == "destroy" and not changes:
        return _("Remove %(name)s") % {"name": plan.deployment_name}
    released = sum(action["verb"] == "machine.release" for action in plan.body["actions"])
    if plan.purpose == "destroy" and released:
        machines -= released
        released_text = ngettext("Release %(n)d machine", "Release %(n)d machines", released) % {"n": released}
        if not machines and not disks:
            return released_text
        return _("Destroy %(name)s") % {"name": plan.deployment_name}
    if plan.purpose == "destroy":
        machine_text = ngettext("%(n)d machine", "%(n)d machines", machines) % {"n": machines}
        if not disks:
            return _("Destroy %(machines)s") % {"machines": machine_text}
        disk_text = ngettext("%(n)d data disk", "%(n)d data disks", disks) % {"n": disks}
        return _("Destroy %(machines)s and %(disks)s") % {"machines": machine_text, "disks": disk_text}
    adopted = sum(action["verb"] == "machine.adopt" for action in plan.body["actions"])
    if adopted and adopted == len(plan.body["actions"]):
        return ngettext("Adopt %(n)d machine", "Adopt %(n)d machines", adopted) % {"n": adopted}
    only_new = all(change["change"] in ("create", "keep") for change in changes)
    if only_new and machines:
        return ngettext("Deploy %(n)d machine", "Deploy %(n)d machines", machines) % {"n": machines}
    number = sum(change["change"] != "keep" for change in changes)
    return ngettext("Apply %(n)d change", "Apply %(n)d changes", number) % {"n": number}


@dataclass(frozen=True, slots=True)
class Machine:
    """Hold a machine of a deployment as its page shows it."""

    resource: Resource
    addresses: list[str]
    cpus: int
    memory_mib: int
    workloads: list[Mapping[str, Any]]
    disks: list[str]
    size: str = ""
    spot: bool = False
    state: str = ""
    drifted: bool = False  # the cloud has others than the drawing says, and those are shown


@dataclass(frozen=True, slots=True)
class Contents:
    """Hold what a deployment consists of."""

    machines: list[Machine]
    volumes: list[Resource]
    networks: list[Resource]
    balancers: list[Resource]
    others: list[Resource]


def contents(deployments: Sequence[Deployment], drift: Mapping[str, Any] | None = None) -> Contents:
    """Return what exists of a deployment on all its clouds, as the journal has recorded it.

    ``drift``: what a look at the clouds has told of its machines since, as ``drifting.drift_of``; that is shown then.
    """
    seen = {one["key"]: one for one in (drift or {}).get("machines", ())}
    result = Contents([], [], [], [], [])
    for resource in (row for deployment in deployments for row in _known(deployment)):
        if resource.kind == "machine":
            key = joined(resource.deployment.part, resource.key)
            result.machines.append(_machine(resource, seen.get(key)))
        elif resource.kind == "volume":
            result.volumes.append(resource)
        elif resource.kind == "network":
            result.networks.append(resource)
        elif resource.kind == "balancer":
            result.balancers.append(resource)
        else:
            result.others.append(resource)
    return result


def all_adopted(deployments: Sequence[Deployment]) -> bool:
    """Tell whether a deployment has machines that ran before it, and nothing that was made for it."""
    known = [resource for one in deployments for resource in one.resources.all()]
    return bool(known) and all(one.kind == "machine" and one.spec.get("adopted") for one in known)


def _known(deployment: Deployment) -> list[Resource]:
    rows = list(deployment.resources.all())
    for row in rows:
        row.deployment = deployment  # known already, cloud and all
    return rows


def crossings_of(operations: Sequence[Operation], deployments: Sequence[Deployment]) -> list[dict[str, Any]]:
    """Return what crosses the borders of a deployment by the plan last gone by, with its machines' addresses now."""
    if len(deployments) < 2:
        return []
    wanted = [one for one in operations if one.kind != "destroy" and one.state != "reverted"]
    plan_id = wanted[0].data.get("plan") if wanted else None
    rows = Plan.objects.filter(pk=plan_id).values_list("body__crossings", flat=True) if plan_id else ()
    told = {
        (one.cloud.name, resource.name): resource.facts.get("addresses") or ()
        for one in deployments
        for resource in one.resources.all()
        if resource.kind == "machine"
    }
    titles = {one.cloud.name: str(one.cloud) for one in deployments}
    crossings = next(iter(rows), None) or ()
    return [
        {
            **shown,
            "addresses": [
                address for name in crossing["machines"] for address in told.get((crossing["called_cloud"], name), ())
            ],
        }
        for crossing, shown in zip(crossings, titled(crossings, titles), strict=True)
    ]


def _machine(resource: Resource, seen: Mapping[str, Any] | None = None) -> Machine:
    spec, facts = resource.spec, resource.facts
    found = {one["what"]: one["found"] for one in (seen or {}).get("differences", ())}
    spec = {**spec, **{name: int(found[name]) for name in ("cpus", "memory_mib") if name in found}}
    missing = bool(seen and seen["state"] == "missing")
    state = {"off": "stopped", "suspended": "suspended"}.get(found.get("power", ""), resource.state)
    return Machine(
        resource=resource,
        addresses=[str(address) for address in facts.get("addresses") or ()],
        cpus=int(spec.get("cpus") or 0),
        memory_mib=int(spec.get("memory_mib") or 0),
        workloads=list(spec.get("workloads") or ()),
        disks=[str(disk.get("volume", "")).partition(":")[2] for disk in spec.get("disks") or ()],
        size=str(spec.get("size") or ""),
        spot=bool(spec.get("spot")),
        state="missing" if missing else state,
        drifted=missing or bool(found),
    )


def price_of(deployment: Deployment) -> dict[str, Any] | None:
    """Return what exists of a deployment costs by its cloud's present prices; None without any, or without anything."""
    # Adopted machines are paid for already, whoever pays: what consists of them alone has no price to show.
    specs = {row.key: row.spec for row in deployment.resources.all() if not row.spec.get("adopted")}
    return pricing.price(pricing.needed(specs), deployment.cloud.prices) if specs else None


def price_of_all(deployments: Sequence[Deployment]) -> dict[str, Any] | None:
    """Return what a deployment costs on all its clouds; None where a cloud has no prices, or they cannot be added."""
    if len(deployments) == 1:
        return price_of(deployments[0])
    return total_price([price_of(one) for one in deployments if one.resources.all()])


def missing_images(services: Mapping[str, Mapping[str, Any]], known: Mapping[str, str]) -> dict[str, str]:
    """Return the services that only say how to build, each with the image that was given before, or nothing."""
    return {
        name: known.get(name, "")
        for name, body in services.items()
        if body.get("build") is not None and not body.get("image")
    }


def usable(cloud: Cloud) -> bool:
    """Tell whether a plan can be made for a cloud now, as far as is known."""
    return cloud.enabled and (cloud.health is None or bool(cloud.health.get("ok")))


def readiness(item: Mapping[str, Any]) -> int:
    """Return how good a choice a cloud is before anybody has chosen: one that is known to answer comes first."""
    cloud: Cloud = item["cloud"]
    return 2 * (cloud.enabled and bool((cloud.health or {}).get("ok"))) + usable(cloud)
