"""Check what only the whole model shows: references, cycles, values that contradict each other.

Source of the rules: compose-go v2.9.1 `loader/validate.go`, `graph/*.go`, `types/project.go`. The checks look at the
normal form of the services that the profiles leave enabled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from engine.compose.report import Path

Complain = Callable[..., None]


@dataclass(frozen=True)
class Model:
    """Hold the normal form while it is checked."""

    services: dict[str, dict[str, Any]]
    disabled: dict[str, dict[str, Any]]
    networks: Collection[str]
    volumes: Collection[str]
    secrets: dict[str, Any]
    configs: Collection[str]
    models: Collection[str]

    def knows(self, service: str) -> bool:
        """Tell whether a service exists and is enabled."""
        return service in self.services


def check_consistency(model: Model, complain: Complain) -> None:
    """Report everything in which the services and resources of a model contradict each other."""
    for name, service in model.services.items():
        _check_service(name, service, model, complain)
    for name, secret in model.secrets.items():
        if not (secret.get("external") or secret.get("file") or secret.get("environment")):
            complain(
                "compose.resource.source",
                f"The secret `{name}` says nowhere what it contains - it could not be given to a service - add `file`"
                " or `environment`.",
                ("secrets", name),
            )
    _check_container_names(model, complain)
    _check_cycles(model, complain)


def _check_service(name: str, service: dict[str, Any], model: Model, complain: Complain) -> None:
    path: Path = ("services", name)
    build = service.get("build")
    if build is None and "image" not in service and "provider" not in service:
        complain(
            "compose.service.image",
            f"The service `{name}` has neither `image` nor `build` - nobody knows what to run - add one of them.",
            path,
            at_key=True,
        )
    if build is not None:
        _check_build(name, service, build, model, complain)
    _check_networks(name, service, model, complain)
    _check_dependencies(name, service, model, complain)
    _check_references(name, service, model, complain)
    test = (service.get("healthcheck") or {}).get("test")
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        complain(
            "compose.healthcheck.test",
            f"The health check of `{name}` starts with `{test[0][:40]}` - the first word says how to run the rest -"
            " start the list with `CMD`, `CMD-SHELL` or `NONE`.",
            (*path, "healthcheck", "test"),
        )
    if "deploy" in service or "scale" in service:
        _check_scale(name, service, complain)
    if "tmpfs" in service or "volumes" in service:
        _check_mounts(name, service, complain)
    for index, trigger in enumerate((service.get("develop") or {}).get("watch") or ()):
        if "target" not in trigger and trigger["action"] not in ("rebuild", "restart"):
            complain(
                "compose.develop.target",
                f"`{trigger['action']}` in `develop.watch` of `{name}` needs a `target` - files are copied there - add"
                " it.",
                (*path, "develop", "watch", index),
            )


def _check_build(name: str, service: dict[str, Any], build: dict[str, Any], model: Model, complain: Complain) -> None:
    path: Path = ("services", name, "build")
    if "dockerfile_inline" in build and "dockerfile" in build:
        complain(
            "compose.value.exclusive",
            f"The build of `{name}` has `dockerfile` and `dockerfile_inline` - only one can count - keep one.",
            (*path, "dockerfile_inline"),
            at_key=True,
        )
    for context, source in (build.get("additional_contexts") or {}).items():
        if source.startswith("service:"):
            target = source[len("service:") :]
            if not model.knows(target):
                complain(
                    "compose.reference.service",
                    f"The build of `{name}` takes the context `{context}` from the service `{target}`, which"
                    f" {_absence(target, model)} - correct the name.",
                    (*path, "additional_contexts", context),
                )
            elif target in model.services and "build" not in model.services[target]:
                complain(
                    "compose.reference.service",
                    f"The build of `{name}` takes the context `{context}` from the service `{target}`, which is not"
                    " built - only built services have a context - give that service a `build`.",
                    (*path, "additional_contexts", context),
                )
    platforms = build.get("platforms")
    if platforms and "platform" in service and service["platform"] not in platforms:
        complain(
            "compose.build.platforms",
            f"The service `{name}` runs on `{service['platform']}`, but is not built for it - add it to"
            " `build.platforms`.",
            (*path, "platforms"),
        )
    for index, secret in enumerate(build.get("secrets") or ()):
        if secret.get("source", "") not in model.secrets:
            _undefined(complain, "secret", name, secret.get("source", ""), (*path, "secrets", index), model.secrets)


def _check_networks(name: str, service: dict[str, Any], model: Model, complain: Complain) -> None:
    mode = service.get("network_mode")
    networks = service.get("networks") or ()
    if mode and networks:
        complain(
            "compose.network.exclusive",
            f"The service `{name}` has `network_mode` and `networks` - a service either joins networks or shares"
            " another's - keep one of them.",
            ("services", name, "network_mode"),
            at_key=True,
        )
    for network in networks:
        if network not in model.networks:
            _undefined(complain, "network", name, network, ("services", name, "networks", network), model.networks)
    if mode and mode.startswith("service:") and not model.knows(mode[len("service:") :]):
        target = mode[len("service:") :]
        complain(
            "compose.reference.service",
            f"The service `{name}` shares the network of `{target}`, which {_absence(target, model)} - correct the"
            " name.",
            ("services", name, "network_mode"),
        )


def _check_dependencies(name: str, service: dict[str, Any], model: Model, complain: Complain) -> None:
    for dependency, condition in (service.get("depends_on") or {}).items():
        if model.knows(dependency) or (dependency in model.disabled and not condition["required"]):
            continue
        complain(
            "compose.reference.service",
            f"The service `{name}` depends on `{dependency}`, which {_absence(dependency, model)} - it could never"
            " start - correct the name, define the service, or drop the dependency.",
            ("services", name, "depends_on", dependency),
        )


def _absence(service: str, model: Model) -> str:
    if service in model.disabled:
        profiles = ", ".join(model.disabled[service].get("profiles") or ())
        return f"is not enabled by the active profiles (it has {profiles})"
    return "does not exist"


def _check_references(name: str, service: dict[str, Any], model: Model, complain: Complain) -> None:
    for index, volume in enumerate(service.get("volumes") or ()):
        if volume.get("type") == "volume" and "source" in volume and volume["source"] not in model.volumes:
            _undefined(complain, "volume", name, volume["source"], ("services", name, "volumes", index), model.volumes)
    for index, config in enumerate(service.get("configs") or ()):
        if config.get("source", "") not in model.configs:
            _undefined(
                complain, "config", name, config.get("source", ""), ("services", name, "configs", index), model.configs
            )
    for reference in service.get("models") or ():
        if reference not in model.models:
            _undefined(complain, "model", name, reference, ("services", name, "models", reference), model.models)
    for index, secret in enumerate(service.get("secrets") or ()):
        if secret.get("source", "") not in model.secrets:
            _undefined(
                complain, "secret", name, secret.get("source", ""), ("services", name, "secrets", index), model.secrets
            )


def _undefined(complain: Complain, kind: str, service: str, name: str, path: Path, known: Collection[str]) -> None:
    complain(
        f"compose.reference.{kind}",
        f"The service `{service}` uses the {kind} `{name}`, which is not defined - Compose creates only what is listed"
        f" - add `{name}:` under `{kind}s:` or correct the name.",
        path,
        candidates=(name, known),
    )


def _check_scale(name: str, service: dict[str, Any], complain: Complain) -> None:
    path: Path = ("services", name)
    scale = service.get("scale")
    deploy = service.get("deploy")
    replicas = deploy.get("replicas") if deploy else None
    if scale is not None and deploy is not None:
        if replicas is not None and replicas != scale:
            complain(
                "compose.value.contradiction",
                f"The service `{name}` has `scale: {scale}` and `deploy.replicas: {replicas}` - both mean the same -"
                " keep one.",
                (*path, "scale"),
            )
        replicas = scale
        _set_replicas(deploy, scale)
    for count, where in ((scale, ("scale",)), (replicas, ("deploy", "replicas"))):
        if count is not None and count < 0:
            complain(
                "compose.value.range",
                f"`{'.'.join(where)}` of `{name}` is {count} - a number of containers cannot be negative - write 0 or"
                " more.",
                (*path, *where),
            )
    copies = scale if scale is not None else replicas if replicas is not None else 1
    if copies > 1 and "container_name" in service:
        complain(
            "compose.service.container_name",
            f"The service `{name}` has a `container_name` and {copies} replicas - a container name is unique - remove"
            " one of them.",
            (*path, "container_name"),
        )
    if deploy is not None:
        _check_resources(name, service, deploy, complain)


def _set_replicas(deploy: dict[str, Any], scale: int) -> None:
    if "replicas" in deploy:
        deploy["replicas"] = scale
        return
    items = list(deploy.items())
    deploy.clear()
    if items and items[0][0] == "mode":
        deploy["mode"] = items.pop(0)[1]
    deploy["replicas"] = scale
    deploy.update(items)


_TWINS = (
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
)


def _check_resources(name: str, service: dict[str, Any], deploy: dict[str, Any], complain: Complain) -> None:
    resources = deploy.get("resources") or {}
    for field, kind, twin in _TWINS:
        if field in service and kind in resources:
            other = resources[kind].get(twin, 0)
            if other != service[field]:
                complain(
                    "compose.value.contradiction",
                    f"The service `{name}` has `{field}: {service[field]}` and `deploy.resources.{kind}.{twin}:"
                    f" {other or 'nothing'}` - both mean the same - write the same value or keep one.",
                    ("services", name, field),
                )


def _check_mounts(name: str, service: dict[str, Any], complain: Complain) -> None:
    mounts: dict[str, str] = {}
    for index, tmpfs in enumerate(service.get("tmpfs") or ()):
        _mount(mounts, tmpfs.partition(":")[0], name, ("tmpfs", index), complain)
    for index, volume in enumerate(service.get("volumes") or ()):
        _mount(mounts, volume.get("target", ""), name, ("volumes", index), complain)


def _mount(mounts: dict[str, str], target: str, name: str, place: tuple[str, int], complain: Complain) -> None:
    if target in mounts:
        complain(
            "compose.volume.twice",
            f"The service `{name}` mounts something at `{target}` twice (first as {mounts[target]}) - the one would"
            " hide the other - use another path.",
            ("services", name, *place),
        )
    mounts[target] = f"{place[0]}[{place[1]}]"


def _check_container_names(model: Model, complain: Complain) -> None:
    owners: dict[str, str] = {}
    for name, service in model.services.items():
        container = service.get("container_name")
        if container is None:
            continue
        if container in owners:
            complain(
                "compose.service.container_name",
                f"The services `{owners[container]}` and `{name}` both have `container_name: {container}` - a container"
                " name is unique - rename one.",
                ("services", name, "container_name"),
            )
        owners.setdefault(container, name)


def _check_cycles(model: Model, complain: Complain) -> None:
    """Find cycles in `depends_on` by walking each service once, without recursion."""
    done: set[str] = set()
    for start in sorted(model.services):
        if start in done:
            continue
        trail: list[str] = []
        on_trail: dict[str, int] = {}
        todo: list[tuple[str, bool]] = [(start, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                trail.pop()
                del on_trail[name]
                done.add(name)
                continue
            if name in on_trail:
                _complain_cycle([*trail[on_trail[name] :], name], complain)
                continue
            if name in done:
                continue
            on_trail[name] = len(trail)
            trail.append(name)
            todo.append((name, True))
            dependencies = model.services[name].get("depends_on") or {}
            todo.extend((other, False) for other in sorted(dependencies, reverse=True) if other in model.services)


def _complain_cycle(cycle: list[str], complain: Complain) -> None:
    shown = cycle if len(cycle) <= 12 else [*cycle[:10], "…", cycle[-1]]
    complain(
        "compose.cycle",
        f"These services wait for each other in a circle: {' -> '.join(shown)} - none of them could ever start -"
        " remove one of the dependencies.",
        ("services", cycle[-2], "depends_on", cycle[-1]),
    )
