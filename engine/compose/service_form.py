"""Describe the fields of a service in the normal form: what each becomes, and in which order they are printed.

Source of the order and the types: compose-go v2.9.1 `types/types.go` and its neighbours.
"""

from __future__ import annotations

from typing import Any

from engine.compose.decoding import (
    Converter,
    Struct,
    boolean,
    command,
    device_count,
    duration,
    file_mode,
    hosts,
    integer,
    labels,
    listed,
    mapped,
    multi_options,
    number32,
    options,
    pointer_bool,
    pointer_duration,
    pointer_int,
    pointer_unsigned,
    size,
    ssh_keys,
    string,
    string_or_number_list,
    string_or_strings,
    strings,
    ulimit,
    unsigned,
    variables,
    wrong_type,
)
from engine.compose.report import Refusal

Refused = list[Refusal]


def _healthcheck_test(value: Any) -> list[str] | None:
    if value.__class__ is str:
        return ["CMD-SHELL", value]
    if value.__class__ is not list:
        raise wrong_type("a command or a list of words", value)
    for index, word in enumerate(value):
        if word.__class__ is not str:
            raise wrong_type("text", word).below(index)
    return value or None


_mount = Struct({"source": string, "target": string, "uid": string, "gid": string, "mode": file_mode})
_hook = Struct(
    {
        "command": command,
        "user": string,
        "privileged": boolean,
        "working_dir": string,
        "environment": variables,
    },
    command=None,
)
_device_request = Struct(
    {
        "capabilities": strings,
        "driver": string,
        "count": device_count,
        "device_ids": strings,
        "options": labels,
    }
)
_throttle = Struct({"path": string, "rate": size}, names={"path": "Path", "rate": "Rate"}, path="", rate="0")
_weight = Struct(
    {"path": string, "weight": unsigned(16)}, names={"path": "Path", "weight": "Weight"}, path="", weight=0
)
_update = Struct(
    {
        "parallelism": pointer_unsigned,
        "delay": duration,
        "failure_action": string,
        "monitor": duration,
        "max_failure_ratio": number32,
        "order": string,
    }
)
_resource = Struct(
    {
        "cpus": number32,
        "memory": size,
        "pids": integer,
        "devices": listed(_device_request),
        "generic_resources": listed(
            Struct(
                {"discrete_resource_spec": Struct({"kind": string, "value": integer}, kind="", value=0)},
            )
        ),
    }
)

BUILD = Struct(
    {
        "context": string,
        "dockerfile": string,
        "dockerfile_inline": string,
        "entitlements": strings,
        "args": variables,
        "provenance": string,
        "sbom": string,
        "ssh": ssh_keys,
        "labels": labels,
        "cache_from": string_or_strings,
        "cache_to": string_or_strings,
        "no_cache": boolean,
        "additional_contexts": labels,
        "pull": boolean,
        "extra_hosts": hosts,
        "isolation": string,
        "network": string,
        "target": string,
        "secrets": listed(_mount),
        "shm_size": size,
        "tags": string_or_strings,
        "ulimits": mapped(ulimit),
        "platforms": string_or_strings,
        "privileged": boolean,
    }
)
PORT = Struct(
    {
        "name": string,
        "mode": string,
        "host_ip": string,
        "target": unsigned(32),
        "published": string,
        "protocol": string,
        "app_protocol": string,
    }
)
VOLUME = Struct(
    {
        "type": string,
        "source": string,
        "target": string,
        "read_only": boolean,
        "consistency": string,
        "bind": Struct({"selinux": string, "propagation": string, "create_host_path": boolean, "recursive": string}),
        "volume": Struct({"labels": labels, "nocopy": boolean, "subpath": string}),
        "tmpfs": Struct({"size": size, "mode": unsigned(32)}),
        "image": Struct({"subpath": string}),
    }
)
DEPLOY = Struct(
    {
        "mode": string,
        "replicas": pointer_int,
        "labels": labels,
        "update_config": _update,
        "rollback_config": _update,
        "resources": Struct({"limits": _resource, "reservations": _resource}),
        "restart_policy": Struct(
            {
                "condition": string,
                "delay": pointer_duration,
                "max_attempts": pointer_unsigned,
                "window": pointer_duration,
            }
        ),
        "placement": Struct(
            {
                "constraints": strings,
                "preferences": listed(Struct({"spread": string})),
                "max_replicas_per_node": unsigned(),
            }
        ),
        "endpoint_mode": string,
    },
    resources={},
    placement={},
)
_DEPENDENCY = Struct({"condition": string, "restart": boolean, "required": boolean}, required=False)
_NETWORK = Struct(
    {
        "aliases": strings,
        "driver_opts": options,
        "gw_priority": integer,
        "interface_name": string,
        "ipv4_address": string,
        "ipv6_address": string,
        "link_local_ips": strings,
        "mac_address": string,
        "priority": integer,
    }
)
_BLKIO = Struct(
    {
        "weight": unsigned(16),
        "weight_device": listed(_weight),
        "device_read_bps": listed(_throttle),
        "device_read_iops": listed(_throttle),
        "device_write_bps": listed(_throttle),
        "device_write_iops": listed(_throttle),
    }
)
_HEALTHCHECK = Struct(
    {
        "test": _healthcheck_test,
        "timeout": pointer_duration,
        "interval": pointer_duration,
        "retries": pointer_unsigned,
        "start_period": pointer_duration,
        "start_interval": pointer_duration,
        "disable": boolean,
    }
)
_TRIGGER = Struct(
    {
        "path": string,
        "action": string,
        "target": string,
        "exec": _hook,
        "include": strings,
        "ignore": strings,
        "initial_sync": boolean,
    },
    path="",
    action="",
    exec={"command": None},
)

_SERVICE: dict[str, Converter] = {
    "profiles": strings,
    "annotations": labels,
    "attach": pointer_bool,
    "build": BUILD,
    "develop": Struct({"watch": listed(_TRIGGER)}),
    "blkio_config": _BLKIO,
    "cap_add": strings,
    "cap_drop": strings,
    "cgroup_parent": string,
    "cgroup": string,
    "cpu_count": integer,
    "cpu_percent": number32,
    "cpu_period": integer,
    "cpu_quota": integer,
    "cpu_rt_period": integer,
    "cpu_rt_runtime": integer,
    "cpus": number32,
    "cpuset": string,
    "cpu_shares": integer,
    "command": command,
    "configs": listed(_mount),
    "container_name": string,
    "credential_spec": Struct({"config": string, "file": string, "registry": string}),
    "depends_on": mapped(_DEPENDENCY),
    "deploy": DEPLOY,
    "device_cgroup_rules": strings,
    "devices": listed(Struct({"source": string, "target": string, "permissions": string})),
    "dns": string_or_strings,
    "dns_opt": strings,
    "dns_search": string_or_strings,
    "domainname": string,
    "entrypoint": command,
    "provider": Struct({"type": string, "options": multi_options}),
    "environment": variables,
    "expose": string_or_number_list,
    "extends": Struct({"file": string, "service": string}),
    "external_links": strings,
    "extra_hosts": hosts,
    "group_add": strings,
    "gpus": listed(_device_request),
    "hostname": string,
    "healthcheck": _HEALTHCHECK,
    "image": string,
    "init": pointer_bool,
    "ipc": string,
    "isolation": string,
    "labels": labels,
    "links": strings,
    "logging": Struct({"driver": string, "options": options}),
    "mem_limit": size,
    "mem_reservation": size,
    "memswap_limit": size,
    "mem_swappiness": size,
    "mac_address": string,
    "models": mapped(Struct({"endpoint_var": string, "model_var": string})),
    "network_mode": string,
    "networks": mapped(_NETWORK),
    "oom_kill_disable": boolean,
    "oom_score_adj": integer,
    "pid": string,
    "pids_limit": integer,
    "platform": string,
    "ports": listed(PORT),
    "privileged": boolean,
    "pull_policy": string,
    "read_only": boolean,
    "restart": string,
    "runtime": string,
    "scale": pointer_int,
    "secrets": listed(_mount),
    "security_opt": strings,
    "shm_size": size,
    "stdin_open": boolean,
    "stop_grace_period": pointer_duration,
    "stop_signal": string,
    "storage_opt": mapped(string, none=""),
    "sysctls": labels,
    "tmpfs": string_or_strings,
    "tty": boolean,
    "ulimits": mapped(ulimit),
    "use_api_socket": boolean,
    "user": string,
    "userns_mode": string,
    "uts": string,
    "volumes": listed(VOLUME),
    "volumes_from": strings,
    "working_dir": string,
    "post_start": listed(_hook),
    "pre_stop": listed(_hook),
}
_FIELDS = {key: (index, key, convert) for index, (key, convert) in enumerate(_SERVICE.items())}
_ALWAYS = ("command", "entrypoint")


def decode_service(service: dict[str, Any], refused: Refused) -> dict[str, Any]:
    """Give the normal form of a service; fields that cannot be decoded are left out and added to `refused`."""
    decoded: dict[str, Any] = {}
    fields = [_FIELDS[key] for key in service if key in _FIELDS]
    fields.extend(_FIELDS[key] for key in _ALWAYS if key not in service)
    fields.sort()
    for _, key, convert in fields:
        value = service.get(key)
        if value is not None:
            try:
                value = convert(value)
            except Refusal as refusal:
                refused.append(refusal.below(key))
                continue
        if value is not None or key in _ALWAYS:
            decoded[key] = value
    return decoded


def put_field(service: dict[str, Any], key: str, value: Any) -> None:
    """Set a field of a decoded service in the place where it is printed; None removes it."""
    fields = {**service, key: value}
    service.clear()
    for name in sorted(fields, key=lambda field: _FIELDS[field][0]):
        if fields[name] is not None or name in _ALWAYS:
            service[name] = fields[name]


# --- resources ---------------------------------------------------------------------------------------------------

_POOL = Struct({"subnet": string, "gateway": string, "ip_range": string, "aux_addresses": labels})
_IPAM = Struct({"driver": string, "config": listed(lambda value: None if value is None else _POOL(value))})
NETWORK = Struct(
    {
        "name": string,
        "driver": string,
        "driver_opts": options,
        "ipam": _IPAM,
        "external": boolean,
        "internal": boolean,
        "attachable": boolean,
        "labels": labels,
        "enable_ipv4": pointer_bool,
        "enable_ipv6": pointer_bool,
    },
    ipam={},
)
NAMED_VOLUME = Struct({"name": string, "driver": string, "driver_opts": options, "external": boolean, "labels": labels})
FILE_OBJECT = Struct(
    {
        "name": string,
        "file": string,
        "environment": string,
        "content": string,
        "external": boolean,
        "labels": labels,
        "driver": string,
        "driver_opts": mapped(string, none=""),
        "template_driver": string,
    }
)
MODEL = Struct({"name": string, "model": string, "context_size": integer, "runtime_flags": strings})
