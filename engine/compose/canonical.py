"""Turn every short form of a model into its long form, fill in defaults, and check what long forms must not say.

Sources of the rules: compose-go v2.9.1 `transform/*.go`, `validation/*.go`. All functions work in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compose.gotext import go_text
from engine.compose.model import Limits
from engine.compose.report import Path, Refusal, dotted
from engine.compose.shortforms import is_ip_address, parse_device, parse_port, parse_volume, port_count

Transform = Callable[[Any], Any]
Refuse = Callable[[Refusal], None]


def _wrong(what: str) -> Refusal:
    return Refusal("compose.schema.type", f"This must be {what} - nothing else is understood here - correct it.")


def _each(transform: Transform) -> Transform:
    """Apply a transformation to the elements of a list or the values of a mapping."""

    def apply(value: Any) -> Any:
        if value.__class__ is list:
            for index, item in enumerate(value):
                try:
                    value[index] = transform(item)
                except Refusal as refusal:
                    raise refusal.below(index) from None
        elif value.__class__ is dict:
            for key, item in value.items():
                try:
                    value[key] = transform(item)
                except Refusal as refusal:
                    raise refusal.below(key) from None
        return value

    return apply


def _listed(value: Any) -> Any:
    return [value] if value.__class__ is str else value


def _names_to_mapping(value: Any) -> Any:
    if value.__class__ is list:
        if any(item.__class__ is not str for item in value):
            raise _wrong("a list of names")
        return dict.fromkeys(value)
    return value


def _depends_on(value: Any) -> Any:
    if value.__class__ is list:
        if any(item.__class__ is not str for item in value):
            raise _wrong("a list of service names")
        return {name: {"condition": "service_started", "required": True} for name in value}
    if value.__class__ is not dict:
        raise _wrong("a list of service names or a mapping")
    for name, dependency in value.items():
        if dependency.__class__ is not dict:
            raise _wrong("a mapping with `condition`").below(name)
        dependency.setdefault("condition", "service_started")
        dependency.setdefault("required", True)
    return value


def _env_file(value: Any) -> Any:
    if value.__class__ is str:
        return [{"path": value, "required": True}]
    if value.__class__ is not list:
        raise _wrong("a path or a list of paths")
    files: list[Any] = []
    for item in value:
        if item.__class__ is str:
            files.append({"path": item, "required": True})
        elif item.__class__ is dict:
            item.setdefault("required", True)
            files.append(item)
        else:
            files.append(None)
    return files


def _extends(value: Any) -> Any:
    return {"service": value} if value.__class__ is str else value


def _gpus(value: Any) -> Any:
    return [{"count": "all"}] if value.__class__ is str else value


def _volume(value: Any) -> Any:
    if value.__class__ is str:
        return parse_volume(value)
    if value.__class__ is not dict:
        raise _wrong("a short volume (`data:/path`) or a mapping")
    return value


def _device(value: Any) -> Any:
    if value.__class__ is str:
        return parse_device(value)
    if value.__class__ is not dict:
        raise _wrong("a short device (`/dev/a:/dev/b:rwm`) or a mapping")
    return value


def _mount(value: Any) -> Any:
    if value.__class__ is str:
        return {"source": value}
    if value.__class__ is not dict:
        raise _wrong("a name or a mapping with `source`")
    return value


def _ulimit(value: Any) -> Any:
    if value.__class__ is not dict and value.__class__ is not int:
        raise _wrong("a whole number or a mapping with `soft` and `hard`")
    return value


def _text(value: Any) -> Any:
    return value if value.__class__ is str else go_text(value)


def _pairs(value: Any) -> Any:
    if value.__class__ is dict:
        return value
    if value.__class__ is not list:
        raise _wrong("a mapping or a list of `key=value`")
    mapping: dict[str, str] = {}
    for index, item in enumerate(value):
        if item.__class__ is not str or "=" not in item:
            raise _wrong("written as `key=value`").below(index)
        key, _, text = item.partition("=")
        mapping[key] = text
    return mapping


def _ssh(value: Any) -> Any:
    if value.__class__ is dict:
        return value
    if value.__class__ is not list:
        raise _wrong("a list of keys or a mapping")
    keys: dict[str, Any] = {}
    for index, item in enumerate(value):
        if item.__class__ is not str:
            raise _wrong("text").below(index)
        name, equals, path = item.partition("=")
        if not equals and name != "default":
            raise Refusal(
                "compose.value.ssh",
                f"The SSH key `{name[:60]}` has no path - only `default` stands alone - write `{name[:60]}=path`.",
                (index,),
            )
        keys[name] = path if equals else None
    return keys


def _build(value: Any) -> Any:
    if value.__class__ is str:
        return {"context": value}
    if value.__class__ is not dict:
        raise _wrong("a path or a mapping")
    return _apply(value, _BUILD)


def _develop(value: Any) -> Any:
    watch = value.get("watch") if value.__class__ is dict else None
    if watch.__class__ is list:
        for trigger in watch:
            if trigger.__class__ is dict:
                _apply(trigger, {"ignore": _listed, "include": _listed})
    return value


def _apply(mapping: dict[str, Any], transforms: dict[str, Transform]) -> dict[str, Any]:
    for key, value in mapping.items():
        transform = transforms.get(key)
        if transform is not None:
            try:
                mapping[key] = transform(value)
            except Refusal as refusal:
                raise refusal.below(key) from None
    return mapping


_BUILD: dict[str, Transform] = {
    "secrets": _each(_mount),
    "provenance": _text,
    "sbom": _text,
    "additional_contexts": _pairs,
    "ssh": _ssh,
    "ulimits": _each(_ulimit),
}


class Canonical:
    """Apply the long forms to one model; ports are counted, because a range can stand for thousands."""

    def __init__(self, limits: Limits) -> None:
        self._ports_left = limits.max_ports
        self._max_ports = limits.max_ports
        self._service: dict[str, Transform] = {
            "build": _build,
            "configs": _each(_mount),
            "depends_on": _depends_on,
            "develop": _develop,
            "devices": _each(_device),
            "dns": self._dns,
            "env_file": _env_file,
            "extends": _extends,
            "gpus": _gpus,
            "label_file": _listed,
            "models": _names_to_mapping,
            "networks": _names_to_mapping,
            "ports": self._ports,
            "secrets": _each(_mount),
            "ulimits": _each(_ulimit),
            "volumes": _each(_volume),
        }

    def model(self, model: dict[str, Any], refuse: Refuse) -> None:
        """Rewrite all short forms of a model."""
        services = model.get("services")
        transforms = self._service
        if services.__class__ is dict:
            for name, service in services.items():
                if service.__class__ is not dict:
                    continue
                for key in list(service):
                    transform = transforms.get(key)
                    if transform is not None:
                        try:
                            service[key] = transform(service[key])
                        except Refusal as refusal:
                            refuse(refusal.below("services", name, key))
        for section in ("volumes", "networks", "secrets", "configs"):
            resources = model.get(section)
            if resources.__class__ is dict:
                for name, resource in resources.items():
                    if resource.__class__ is dict and "external" in resource:
                        try:
                            _external(resource)
                        except Refusal as refusal:
                            refuse(refusal.below(section, name, "external"))

    @staticmethod
    def _dns(value: Any) -> Any:
        listed = _listed(value)
        return [item for item in listed if item not in ("", None)] if listed.__class__ is list else listed

    def _ports(self, value: Any) -> Any:
        if value.__class__ is not list:
            raise _wrong("a list of ports")
        ports: list[Any] = []
        for index, item in enumerate(value):
            kind = item.__class__
            if kind is dict:
                ports.append(item)
                continue
            if kind is int:
                item = str(item)
            elif kind is not str:
                raise _wrong("a port number, a short port (`8080:80`) or a mapping").below(index)
            try:
                self._ports_left -= port_count(item)
                if self._ports_left < 0:
                    raise Refusal(
                        "compose.limit.ports",
                        f"The ports of this file expand to more than {self._max_ports:,} - each becomes an entry of its"
                        " own - publish fewer.",
                    )
                ports.extend(parse_port(item))
            except Refusal as refusal:
                raise refusal.below(index) from None
        return ports


def _external(resource: dict[str, Any]) -> None:
    external = resource["external"]
    if external.__class__ is not dict:
        return
    resource["external"] = True
    if "name" in external:
        if "name" in resource and resource["name"] != external["name"]:
            raise Refusal(
                "compose.resource.external_name",
                "`name` and `external.name` differ - only one can be right - use `name` and `external: true`.",
            )
        resource.setdefault("name", external["name"])


# --- defaults and checks -----------------------------------------------------------------------------------------


def set_defaults(model: dict[str, Any], refuse: Refuse) -> None:
    """Fill in what the reference adds to long forms before it checks them, and check it."""
    services = model.get("services")
    if services.__class__ is dict:
        for name, service in services.items():
            if service.__class__ is dict:
                _service_defaults(service, ("services", name), refuse)
    for section, keys in (("configs", ("file", "environment", "content")), ("secrets", ("file", "environment"))):
        resources = model.get(section)
        if resources.__class__ is dict:
            for name, resource in resources.items():
                try:
                    _check_file_object(resource, keys, (section, name))
                except Refusal as refusal:
                    refuse(refusal)
    volumes = model.get("volumes")
    if volumes.__class__ is dict:
        for name, volume in volumes.items():
            if volume.__class__ is dict and volume.get("external") is True:
                _check_external(volume, ("volumes", name), refuse)


def _service_defaults(service: dict[str, Any], path: Path, refuse: Refuse) -> None:
    build = service.get("build")
    if build.__class__ is dict:
        build.setdefault("context", ".")
    for index, secret in enumerate(service.get("secrets") or ()):
        if secret.__class__ is dict and "target" not in secret:
            secret["target"] = f"/run/secrets/{go_text(secret.get('source'))}"
        elif secret.__class__ is not dict:
            refuse(_wrong("a name or a mapping with `source`").below(*path, "secrets", index))
    for index, port in enumerate(service.get("ports") or ()):
        if port.__class__ is dict:
            port.setdefault("protocol", "tcp")
            port.setdefault("mode", "ingress")
            address = port.get("host_ip")
            if address is not None and not (address.__class__ is str and is_ip_address(address)):
                refuse(
                    Refusal(
                        "compose.value.address",
                        f"`{go_text(address)[:60]}` is not an IP address - a port is published on an address, not on a"
                        " name - write the address.",
                        (*path, "ports", index, "host_ip"),
                    )
                )
    deploy = service.get("deploy")
    if deploy.__class__ is dict:
        requests: Any = deploy
        for key in ("resources", "reservations", "devices"):
            requests = requests.get(key) if requests.__class__ is dict else None
        _device_requests(requests, (*path, "deploy", "resources", "reservations", "devices"), refuse)
    if "gpus" in service:
        _device_requests(service["gpus"], (*path, "gpus"), refuse)
    develop = service.get("develop")
    if develop.__class__ is dict:
        for index, trigger in enumerate(develop.get("watch") or ()):
            if trigger.__class__ is dict and trigger.get("path") == "":
                refuse(
                    Refusal(
                        "compose.value.blank",
                        "The path to watch is empty - nothing could be watched - write a path.",
                        (*path, "develop", "watch", index, "path"),
                    )
                )


def _device_requests(requests: Any, path: Path, refuse: Refuse) -> None:
    for index, request in enumerate(requests if requests.__class__ is list else ()):
        if request.__class__ is not dict:
            refuse(_wrong("a mapping").below(*path, index))
        elif "count" in request and "device_ids" in request:
            refuse(
                Refusal(
                    "compose.value.exclusive",
                    f"`{dotted((*path, index))}` has `count` and `device_ids` - one names how many, the other which -"
                    " keep one.",
                    (*path, index, "count"),
                )
            )
        elif "count" not in request and "device_ids" not in request:
            request["count"] = "all"


def _check_file_object(resource: Any, keys: tuple[str, ...], path: Path) -> None:
    if resource.__class__ is not dict:
        raise _wrong("a mapping").below(*path)
    present = [key for key in keys if key in resource]
    if len(present) > 1:
        raise Refusal(
            "compose.value.exclusive",
            f"`{dotted(path)}` has {' and '.join(f'`{key}`' for key in present)} - only one source can count - keep"
            " one.",
            path,
        )
    if not present and "driver" not in resource and "external" not in resource:
        raise Refusal(
            "compose.resource.source",
            f"`{dotted(path)}` says nowhere what it contains - add one of {', '.join(f'`{key}`' for key in keys)}, or"
            " `external: true`.",
            path,
        )


def _check_external(volume: dict[str, Any], path: Path, refuse: Refuse) -> None:
    for key in volume:
        if key not in ("name", "external") and not key.startswith("x-"):
            refuse(
                Refusal(
                    "compose.resource.external_conflict",
                    f"`{dotted(path)}` is external but has `{key}` - what exists already cannot be configured here -"
                    " remove one of the two.",
                    (*path, key),
                    at_key=True,
                )
            )
