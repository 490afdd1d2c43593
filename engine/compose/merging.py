"""Merge Compose models: `extends`, several documents, and the removal of repeated list elements.

Sources of the rules: compose-go v2.9.1, `override/merge.go` and `override/uncity.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.compose.gotext import go_text
from engine.compose.report import Path, Refusal, dotted
from engine.compose.shortforms import volume_target

Merger = Callable[[Any, Any, Path], Any]
_MAX_POOL_PAIRS = 10_000


def merge_models(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Merge a later document over an earlier one, in place of the earlier."""
    merged = _merge(base, override, (), _MODEL_RULES)
    assert isinstance(merged, dict)
    return merged


def extend_service(base: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """Merge a service over the one that it extends; the base must be a copy, it is changed."""
    merged = _merge(base, service, (), _SERVICE_RULES)
    assert isinstance(merged, dict)
    return merged


def _merge(base: Any, override: Any, path: Path, rules: Any) -> Any:
    if callable(rules):
        return rules(base, override, path)
    if override is None:
        return base
    if base.__class__ is dict:
        if override.__class__ is not dict:
            raise _conflict(path)
        return _merge_mappings(base, override, path, rules)
    if base.__class__ is list:
        if override.__class__ is not list:
            raise _conflict(path)
        return base + override
    return override


def _merge_mappings(base: dict[str, Any], override: dict[str, Any], path: Path, rules: Any) -> dict[str, Any]:
    for key, value in override.items():
        if key in base:
            rule = None
            if rules is not None:
                rule = rules.get(key)
                if rule is None:
                    rule = rules.get("*")
            base[key] = _merge(base[key], value, (*path, key), rule)
        else:
            base[key] = value
    return base


def _conflict(path: Path) -> Refusal:
    return Refusal(
        "compose.merge.conflict",
        f"`{dotted(path)}` has another shape here than in what it extends (a mapping or a list on one side only)"
        " - they cannot be merged - write both in the same form.",
        path,
    )


def _to_sequence(value: Any) -> list[Any]:
    if value.__class__ is dict:
        sequence: list[str] = []
        for key, item in value.items():
            if item is None:
                sequence.append(key)
            elif item.__class__ is list:
                sequence.extend(f"{key}={go_text(element)}" for element in item)
            else:
                sequence.append(f"{key}={go_text(item)}")
        sequence.sort()
        return sequence
    if value.__class__ is list:
        return list(value)
    if value.__class__ is str:
        return [value]
    return []


def _to_mapping(value: Any, default: dict[str, Any] | None, path: Path) -> dict[str, Any]:
    if value.__class__ is dict:
        return dict(value)
    if value.__class__ is list:
        mapping: dict[str, Any] = {}
        for item in value:
            if item.__class__ is not str:
                raise _conflict(path)
            mapping[item] = None if default is None else dict(default)
        return mapping
    return {}


def _sequences(base: Any, override: Any, path: Path) -> Any:
    return _to_sequence(base) + _to_sequence(override)


def _hosts(base: Any, override: Any, path: Path) -> Any:
    known = _to_sequence(base)
    texts = {item for item in known if item.__class__ is str}
    return known + [
        item for item in _to_sequence(override) if (item not in texts if item.__class__ is str else item not in known)
    ]


def _replace(base: Any, override: Any, path: Path) -> Any:
    return override


def _named(base: Any, override: Any, path: Path) -> Any:
    return _merge_mappings(_to_mapping(base, None, path), _to_mapping(override, None, path), path, None)


def _dependencies(base: Any, override: Any, path: Path) -> Any:
    default = {"condition": "service_started", "required": True}
    return _merge_mappings(_to_mapping(base, default, path), _to_mapping(override, default, path), path, None)


def _logging(base: Any, override: Any, path: Path) -> Any:
    if base.__class__ is not dict or override.__class__ is not dict:
        raise _conflict(path)
    if "driver" in base and "driver" in override and base["driver"] != override["driver"]:
        return override
    return _merge_mappings(base, override, path, None)


def _build(base: Any, override: Any, path: Path) -> Any:
    base = {"context": base} if base.__class__ is str else base
    override = {"context": override} if override.__class__ is str else override
    if base.__class__ is not dict or (override is not None and override.__class__ is not dict):
        raise _conflict(path)
    return _merge_mappings(base, override or {}, path, _BUILD_RULES)


def _pools(base: Any, override: Any, path: Path) -> Any:
    """Merge address pools that have the same subnet; keep the others."""
    if base.__class__ is not list or override.__class__ is not list:
        raise _conflict(path)
    if len(base) * len(override) > _MAX_POOL_PAIRS:
        raise Refusal(
            "compose.limit.expansion",
            "The address pools of this network are too many to be merged - each is compared with each - write fewer.",
            path,
        )
    pools: list[dict[str, Any]] = []
    for original in base:
        right = _to_mapping(original, None, path)
        for other in override:
            left = _to_mapping(other, None, path)
            if left.get("subnet") != right.get("subnet") and all(
                pool.get("subnet") != left.get("subnet") for pool in pools
            ):
                pools.append(left)
                continue
            right = _merge_mappings(right, left, path, None)
            index = next((i for i, pool in enumerate(pools) if pool.get("subnet") == right.get("subnet")), None)
            if index is None:
                pools.append(right)
            else:
                pools[index] = right
    return pools


_BUILD_RULES: dict[str, Any] = {
    "args": _sequences,
    "additional_contexts": _sequences,
    "extra_hosts": _hosts,
    "labels": _sequences,
}
_SERVICE_RULES: dict[str, Any] = {
    "annotations": _sequences,
    "build": _build,
    "command": _replace,
    "depends_on": _dependencies,
    "deploy": {"labels": _sequences},
    "dns": _sequences,
    "dns_opt": _sequences,
    "dns_search": _sequences,
    "entrypoint": _replace,
    "env_file": _sequences,
    "label_file": _sequences,
    "environment": _sequences,
    "extra_hosts": _hosts,
    "healthcheck": {"test": _replace},
    "labels": _sequences,
    "logging": _logging,
    "models": _named,
    "networks": _named,
    "sysctls": _sequences,
    "tmpfs": _sequences,
    "ulimits": {"*": _replace},
}
_MODEL_RULES: dict[str, Any] = {
    "networks": {"*": {"ipam": {"config": _pools}, "labels": _sequences}},
    "volumes": {"*": {"labels": _sequences}},
    "services": {"*": _SERVICE_RULES},
}


# --- repeated elements -------------------------------------------------------------------------------------------

Indexer = Callable[[Any], Any]


def _by_key(value: Any) -> Any:
    if value.__class__ is not str:
        raise Refusal("compose.schema.type", "This element must be text - quote it or write `key=value`.")
    return value.partition("=")[0]


def _by_target(value: Any) -> Any:
    if value.__class__ is dict:
        target = value.get("target")
        if not isinstance(target, str):
            raise Refusal(
                "compose.volume.target",
                "This volume has no `target` - nobody knows where to mount it - add `target: /path/in/container`.",
            )
        return target
    return volume_target(value) if value.__class__ is str else ""


def _by_device(value: Any) -> Any:
    if value.__class__ is dict:
        target = value.get("target")
        if not isinstance(target, str):
            raise Refusal("compose.device.target", "This device has no `target` - add `target: /dev/name` (as inside).")
        return target
    if value.__class__ is str:
        parts = value.split(":")
        return parts[0] if len(parts) == 1 else parts[1]
    return ""


def _by_exposed(value: Any) -> Any:
    if value.__class__ is not str and value.__class__ is not int:
        raise Refusal("compose.value.port", f"`{go_text(value)}` is no port - write a whole number or a range.")
    return str(value)


def _by_mount(default: str) -> Indexer:
    def index(value: Any) -> Any:
        if value.__class__ is str:
            return f"{default}/{value}"
        if value.__class__ is dict:
            target = value.get("target")
            if "target" in value:
                if target.__class__ is not str:
                    raise Refusal("compose.schema.type", "`target` must be text.", ("target",))
                return target
            return f"{default}/{go_text(value.get('source'))}"
        raise Refusal("compose.schema.type", "This element must be a name or a mapping with `source`.")

    return index


def _by_port(value: Any) -> Any:
    if value.__class__ is dict:
        if "target" not in value:
            raise Refusal(
                "compose.port.target", "This port has no `target` - nobody knows which port of the container is meant."
            )
        published = value.get("published")
        return (
            value.get("host_ip", "0.0.0.0"),  # noqa: S104 - the reference's default, not an address to listen on
            published.__class__ is str,
            published,
            go_text(value["target"]),
            value.get("protocol", "tcp"),
        )
    if value.__class__ is int:
        return str(value)
    return value if value.__class__ is str else ""


def _by_env_file(value: Any) -> Any:
    if value.__class__ is dict:
        if not isinstance(value.get("path"), str):
            raise Refusal("compose.env_file.path", "This `env_file` element has no `path` - add one.")
        return value["path"]
    return value if value.__class__ is str else ""


_UNIQUE_IN_SERVICE: dict[str, Indexer] = {
    "annotations": _by_key,
    "cap_add": _by_key,
    "cap_drop": _by_key,
    "configs": _by_mount(""),
    "devices": _by_device,
    "dns": _by_key,
    "dns_opt": _by_key,
    "dns_search": _by_key,
    "environment": _by_key,
    "env_file": _by_env_file,
    "expose": _by_exposed,
    "labels": _by_key,
    "links": _by_key,
    "ports": _by_port,
    "profiles": _by_key,
    "secrets": _by_mount("/run/secrets"),
    "sysctls": _by_key,
    "tmpfs": _by_key,
    "volumes": _by_target,
}
_UNIQUE_IN_BUILD: dict[str, Indexer] = dict.fromkeys(
    ("args", "additional_contexts", "platform", "tags", "labels"), _by_key
)


_UNIQUE_IN_LONG_FORM = {
    key: _UNIQUE_IN_SERVICE[key] for key in ("configs", "devices", "env_file", "ports", "secrets", "volumes")
}


def drop_repetitions(
    model: dict[str, Any], refuse: Callable[[Refusal], None], *, only_long_forms: bool = False
) -> None:
    """Keep the last of list elements that mean the same thing, in the place of the first, throughout a model.

    Long forms can turn out to mean the same where short forms looked different; `only_long_forms` looks at nothing
    else, because the rest was looked at before.
    """
    services = model.get("services")
    if services.__class__ is dict:
        for name, service in services.items():
            if service.__class__ is dict:
                try:
                    if only_long_forms:
                        _nested(service, _UNIQUE_IN_LONG_FORM)
                    else:
                        _service_repetitions(service)
                except Refusal as refusal:
                    refuse(refusal.below("services", name))
    networks = model.get("networks")
    if networks.__class__ is dict and not only_long_forms:
        for name, network in networks.items():
            if network.__class__ is dict and network.get("labels").__class__ is list:
                try:
                    network["labels"] = _unique(network["labels"], _by_key)
                except Refusal as refusal:
                    refuse(refusal.below("networks", name, "labels"))


def _service_repetitions(service: dict[str, Any]) -> None:
    for key, value in service.items():
        if value.__class__ is list:
            indexer = _UNIQUE_IN_SERVICE.get(key)
            if indexer is not None:
                try:
                    service[key] = _unique(value, indexer)
                except Refusal as refusal:
                    raise refusal.below(key) from None
        elif value.__class__ is dict:
            if key == "build":
                _nested(value, _UNIQUE_IN_BUILD, "build")
            elif key == "deploy":
                _nested(value, {"labels": _by_key}, "deploy")
            elif key == "networks":
                for name, network in value.items():
                    if network.__class__ is dict:
                        _nested(network, _UNIQUE_IN_NETWORK, "networks", name)


_UNIQUE_IN_NETWORK: dict[str, Indexer] = {"aliases": _by_key, "link_local_ips": _by_key}


def _nested(mapping: dict[str, Any], indexers: dict[str, Indexer], *path: str) -> None:
    for key, value in mapping.items():
        if value.__class__ is list and key in indexers:
            try:
                mapping[key] = _unique(value, indexers[key])
            except Refusal as refusal:
                raise refusal.below(*path, key) from None


def _unique(values: list[Any], indexer: Indexer) -> list[Any]:
    places: dict[Any, int] = {}
    for place, value in enumerate(values):
        try:
            places[indexer(value)] = place
        except Refusal as refusal:
            raise refusal.below(place) from None
    if len(places) == len(values):
        return values
    # A dict keeps the place of a key's first insertion and the value of its last: just what is wanted.
    return [values[place] for place in places.values()]
