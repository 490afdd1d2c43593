"""Many processes, one portal: two web processes, three workers and a relay over one PostgreSQL and one Redis by TCP."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
import psycopg
import pytest

from launcher import processes
from launcher.embedded import free_port
from launcher.supervisor import Supervisor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("whole portal")]

CLONE = Path(__file__).resolve().parents[2]
WORKERS = 3
DEPLOYMENTS = 6
SHOP = """\
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    depends_on: [db]
    x-escale: {isolation: machine}
  db:
    image: postgres:17
    volumes: ["db-data:/var/lib/postgresql/data"]
    x-escale: {isolation: machine}
volumes:
  db-data:
"""


class Portal:
    """The running processes, a client for each web process, and the cloud that they all deploy to."""

    def __init__(self, supervisor: Supervisor, ports: list[int], token: str, database_url: str, state: str) -> None:
        from connectors.fake.control import Control

        self.supervisor = supervisor
        headers = {"Authorization": f"Bearer {token}"}
        self.webs = [httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) for port in ports]
        self.database_url = database_url
        self.cloud = Control(state)

    def rows(self, query: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, values).fetchall()

    def machines(self, deployment: str) -> list[str]:
        """Return the names of the machines whose deployment's name begins so."""
        names = dict(self.rows("select id::text, name from deployments_deployment"))
        return [
            f"{names[thing['deployment']]}/{thing['name']}"
            for thing in self.cloud.things("machine")
            if names[thing["deployment"]].startswith(deployment)
        ]

    def kill(self, name: str) -> None:
        os.kill(self.supervisor.pid_of(name), signal.SIGKILL)

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.supervisor.logs.iterdir())

    def until_ended(self, operations: list[str], web: httpx.Client, timeout_s: float = 120) -> dict[str, str]:
        end = time.monotonic() + timeout_s
        while True:
            states = {uid: web.get(f"/api/v1/operations/{uid}/").json()["state"] for uid in operations}
            if all(
                state in ("succeeded", "failed", "cancelled", "reverted", "revert_failed") for state in states.values()
            ):
                return states
            assert time.monotonic() < end, f"{states}\n{self.logs()}"
            self.supervisor.tick()
            time.sleep(0.2)


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("portal")
    server = os.environ["DATABASE_URL"].rsplit("/", 1)[0]
    name = f"escale_scale_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name}")
    state = str(tmp_path / "cloud.sqlite")
    supervisor = Supervisor(tmp_path / "logs", tmp_path / "processes.json", CLONE)
    running = None
    try:
        running = _start(supervisor, tmp_path, f"{server}/{name}", state)
        yield running
    finally:
        supervisor.stop_all()
        if running:
            running.cloud.close()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


def _start(supervisor: Supervisor, folder: Path, database_url: str, state: str) -> Portal:
    environ = {**os.environ, "DATABASE_URL": database_url, "ESCALE_SANDBOX": "1", "ESCALE_URL": "http://127.0.0.1",
               "ESCALE_OPERATIONS": "lease_s=3,heartbeat_s=1,sweep_s=1,beat_s=1", "LOG_FORMAT": "json"}  # fmt: skip
    clouds = [{
        "name": "paris", "title": "Paris", "kind": "fake", "flavour": "private", "region": "Paris",
        "address": "https://127.0.0.1:9443", "ca_pem": "", "thumbprint": "", "username": "escale",
        "password": "the cloud's own password", "options": {"state": state, "duration_s": 0.4},
    }]  # fmt: skip
    (folder / "clouds.json").write_text(json.dumps(clouds))
    token = folder / "token"
    for command in (
        ["migrate", "--no-input", "--verbosity", "0"],
        ["bootstrap", "--people", "admin", "--token-file", str(token), "--clouds", str(folder / "clouds.json")],
    ):
        subprocess.run([sys.executable, "manage.py", *command], cwd=CLONE, env=environ, check=True, capture_output=True)
    ports = [free_port(), free_port()]
    for number, port in enumerate(ports, start=1):
        program = processes.web_program(environ, "127.0.0.1", port)
        supervisor.start(dataclasses.replace(program, name=f"web-{number}"))
    for number in range(1, WORKERS + 1):
        supervisor.start(processes.worker_program(environ, number))
    supervisor.start(processes.relay_program(environ))
    portal = Portal(supervisor, ports, token.read_text().strip(), database_url, state)
    end = time.monotonic() + 60
    while not all(_is_ready(web) for web in portal.webs) or len(portal.rows("select 1 from operations_workerbeat")) < 3:
        assert time.monotonic() < end, portal.logs()
        time.sleep(0.2)
    portal.webs[0].post("/api/v1/clouds/paris/refresh/")
    return portal


def _is_ready(web: httpx.Client) -> bool:
    try:
        return web.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def deploy(web: httpx.Client, name: str) -> str:
    """Draw and deploy a shop; return the operation's id."""
    drawing = web.post("/api/v1/blueprints/", json={"project": "demo", "name": name, "compose": SHOP})
    assert drawing.status_code == 201, drawing.text
    started = web.post("/api/v1/deployments/", json={"blueprint": drawing.json()["id"], "cloud": "paris", "name": name})
    assert started.status_code == 202, started.text
    return started.headers["Location"].rstrip("/").rpartition("/")[2]


def test_work_started_anywhere_is_done_once_and_seen_everywhere(portal):
    operations = [deploy(portal.webs[number % 2], f"shop-{number}") for number in range(DEPLOYMENTS)]

    # A worker dies in the middle; its supervisor starts it again, and the others take over what it held.
    end = time.monotonic() + 60
    while not portal.rows("select 1 from operations_step where state = 'waiting' and worker like 'worker-2@%%'"):
        assert time.monotonic() < end, portal.logs()
        time.sleep(0.05)
    portal.kill("worker-2")

    # Whichever web process one asks, it tells the same.
    states = portal.until_ended(operations, portal.webs[1])
    assert set(states.values()) == {"succeeded"}, portal.logs()
    assert portal.until_ended(operations, portal.webs[0]) == states

    # Everything exists once, and more than one worker made it.
    machines = portal.machines("shop-")
    assert len(machines) == len(set(machines)) == DEPLOYMENTS * 2, machines
    hands = {worker.split("@")[0] for (worker,) in portal.rows("select distinct worker from operations_step") if worker}
    assert len(hands) >= 2

    # What happened is told without gaps, by the other web process too, from any point on.
    events = portal.webs[1].get(f"/api/v1/operations/{operations[0]}/events/").json()["results"]
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    stream = {"Accept": "text/event-stream", "Last-Event-ID": str(numbers[2])}
    with portal.webs[0].stream("GET", f"/api/v1/operations/{operations[0]}/events/", headers=stream) as response:
        first = next(line for line in response.iter_lines() if line.startswith("id:"))
    assert int(first.removeprefix("id:")) == numbers[3]


def test_the_same_request_at_both_web_processes_does_the_work_once(portal):
    drawing = portal.webs[0].post("/api/v1/blueprints/", json={"project": "demo", "name": "once", "compose": SHOP})
    body = {"blueprint": drawing.json()["id"], "cloud": "paris", "name": "once"}
    key = {"Idempotency-Key": "deploy the shop once, please"}
    answers = [web.post("/api/v1/deployments/", json=body, headers=key) for web in portal.webs]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    operation = answers[0].headers["Location"].rstrip("/").rpartition("/")[2]
    assert portal.until_ended([operation], portal.webs[1]) == {operation: "succeeded"}
    assert len(portal.machines("once")) == 2


def test_a_web_process_that_dies_takes_no_work_with_it(portal):
    operation = deploy(portal.webs[0], "steady")
    portal.kill("web-1")
    assert portal.until_ended([operation], portal.webs[1]) == {operation: "succeeded"}
