"""Say of every key of the Compose Specification how it fares on container machines: one table, nothing in silence.

A rule speaks for its key and, unless it has rules below it in the table, for all that stands under it. What depends
on the drawing (a bind mount, a network that spans machines) is entered by the realiser, which then overrules the
table at that node. A key that is dropped is also left out of the machine's part of the Compose file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.realise.notes import Notes, Path, Verdict

H: Verdict = "honoured"
A: Verdict = "approximated"
D: Verdict = "dropped"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a key fares in general. ``depends``: the realiser may say otherwise at a node, and why."""

    verdict: Verdict
    reason: str
    depends: str = ""


_ENGINE = Rule(H, "set by the container engine of the machine")
_LOAD = Rule(H, "resolved when the file was read")
_SWARM = "only Docker Swarm has this; "
_WINDOWS = Rule(D, "only Windows containers have this; the machines run Linux")

TABLE: Mapping[str, Rule] = {
    # The file.
    "name": Rule(A, "the deployment's own name is used for machines and containers"),
    "version": Rule(D, "obsolete in the Compose Specification; the file is read by the current one"),
    "include": _LOAD,
    "models": Rule(D, "no model runner stands on the machines; give the model's endpoint by `environment`"),
    "x-escale": Rule(H, "read for placement"),
    "x-escale.regions.*": Rule(
        H, "a plan may be for this region alone", "what crosses regions is approximated or dropped, beside its line"
    ),
    "x-escale.machines.*": Rule(H, "a machine of its own", "it says which services stand on it, or that it is plain"),
    "x-escale.place": Rule(H, "the cloud of all that names none itself"),
    "x-escale.machine.spot": Rule(
        H, "the cloud may take the machine away at short notice, for a lower price", "dropped on clouds without such"
    ),
    "x-escale.canvas": Rule(H, "kept for the designer; nothing else reads it"),
    "services": Rule(H, "each service runs in a container machine"),
    # What a service runs.
    "services.*.image": Rule(H, "pulled by the machine from its registry"),
    "services.*.build": Rule(
        D,
        "nothing is built here; build the image, push it to a registry and give it for the service in the plan",
        "approximated when an image is given; dropped with a warning when the service also names an image",
    ),
    "services.*.command": _ENGINE,
    "services.*.entrypoint": _ENGINE,
    "services.*.environment": Rule(H, "set by the container engine; the values stand in the machine's user-data"),
    "services.*.env_file": _LOAD,
    "services.*.label_file": _LOAD,
    "services.*.extends": _LOAD,
    "services.*.profiles": Rule(H, "services of inactive profiles were left out when the file was read"),
    "services.*.working_dir": _ENGINE,
    "services.*.user": _ENGINE,
    "services.*.group_add": _ENGINE,
    "services.*.hostname": _ENGINE,
    "services.*.domainname": _ENGINE,
    "services.*.container_name": Rule(H, "the container has this name on its machine"),
    "services.*.labels": _ENGINE,
    "services.*.annotations": _ENGINE,
    "services.*.stop_signal": _ENGINE,
    "services.*.stop_grace_period": _ENGINE,
    "services.*.stdin_open": _ENGINE,
    "services.*.tty": _ENGINE,
    "services.*.init": _ENGINE,
    "services.*.restart": Rule(H, "kept by the container engine, across restarts of the machine too"),
    "services.*.healthcheck": Rule(H, "run by the container engine of the machine"),
    "services.*.post_start": _ENGINE,
    "services.*.pre_stop": _ENGINE,
    "services.*.pull_policy": Rule(H, "followed on the machine", "`build` is dropped, since nothing is built here"),
    "services.*.pull_refresh_after": _ENGINE,
    "services.*.platform": Rule(
        H,
        "the machines are linux/amd64",
        "approximated for any other platform: the template must be able to run it",
    ),
    "services.*.runtime": Rule(A, "the container engine of the template must have this runtime installed"),
    "services.*.attach": Rule(D, "only says what a terminal shows"),
    "services.*.develop": Rule(D, "only watches files while developing"),
    "services.*.provider": Rule(D, "a provider is a program beside the Compose command line; the machines have none"),
    "services.*.models": Rule(D, "no model runner stands on the machines; give the endpoint by `environment`"),
    "services.*.scale": Rule(H, "so many containers, placed as `x-escale` and the policy say"),
    "services.*.depends_on": Rule(
        H,
        "kept by the container engine on one machine",
        "approximated across machines: the dependant waits until the declared port accepts connections",
    ),
    # Files, volumes, secrets.
    "services.*.volumes": Rule(
        H,
        "mounted by the container engine",
        "named volumes are data disks; files supplied beside the drawing are shipped to the machine (approximated); "
        "paths that were not supplied are dropped; absolute paths are the machine's own (approximated)",
    ),
    "services.*.volumes.[].type": Rule(H, "", "`npipe` and `cluster` mounts are dropped"),
    "services.*.volumes.[].source": Rule(H, ""),
    "services.*.volumes.[].target": Rule(H, ""),
    "services.*.volumes.[].read_only": Rule(H, ""),
    "services.*.volumes.[].consistency": Rule(D, "only Docker Desktop reads it"),
    "services.*.volumes.[].bind": Rule(H, ""),
    "services.*.volumes.[].volume": Rule(H, ""),
    "services.*.volumes.[].tmpfs": Rule(H, ""),
    "services.*.volumes.[].image": Rule(H, ""),
    "services.*.volumes_from": Rule(H, "both services stand on one machine for it"),
    "services.*.tmpfs": _ENGINE,
    "services.*.read_only": _ENGINE,
    "services.*.storage_opt": Rule(A, "the storage driver of the template's container engine must support it"),
    "services.*.shm_size": _ENGINE,
    "services.*.secrets": Rule(
        A,
        "not in the user-data: the machine fetches the content once, over HTTPS, and keeps it for root alone",
        "dropped when the content was not supplied: the file is empty",
    ),
    "services.*.secrets.[].source": Rule(H, ""),
    "services.*.secrets.[].target": Rule(H, ""),
    "services.*.secrets.[].uid": Rule(H, ""),
    "services.*.secrets.[].gid": Rule(H, ""),
    "services.*.secrets.[].mode": Rule(H, ""),
    "services.*.configs": Rule(
        H, "written to the machine and mounted", "dropped when the file was not supplied: the config is left out"
    ),
    "services.*.configs.[].source": Rule(H, ""),
    "services.*.configs.[].target": Rule(H, ""),
    "services.*.configs.[].uid": Rule(H, ""),
    "services.*.configs.[].gid": Rule(H, ""),
    "services.*.configs.[].mode": Rule(H, ""),
    "services.*.use_api_socket": Rule(A, "the socket is that of the machine's own engine"),
    # Networks.
    "services.*.ports": Rule(
        H,
        "published on all addresses of the machine",
        "on clouds that shut machines off the firewall lets these ports in; those bound to one address, of the "
        "engine's choice, or neither TCP nor UDP are not opened (approximated, dropped); replicas get a balancer",
    ),
    "services.*.ports.[].target": Rule(H, ""),
    "services.*.ports.[].published": Rule(H, ""),
    "services.*.ports.[].protocol": Rule(H, ""),
    "services.*.ports.[].host_ip": Rule(A, "an address of the machine itself"),
    "services.*.ports.[].mode": Rule(H, ""),
    "services.*.ports.[].name": Rule(H, ""),
    "services.*.ports.[].app_protocol": Rule(D, "only says what speaks there; nothing reads it"),
    "services.*.expose": Rule(H, "open to the networks of the service; published privately where machines need it"),
    "services.*.networks": Rule(
        H, "joined on the machine", "approximated where the network's services stand on several machines"
    ),
    "services.*.networks.*.aliases": Rule(H, "known to all services of the network, on other machines too"),
    "services.*.networks.*.ipv4_address": Rule(
        H, "given to the container", "across machines the machine gets the address (approximated)"
    ),
    "services.*.networks.*.ipv6_address": Rule(H, "given to the container", "dropped across machines"),
    "services.*.networks.*.link_local_ips": Rule(H, "given to the container"),
    "services.*.networks.*.mac_address": Rule(H, "given to the container"),
    "services.*.networks.*.driver_opts": Rule(H, "given to the machine's bridge"),
    "services.*.networks.*.priority": Rule(H, "kept on the machine"),
    "services.*.networks.*.gw_priority": Rule(H, "kept on the machine"),
    "services.*.networks.*.interface_name": Rule(H, "kept on the machine"),
    "services.*.network_mode": Rule(
        H,
        "kept on the machine; `service:` puts both services on one machine",
        "`host` is the machine's network (approximated); `container:` names a container that no machine has (dropped)",
    ),
    "services.*.links": Rule(H, "a name for the linked service, on other machines too"),
    "services.*.external_links": Rule(D, "names containers outside of the drawing; a new machine has none"),
    "services.*.extra_hosts": Rule(H, "written to the container's hosts file"),
    "services.*.dns": _ENGINE,
    "services.*.dns_opt": _ENGINE,
    "services.*.dns_search": _ENGINE,
    "services.*.mac_address": _ENGINE,
    # What it may use and do.
    "services.*.cpus": Rule(H, "limits the container; placement reckons with it"),
    "services.*.mem_limit": Rule(H, "limits the container; placement reckons with it"),
    "services.*.mem_reservation": Rule(H, "reserved on the machine; placement reckons with it"),
    "services.*.memswap_limit": _ENGINE,
    "services.*.mem_swappiness": Rule(A, "ignored by machines with cgroups version 2"),
    "services.*.cpu_shares": _ENGINE,
    "services.*.cpu_quota": _ENGINE,
    "services.*.cpu_period": _ENGINE,
    "services.*.cpu_rt_period": Rule(A, "the kernel of the template must schedule groups in real time"),
    "services.*.cpu_rt_runtime": Rule(A, "the kernel of the template must schedule groups in real time"),
    "services.*.cpuset": Rule(A, "counts the machine's virtual CPUs, not a host's"),
    "services.*.cpu_count": _WINDOWS,
    "services.*.cpu_percent": _WINDOWS,
    "services.*.isolation": _WINDOWS,
    "services.*.credential_spec": _WINDOWS,
    "services.*.pids_limit": _ENGINE,
    "services.*.ulimits": _ENGINE,
    "services.*.sysctls": _ENGINE,
    "services.*.blkio_config": Rule(A, "devices are those of the machine"),
    "services.*.oom_kill_disable": Rule(A, "ignored by machines with cgroups version 2"),
    "services.*.oom_score_adj": _ENGINE,
    "services.*.privileged": Rule(
        A, "privileged on its machine: isolate the service by `x-escale: {isolation: machine}`"
    ),
    "services.*.cap_add": _ENGINE,
    "services.*.cap_drop": _ENGINE,
    "services.*.security_opt": Rule(A, "profiles must exist in the template"),
    "services.*.cgroup": _ENGINE,
    "services.*.cgroup_parent": Rule(A, "a control group of the machine"),
    "services.*.pid": Rule(H, "kept on the machine; `service:` puts both services on one machine"),
    "services.*.ipc": Rule(H, "kept on the machine; `service:` puts both services on one machine"),
    "services.*.uts": _ENGINE,
    "services.*.userns_mode": Rule(A, "the template's container engine must map user namespaces"),
    "services.*.devices": Rule(A, "devices of the machine; a virtual machine has few"),
    "services.*.device_cgroup_rules": Rule(A, "devices of the machine"),
    "services.*.gpus": Rule(D, "no GPU is passed through to the machines"),
    "services.*.logging": Rule(H, "kept by the container engine; a driver that is a plug-in must be in the template"),
    # Deploy.
    "services.*.deploy": Rule(H, "see below"),
    "services.*.deploy.mode": Rule(H, "`replicated`", "`global` is one container (approximated); jobs are dropped"),
    "services.*.deploy.replicas": Rule(H, "so many containers, placed as `x-escale` and the policy say"),
    "services.*.deploy.endpoint_mode": Rule(D, _SWARM + "names lead to the machine's or the containers' addresses"),
    "services.*.deploy.labels": Rule(D, _SWARM + "use `labels` for containers"),
    "services.*.deploy.update_config": Rule(D, _SWARM + "a machine's changed containers are made anew at its restart"),
    "services.*.deploy.rollback_config": Rule(D, _SWARM + "deploy the earlier version of the drawing to go back"),
    "services.*.deploy.restart_policy": Rule(H, "kept by the container engine of the machine"),
    "services.*.deploy.restart_policy.condition": Rule(H, ""),
    "services.*.deploy.restart_policy.max_attempts": Rule(H, ""),
    "services.*.deploy.restart_policy.delay": Rule(D, _SWARM + "the container engine chooses the delay"),
    "services.*.deploy.restart_policy.window": Rule(D, _SWARM + "the container engine has no such window"),
    "services.*.deploy.placement": Rule(D, _SWARM + "use `x-escale: {anti_affinity, affinity, isolation}`"),
    "services.*.deploy.resources": Rule(H, "see below"),
    "services.*.deploy.resources.limits": Rule(H, "limits the container; placement reckons with it"),
    "services.*.deploy.resources.reservations": Rule(H, "see below"),
    "services.*.deploy.resources.reservations.cpus": Rule(A, "placement reckons with it; the engine reserves no CPU"),
    "services.*.deploy.resources.reservations.memory": Rule(H, "reserved on the machine; placement reckons with it"),
    "services.*.deploy.resources.reservations.devices": Rule(D, "no such device is passed through to the machines"),
    "services.*.deploy.resources.reservations.generic_resources": Rule(D, _SWARM + "nothing counts these"),
    "services.*.x-escale": Rule(H, "read for placement"),
    "services.*.x-escale.region": Rule(H, "planned with this region"),
    "services.*.x-escale.place": Rule(H, "stands on this cloud"),
    "services.*.x-escale.machine": Rule(H, "stands on the machine of this name, or on those of the pool"),
    # Networks.
    "networks": Rule(H, "see each network"),
    "networks.*.name": Rule(H, "the name of the bridge on the machine"),
    "networks.*.driver": Rule(
        H,
        "kept on the machine",
        "`overlay` becomes the machines' private network; other drivers must be in the template (approximated)",
    ),
    "networks.*.driver_opts": Rule(H, "kept on the machine"),
    "networks.*.ipam": Rule(
        H, "kept on the machine", "across machines its subnet is that of the machines (approximated)"
    ),
    "networks.*.external": Rule(
        A,
        "an existing network of the cloud: every machine of its services gets a card on it",
        "dropped on clouds that share no network between deployments",
    ),
    "networks.*.internal": Rule(H, "kept on the machine", "across machines it would hide published ports: dropped"),
    "networks.*.attachable": Rule(D, _SWARM + "the bridge of a machine is open to its engine's containers"),
    "networks.*.enable_ipv4": Rule(H, "kept on the machine"),
    "networks.*.enable_ipv6": Rule(H, "kept on the machine"),
    "networks.*.labels": Rule(H, "kept on the machine"),
    "networks.*.x-escale": Rule(H, "read for the machines' network"),
    # Volumes.
    "volumes": Rule(H, "see each volume"),
    "volumes.*.name": Rule(H, "the name of the volume on the machine"),
    "volumes.*.driver": Rule(
        H, "a data disk of the machine", "another driver than `local` must be in the template (approximated)"
    ),
    "volumes.*.driver_opts": Rule(H, "`size` sizes the data disk; NFS and tmpfs options go to the machine's engine"),
    "volumes.*.external": Rule(A, "new machines have no volumes yet: a data disk is made, and starts empty"),
    "volumes.*.labels": Rule(H, "kept on the machine"),
    "volumes.*.x-escale": Rule(H, "read for the data disk"),
    # Secrets and configs.
    "secrets": Rule(H, "see the services that use them"),
    "secrets.*.name": Rule(H, ""),
    "secrets.*.file": Rule(A, "read from the file supplied beside the drawing"),
    "secrets.*.environment": Rule(A, "read from the environment supplied with the drawing"),
    "secrets.*.external": Rule(
        D, "no store of secrets is connected: the file is empty; supply `file` or `environment`"
    ),
    "secrets.*.labels": Rule(D, _SWARM + "files have no labels"),
    "secrets.*.driver": Rule(D, _SWARM + "supply the content by `file` or `environment`"),
    "secrets.*.driver_opts": Rule(D, _SWARM + "supply the content by `file` or `environment`"),
    "secrets.*.template_driver": Rule(D, _SWARM + "the content is taken as it stands"),
    "configs": Rule(H, "see the services that use them"),
    "configs.*.name": Rule(H, ""),
    "configs.*.file": Rule(A, "read from the file supplied beside the drawing; travels in the machine's user-data"),
    "configs.*.content": Rule(H, "travels in the machine's user-data"),
    "configs.*.environment": Rule(A, "read from the supplied environment; travels in the machine's user-data"),
    "configs.*.external": Rule(D, "no store of configs is connected; supply `file` or `content`"),
    "configs.*.labels": Rule(D, _SWARM + "files have no labels"),
    "configs.*.template_driver": Rule(D, _SWARM + "the content is taken as it stands"),
}


@dataclass(frozen=True, slots=True)
class _Node:
    rule: Rule | None
    code: str
    children: Mapping[str, _Node]


def _grow(prefix: str) -> _Node:
    parts: dict[str, None] = {}
    for key in TABLE:
        if key.startswith(f"{prefix}."):
            parts.setdefault(key[len(prefix) + 1 :].split(".")[0])
    code = "ledger." + ".".join(part for part in prefix.removeprefix("services.").split(".") if part not in ("*", "[]"))
    return _Node(TABLE.get(prefix), code, {part: _grow(f"{prefix}.{part}") for part in parts})


_SERVICE = _grow("services.*")
_SECTIONS = {section: _grow(f"{section}.*") for section in ("networks", "volumes", "secrets", "configs")}

DROPPED_SERVICE_KEYS = frozenset(
    key for key, node in _SERVICE.children.items() if node.rule is not None and node.rule.verdict == D
)


def rule_for(path: str) -> Rule | None:
    """Return the rule that speaks for a key such as ``services.*.deploy.mode``: its own or the nearest above.

    None when no rule does: a rule with rules below it in the table speaks for none of its other children.
    """
    if path in TABLE:
        return TABLE[path]
    above = path
    while "." in above:
        above = above.rpartition(".")[0]
        if above.endswith((".*", ".[]")):
            continue
        if above in TABLE:
            return None if any(key.startswith(f"{above}.") for key in TABLE) else TABLE[above]
    return None


_IMPLIED = {"default": None}


def enter(notes: Notes, config: Mapping[str, Any], extended: Iterable[Path] = ()) -> None:
    """Enter the table's verdict for every key of a drawing that the realiser has not spoken on already.

    ``extended``: paths of the ``x-escale`` that were read, which the normal form does not hold.
    """
    covered = notes.covered
    for name, body in (config.get("services") or {}).items():
        for key, value in body.items():
            node = _SERVICE.children.get(key)
            if node is None or value is None or ("services", name, key) in covered:
                continue
            if value == _IMPLIED:
                continue  # `networks`, as the loader adds it where the drawing says nothing
            place = ("services", name, key)
            if place in notes.split:
                _descend_around(notes, place, node, value)
            else:
                _descend(notes, place, node, value)
    project = config.get("name")
    for section, node in _SECTIONS.items():
        for name, body in (config.get(section) or {}).items():
            for key, value in (body or {}).items():
                child = node.children.get(key)
                if key == "name" and value == f"{project}_{name}":
                    continue  # added by the loader
                if child is not None and value not in (None, {}, []) and (section, name, key) not in covered:
                    _descend(notes, (section, name, key), child, value)
    if config.get("models"):
        notes.enter(("models",), TABLE["models"].verdict, TABLE["models"].reason, "ledger.models")
    for path in extended:
        if path not in covered or path[0] != "x-escale":
            rule, code = _extension_rule(path)
            notes.enter(path, rule.verdict, rule.reason, code)


def _extension_rule(path: Path) -> tuple[Rule, str]:
    """Return the rule and the code of an ``x-escale``, or of a key in one."""
    names = [str(part) for part in path]
    if names[0] == "x-escale":
        key = ".".join((*names[:2], *("*" for _ in names[2:])))
        return TABLE[key], ".".join(("ledger", *names[:2]))
    return TABLE[".".join((names[0], "*", *names[2:]))], ".".join(("ledger", *names[2:]))


def _descend_around(notes: Notes, path: Path, node: _Node, value: Mapping[str, Any]) -> None:
    """Enter the table's verdicts for the parts of a key that no entry speaks on."""
    covered = notes.covered
    for key, below in value.items():
        place = (*path, key)
        child = node.children.get(key) or node.children.get("*")
        if place not in covered:
            if child is not None and key in node.children:
                _descend(notes, place, child, below)
            elif node.rule is not None:
                notes.enter(place, node.rule.verdict, node.rule.reason, node.code)
        elif child is not None and isinstance(below, dict):
            for inner, deeper in below.items():
                grandchild = child.children.get(inner)
                if grandchild is not None and deeper is not None and (*place, inner) not in covered:
                    _descend(notes, (*place, inner), grandchild, deeper)


def _descend(notes: Notes, path: Path, node: _Node, value: Any) -> None:
    children = node.children
    if children and isinstance(value, dict) and "*" not in children:
        for key, below in value.items():
            child = children.get(key)
            if child is not None and below not in (None, {}, []):  # empty ones are added by the loader
                _descend(notes, (*path, key), child, below)
        return
    rule = node.rule
    if rule is not None and rule.reason:
        notes.enter(path, rule.verdict, rule.reason, node.code)
    if not children:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for position, item in items:
        if isinstance(item, dict):
            for key, below in item.items():
                child = children["*" if "*" in children else "[]"].children.get(key)
                # Under a list or map only what is not plainly honoured is worth a line of its own.
                if child is not None and child.rule is not None and child.rule.verdict != H and below is not None:
                    notes.enter((*path, position, key), child.rule.verdict, child.rule.reason, child.code)
