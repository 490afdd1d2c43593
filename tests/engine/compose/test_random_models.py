"""Random Compose models come out as in the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.compose.reference import fresh_folder
from tests.engine.compose.test_agreement_with_the_reference import compare

ENVIRONMENT = {"A": "va", "EMPTY": "", "N": "3", "T": "true"}

one = st.sampled_from


def lists(element: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, max_size=size)


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


WORDS = one(["a", "b", "K=V", "x:y", "two words", "$A", "${N:-x}", "<&>", "é", "$$"])
TRUTH = one([True, False, "true", "no", "yes", "${T}", "ON"])
WHOLE = one([0, 1, 2, 10, "3", "${N}", 1000])
NUMBER = one([0, 1, 0.5, 0.1, 2.0, "0.25", 1e3, 3.14159265])
DURATION = one(["10s", "1m30s", "1h2m3.5s", "500ms", "0s", "2d", "1w", "${NOPE:-7s}", "-5s", "1.2345678s", "90s"])
SIZE = one(["512M", "1g", "1.5GiB", "1024", "100b", "2 MB", "64kb", "${NOPE:-3m}"])
PAIRS = st.one_of(
    st.dictionaries(one(["A", "B", "K", "a.b"]), one(["v", "", 1, 1.5, True, None, "$A"]), max_size=3),
    lists(one(["A=1", "B=${A}", "K", "a.b=x=y", "EMPTY", "A=2"])),
)
COMMAND = st.one_of(
    one(["a b", "", 'sh -c "x  y"', "a\\ b", "a; b", "x 2>err", "`a b`", "echo $$HOME", None]), lists(WORDS)
)
PORT = one(
    [
        *(80, "80", "8080:80", "127.0.0.1:1:2", "[::1]:1:2", "3000-3003", "3000-3002:4000-4002", "5000-5005:80"),
        *("53:53/udp", "1:1/TCP", "::1:80:81", "${N}:80", "127.0.0.1::80", ":80"),
        {"target": 80},
        {"target": "80", "published": 8080},
        {"target": 80, "published": "80-90", "protocol": "udp", "mode": "host", "host_ip": "1.2.3.4", "name": "x"},
    ]
)
VOLUME = one(
    [
        *(
            "/d1",
            "v1:/d2",
            "./h:/d3",
            "/h:/d4:ro",
            "v2:/d5:nocopy",
            "/h:/d6:z,rw",
            "~/x:/d7",
            "C:\\x:/d8",
            "./a:/x//y/",
        ),
        {"type": "volume", "source": "v1", "target": "/d12", "volume": {"nocopy": "true", "labels": ["a=1"]}},
        {"type": "bind", "source": "./a", "target": "/d13", "bind": {"create_host_path": True, "selinux": "z"}},
        {"type": "tmpfs", "target": "/d14", "tmpfs": {"size": "10m", "mode": 1023}},
        {"type": "image", "source": "i", "target": "/d17", "read_only": "yes"},
    ]
)
MOUNT = one(["s1", {"source": "s1", "target": "/t", "uid": "1", "mode": 288}, {"source": "s1", "mode": "0400"}])
ULIMITS = one([{"nofile": 100}, {"nofile": {"soft": 1, "hard": 2}, "nproc": "5"}, {"core": 0}, {}])
HOSTS = one(
    [{"a": "1.2.3.4", "b": "::1"}, ["a=1.2.3.4", "b:1.2.3.5"], ["a=::1", "a=[::2]"], {"a": ["1.1.1.1", "2.2.2.2"]}]
)
LIMITS = some({"cpus": NUMBER, "memory": SIZE})
UPDATE = some({"parallelism": WHOLE, "delay": DURATION, "order": one(["start-first"]), "max_failure_ratio": NUMBER})
DEPLOY = some(
    {
        "mode": one(["replicated", "global"]),
        "replicas": WHOLE,
        "labels": PAIRS,
        "update_config": UPDATE,
        "rollback_config": UPDATE,
        "resources": some({"limits": LIMITS, "reservations": LIMITS}),
        "restart_policy": some({"condition": WORDS, "delay": DURATION, "max_attempts": WHOLE, "window": DURATION}),
        "placement": some({"constraints": lists(WORDS), "max_replicas_per_node": WHOLE}),
    }
)
HEALTHCHECK = some(
    {
        "test": one([["CMD", "a"], "curl x", ["CMD-SHELL", "a b"], ["NONE"], []]),
        "interval": DURATION,
        "timeout": DURATION,
        "retries": WHOLE,
        "start_period": DURATION,
        "disable": TRUTH,
    }
)
BUILD = st.one_of(
    one([".", "./dir", "https://github.com/example/repo.git"]),
    some(
        {
            "context": one([".", "./x"]),
            "dockerfile": one(["other"]),
            "args": PAIRS,
            "labels": PAIRS,
            "cache_from": lists(WORDS),
            "extra_hosts": HOSTS,
            "shm_size": SIZE,
            "ulimits": one([{"nofile": 1}]),
            "secrets": lists(MOUNT, 1),
            "no_cache": TRUTH,
            "ssh": one([["default"]]),
            "provenance": one([True, "mode=max"]),
        }
    ),
)
SERVICE = st.fixed_dictionaries(
    {"image": one(["x", "nginx:1", "${IMAGE:-y}"])},
    optional={
        "annotations": PAIRS,
        "build": BUILD,
        "cap_add": lists(WORDS),
        "command": COMMAND,
        "configs": one([["c1"], [{"source": "c1", "target": "/c"}]]),
        "cpu_shares": NUMBER,
        "deploy": DEPLOY,
        "devices": one([["/a:/b:r", "/c"], [{"source": "/a", "target": "/b"}]]),
        "dns": one(["1.1.1.1", ["1.1.1.1", "8.8.8.8"], ["", "1.1.1.1"]]),
        "entrypoint": COMMAND,
        "environment": PAIRS,
        "expose": one([[80, "81-82/tcp"], ["80", 80]]),
        "extra_hosts": HOSTS,
        "healthcheck": HEALTHCHECK,
        "init": TRUTH,
        "labels": PAIRS,
        "logging": one([{"driver": "x", "options": {"a": 1, "b": "2", "c": None}}, {}]),
        "mem_limit": SIZE,
        "networks": one([["n1"], {"n1": None, "default": {"aliases": ["q"]}}, {}, {"n2": {"priority": 5}}]),
        "ports": lists(PORT, 4),
        "profiles": one([[], ["p1"]]),
        "pull_policy": one(["always", "if_not_present"]),
        "restart": one(["always", "on-failure:3"]),
        "secrets": lists(MOUNT, 2),
        "stop_grace_period": DURATION,
        "sysctls": PAIRS,
        "tmpfs": one(["/t", ["/t1", "/t2:size=1"]]),
        "tty": TRUTH,
        "ulimits": ULIMITS,
        "volumes": lists(VOLUME, 4),
        "x-own": WORDS,
    },
)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    services = {"a": draw(SERVICE), "b": draw(SERVICE), "c": draw(SERVICE)}
    relation = draw(one(["none", "extends", "depends", "links", "chain"]))
    services["b"].pop("profiles", None)
    if relation == "extends":
        services["a"]["extends"] = {"service": "b"}
    elif relation == "depends":
        services["a"]["depends_on"] = draw(one([["b"], {"b": {"condition": "service_healthy", "restart": True}}]))
    elif relation == "links":
        services["a"]["links"] = ["b:alias"]
    elif relation == "chain":
        services["a"]["extends"] = "b"
        services["b"]["extends"] = "c"
        services["c"].pop("profiles", None)
    model: dict[str, Any] = {
        "services": services,
        "networks": {"n1": draw(one([None, {"driver": "x"}, {"external": True}])), "n2": {"labels": draw(PAIRS)}},
        "volumes": {"v1": draw(one([None, {"name": "${A}-v"}, {"labels": ["a=1"]}])), "v2": None},
        "secrets": {"s1": draw(one([{"file": "./s"}, {"environment": "A"}, {"external": True}]))},
        "configs": {"c1": draw(one([{"content": "a $A"}, {"file": "c"}, {"environment": "A"}]))},
    }
    if draw(st.booleans()):
        model["x-top"] = draw(one([{"b": [1, 1.5, None, []], "a": "$A"}, "text", 1e21]))
    return model


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(model=models(), profiles=one([(), ("p1",), ("*",)]))
def test_a_random_model_comes_out_as_in_the_reference(
    parent: Path, model: dict[str, Any], profiles: tuple[str, ...]
) -> None:
    folder = fresh_folder(parent)
    (folder / "compose.yaml").write_text(json.dumps(model))
    compare(folder, environment=ENVIRONMENT, profiles=profiles)
