"""Say which cloud each service and machine of a drawing stands on, and restrict the drawing to one of them.

A service stands where its machine does, or else where it says itself (``x-escale: {place: ...}``), where its region
does, where the whole drawing does, or on the cloud that was chosen when the plan was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from engine.compose.model import Project
from engine.findings import Finding
from engine.realise import regions
from engine.realise.notes import Notes, Path

ANY_LABEL = "required"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Homes:
    """Hold service -> cloud and machine -> cloud, by the clouds' names; ``default`` is where the rest stands."""

    default: str
    services: Mapping[str, str]
    machines: Mapping[str, str]
    findings: tuple[Finding, ...] = ()

    @property
    def clouds(self) -> tuple[str, ...]:
        """Return the clouds that something stands on: the default first, the others in the order of the drawing."""
        found = dict.fromkeys([*self.services.values(), *self.machines.values()])
        return tuple(sorted(found, key=lambda name: name != self.default)) or (self.default,)

    @property
    def divided(self) -> bool:
        """Tell whether the drawing stands on more than its default cloud."""
        return self.clouds != (self.default,)


@dataclass(frozen=True, slots=True)
class Clouds:
    """What is known of the clouds that there are.

    ``known``: their names, those that the deployment stands on already first. ``labels``: cloud -> labels that it
    carries now. ``required``: a label that every cloud must carry ("required": any).
    """

    known: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    required: str = ""

    def carries(self, cloud: str, label: str) -> bool:
        """Tell whether a cloud carries a label."""
        own = self.labels.get(cloud, ())
        return bool(own) if label == ANY_LABEL else label in own


def drawn_default(project: Project) -> str:
    """Return the cloud that the whole drawing names, or nothing."""
    cloud, _ = _said(regions.top_of(project).get("place"))
    return cloud


def names_places(project: Project) -> bool:
    """Tell whether a drawing says of anything where it stands."""
    top = regions.top_of(project)
    if top.get("place") or any(regions.clouds(project).values()):
        return True
    if any(isinstance(body, Mapping) and body.get("place") for body in regions.named(top, "machines").values()):
        return True
    return any(regions.extension_of(project, service).get("place") for service in project.services())


def homes(project: Project, default: str, clouds: Clouds) -> Homes:
    """Return where everything stands; ``default``: the cloud that the plan is made for.

    Error findings: ``across.cloud_unknown``, ``across.place_conflict`` (a service and its machine name different
    clouds), ``placement.label_missing``. What cannot be told stands on the default cloud, so that the rest can be read.
    """
    return _Reader(project, default, clouds).read()


def alone(project: Project, cloud: str, clouds: Clouds) -> Homes:
    """Return the homes of a plan for one cloud alone, whatever the drawing says: only the policy's label counts."""
    reader = _Reader(project, cloud, clouds)
    if clouds.required:
        reader.demand(cloud, clouds.required, (), "The project's policy")
    services = dict.fromkeys(project.services(), cloud)
    return Homes(cloud, services, dict.fromkeys(regions.named(reader.top, "machines"), cloud), reader.notes.findings)


class _Reader:
    def __init__(self, project: Project, default: str, clouds: Clouds) -> None:
        self.project, self.clouds, self.default = project, clouds, default
        self.notes = Notes(project)
        self.top = regions.top_of(project)
        self.region_clouds = regions.clouds(project)
        self.told: set[tuple[str, Path]] = set()

    def read(self) -> Homes:
        base = self._resolved(self.top.get("place"), ("x-escale", "place"), "The drawing", self.default)
        drawn = regions.named(self.top, "machines")
        of_machine = regions.machine_regions(self.project)
        machines: dict[str, str] = {}
        for name, body in drawn.items():
            path: Path = ("x-escale", "machines", name, "place")
            place = body.get("place") if isinstance(body, Mapping) else None
            home = self._of_region(of_machine.get(name, ""), base)
            machines[name] = self._resolved(place, path, f"The machine {name}", home)
        of_service = regions.region_of(self.project)
        services: dict[str, str] = {}
        for name in self.project.services():
            extension = regions.extension_of(self.project, name)
            machine = extension.get("machine")
            path = ("services", name, "x-escale", "place")
            follows = machines.get(machine) if isinstance(machine, str) else None
            if follows is None:
                usual = self._of_region(of_service.get(name, ""), base)
                services[name] = self._resolved(extension.get("place"), path, f"The service {name}", usual)
            else:
                services[name] = follows
                self._agree(name, str(machine), follows, extension.get("place"), path)
        result = Homes(self.default if not self.top.get("place") else base, services, machines)
        for cloud in result.clouds if self.clouds.required else ():
            self.demand(cloud, self.clouds.required, ("x-escale", "place"), "The project's policy")
        return Homes(result.default, services, machines, self.notes.findings)

    def _of_region(self, region: str, base: str) -> str:
        cloud = self.region_clouds.get(region, "")
        if not cloud:
            return base
        return self._known(cloud, ("x-escale", "regions", region, "cloud"), f"The region {region}", base)

    def _resolved(self, value: Any, path: Path, who: str, usual: str) -> str:
        """Return the cloud that a ``place`` comes to."""
        cloud, label = _said(value)
        home = self._known(cloud, path, who, usual) if cloud else usual
        if not label or self.clouds.carries(home, label):
            return home
        if not cloud:
            other = next((name for name in self.clouds.known if self.clouds.carries(name, label)), None)
            if other is not None:
                return other
        self.demand(home, label, path, who)
        return home

    def demand(self, cloud: str, label: str, path: Path, who: str) -> None:
        """Report a cloud that carries no such label."""
        if self.clouds.carries(cloud, label) or not self._first("label", (*path, cloud)):
            return
        fitting = [name for name in self.clouds.known if self.clouds.carries(name, label)]
        what = "a label" if label == ANY_LABEL else f"the label {label[:80]!r}"
        choose = f"name one that does: {', '.join(fitting[:_SHOWN])}" if fitting else "no cloud does now"
        self.notes.finding(
            "placement.label_missing",
            "error",
            f"{who} asks for a cloud with {what}, and {cloud} carries {'none' if label == ANY_LABEL else 'it not'} (it "
            f"was never earned, ran out, or was lost): {choose}; or have {cloud} probed and signed for it.",
            path if len(path) > 2 or self.top.get("place") else (),
        )

    def _known(self, cloud: str, path: Path, who: str, usual: str) -> str:
        if cloud in self.clouds.known:
            return cloud
        if self._first("cloud", path):
            names = sorted(self.clouds.known)
            close = get_close_matches(cloud, names[:50], 1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(names[:_SHOWN]) or 'none'}."
            self.notes.finding(
                "across.cloud_unknown",
                "error",
                f"{who} is to stand on the cloud {cloud[:80]!r}, which there is not, or which this project may not "
                f"use: {hint}",
                path,
            )
        return usual

    def _agree(self, service: str, machine: str, home: str, value: Any, path: Path) -> None:
        cloud, label = _said(value)
        if cloud and cloud != home:
            self.notes.finding(
                "across.place_conflict",
                "error",
                f"The service {service} is to stand on {cloud[:80]}, and its machine {machine} stands on {home}: it "
                "cannot be on both. Remove the service's place, or name a machine of that cloud.",
                path,
            )
        elif label:
            self.demand(home, label, path, f"The service {service}")

    def _first(self, what: str, path: Path) -> bool:
        if (what, path) in self.told:
            return False
        self.told.add((what, path))
        return True


def part(project: Project, homes: Homes, cloud: str) -> Project:
    """Return the drawing with one cloud's services and machines, and what these use; it names no place any more.

    What leads to other clouds is taken out. What no service of any cloud uses stays with the first one, so that the
    parts together are the whole.
    """
    inside = {service for service, home in homes.services.items() if home == cloud}
    top = {key: value for key, value in regions.top_of(project).items() if key != "place"}
    if "machines" in top:
        top["machines"] = {
            name: _placeless(body)
            for name, body in regions.named(top, "machines").items()
            if homes.machines[name] == cloud
        }
    if "regions" in top:
        of_service, of_machine = regions.region_of(project), regions.machine_regions(project)
        used = {of_service[name] for name in inside if name in of_service}
        used |= {of_machine[name] for name in top.get("machines", ()) if name in of_machine}
        top["regions"] = {name: body for name, body in regions.named(top, "regions").items() if name in used}
    return regions.restricted(project, inside, top, unused=cloud == homes.clouds[0], without="place")


def places(project: Project, homes: Homes) -> Iterable[tuple[Path, str]]:
    """Yield the path of each ``place`` of a service, with the cloud that it came to."""
    for name, home in homes.services.items():
        if regions.extension_of(project, name).get("place"):
            yield ("services", name, "x-escale", "place"), home


def _placeless(body: Any) -> Any:
    return {key: value for key, value in body.items() if key != "place"} if isinstance(body, Mapping) else body


def _said(value: Any) -> tuple[str, str]:
    """Return the cloud and the label that a ``place`` names; what is neither is told by the schema."""
    if isinstance(value, str):
        return value, ""
    if not isinstance(value, Mapping):
        return "", ""
    cloud, label = value.get("cloud"), value.get("label")
    return cloud if isinstance(cloud, str) else "", label if isinstance(label, str) else ""


def main_named(project: Project) -> str:
    """Return the cloud that a drawing names for all that names none itself; empty when that has to be asked for.

    Where each region or each service names one, nothing is left to ask, and the first one's cloud is the main one.
    """
    own = drawn_default(project)
    if own:
        return own
    by_region = list(regions.clouds(project).values())
    if by_region:
        return by_region[0] if all(by_region) else ""
    top = regions.named(regions.top_of(project), "machines")
    machines = {name: _said(body.get("place"))[0] if isinstance(body, Mapping) else "" for name, body in top.items()}
    said = list(machines.values())
    for name in project.services():
        extension = regions.extension_of(project, name)
        said.append(machines.get(str(extension.get("machine"))) or _said(extension.get("place"))[0])
    return said[0] if said and all(said) else ""
