"""Write a machine's part of the Compose file: the services that stand there, as they can run there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.compose.model import Project
from engine.realise.notes import Notes
from engine.realise.verdicts import DROPPED_SERVICE_KEYS
from engine.realise.volumes import DiskPlan
from engine.userdata.contents import (
    Placed,
    attached,
    below,
    config_secret,
    content_of,
    machine_path,
    relative,
    secret_sources,
    shared_secret_path,
    supplied,
)
from engine.wording import listed

_HOST_PATHS = {
    "/var/run/docker.sock": "the socket of the machine's own container engine",
    "/run/docker.sock": "the socket of the machine's own container engine",
    "/etc/localtime": "the machine's own",
    "/etc/timezone": "the machine's own",
    "/proc": "the machine's own",
    "/sys": "the machine's own",
    "/dev": "the machine's own",
}
# Keys that are written anew below, or that would keep a chosen service from starting.
_HANDLED = frozenset(
    {"secrets", "configs", "volumes", "deploy", "scale", "depends_on", "links", "extra_hosts", "build", "profiles"}
)


@dataclass(slots=True)
class ServicePart:
    """One service as its machines run it, but for what differs from machine to machine."""

    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)  # path on the machine -> content that may travel
    secrets: list[Placed] = field(default_factory=list)
    configs: list[Placed] = field(default_factory=list)
    owners: list[Placed] = field(default_factory=list)  # configs that want an owner or mode of their own
    volumes: list[str] = field(default_factory=list)


class PartWriter:
    """Write the parts of one drawing."""

    def __init__(
        self,
        project: Project,
        images: Mapping[str, str],
        disks: Mapping[str, DiskPlan],
        spanning: Iterable[str],
        name: str,
        notes: Notes,
    ) -> None:
        self.project, self.images, self.disks, self.notes, self.name = project, images, disks, notes, name
        self.services, self.secrets, self.configs = project.services(), project.secrets(), project.configs()
        self.spanning = frozenset(spanning)
        self.guarded = secret_sources(project) if self.secrets else {}
        self.missing_secrets: set[str] = set()
        self.missing_files: dict[str, tuple[str | int, ...]] = {}
        self._missing_configs: set[str] = set()

    def service(self, name: str) -> ServicePart:
        """Return a service without what its machines cannot do."""
        source = self.services[name]
        body = {
            key: value
            for key, value in source.items()
            if value is not None
            and key not in _HANDLED
            and key not in DROPPED_SERVICE_KEYS
            and not key.startswith("x-")
        }
        part = ServicePart(body)
        if name in self.images:
            body["image"] = self.images[name]
        if body.get("pull_policy") == "build":
            del body["pull_policy"]
            self._note(name, "pull_policy", "dropped", "nothing is built here")
        mode = str(body.get("network_mode") or "")
        if mode == "host":
            self._note(name, "network_mode", "approximated", "the network of the machine")
        elif mode.startswith("container:"):
            del body["network_mode"]
            self._note(name, "network_mode", "dropped", "names a container that no machine has")
        platform = str(body.get("platform") or "")
        if platform and platform not in ("linux/amd64", "linux", "linux/x86_64"):
            self._note(name, "platform", "approximated", "the template must be able to run this platform")
        self._deploy(name, source, body)
        self._attach(name, source, part)
        self._mounts(name, source, part)
        self._networks_of(name, body)
        return part

    def network(self, name: str) -> dict[str, Any]:
        """Return a network as the bridge that it is on a machine."""
        definition = dict(self.project.networks().get(name) or {})
        for key in [key for key in definition if key.startswith("x-")]:
            del definition[key]
        definition.pop("external", None)
        definition.pop("attachable", None)
        if not definition.get("ipam"):
            definition.pop("ipam", None)
        driver = definition.get("driver")
        if driver == "overlay":
            del definition["driver"]
            definition.pop("driver_opts", None)
            self.notes.ledger(
                ("networks", name, "driver"),
                "approximated",
                "a bridge on each machine; a private network where it spans machines",
                "networks.driver",
            )
        elif driver not in (None, "", "bridge", "default", "host", "none"):
            self.notes.ledger(
                ("networks", name, "driver"),
                "approximated",
                f"the template's container engine must have the network driver {driver!r}, and it reaches as far as "
                f"the "
                "machine's cards do",
                "networks.driver",
            )
        if name in self.spanning:
            definition.pop("internal", None)
            definition.pop("ipam", None)
        return definition

    def volume(self, name: str) -> dict[str, Any]:
        """Return a named volume as the machine's engine has it: a folder of its data disk, filled like any volume."""
        definition = dict(self.project.volumes().get(name) or {})
        for key in [key for key in definition if key.startswith("x-")]:
            del definition[key]
        disk = self.disks.get(name)
        if disk is None:
            return definition
        definition.pop("external", None)
        definition["driver"] = "local"
        definition["driver_opts"] = {"type": "none", "o": "bind", "device": disk.data}
        return definition

    def report(self) -> None:
        """Report the files that the drawing mounts and that did not come with it."""
        if not self.missing_files:
            return
        names = list(self.missing_files)
        shown = listed(names, 8)
        self.notes.finding(
            "realise.file_missing",
            "warning",
            f"Mounted files were not supplied, so these mounts are left out and containers see what their images have "
            f"there: {shown}. Supply the files (of a folder: those in it) beside the drawing.",
            self.missing_files[names[0]],
        )

    # One service.

    def _note(self, service: str, key: str, verdict: str, reason: str) -> None:
        self.notes.ledger(("services", service, key), verdict, reason, key)  # type: ignore[arg-type]

    def _deploy(self, name: str, source: Mapping[str, Any], body: dict[str, Any]) -> None:
        deploy = source.get("deploy") or {}
        mode = deploy.get("mode")
        if mode not in (None, "", "replicated"):
            verdict = "approximated" if mode == "global" else "dropped"
            reason = "one container; declare `replicas` for more" if mode == "global" else "runs like a service"
            self.notes.ledger(("services", name, "deploy", "mode"), verdict, reason, "deploy.mode")  # type: ignore[arg-type]
        kept: dict[str, Any] = {}
        resources = deploy.get("resources") or {}
        reserved = resources.get("reservations") or {}
        wanted: dict[str, Any] = {}
        if resources.get("limits"):
            wanted["limits"] = resources["limits"]
        if reserved.get("memory"):
            wanted["reservations"] = {"memory": reserved["memory"]}
        if wanted:
            kept["resources"] = wanted
        if deploy.get("restart_policy"):
            kept["restart_policy"] = deploy["restart_policy"]
        if kept:
            body["deploy"] = kept
        if source.get("gpus") or reserved.get("devices"):
            self.notes.finding(
                "realise.no_gpu",
                "warning",
                f"The service {name} asks for a GPU or another device, which no machine of this cloud is given: it "
                f"starts "
                "without. Choose a template and a cloud that pass devices through, or remove the request.",
                ("services", name, "gpus") if source.get("gpus") else ("services", name, "deploy", "resources"),
            )

    def _networks_of(self, name: str, body: dict[str, Any]) -> None:
        networks = body.get("networks")
        if not networks or not self.spanning.intersection(networks):
            return
        kept: dict[str, Any] = {}
        for network, attachment in networks.items():
            if network in self.spanning and attachment:
                kept[network] = {
                    key: value for key, value in attachment.items() if key not in ("ipv4_address", "ipv6_address")
                } or None
                if attachment.get("ipv6_address"):
                    path = ("services", name, "networks", network, "ipv6_address")
                    self.notes.ledger(path, "dropped", "machines have private IPv4 addresses only", "ipv6")
            else:
                kept[network] = attachment
        body["networks"] = kept

    # Secrets and configs.

    def _attach(self, name: str, source: Mapping[str, Any], part: ServicePart) -> None:
        listed: list[dict[str, Any]] = []
        for position, attachment, place in attached(name, source, "secrets"):
            listed.append(_plain(attachment, place))
            known = content_of(self.project, self.secrets.get(place.source) or {}) is not None
            part.secrets.append(place)
            if not known:
                self._missing("secret", name, place.source, ("services", name, "secrets", position))
        if listed:
            part.body["secrets"] = listed
        listed = []
        for position, attachment, place in attached(name, source, "configs"):
            path = ("services", name, "configs", position)
            guarded = config_secret(self.project, place.source, self.guarded)
            if guarded is not None:
                place = Placed(shared_secret_path(guarded), place.source, place.alias)
                part.secrets.append(Placed(place.path, guarded, guarded))
                self.notes.ledger(
                    path, "approximated", f"is the file of the secret {guarded}: fetched like it", "configs"
                )
            else:
                content = content_of(self.project, self.configs.get(place.source) or {})
                if content is None:
                    self._missing("config", name, place.source, path)
                    continue
                part.files[place.path] = content
                part.owners.append(place)
            part.configs.append(place)
            listed.append(_plain(attachment, place))
        if listed:
            part.body["configs"] = listed

    def _missing(self, kind: str, service: str, source: str, path: tuple[str | int, ...]) -> None:
        definition = (self.secrets if kind == "secret" else self.configs).get(source) or {}
        if "file" in definition:
            how = f"supply the file {str(definition['file'])!r} beside the drawing"
        elif "environment" in definition:
            how = f"supply the variable {str(definition['environment'])!r} with the drawing"
        else:
            how = "no external store is connected; give it a `file` or `environment`, and supply that"
        effect = "its file is empty on the machine" if kind == "secret" else "it is left out"
        self.notes.ledger(path, "dropped", f"the content was not supplied, so {effect}; {how}", f"{kind}s.missing")
        seen = self.missing_secrets if kind == "secret" else self._missing_configs
        if source not in seen:
            seen.add(source)
            self.notes.finding(
                f"realise.{kind}_missing",
                "warning",
                f"The content of the {kind} {source!r} was not supplied, so {effect} and {service} may not start: "
                f"{how}.",
                (f"{kind}s", source),
            )

    # Mounts.

    def _mounts(self, name: str, source: Mapping[str, Any], part: ServicePart) -> None:
        kept = []
        for position, mount in enumerate(source.get("volumes") or ()):
            path = ("services", name, "volumes", position)
            made = self._mount(path, mount, part)
            if made is not None:
                kept.append(made)
            if mount.get("consistency"):
                self.notes.ledger(
                    (*path, "consistency"), "dropped", "only Docker Desktop reads it", "volumes.consistency"
                )
        if kept:
            part.body["volumes"] = kept

    def _mount(self, path: tuple[str | int, ...], mount: Mapping[str, Any], part: ServicePart) -> dict[str, Any] | None:
        kind, source = str(mount.get("type")), str(mount.get("source") or "")
        made = {key: value for key, value in mount.items() if key != "consistency"}
        if kind == "volume" and source:
            if source not in part.volumes:
                part.volumes.append(source)
            if source in self.disks:
                self.notes.ledger(path, "honoured", "a data disk that outlives the machine", "volumes.named")
            else:
                self.notes.ledger(path, "honoured", "mounted by the machine's container engine", "volumes.engine")
            return made
        if kind == "volume":
            self.notes.ledger(
                path,
                "approximated",
                "an anonymous volume lies on the machine's system disk, and goes when the machine is replaced; name "
                "it to "
                "keep it",
                "volumes.anonymous",
            )
            return made
        if kind in ("tmpfs", "image"):
            self.notes.ledger(path, "honoured", "mounted by the container engine", f"volumes.{kind}")
            return made
        if kind != "bind":
            self.notes.ledger(
                path, "dropped", f"machines have no mounts of the type {kind!r}; left out", "volumes.type"
            )
            return None
        return self._bind(path, made, source, part)

    def _bind(
        self, path: tuple[str | int, ...], made: dict[str, Any], source: str, part: ServicePart
    ) -> dict[str, Any] | None:
        clean = relative(source)
        if clean is None:
            where = f"/root{source[1:]}" if source.startswith("~/") or source == "~" else source
            if not where.startswith("/"):
                self.notes.ledger(path, "dropped", "no path of a Linux machine; left out", "volumes.bind")
                return None
            what = _HOST_PATHS.get(where.rstrip("/") or "/", "a path of the machine itself")
            goes = "" if where in _HOST_PATHS else "; it lies on the system disk and goes when the machine is replaced"
            self.notes.ledger(
                path, "approximated", f"{what}, not of the computer the drawing came from{goes}", "volumes.host"
            )
            return {**made, "source": where}
        secret = self.guarded.get(clean)
        if secret is not None:
            place = Placed(shared_secret_path(secret), secret, secret)
            part.secrets.append(place)
            self.notes.ledger(
                path, "approximated", f"is the file of the secret {secret}: fetched like it", "volumes.secret"
            )
            return {**made, "source": place.path, "bind": {**(made.get("bind") or {}), "create_host_path": False}}
        data = supplied(self.project, source)
        files = {clean: data} if data is not None else below(self.project, clean)
        kept = {name: content for name, content in files.items() if name not in self.guarded}
        if not kept:
            self.missing_files.setdefault(source, path)
            self.notes.ledger(
                path,
                "dropped",
                f"{source!r} was not supplied, so the mount is left out and the container sees what its image has "
                f"there; "
                "supply the file (or the folder's files) beside the drawing",
                "volumes.missing",
            )
            return None
        for name, content in kept.items():
            part.files[machine_path(name)] = content
        size = sum(map(len, kept.values()))
        left = len(files) - len(kept)
        self.notes.ledger(
            path,
            "approximated",
            f"a copy on the machine ({len(kept)} supplied {'file' if len(kept) == 1 else 'files'}, {size} bytes); "
            f"later "
            "changes of the original reach it with the next deploy"
            + (f"; {left} left out as the files of secrets" if left else ""),
            "volumes.shipped",
        )
        return {
            **made,
            "source": machine_path(clean),
            "bind": {**(made.get("bind") or {}), "create_host_path": False},
        }


def _plain(attachment: Mapping[str, Any], place: Placed) -> dict[str, Any]:
    """Return an attachment of a secret or config to the file that stands for it; the file has its owner and mode."""
    return {**{key: value for key, value in attachment.items() if key == "target"}, "source": place.alias}


def compose_text(name: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Compose file as JSON, which is YAML, with a line for each service and other thing."""
    lines = [f'{{"name": {json.dumps(name)}']
    for section, entries in sections.items():
        if entries:
            body = ",\n".join(f"  {json.dumps(key)}: {_line(value)}" for key, value in entries.items())
            lines.append(f',\n"{section}": {{\n{body}\n}}')
    return "".join(lines) + "\n}\n"


_ENCODE = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def _line(value: Any) -> str:
    text = _ENCODE(value)
    # Compose interpolates values, and only values: there a dollar sign is written twice.
    return _ENCODE(_doubled(value)) if "$" in text else text


def _doubled(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _doubled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubled(item) for item in value]
    return value


def secret_files_of(parts: Sequence[ServicePart]) -> dict[str, Placed]:
    """Return path -> secret of all parts of one machine."""
    return {place.path: place for part in parts for place in part.secrets}
