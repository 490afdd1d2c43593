"""Restrict a drawing to one of its regions, and say what crosses from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.compose.model import Project
from engine.realise.notes import Path, Verdict
from engine.realise.references import words
from engine.wording import listed

SHARING = ("network_mode", "ipc", "pid")
_RELATIONS = ("affinity", "anti_affinity")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Crossing:
    """One thing that leads from a region to others, and how it fares; ``code`` without ``ledger.``."""

    path: Path
    verdict: Verdict
    reason: str
    code: str


def names(project: Project) -> tuple[str, ...]:
    """Return the regions of a drawing in its order; empty when it has none, or none that can be read."""
    return tuple(named(top_of(project), "regions"))


def clouds(project: Project) -> dict[str, str]:
    """Return region -> name of the cloud that it is meant for; empty text where the drawing names none."""
    found: dict[str, str] = {}
    for name, body in named(top_of(project), "regions").items():
        cloud = body.get("cloud") if isinstance(body, Mapping) else None
        found[name] = cloud if isinstance(cloud, str) else ""
    return found


def region_of(project: Project) -> dict[str, str]:
    """Return service -> region: its machine's, its own, or the first; empty when the drawing has no regions."""
    regions = names(project)
    if not regions:
        return {}
    homes = machine_regions(project)
    found: dict[str, str] = {}
    for service in project.services():
        extension = extension_of(project, service)
        machine, own = extension.get("machine"), extension.get("region")
        home = homes.get(machine) if isinstance(machine, str) else None
        found[service] = home or (own if isinstance(own, str) and own in regions else regions[0])
    return found


def machine_regions(project: Project) -> dict[str, str]:
    """Return declared machine -> region; empty when the drawing has no regions."""
    regions = names(project)
    if not regions:
        return {}
    found: dict[str, str] = {}
    for name, body in named(top_of(project), "machines").items():
        own = body.get("region") if isinstance(body, Mapping) else None
        found[name] = own if isinstance(own, str) and own in regions else regions[0]
    return found


def part(project: Project, region: str) -> Project:
    """Return the drawing with one region's services and machines, and what these use; KeyError for an unknown region.

    What leads to other regions is taken out (``crossings`` tells it); positions in the source stay. What no service of
    any region uses stays with the first region, so that the regions' parts together are the whole drawing.
    """
    if region not in names(project):
        raise KeyError(region)
    homes = region_of(project)
    inside = {service for service, home in homes.items() if home == region}
    top = _reduced(top_of(project), region, machine_regions(project))
    return restricted(project, inside, top, unused=region == names(project)[0], without="region")


def restricted(project: Project, inside: set[str], top: Mapping[str, Any], *, unused: bool, without: str) -> Project:
    """Return the drawing with these services alone and what they use, under another top-level extension.

    ``unused``: what no service of the whole drawing uses stays too. ``without``: the key of a service's extension that
    has done its work, and goes.
    """
    services = {name: _inside(body, inside) for name, body in project.services().items() if name in inside}
    sections = _sections(project, services, unused)
    config = {**project.config, **sections, "services": services}
    if isinstance(config.get("x-escale"), Mapping):
        config["x-escale"] = top
    model = dict(project.model)
    if model:
        if isinstance(model.get("x-escale"), Mapping):
            model["x-escale"] = top
        bodies = model.get("services")
        bodies = bodies if isinstance(bodies, Mapping) else {}
        model["services"] = {name: _model(body, inside, without) for name, body in bodies.items() if name in inside}
        for section, kept in sections.items():
            drawn = model.get(section)
            if isinstance(drawn, Mapping):
                model[section] = {name: body for name, body in drawn.items() if name in kept}
    return replace(project, config=config, model=model)


def crossings(project: Project, region: str) -> Iterator[Crossing]:
    """Yield what leads from a region's services to those of others, in the order of the drawing.

    A service's own ``region`` is among it, honoured: ``part`` takes the key out.
    """
    homes = region_of(project)
    inside = [service for service, home in homes.items() if home == region]
    services = project.services()
    for name in inside:
        if "region" in extension_of(project, name):
            yield Crossing(
                ("services", name, "x-escale", "region"), "honoured", "planned with this region", "x-escale.region"
            )
        yield from _of_service(name, services[name], extension_of(project, name), homes, region)
        yield from _calls(name, services, homes, region)
    for section, using, reason in (
        ("networks", _networks, _NETWORK),
        ("volumes", volumes_of, _VOLUME),
    ):
        users: dict[str, list[str]] = {}
        for name, body in services.items():
            for used in using(body):
                users.setdefault(used, []).append(name)
        for used in dict.fromkeys(used for name in inside for used in using(services[name])):
            others = [name for name in users[used] if homes[name] != region]
            if others:
                where = _where(others, homes)
                yield Crossing((section, used), "approximated", reason.format(where), f"regions.{section}")


_NETWORK = (
    "each region has a network of its own: from here no name leads to {}; publish a port there, and give its address "
    "here"
)
_VOLUME = (
    "each region has a disk of its own: what {} writes is not seen here; copy the data, or put all that share it into "
    "one region"
)


def _of_service(
    name: str, body: Mapping[str, Any], extension: Mapping[str, Any], homes: Mapping[str, str], region: str
) -> Iterator[Crossing]:
    def away(other: Any) -> bool:
        return homes.get(str(other), region) != region

    path: Path = ("services", name)
    for other in body.get("depends_on") or ():
        if away(other):
            reason = f"{other} stands in the region {homes[other]}: nothing here waits for it; deploy that region first"
            yield Crossing((*path, "depends_on", other), "dropped", reason, "regions.depends_on")
    for position, link in enumerate(body.get("links") or ()):
        other = str(link).partition(":")[0]
        if away(other):
            reason = f"{other} stands in the region {homes[other]}, where no link leads; give its published address"
            yield Crossing((*path, "links", position), "dropped", reason, "regions.links")
    for key in SHARING:
        kind, _, other = str(body.get(key) or "").partition(":")
        if kind == "service" and away(other):
            reason = f"{other} stands in the region {homes[other]}: {name} has its own; put both into one region"
            yield Crossing((*path, key), "dropped", reason, f"regions.{key}")
    for position, entry in enumerate(body.get("volumes_from") or ()):
        other = str(entry).partition(":")[0]
        if away(other):
            reason = f"{other} stands in the region {homes[other]}, and its volumes with it; put both into one region"
            yield Crossing((*path, "volumes_from", position), "dropped", reason, "regions.volumes_from")
    for key in ("uses", *_RELATIONS):
        others = [other for other in dict.fromkeys(related(extension, key)) if away(other)]
        if others:
            honoured = key == "anti_affinity"
            reason = f"{_where(others, homes)}: " + (
                "kept apart by that already"
                if honoured
                else "no name leads there; give the published address"
                if key == "uses"
                else "they cannot share a machine; put them into one region"
            )
            verdict: Verdict = "honoured" if honoured else "dropped"
            yield Crossing((*path, "x-escale", key), verdict, reason, f"regions.{key}")


def _calls(name: str, services: Mapping[str, Any], homes: Mapping[str, str], region: str) -> Iterator[Crossing]:
    """Yield the services elsewhere that a service's settings name, as ``db:5432`` does."""
    body = services[name]
    networks = body.get("networks") or {}
    others = [
        other
        for other in sorted(words(body))
        if homes.get(other, region) != region and not networks.keys().isdisjoint(services[other].get("networks") or {})
    ]
    if others:
        reason = f"its settings name {_where(others, homes)}: no such name leads there; give the published address"
        yield Crossing(("services", name), "approximated", reason, "regions.calls")


def _where(services: Iterable[str], homes: Mapping[str, str]) -> str:
    return listed([f"{name} (region {homes[name]})" for name in services], _SHOWN)


# What stays.


def _inside(body: Mapping[str, Any], inside: set[str]) -> dict[str, Any]:
    """Return a service without what leads to services elsewhere."""
    kept = dict(body)
    needs = body.get("depends_on")
    if needs:
        kept["depends_on"] = {other: need for other, need in needs.items() if other in inside}
    for key in ("links", "volumes_from"):
        if body.get(key):
            kept[key] = [entry for entry in body[key] if _may_stay(str(entry).partition(":")[0], inside, key)]
    for key in ("depends_on", "links", "volumes_from"):
        if body.get(key) and not kept[key]:
            del kept[key]
    for key in SHARING:
        kind, _, other = str(body.get(key) or "").partition(":")
        if kind == "service" and other not in inside:
            del kept[key]
    return kept


def _may_stay(other: str, inside: set[str], key: str) -> bool:
    return other in inside or (key == "volumes_from" and other == "container")


def _model(body: Any, inside: set[str], without: str) -> Any:
    """Return a service of the merged model with the relations of its extension that stay, less what says no more."""
    if not isinstance(body, Mapping) or not isinstance(body.get("x-escale"), Mapping):
        return body
    extension = {key: value for key, value in body["x-escale"].items() if key != without}
    if isinstance(extension.get("uses"), list):
        extension["uses"] = [other for other in extension["uses"] if other in inside]
        if not extension["uses"]:
            del extension["uses"]
    for key in _RELATIONS:
        if key not in extension:
            continue
        value = extension[key]
        relations = value if isinstance(value, list) else [value]
        kept = [_relation(relation, inside) for relation in relations]
        extension[key] = [relation for relation in kept if relation is not None]
        if not extension[key]:
            del extension[key]
    return {**body, "x-escale": extension}


def _relation(relation: Any, inside: set[str]) -> Any:
    if not isinstance(relation, Mapping) or not isinstance(relation.get("services"), list):
        return relation
    services = [other for other in relation["services"] if other in inside]
    return {**relation, "services": services} if services else None


def related(extension: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield the services that a relation of an extension names."""
    value = extension.get(key)
    if key == "uses":
        yield from (other for other in value or () if isinstance(other, str))
        return
    for relation in value if isinstance(value, list) else [value]:
        listed = relation.get("services") if isinstance(relation, Mapping) else None
        yield from (other for other in listed or () if isinstance(other, str))


def _reduced(top: Mapping[str, Any], region: str, homes: Mapping[str, str]) -> dict[str, Any]:
    """Return the top-level extension with one region and its machines, which then need not name it."""
    machines = {
        name: {key: value for key, value in body.items() if key != "region"} if isinstance(body, Mapping) else body
        for name, body in named(top, "machines").items()
        if homes[name] == region
    }
    kept = {**top, "regions": {region: named(top, "regions")[region]}}
    if "machines" in top:
        kept["machines"] = machines
    return kept


def _sections(project: Project, services: Mapping[str, Any], first: bool) -> dict[str, dict[str, Any]]:
    """Return networks, volumes, configs and secrets that these services use, and in the first region the unused."""
    sections: dict[str, dict[str, Any]] = {}
    for section, using in _USING.items():
        drawn = project.config.get(section)
        if not isinstance(drawn, dict):
            continue
        wanted = {name for body in services.values() for name in using(body)}
        if section == "secrets":
            # A file that is a secret must not travel as a plain file, whichever way a service comes by it.
            wanted |= {name for name, definition in drawn.items() if "file" in (definition or {})}
        if first:
            wanted |= drawn.keys() - {name for body in project.services().values() for name in using(body)}
        sections[section] = {name: body for name, body in drawn.items() if name in wanted}
    return sections


def _networks(body: Mapping[str, Any]) -> Iterator[str]:
    yield from body.get("networks") or ()


def volumes_of(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the named volumes that a service mounts."""
    for mount in body.get("volumes") or ():
        if mount.get("type") == "volume" and mount.get("source"):
            yield str(mount["source"])


def _configs(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(entry["source"]) for entry in body.get("configs") or ())


def _secrets(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(entry["source"]) for entry in body.get("secrets") or ())


_USING = {"networks": _networks, "volumes": volumes_of, "configs": _configs, "secrets": _secrets}


def top_of(project: Project) -> Mapping[str, Any]:
    """Return the top-level extension; empty when there is none, or none that is a map."""
    top = project.extensions().get("x-escale")
    return top if isinstance(top, Mapping) else {}


def named(top: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a section of the top-level extension by name; empty when it is no map."""
    section = top.get(key)
    return {str(name): body for name, body in section.items()} if isinstance(section, Mapping) else {}


def extension_of(project: Project, service: str) -> Mapping[str, Any]:
    """Return a service's extension; empty when there is none, or none that is a map."""
    extension = project.extensions("services", service).get("x-escale")
    return extension if isinstance(extension, Mapping) else {}
