"""Every key of the Compose Specification has a rule; every rule speaks of a key that exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.realise.verdicts import TABLE, rule_for
from engine.userdata import read_file
from tests.engine.drawings import draw, entry, found, machines, part
from tests.engine.test_userdata import read_by_compose

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "engine" / "compose" / "schema" / "compose-spec.json").read_text(encoding="utf-8")
)


def keys_of_the_specification() -> list[str]:
    """Return the path of every key that the official schema knows; `*` for names, `[]` for elements of lists."""
    definitions = SCHEMA.get("definitions") or SCHEMA["$defs"]

    def walk(node: dict[str, Any], path: tuple[str, ...], inside: tuple[str, ...]) -> Iterator[str]:
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            if name not in inside:
                yield from walk(definitions[name], path, (*inside, name))
        for union in ("oneOf", "anyOf", "allOf"):
            for branch in node.get(union, ()):
                yield from walk(branch, path, inside)
        for key, below in node.get("properties", {}).items():
            yield ".".join((*path, key))
            yield from walk(below, (*path, key), inside)
        for pattern, below in node.get("patternProperties", {}).items():
            if pattern != "^x-" and isinstance(below, dict):
                yield from walk(below, (*path, "*"), inside)
        for name, step in (("items", "[]"), ("additionalProperties", "*")):
            if isinstance(node.get(name), dict):
                yield from walk(node[name], (*path, step), inside)

    return sorted(set(walk(SCHEMA, (), ())))


KEYS = keys_of_the_specification()


def test_the_schema_is_walked_to_its_leaves() -> None:
    assert len(KEYS) > 300
    assert {"services.*.deploy.resources.limits.cpus", "networks.*.ipam.config.[].subnet", "models"} <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_specification_has_a_rule(key: str) -> None:
    assert rule_for(key) is not None, f"{key} would be lost in silence: give it a rule in engine/realise/verdicts.py"


@pytest.mark.parametrize("key", sorted(TABLE))
def test_every_rule_speaks_of_a_key_that_exists(key: str) -> None:
    assert key in KEYS or "x-escale" in key.split(".")


def test_what_is_not_honoured_says_why() -> None:
    assert not [key for key, rule in TABLE.items() if rule.verdict != "honoured" and not rule.reason]


# A drawing with as many keys as one can hold: each must appear in the ledger, or be one that the loader resolves.
EVERYTHING = """
services:
  web:
    image: nginx
    build: {context: ., args: {A: b}}
    command: [nginx]
    entrypoint: [/bin/sh]
    environment: {A: b}
    working_dir: /srv
    user: nginx
    group_add: [dialout]
    hostname: web
    domainname: example.org
    container_name: front
    labels: {a: b}
    annotations: {a: b}
    stop_signal: SIGTERM
    stop_grace_period: 10s
    stdin_open: true
    tty: true
    init: true
    restart: always
    healthcheck: {test: [CMD, "true"]}
    post_start: [{command: ls}]
    pre_stop: [{command: ls}]
    pull_policy: always
    platform: linux/arm64
    runtime: runsc
    attach: false
    develop: {watch: [{path: ., action: sync, target: /x}]}
    depends_on: [db]
    volumes: ["data:/data"]
    volumes_from: [db]
    tmpfs: [/run]
    read_only: true
    storage_opt: {size: 1G}
    shm_size: 64m
    secrets: [key]
    configs: [conf]
    ports: [{target: 80, published: 8080, app_protocol: http, host_ip: 127.0.0.1}]
    expose: [9000]
    networks: {front: {ipv4_address: 172.20.0.5, priority: 3}}
    links: [db]
    external_links: [legacy]
    extra_hosts: ["old:10.0.0.1"]
    dns: [1.1.1.1]
    dns_opt: [use-vc]
    dns_search: [example.org]
    mac_address: "02:42:ac:11:65:43"
    cpus: 0.5
    mem_limit: 64m
    mem_reservation: 32m
    memswap_limit: 128m
    mem_swappiness: 10
    cpu_shares: 10
    cpu_quota: 10
    cpu_period: 10
    cpu_rt_period: 10
    cpu_rt_runtime: 10
    cpuset: "0"
    cpu_count: 1
    cpu_percent: 10
    isolation: default
    credential_spec: {file: x.json}
    pids_limit: 10
    ulimits: {nofile: 10}
    sysctls: {net.core.somaxconn: 1}
    blkio_config: {weight: 10}
    oom_kill_disable: true
    oom_score_adj: 1
    privileged: true
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: [no-new-privileges]
    cgroup: host
    cgroup_parent: x
    pid: host
    ipc: host
    uts: host
    userns_mode: host
    devices: ["/dev/fuse"]
    device_cgroup_rules: ["c 1:3 mr"]
    gpus: all
    logging: {driver: json-file}
    use_api_socket: true
    deploy:
      mode: replicated
      replicas: 1
      endpoint_mode: vip
      labels: {a: b}
      update_config: {order: stop-first}
      rollback_config: {order: stop-first}
      restart_policy: {condition: any, delay: 5s}
      placement: {constraints: [node.role == manager]}
      resources:
        limits: {cpus: "0.5", memory: 64m, pids: 10}
        reservations:
          memory: 32m
          devices: [{capabilities: [gpu], count: 1}]
          generic_resources: [{discrete_resource_spec: {kind: x, value: 1}}]
    x-escale: {cpus: 1}
  db: {image: postgres, networks: [front]}
networks:
  front: {ipam: {config: [{subnet: 172.20.0.0/24}]}, attachable: true, labels: {a: b}, internal: true}
volumes:
  data: {labels: {a: b}}
secrets:
  key: {file: key.txt, labels: {a: b}}
configs:
  conf: {content: "x"}
x-escale: {isolation: shared}
"""

# Keys of services that say nothing more once the file was read.
RESOLVED = {
    "extends",
    "profiles",
    "env_file",
    "label_file",
    "scale",
    "provider",
    "models",
    "network_mode",
    "pull_refresh_after",
}


def test_every_key_that_is_drawn_stands_in_the_ledger_beside_its_line() -> None:
    desired = draw(EVERYTHING, files={"key.txt": "x"})
    told = {entry_.path[2] for entry_ in desired.ledger if entry_.path[:2] == ("services", "web")}
    drawn = {key.split(".")[2] for key in KEYS if key.startswith("services.*.")} - RESOLVED
    assert sorted(drawn - told) == []  # nothing is lost in silence
    lines = EVERYTHING.split("\n")
    for one in desired.ledger:
        assert one.line is not None
        name = next(part for part in reversed(one.path) if isinstance(part, str))
        # A list in a line of its own stands below its key.
        assert any(name in line for line in lines[one.line - 3 : one.line]), one


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        (("services", "web", "image"), "honoured"),
        (("services", "web", "build"), "dropped"),
        (("services", "web", "platform"), "approximated"),
        (("services", "web", "runtime"), "approximated"),
        (("services", "web", "container_name"), "honoured"),
        (("services", "web", "privileged"), "approximated"),
        (("services", "web", "devices"), "approximated"),
        (("services", "web", "gpus"), "dropped"),
        (("services", "web", "external_links"), "dropped"),
        (("services", "web", "deploy", "placement"), "dropped"),
        (("services", "web", "deploy", "restart_policy", "delay"), "dropped"),
        (("services", "web", "deploy", "resources", "reservations", "devices"), "dropped"),
        (("services", "web", "ports", 0, "app_protocol"), "dropped"),
        (("services", "web", "ports", 0, "host_ip"), "approximated"),
        (("networks", "front", "attachable"), "dropped"),
        (("networks", "front", "ipam"), "honoured"),
        (("secrets", "key", "labels"), "dropped"),
        (("configs", "conf", "content"), "honoured"),
    ],
)
def test_a_key_gets_the_verdict_of_the_table(path: tuple[str | int, ...], verdict: str) -> None:
    assert entry(draw(EVERYTHING, files={"key.txt": "x"}), *path).verdict == verdict


def test_what_is_dropped_does_not_reach_the_machine() -> None:
    desired = draw(EVERYTHING, files={"key.txt": "x"})
    service = part(desired, "host-1")["services"]["web"]
    dropped = {
        one.path[2]
        for one in desired.ledger
        if one.verdict == "dropped" and one.path[0] == "services" and len(one.path) == 3
    }
    assert {"build", "gpus", "external_links", "develop", "cpu_percent", "isolation"} <= dropped
    assert not dropped & service.keys()
    assert "placement" not in service["deploy"]
    assert service["deploy"]["restart_policy"] == {"condition": "any", "delay": "5s"}
    assert found(desired, "realise.no_gpu")


def test_an_entry_on_a_part_of_a_key_hides_none_of_the_other_parts() -> None:
    text = """
    services:
      web:
        image: a
        depends_on: {far: {condition: service_started}, near: {condition: service_started}}
        networks: {net: {ipv4_address: 172.20.0.9, aliases: [www], link_local_ips: [169.254.1.1]}, other: {}}
        deploy: {mode: global, placement: {constraints: [x == y]}, labels: {a: b}}
      near: {image: b, networks: [other]}
      far: {image: c, expose: [1], networks: [net], x-escale: {isolation: machine}}
    networks: {net: {ipam: {config: [{subnet: 172.20.0.0/24}]}}, other: {}}
    """
    desired = draw(text)
    told = {
        ".".join(map(str, one.path[2:])): one.verdict for one in desired.ledger if one.path[:2] == ("services", "web")
    }
    assert told == {
        "image": "honoured",
        "depends_on.far": "approximated",
        "depends_on.near": "honoured",
        "networks.net.ipv4_address": "approximated",
        "networks.net.aliases": "honoured",
        "networks.net.link_local_ips": "honoured",
        "networks.other": "honoured",
        "deploy.mode": "approximated",
        "deploy.placement": "dropped",
        "deploy.labels": "dropped",
    }


def test_compose_can_read_a_part_with_everything_in_it(tmp_path: Path) -> None:
    text = read_file(machines(draw(EVERYTHING, files={"key.txt": "x"}))["host-1"].userdata, "/opt/escale/compose.yaml")
    assert text is not None
    assert set(read_by_compose(tmp_path, text)["services"]) == {"web", "db"}


def test_a_service_of_a_provider_is_left_out_with_a_warning() -> None:
    desired = draw("services:\n  web: {image: a}\n  db: {provider: {type: awesomecloud}}\n")
    assert [finding.path for finding in found(desired, "realise.provider")] == [("services", "db", "provider")]
    assert set(part(desired, "host-1")["services"]) == {"web"}
