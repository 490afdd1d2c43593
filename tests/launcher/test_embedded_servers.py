import os
import subprocess
import sys

import psycopg
import pytest
import redis

from launcher import embedded
from launcher.embedded import Postgres, Redis, ServerFailedError, free_port, wait_until_it_answers

pytestmark = pytest.mark.slow


@pytest.fixture
def running(tmp_path):
    """Start servers, and end them with the test."""
    started = []

    def start(server):
        log = tmp_path / f"{type(server).__name__}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(server.command(), stdout=output, stderr=output, cwd="/")
        started.append(process)
        wait_until_it_answers(server, process, log)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_postgresql_18_starts_whoever_starts_it_and_asks_for_a_password(tmp_path, running):
    server = Postgres(tmp_path / "postgres", free_port(), "pass word/'%")
    server.prepare()
    running(server)
    server.ensure_database("shop")
    server.ensure_database("shop")
    with psycopg.connect(server.url("shop")) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("show data_checksums").fetchone() == ("on",)
    wrong = Postgres(server.data, server.port, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong.url("shop"))


def test_a_cluster_outlives_a_killed_server(tmp_path, running):
    server = Postgres(tmp_path / "postgres", free_port(), "secret")
    server.prepare()
    process = running(server)
    server.ensure_database("kept")
    process.kill()
    process.wait()
    server.prepare()
    running(server)
    with psycopg.connect(server.url("kept")):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_gives_itself_up_where_user_namespaces_are_forbidden(tmp_path_factory, running, monkeypatch):
    # The kernel's refusal is simulated: the launcher is told that namespaces do not work, and so is its child.
    monkeypatch.setattr("launcher.child.user_namespaces_work", lambda: False)
    monkeypatch.setattr(embedded, "wrapped", _wrapped_without_namespaces)
    folder = tmp_path_factory.mktemp("open")
    for place in (folder, *folder.parents):
        if place.owner() == "root" and place.name.startswith(("pytest", "popen-")):
            place.chmod(0o711)
    folder.chmod(0o711)
    server = Postgres(folder / "postgres", free_port(), "secret")
    server.prepare()
    running(server)
    assert (folder / "postgres").owner() == "nobody"


def _wrapped_without_namespaces(argv, *, unprivileged=False, death_signal="TERM"):
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from launcher import child;"
        "child.CLONE_NEWUSER = -1;"  # what the kernel answers to a flag that it does not know is a refusal too
        "child.become(sys.argv[1:])"
    )
    arguments = ["--unprivileged"] if unprivileged else []
    return [sys.executable, "-c", code, os.getcwd(), *arguments, "--", *argv]


def test_redis_never_evicts_and_asks_for_a_password(tmp_path, running):
    server = Redis(tmp_path / "redis", free_port(), "secret", databases=32)
    running(server)
    with redis.Redis.from_url(server.url(31)) as client:
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    with redis.Redis(port=server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_a_server_that_ends_says_why(tmp_path):
    server = Postgres(tmp_path / "postgres", free_port(), "secret", {"no_such_setting": "1"})
    server.prepare()
    log = tmp_path / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(server.command(), stdout=output, stderr=output, cwd="/")
    with pytest.raises(ServerFailedError, match="no_such_setting"):
        wait_until_it_answers(server, process, log)
