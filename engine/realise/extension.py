"""Read ``x-escale``: what Compose cannot say, with a schema of its own and messages that lead to the mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

import jsonschema_rs

from engine.compose.model import Project
from engine.findings import Finding

Place = Literal["project", "service", "volume", "network"]

_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_IDENTITY = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"}
_CPUS = {"type": "number", "exclusiveMinimum": 0, "maximum": 1024}
_SIZE = {"type": ["string", "integer"], "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgGtT](i?[bB])?)?\s*$", "minimum": 1}
_ISOLATION = {"enum": ["shared", "machine"]}
_PLACEMENT = {"enum": ["DEFAULT", "SPREAD", "BINPACK"]}
_SERVICES = {"type": "array", "items": _NAME, "minItems": 1, "maxItems": 1000}
_RELATION = {
    "type": "object",
    "properties": {
        "services": _SERVICES,
        "mode": {"enum": ["hard", "soft"], "default": "hard"},
    },
    "required": ["services"],
    "additionalProperties": False,
}
# Not `oneOf`: its messages cannot say which branch was meant.
_RELATIONS = {"if": {"type": "array"}, "then": {"items": _RELATION}, "else": _RELATION}
# Like a relation, for its messages: a name, or a map that may also ask for a label.
_PLACE = {
    "if": {"type": "object"},
    "then": {
        "type": "object",
        "properties": {"cloud": _NAME, "label": _NAME},
        "minProperties": 1,
        "additionalProperties": False,
    },
    "else": _NAME,
}
_CANVAS = {"type": ["object", "array"], "description": "Positions on the designer's canvas; nothing reads them here."}
_SPOT = "The cloud may take the machine away at short notice, for a lower price; other clouds ignore it."
HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
"""What a machine or region may be called: it becomes part of host names."""
MAX_POOL = 100
_NAMES = {"pattern": HOST_NAME}


def _boxes(fewest: int, most: int) -> dict[str, Any]:
    """Return the schema of a map of numbers: where things lie on the canvas, and how large they are."""
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": fewest, "maxItems": most}
    return {"type": "object", "additionalProperties": numbers, "maxProperties": 20_000}


# Bounded, so that a drawing cannot carry just anything about; open, so that a portal reads what a newer one drew.
_GEOMETRY = {
    "type": ["object", "array"],
    "description": "Positions, folded groups and comments of the designer's canvas; the engine ignores them.",
    "properties": {
        **{section: _boxes(2, 4) for section in ("services", "volumes", "networks", "configs", "secrets")},
        **{section: _boxes(2, 4) for section in ("machines", "regions")},
        "collapsed": {"type": "array", "items": {"type": "string", "maxLength": 300}, "maxItems": 20_000},
        "comments": {
            "type": "array",
            "maxItems": 2000,
            "items": {
                "type": "object",
                "properties": {
                    "on": {"type": "string", "maxLength": 300},
                    "text": {"type": "string", "maxLength": 10_000},
                    "by": {"type": "string", "maxLength": 300},
                    "resolved": {"type": "boolean"},
                },
            },
        },
    },
    "maxProperties": 50,
    "maxItems": 20_000,
}


def _described(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text}


SCHEMAS: Mapping[Place, Mapping[str, Any]] = {
    "project": {
        "template": _described(_NAME, "Name of the machine template; the cloud's first container-host template else."),
        "cluster": _described(_NAME, "Name of the cluster; the one with the most free memory that fits else."),
        "datastore": _described(_NAME, "Name of the datastore for system disks and volumes."),
        "network": _described(_NAME, "Name of the existing network that every machine has its first card on."),
        "place": _described(
            _PLACE, "Cloud of all that names none itself; the one that the drawing is planned for else."
        ),
        "isolation": _described(_ISOLATION, "`shared` packs services into machines, `machine` gives each replica one."),
        "placement": _described(
            _PLACEMENT,
            "`BINPACK` fills machines; `SPREAD` gives every replica of a service another machine; `DEFAULT` fills "
            "machines but puts replicas apart where several machines have room.",
        ),
        "engine": {"enum": ["docker", "podman"], "description": "Container engine of the machines."},
        "defaults": {
            "type": "object",
            "description": "What a service, volume or machine gets that says nothing itself.",
            "properties": {
                "cpus": _described(_CPUS, "CPUs of a container, for placement (0.5)."),
                "memory": _described(_SIZE, "Memory of a container, for placement (512MiB)."),
                "volume_size": _described(_SIZE, "Size of a named volume's disk (10GiB)."),
            },
            "additionalProperties": False,
        },
        "machine": {
            "type": "object",
            "description": "Bounds of a machine's size, and how it is bought.",
            "properties": {
                "min_cpus": {"type": "integer", "minimum": 1, "maximum": 768, "description": "Least CPUs (1)."},
                "max_cpus": {"type": "integer", "minimum": 1, "maximum": 768, "description": "Most CPUs (8)."},
                "min_memory": _described(_SIZE, "Least memory (1GiB)."),
                "max_memory": _described(_SIZE, "Most memory (16GiB)."),
                "spot": {"type": "boolean", "description": _SPOT},
            },
            "additionalProperties": False,
        },
        "regions": {
            "type": ["object", "null"],
            "description": "Parts of the drawing that go to different clouds, by name; a plan may be for one of them. "
            "What names no region belongs to the first.",
            "propertyNames": _NAMES,
            "maxProperties": 100,
            "additionalProperties": {
                "type": ["object", "null"],
                "properties": {
                    "cloud": _described(
                        _NAME, "Name of the cloud that the region is planned for unless said otherwise."
                    ),
                    "title": _described(_NAME, "What people call the region."),
                },
                "additionalProperties": False,
            },
        },
        "machines": {
            "type": ["object", "null"],
            "description": "Machines that are drawn, by name: hosts of the services that name them, or, without any, "
            "plain virtual machines.",
            "propertyNames": _NAMES,
            "maxProperties": 1000,
            "additionalProperties": {
                "type": ["object", "null"],
                "properties": {
                    "region": _described(_NAME, "Name of its region; the first one else."),
                    "place": _described(_PLACE, "Cloud that it and its services stand on; that of its region else."),
                    "cpus": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 768,
                        "description": "CPUs; as many as its services need else.",
                    },
                    "memory": _described(_SIZE, "Memory; as much as its services need else."),
                    "template": _described(_NAME, "Name of the template that it is cloned from."),
                    "cluster": _described(_NAME, "Name of its cluster."),
                    "datastore": _described(_NAME, "Name of the datastore for its system disk and its volumes."),
                    "spot": {"type": "boolean", "description": _SPOT},
                    "count": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_POOL,
                        "description": "Makes it a pool of so many machines (`name-1`, `name-2`, ...) that replicas "
                        "are spread over.",
                    },
                    "description": {"type": "string", "maxLength": 2000, "description": "What it is for."},
                    "adopt": {
                        "type": "object",
                        "description": "The machine runs already: it is marked as this one and otherwise left as it "
                        "is, and no drawing that leaves it out deletes it.",
                        "properties": {
                            "uuid": _described(_IDENTITY, "The cloud's identity of it (vSphere's instance UUID)."),
                            "name": _described(_NAME, "What the cloud calls it."),
                        },
                        "required": ["uuid"],
                        "additionalProperties": False,
                    },
                    "networks": {
                        "type": "array",
                        "maxItems": 64,
                        "items": _NAME,
                        "description": "Of an adopted machine: the networks that its cards are on, by the cloud's "
                        "names.",
                    },
                    "disks": {
                        "type": "array",
                        "maxItems": 256,
                        "description": "Of an adopted machine: the disks that it came with; they can grow.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "label": _described(_NAME, "What the cloud calls the disk."),
                                "size": _described(_SIZE, "Its size; it can grow and never shrinks."),
                                "datastore": _described(_NAME, "Where it lies; nothing moves it."),
                            },
                            "required": ["label", "size"],
                            "additionalProperties": False,
                        },
                    },
                },
                "additionalProperties": False,
            },
        },
        "canvas": _GEOMETRY,
    },
    "service": {
        "region": _described(_NAME, "Name of its region; that of its machine, or the first one, else."),
        "place": _described(
            _PLACE, "Cloud that it stands on: that of its machine, its region or the whole drawing else."
        ),
        "machine": _described(_NAME, "Name of the drawn machine, or pool, that its containers stand on."),
        "isolation": _described(_ISOLATION, "As for the project, for this service alone."),
        "placement": _described(_PLACEMENT, "As for the project, for this service's replicas alone."),
        "cpus": _described(_CPUS, "CPUs that placement reckons with for one container; no limit is set."),
        "memory": _described(_SIZE, "Memory that placement reckons with for one container; no limit is set."),
        "anti_affinity": _described(
            _RELATIONS,
            "`{services: [...], mode: hard|soft}` or a list of these: services whose containers must not (`hard`) or "
            "should not (`soft`) share a machine with this one's; its own name keeps its replicas apart.",
        ),
        "affinity": _described(
            _RELATIONS, "The same form: services that must (`hard`) or should (`soft`) share this one's machine."
        ),
        "uses": _described(_SERVICES, "Services that this one calls by name, where nothing else in the file shows it."),
        "scale": {
            "type": "object",
            "description": "Bounds of the number of replicas that later scaling keeps to.",
            "properties": {
                "min": {"type": "integer", "minimum": 0, "description": "Least replicas."},
                "max": {"type": "integer", "minimum": 1, "description": "Most replicas."},
            },
            "additionalProperties": False,
        },
        "canvas": _CANVAS,
    },
    "volume": {
        "size": _described(_SIZE, "Size of the data disk, rounded up to whole GiB; it can grow and never shrinks."),
        "datastore": _described(_NAME, "Name of the datastore; only read when the disk is made."),
        "filesystem": {"enum": ["ext4", "xfs"], "description": "File system of a blank disk (ext4)."},
        "canvas": _CANVAS,
    },
    "network": {
        "vlan": {"type": "integer", "minimum": 0, "maximum": 4094, "description": "VLAN of the port group."},
        "subnet": _described(_NAME, "Private IPv4 subnet of the machines' addresses, as CIDR."),
        "canvas": _CANVAS,
    },
}


@dataclass(frozen=True, slots=True)
class Extensions:
    """Hold every ``x-escale`` of a project that passed its schema; the others are findings."""

    project: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    legible: bool = True  # False: the top level did not pass, so nobody knows which machines and regions there are

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield the path of each in the drawing, and of those keys in it that fare by themselves."""
        if self.project:
            yield ("x-escale",)
            for section in ("regions", "machines"):
                for name in self.project.get(section) or ():
                    yield ("x-escale", section, name)
            if self.project.get("place"):
                yield ("x-escale", "place")
            if self.project.get("canvas"):
                yield ("x-escale", "canvas")
        for section, named in (("services", self.services), ("volumes", self.volumes), ("networks", self.networks)):
            for name, value in named.items():
                yield (section, name, "x-escale")
                if section == "services":
                    for key in ("region", "machine", "place"):
                        if key in value:
                            yield (section, name, "x-escale", key)


def read_extensions(project: Project) -> Extensions:
    """Return the project's extensions; a wrong one is left out and told as ``realise.extension``."""
    findings: list[Finding] = []
    top = project.extensions().get("x-escale")
    sections: dict[str, dict[str, Mapping[str, Any]]] = {}
    places: tuple[tuple[Place, str, Mapping[str, Any]], ...] = (
        ("service", "services", project.services()),
        ("volume", "volumes", project.volumes()),
        ("network", "networks", project.networks()),
    )
    for place, section, nodes in places:
        good = sections[section] = {}
        for name in nodes:
            value = project.extensions(section, name).get("x-escale")
            if value is not None and _passes(project, place, value, (section, name, "x-escale"), findings):
                good[name] = value
    known = project.services()
    for name, value in sections["services"].items():
        findings.extend(_unknown_services(project, name, value, known))
    legible = top is None or _passes(project, "project", top, ("x-escale",), findings)
    return Extensions(
        project=top if top is not None and legible else {},
        services=sections["services"],
        volumes=sections["volumes"],
        networks=sections["networks"],
        findings=tuple(findings),
        legible=legible,
    )


def schema_document() -> str:
    """Return one JSON schema for each place of ``x-escale``, as text: what the designer's frontend is built with."""
    places = {place: _closed(place) for place in SCHEMAS}
    return json.dumps(places, indent=2, ensure_ascii=False) + "\n"


def relations(extension: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """Yield (service, mode) of the ``affinity`` or ``anti_affinity`` of one service."""
    value = extension.get(key) or ()
    for relation in (value,) if isinstance(value, Mapping) else value:
        for service in relation["services"]:
            yield service, relation.get("mode", "hard")


def mebibytes(value: Any) -> int:
    """Return a size such as ``20GiB``, ``512m`` or a number of bytes in MiB, rounded up; units count in 1024."""
    text = str(value).strip().lower().rstrip("b").rstrip("i")
    factor = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}.get(text[-1:], 1)
    number = float(text.rstrip("kmgt"))
    return max(0, -int(-number * factor // 2**20))


def gibibytes(value: Any) -> int:
    """Return a size in GiB, rounded up."""
    return -(-mebibytes(value) // 1024)


def _closed(place: Place) -> dict[str, Any]:
    return {"type": "object", "properties": SCHEMAS[place], "additionalProperties": False}


@cache
def _validator(place: Place) -> Any:
    return jsonschema_rs.validator_for(_closed(place))


def _passes(project: Project, place: Place, value: Any, path: tuple[str | int, ...], findings: list[Finding]) -> bool:
    good = True
    for problem in _validator(place).iter_errors(value):
        where = (*path, *problem.instance_path)
        code, severity = "realise.extension", "error"
        effect = "The drawing cannot be placed as it means to be; correct the key or remove it."
        if problem.kind.name == "propertyNames":
            code = f"realise.{str(problem.instance_path[-1]).removesuffix('s')}_name"
            where = (*where, str(problem.kind.value.instance))
        elif problem.instance_path[:1] == ["canvas"]:
            # Nothing here reads it: what is wrong in it must not keep anything from being deployed.
            code, severity = "realise.canvas", "warning"
            effect = "Only the designer reads it, and may not show it as it was meant; correct the key or remove it."
        good = good and severity != "error"
        position = project.position(*where)
        findings.append(
            Finding(
                code,
                severity,  # type: ignore[arg-type]
                f"{'.'.join(map(str, where))}: {_explain(place, problem)} {effect}",
                where,
                position.line if position else None,
                position.column if position else None,
            )
        )
    return good


def _explain(place: Place, problem: Any) -> str:
    if problem.kind.name == "propertyNames":
        return (
            f"{str(problem.kind.value.instance)[:80]!r} becomes part of host names, so it is at most 40 lower-case "
            "letters, digits and hyphens, and neither starts nor ends with a hyphen."
        )
    unknown = getattr(problem.kind, "unexpected", None)
    if unknown:
        schema: Any = {"properties": SCHEMAS[place]}
        for part in problem.instance_path:
            named = schema.get("additionalProperties") or None
            schema = schema.get("properties", {}).get(part) or named or schema
            if "else" in schema:
                schema = schema["then"] if "properties" in schema["then"] else schema["else"]
        known = sorted(schema.get("properties", {}))
        close = [match for key in unknown for match in get_close_matches(key, known, 1)]
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
        return f"unknown key {', '.join(map(repr, unknown))}; {hint}"
    message: str = problem.message
    return f"{message[:300]}."


def _unknown_services(
    project: Project, name: str, value: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[Finding]:
    named = [
        *(("affinity", service) for service, _ in relations(value, "affinity")),
        *(("anti_affinity", service) for service, _ in relations(value, "anti_affinity")),
        *(("uses", service) for service in value.get("uses", ())),
    ]
    for key, service in named:
        if service not in known:
            path = ("services", name, "x-escale", key)
            position = project.position(*path)
            yield Finding(
                "realise.extension_service",
                "warning",
                f"{'.'.join(path)} names the service {service!r}, which the drawing does not have, or which stands "
                "under a profile that is not active: the relation has no effect; correct the name if it is wrong.",
                path,
                position.line if position else None,
                position.column if position else None,
            )
