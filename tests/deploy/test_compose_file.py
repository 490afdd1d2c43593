import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.compose import load, to_json
from portal.env import VARIABLES

CLONE = Path(__file__).resolve().parents[2]
DEPLOY = CLONE / "deploy"


@pytest.fixture(scope="module")
def project():
    """Return the file as the reference implementation understands it."""
    docker_compose = Path(sys.executable).with_name("docker-compose")
    done = subprocess.run(
        [docker_compose, "-f", DEPLOY / "compose.yaml", "config", "--format", "json"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "ESCALE_URL": "https://escale.example.com"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_reference_implementation_accepts_it(project):
    replicas = {name: service.get("deploy", {}).get("replicas", 1) for name, service in project["services"].items()}
    assert replicas == {
        "web": 2,
        "worker": 3,
        "reader": 1,
        "relay": 1,
        "beat": 1,
        "migrate": 1,
        "postgres": 1,
        "redis": 1,
    }


def test_it_asks_for_the_address_before_it_starts_anything():
    done = subprocess.run(
        [Path(sys.executable).with_name("docker-compose"), "-f", DEPLOY / "compose.yaml", "config", "-q"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    # Its exit code is 0 all the same, which is the reference implementation's own habit.
    assert "required variable ESCALE_URL is missing a value: the address that people will use" in done.stderr


def test_no_secret_is_given_as_a_variable(project):
    secret = {variable.name for variable in VARIABLES if variable.kind == "secret"} | {"POSTGRES_PASSWORD"}
    for name, service in project["services"].items():
        assert not secret & set(service.get("environment") or {}), name


def test_every_variable_it_sets_is_a_setting(project):
    known = {variable.name for variable in VARIABLES}
    portal = project["services"]["web"]["environment"]
    assert {name.removesuffix("_FILE") for name in portal} <= known


def test_the_servers_are_checked_and_redis_evicts_nothing(project):
    for name in ("web", "postgres", "redis"):
        assert project["services"][name]["healthcheck"]["test"]
    assert "noeviction" in project["services"]["redis"]["command"][2]


def test_the_tables_are_there_before_anything_reads_them(project):
    for name in ("web", "worker", "reader", "relay", "beat"):
        needs = project["services"][name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully", name


def test_secrets_are_written_once_into_a_closed_folder(tmp_path):
    script = tmp_path / "make-secrets"
    script.write_text((DEPLOY / "make-secrets").read_text())
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    folder = tmp_path / "secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    mounted = set(re.findall(r"file: \./secrets/(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert set(before) == mounted
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert before["postgres_password"] in before["database_url"]
    subprocess.run([sys.executable, script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_our_own_loader_opens_it(project):
    text = (DEPLOY / "compose.yaml").read_text()
    ours = load(text, environment={"ESCALE_URL": "https://escale.example.com"})
    assert set(json.loads(to_json(ours))["services"]) == set(project["services"])


def test_the_procfile_names_the_same_processes():
    names = {line.split(":")[0] for line in (CLONE / "Procfile").read_text().splitlines() if line}
    assert names == {"web", "worker", "reader", "relay", "beat"}
