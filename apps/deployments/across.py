"""Deployments over several clouds: who stands where, the parts' plans side by side, and one plan made of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Prefetch

from apps.clouds import reading
from apps.clouds.models import Cloud
from apps.deployments.looking import adopted_in_body, adopted_in_drawing, look
from apps.deployments.models import Deployment, Plan, Resource
from apps.deployments.working import Worked, observe, owner_of, policy_of, prior_of
from apps.labels.reading import labels_of, wanted_label
from apps.tenancy.models import Project
from engine import across, planner
from engine.across import Across, Side, joined
from engine.compose import Project as Drawing
from engine.findings import Finding
from engine.observed import Target
from engine.realise import Desired
from engine.realise import place as placing
from engine.realise.place import Clouds, Homes
from engine.resources import Owner, digest
from engine.userdata import addresses
from engine.userdata.addresses import Peer

_SPACE = uuid.UUID("4a1f0d52-6f4e-5d0a-9a53-3f0b3d4f7c11")
_ORDER = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Division:
    """Where the services of a drawing stand, and on which clouds a deployment of it is or will be.

    ``main`` is the cloud of the deployment itself; ``clouds``: name -> cloud, of all that are planned.
    """

    homes: Homes
    main: Cloud
    clouds: Mapping[str, Cloud]

    @property
    def several(self) -> bool:
        """Tell whether more than the main cloud takes part."""
        return set(self.clouds) != {self.main.name}

    def told(self, desired: Desired) -> Desired:
        """Return the desired state of one cloud with what is to be said of places beside it."""
        known = set(desired.findings)
        more = [finding for finding in self.homes.findings if finding not in known]
        return replace(desired, findings=_ranked([*more, *desired.findings]))


@dataclass(frozen=True)
class Spread:
    """A plan over several clouds as it was worked out. Keys of all further clouds' things start with their part."""

    across: Across
    shares: Mapping[str, Worked]  # part -> what was worked out for its cloud
    clouds: Mapping[str, Cloud]  # part -> cloud
    owners: Mapping[str, Owner]
    homes: Mapping[str, str]  # service -> part

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what is to be said of the borders and of each cloud."""
        return self.across.all_findings()

    @property
    def blocked(self) -> bool:
        """Tell whether an error finding forbids to start it."""
        return self.across.blocked

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to do on any cloud."""
        return self.across.empty

    @cached_property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """Return each cloud's plan as it would be stored by itself."""
        return {part: worked.to_json() for part, worked in self.shares.items()}

    def to_json(self) -> dict[str, Any]:
        """Return one plan in the form of `Worked.to_json`, with ``cloud`` on each thing, ``parts`` and ``crossings``.

        Each change, action, finding and ledger entry names its cloud; one that all clouds have alike, or that speaks of
        a border, names none ("").
        """
        bodies = self.bodies
        return {
            "format": 1,
            "hash": self.across.hash,
            "owner": self.owners[""].to_json(),
            "target": self.clouds[""].name,
            "base": digest({part: body["base"] for part, body in bodies.items()}),
            "counts": _sum(body["counts"] for body in bodies.values()),
            "requirements": _sum(body["requirements"] for body in bodies.values()),
            "findings": self._findings(),
            "changes": [
                {**change, "resource": joined(part, change["resource"]), "cloud": self.clouds[part].name, "part": part}
                for part, body in bodies.items()
                for change in body["changes"]
            ],
            "actions": list(self._actions()),
            "ledger": self._ledger(),
            "desired": {
                joined(part, key): spec for part, body in bodies.items() for key, spec in body["desired"].items()
            },
            "services": self._services(),
            "machines": [
                {**machine, "key": joined(part, machine["key"]), "cloud": self.clouds[part].name}
                for part, body in bodies.items()
                for machine in body["machines"]
            ],
            "price": total_price([body["price"] for body in bodies.values() if body["requirements"]["machines"]]),
            "parts": [self._part(part, body) for part, body in bodies.items()],
            "crossings": [crossing.to_json() for crossing in self.across.crossings],
        }

    def _part(self, part: str, body: Mapping[str, Any]) -> dict[str, Any]:
        cloud = self.clouds[part]
        return {
            "part": part,
            "cloud": {"id": str(cloud.id), "name": cloud.name},
            "deployment": self.owners[part].deployment_id,
            "owner": body["owner"],
            "base": body["base"],
            "hash": body["hash"],
            "counts": body["counts"],
            "requirements": body["requirements"],
            "price": body["price"],
            "services": sorted(name for name, home in self.homes.items() if home == part),
        }

    def _findings(self) -> list[dict[str, Any]]:
        clouds: dict[Finding, list[str]] = {finding: ["", ""] for finding in self.across.findings}
        for part, worked in self.shares.items():
            for finding in worked.findings:
                clouds.setdefault(finding, []).append(self.clouds[part].name)
        return [
            {**finding.to_json(), "cloud": clouds[finding][0] if len(clouds[finding]) == 1 else ""}
            for finding in self.findings
        ]

    def _ledger(self) -> list[dict[str, Any]]:
        found: dict[tuple[Any, ...], tuple[dict[str, Any], list[str]]] = {}
        told = [("", entry.to_json()) for entry in self.across.ledger]
        told += [(self.clouds[part].name, entry) for part, body in self.bodies.items() for entry in body["ledger"]]
        spoken = {tuple(entry.path) for entry in self.across.ledger}
        for cloud, entry in told:
            path = tuple(entry["path"])
            if cloud and path[0] == "networks" and path in spoken:
                continue
            key = (path, entry["verdict"], entry["reason"], entry["code"])
            found.setdefault(key, (entry, []))[1].append(cloud)
        entries = [{**entry, "cloud": clouds[0] if len(clouds) == 1 else ""} for entry, clouds in found.values()]
        return sorted(entries, key=lambda entry: entry["line"] if entry["line"] is not None else 1 << 30)

    def _actions(self) -> Iterator[dict[str, Any]]:
        actions = {
            joined(part, action["key"]): (part, action)
            for part, body in self.bodies.items()
            for action in body["actions"]
        }
        # A plan whose steps go round is blocked, and is read in any order.
        for key in self.across.order():
            part, action = actions[key]
            needs = [joined(part, need) for need in action["depends_on"]]
            yield {
                **action,
                "key": key,
                "resource": joined(part, action["resource"]),
                "title": f"{action['title']} on {self.clouds[part].name}",
                "depends_on": [*needs, *self.across.after.get(key, ())],
                "part": part,
                "cloud": self.clouds[part].name,
            }

    def _services(self) -> dict[str, dict[str, Any]]:
        """Return each service's fate once: where it will stand; one that changes its cloud is replaced."""
        found: dict[str, dict[str, Any]] = {}
        for part, body in self.bodies.items():
            for name, told in body["services"].items():
                mine = {
                    **told,
                    "machines": [joined(part, key) for key in told["machines"]],
                    "cloud": self.clouds[part].name,
                }
                other = found.get(name)
                if other is None:
                    found[name] = mine
                elif self.homes.get(name, "") == part:
                    found[name] = {**mine, "change": "replace" if other["change"] == "delete" else mine["change"]}
                elif told["change"] == "delete":
                    found[name] = {**other, "change": "replace"}
        return dict(sorted(found.items()))


def divide(
    drawing: Drawing, project: Project, cloud: Cloud, deployment: Deployment | None, region: str
) -> Division | None:
    """Return where the services of a drawing stand; None when neither drawing nor deployment knows of other clouds.

    A plan for one ``region`` is for one cloud, whatever the drawing says of places; the project's policy holds.
    """
    parts = parts_of(deployment)
    required = wanted_label(project.policy)
    if region:
        known = Clouds([cloud.name], labels_of([cloud]), required)
        return Division(placing.alone(drawing, cloud.name, known), cloud, {cloud.name: cloud}) if required else None
    if not (parts or required or placing.names_places(drawing)):
        return None
    # Of most clouds the name is enough, and an inventory may be large.
    rows = Cloud.objects.usable_by(project).select_related("organization").defer("inventory")
    usable = {found.name: found for found in rows}
    standing = [part.cloud for part in parts]
    for found in (cloud, *standing):
        usable[found.name] = found
    first = [cloud.name, *(found.name for found in standing)]
    known = Clouds(
        [*first, *sorted(usable.keys() - set(first))],
        labels_of(usable.values()),
        required,
    )
    homes = placing.homes(drawing, cloud.name, known)
    named = {name: usable[name] for name in homes.clouds if name in usable}
    if deployment is None:
        return Division(homes, usable[homes.clouds[0]], named)
    return Division(homes, cloud, {cloud.name: cloud, **{found.name: found for found in standing}, **named})


def placed_services(drawing: Drawing, project: Project) -> dict[str, list[str]]:
    """Return the services that a drawing places itself, by the cloud's name, for who is asked for the rest's cloud."""
    if not placing.names_places(drawing):
        return {}
    usable = list(Cloud.objects.usable_by(project).defer("inventory"))
    homes = placing.homes(drawing, "", Clouds(sorted(cloud.name for cloud in usable), labels_of(usable)))
    found: dict[str, list[str]] = {}
    for service, cloud in homes.services.items():
        if cloud:
            found.setdefault(cloud, []).append(service)
    return dict(sorted(found.items()))


def main_cloud(drawing: Drawing, project: Project, cloud: Cloud, deployment: Deployment | None, region: str) -> Cloud:
    """Return the cloud that a deployment belongs to: the chosen one, unless nothing is drawn to stand there."""
    if deployment is not None:
        return cloud
    division = divide(drawing, project, cloud, None, region)
    return division.main if division is not None else cloud


def work_out(
    drawing: Drawing,
    project: Project,
    division: Division,
    owner: Owner,
    deployment: Deployment | None,
    images: Mapping[str, str],
    restore: bool = False,
) -> Spread:
    """Work a plan out over all clouds of a division; nothing is stored or touched. Faults: ``cloud.*``."""
    adopted = adopted_in_drawing(drawing)
    rows = {part.cloud_id: part for part in parts_of(deployment, gone=True)}
    names = {row.part for row in rows.values()}
    sides: dict[str, Side] = {}
    clouds: dict[str, Cloud] = {}
    owners: dict[str, Owner] = {}
    ordered = sorted(division.clouds.values(), key=lambda cloud: cloud.pk != division.main.pk)
    for cloud in ordered:
        if cloud.pk == division.main.pk:
            drawn = cloud.name in division.homes.clouds
            sides[cloud.name] = _side("", cloud, owner, deployment, adopted, drawn=drawn, restore=restore)
        else:
            row = rows.get(cloud.pk)
            part = row.part if row is not None else _part_name(cloud, names)
            mine = replace(owner, deployment_id=str(part_id(uuid.UUID(owner.deployment_id), cloud)))
            live = row if row is not None and row.state != "destroyed" else None
            drawn = cloud.name in division.homes.clouds
            sides[cloud.name] = _side(part, cloud, mine, live, adopted, drawn=drawn, restore=restore)
        clouds[sides[cloud.name].part], owners[sides[cloud.name].part] = cloud, sides[cloud.name].owner
    made = across.plan(drawing, division.homes, sides, policy_of(project, drawing), images)
    homes = {service: sides[home].part for service, home in division.homes.services.items() if home in sides}
    return _spread(made, sides, clouds, owners, homes, drawing.services())


def work_out_destroy(deployment: Deployment, owner: Owner) -> Spread:
    """Work out the removal of a deployment from all its clouds. Faults: ``cloud.*``."""
    sides = {deployment.cloud.name: _side("", deployment.cloud, owner, deployment, drawn=False)}
    for row in parts_of(deployment):
        mine = replace(owner, deployment_id=str(row.id))
        sides[row.cloud.name] = _side(row.part, row.cloud, mine, row, drawn=False)
    clouds = {"": deployment.cloud, **{row.part: row.cloud for row in parts_of(deployment)}}
    owners = {side.part: side.owner for side in sides.values()}
    return _spread(across.plan_destroy(list(sides.values())), sides, clouds, owners, {}, ())


def _spread(
    made: Across,
    sides: Mapping[str, Side],
    clouds: Mapping[str, Cloud],
    owners: Mapping[str, Owner],
    homes: Mapping[str, str],
    drawn: Iterable[str],
) -> Spread:
    services = list(drawn)
    shares = {}
    for side in sides.values():
        plan = made.plans.get(side.part)
        if plan is None and side.part:
            continue
        plan = plan or _nothing(side)
        mine = tuple(name for name in services if homes.get(name, "") == side.part)
        regions = made.regions.get(side.part, {})
        shares[side.part] = Worked(plan, mine, side.observed, side.prior, clouds[side.part].prices, regions)
    kept = {part: clouds[part] for part in shares}
    return Spread(replace(made, plans={part: one.plan for part, one in shares.items()}), shares, kept, owners, homes)


def _nothing(side: Side) -> Any:
    """Return the empty plan of a main cloud on which nothing is drawn and nothing stands."""
    return planner.plan(Desired(), side.observed, side.prior, side.owner, side.target.name)


def _side(
    part: str,
    cloud: Cloud,
    owner: Owner,
    deployment: Deployment | None,
    adopted: Iterable[str] = (),
    *,
    drawn: bool,
    restore: bool = False,
) -> Side:
    """Return a cloud as the planner needs it; where nothing is drawn no inventory is needed, but what is there."""
    prior = prior_of(deployment)
    seen = look(cloud, owner, deployment, prior, adopted, several=True)
    target = reading.target(cloud) if drawn else Target(cloud.name, cloud.kind, cloud.flavour)
    reported: dict[str, list[str]] = {}
    given: dict[str, dict[Peer, str]] = {}
    if deployment is not None:
        for row in deployment.resources.filter(kind="machine").only("key", "facts", "deployment_id"):
            reported[row.key] = [str(address) for address in row.facts.get("addresses") or ()]
            given[row.key] = peers_from(row.facts.get("peers") or {})
    return Side(
        part=part,
        cloud=cloud.name,
        target=target,
        owner=owner,
        observed=seen.observed,
        adoptable=seen.adoptable,
        restore=restore,
        prior=prior,
        reported=reported,
        given=given,
        reaches=reaches_of(cloud),
        # Where each deployment has ground of its own, its machines meet others in public unless that is switched off.
        public="own_ground" in target.capabilities and bool((cloud.options or {}).get("public_addresses", True)),
    )


def reaches_of(cloud: Cloud) -> frozenset[str]:
    """Return the names of the clouds whose private addresses are routed to from a cloud, as its administrator said."""
    named = (cloud.options or {}).get("reaches")
    return frozenset(name for name in named if isinstance(name, str)) if isinstance(named, list) else frozenset()


def parts_of(deployment: Deployment | None, *, gone: bool = False) -> list[Deployment]:
    """Return the parts of a deployment on further clouds, by name; with ``gone`` also those that were destroyed."""
    if deployment is None:
        return []
    rows = deployment.parts.select_related("cloud__organization").order_by("part")
    return list(rows if gone else rows.exclude(state="destroyed"))


def further_clouds() -> Prefetch[Any]:
    """Return what fetches the further clouds of listed deployments, as `further` of each, in one query."""
    rows = Deployment.objects.exclude(state="destroyed").select_related("cloud").order_by("part")
    return Prefetch("parts", queryset=rows, to_attr="further")


def live_parts_on(cloud: Cloud) -> Any:
    """Return the ids of the deployments that have a part on a cloud which is not their main one, as a subquery."""
    return Deployment.objects.filter(cloud=cloud, parent__isnull=False).exclude(state="destroyed").values("parent_id")


def part_id(deployment_id: uuid.UUID, cloud: Cloud) -> uuid.UUID:
    """Return the id of a deployment's part on a cloud: the same whenever it is asked for, also before there is one."""
    return uuid.uuid5(_SPACE, f"{deployment_id}/{cloud.pk}")


def _part_name(cloud: Cloud, taken: set[str]) -> str:
    name = cloud.name if cloud.name not in taken else f"{cloud.name[:58]}-{str(cloud.pk)[:4]}"
    taken.add(name)
    return name


def is_stale(plan: Plan) -> bool:
    """Tell whether any cloud of a plan, or what is kept of it, is no longer as it was."""
    adopted = adopted_in_body(plan.body["desired"])
    for part in plan.body["parts"]:
        deployment = Deployment.objects.filter(pk=part["deployment"]).exclude(state="destroyed").first()
        cloud, prior = Cloud.objects.get(pk=part["cloud"]["id"]), prior_of(deployment)
        seen = look(cloud, Owner(**part["owner"]), deployment, prior, adopted, several=True)
        adoptable = seen.adoptable if plan.purpose == "apply" else None
        if planner.fingerprint(seen.observed, prior, adoptable) != part["base"]:
            return True
    return False


def parts_json(body: Mapping[str, Any], cloud: Cloud) -> list[dict[str, Any]]:
    """Return the clouds of a plan side by side: {part, cloud, services, counts, requirements, price} of each.

    ``body``: as a plan is stored; one for a single cloud, ``cloud``, is its own only part.
    """
    shown = ("part", "cloud", "services", "counts", "requirements", "price")
    if body.get("parts"):
        return [{name: part[name] for name in shown} for part in body["parts"]]
    return [
        {
            "part": "",
            "cloud": {"id": str(cloud.id), "name": cloud.name},
            "services": sorted(
                name for name, told in body.get("services", {}).items() if told["change"] not in (None, "delete")
            ),
            "counts": body["counts"],
            "requirements": body["requirements"],
            "price": body.get("price"),
        }
    ]


def own_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """Return an action of a plan as its own cloud knows it: without its part, and what it waits for elsewhere."""
    part = action.get("part", "")
    body = {key: value for key, value in action.items() if key not in ("part", "cloud")}
    if not part:
        return {**body, "depends_on": [key for key in action["depends_on"] if _is_main(key)]}
    start = f"{part}/"
    return {
        **body,
        "key": action["key"].removeprefix(start),
        "resource": action["resource"].removeprefix(start),
        "depends_on": [key.removeprefix(start) for key in action["depends_on"] if key.startswith(start)],
    }


def _is_main(key: str) -> bool:
    """Tell whether a key is one of the main cloud: its kind comes first ("network:@a/b" has no part)."""
    return "/" not in key.partition(":")[0]


# What machines are told of each other.


def peers_json(peers: Mapping[Peer, str]) -> dict[str, str]:
    """Return the addresses that a machine was given, as they are stored."""
    return {f"{peer.part}/{peer.label}": address for peer, address in peers.items()}


def peers_from(stored: Mapping[str, Any]) -> dict[Peer, str]:
    """Return the addresses that a machine was given."""
    return {Peer(*key.split("/", 1)): str(address) for key, address in stored.items() if "/" in key}


def peers_of(
    userdata: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], cloud: Cloud
) -> dict[Peer, str | None]:
    """Return the addresses that user-data waits for; None for a machine that has reported none.

    ``parts``: as in an operation's data: part -> {deployment, cloud}. ``cloud``: the one that the user-data is for.
    """
    reaches = reaches_of(cloud)
    deployments = {part: told["deployment"] for part, told in parts.items()}
    return {
        peer: address_of(peer, deployments, connected=parts.get(peer.part, {}).get("cloud") in reaches)
        for peer in addresses.wanted(userdata)
    }


def ask_for(peers: Iterable[Peer], parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Ask their clouds where machines are that no step has heard of, and record it. Faults: ``cloud.*``.

    An operation that was stopped between starting a machine and hearing of it leaves one that runs and that the next
    plan has nothing to do for.
    """
    for part in sorted({peer.part for peer in peers if peer.part in parts}):
        deployment = Deployment.objects.select_related("cloud", "project__organization").get(
            pk=parts[part]["deployment"]
        )
        seen = observe(deployment.cloud, owner_of(deployment.project, deployment.id, deployment.name))
        for row in deployment.resources.filter(key__in=[peer.machine for peer in peers if peer.part == part]):
            found = seen.resources.get(row.key)
            told = list(found.attributes.get("addresses") or ()) if found is not None else []
            if told:
                row.facts = {**row.facts, "addresses": told}
                row.save(update_fields=["facts", "updated_at"])


def address_of(peer: Peer, deployments: Mapping[str, uuid.UUID | str], *, connected: bool) -> str | None:
    """Return the address by which other clouds reach a machine of a deployment, as it reported last."""
    owner = deployments.get(peer.part)
    row = Resource.objects.filter(deployment_id=owner, key=peer.machine).first() if owner else None
    if row is None:
        return None
    return across.reachable(row.spec, row.facts.get("addresses") or (), connected=connected)


# Sums.


def _sum(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in several:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total


def total_price(prices: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return the sum of prices in one currency; None where a cloud has none, or another currency."""
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices) or len({price["currency"] for price in known}) > 1:
        return None
    before = [Decimal(price["monthly_before"]) for price in known if price["monthly_before"] is not None]
    lines: dict[str, dict[str, Any]] = {}
    for price in known:
        for line in price["lines"]:
            same = lines.get(line["what"])
            if same is None:
                lines[line["what"]] = dict(line)
            else:
                same["quantity"] += line["quantity"]
                same["monthly"] = str(Decimal(same["monthly"]) + Decimal(line["monthly"]))
                same["rate"] = line["rate"] if line["rate"] == same["rate"] else ""
    return {
        "currency": known[0]["currency"],
        "monthly": str(sum((Decimal(price["monthly"]) for price in known), Decimal(0))),
        "hourly": str(sum((Decimal(price["hourly"]) for price in known), Decimal(0))),
        "monthly_before": str(sum(before, Decimal(0))) if before else None,
        "lines": list(lines.values()),
        "note": "",
    }


def _ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
