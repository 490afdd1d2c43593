"""Add what a model leaves implicit: the default network, build files, derived dependencies, names of resources.

Source of the rules: compose-go v2.9.1 `loader/normalize.go` and `loader/environment.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.compose.gotext import go_text
from engine.compose.shortforms import clean_path

_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")
_TRUE_WORDS = frozenset(("1", "t", "T", "TRUE", "true", "True"))


def resolve_contents(model: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Give configs that come from a variable its value as their content."""
    configs = model.get("configs")
    if configs.__class__ is dict:
        for config in configs.values():
            if config.__class__ is dict and isinstance(config.get("environment"), str):
                value = environment.get(config["environment"])
                if value is not None:
                    config["content"] = value


def resolve_listed_variables(model: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Give variables that an included file lists without a value the one of its own environment."""
    services = model.get("services")
    for service in services.values() if services.__class__ is dict else ():
        listed = service.get("environment") if service.__class__ is dict else None
        if listed.__class__ is list:
            service["environment"] = _resolve(listed, environment, keep_empty=True)


def normalise(model: dict[str, Any], project: str, environment: Mapping[str, str]) -> None:
    """Make the implicit parts of a canonical model explicit, in place."""
    _networks(model)
    services = model.get("services")
    if services.__class__ is dict:
        for service in services.values():
            if service.__class__ is dict:
                _service(service, environment)
    for section in ("networks", "volumes", "configs", "secrets"):
        resources = model.get(section)
        if resources.__class__ is dict:
            for key, resource in resources.items():
                _name(resources, key, resource, project)


def _networks(model: dict[str, Any]) -> None:
    uses_default = False
    services = model.get("services")
    if services.__class__ is dict:
        for service in services.values():
            if service.__class__ is not dict or "provider" in service or "network_mode" in service:
                continue
            networks = service.get("networks")
            if not networks:
                service["networks"] = {"default": None}
                uses_default = True
            elif "default" in networks:
                uses_default = True
    networks = model.get("networks")
    if uses_default:
        if networks.__class__ is not dict:
            model["networks"] = networks = {}
        networks.setdefault("default", None)


def _service(service: dict[str, Any], environment: Mapping[str, str]) -> None:
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    build = service.get("build")
    if build.__class__ is dict:
        if build.get("context") is None:
            build["context"] = "."
        if build.get("dockerfile") is None and build.get("dockerfile_inline") is None:
            build["dockerfile"] = "Dockerfile"
        if "args" in build:
            build["args"] = _resolve(build["args"], environment, keep_empty=False)
    if "environment" in service:
        service["environment"] = _resolve(service["environment"], environment, keep_empty=True)
    volumes = service.get("volumes")
    if volumes.__class__ is list:
        for volume in volumes:
            if volume.__class__ is dict and isinstance(volume.get("target"), str):
                volume["target"] = clean_path(volume["target"])
    implied = _implied_dependencies(service)
    if implied:
        declared = service.get("depends_on")
        if declared.__class__ is dict:
            for name, dependency in implied.items():
                declared.setdefault(name, dependency)
        else:
            service["depends_on"] = implied


def _implied_dependencies(service: dict[str, Any]) -> dict[str, Any]:
    implied: dict[str, Any] = {}
    for link in service.get("links") or ():
        if isinstance(link, str):
            parts = link.split(":")
            implied.setdefault(parts[0] if len(parts) == 2 else link, _dependency(restart=True))
    for namespace in _NAMESPACES:
        mode = service.get(namespace)
        if isinstance(mode, str) and mode.startswith("service:"):
            implied.setdefault(mode[len("service:") :], _dependency(restart=True))
    for source in service.get("volumes_from") or ():
        if isinstance(source, str) and not source.startswith("container:"):
            implied.setdefault(source.partition(":")[0], _dependency(restart=False))
    return implied


def _dependency(*, restart: bool) -> dict[str, Any]:
    return {"condition": "service_started", "restart": restart, "required": True}


def _resolve(value: Any, environment: Mapping[str, str], *, keep_empty: bool) -> Any:
    """Give variables without a value the one of the environment; drop or keep those that have none."""
    if value.__class__ is dict:
        if None not in value.values():
            return value
        resolved: dict[str, Any] = {}
        for key, item in value.items():
            if item is None:
                item = environment.get(key)
                if item is None and not keep_empty:
                    continue
            resolved[key] = item
        return resolved
    if value.__class__ is list:
        lines: list[Any] = []
        for item in value:
            if item.__class__ is str and "=" not in item:
                found = environment.get(item)
                if found is not None:
                    item = f"{item}={found}"
                elif not keep_empty:
                    continue
            lines.append(item)
        return lines
    return value


def _name(resources: dict[str, Any], key: str, resource: Any, project: str) -> None:
    if resource is None:
        resource = resources[key] = {}
    if resource.__class__ is dict and resource.get("name") is None:
        external = "external" in resource and go_text(resource["external"]) in _TRUE_WORDS
        resource["name"] = key if external else f"{project}_{key}"
