"""The whole portal as a newcomer starts and stops it. One journey after the other, since each start costs seconds."""

import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from launcher.home import read_env

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("whole portal")]

CLONE = Path(__file__).resolve().parents[2]
OWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ESCALE_KEYS", "ESCALE_URL", "ESCALE_SANDBOX", "LOG_FORMAT")


class Run:
    """One start of the launcher with a folder of its own; everything it says is in `said()`."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        self._log = home.with_suffix(f".{time.monotonic_ns()}.log")
        inherited = {name: value for name, value in os.environ.items() if name not in OWN}
        with self._log.open("wb") as output:
            self.process = psutil.Popen(
                [sys.executable, "-m", "launcher", "run"],
                cwd=CLONE,
                env={**inherited, "ESCALE_HOME": str(home), "ESCALE_VENV": sys.prefix, "PORT": "0", **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self._log.read_text()

    def until_said(self, text: str, times: int = 1, timeout_s: float = 240) -> None:
        end = time.monotonic() + timeout_s
        while self.said().count(text) < times:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def ready(self) -> "Run":
        self.until_said("Ctrl-C stops everything.")
        return self

    @property
    def env(self) -> dict[str, str]:
        return read_env(self.home / "sandbox.env")

    def descendants(self) -> list[psutil.Process]:
        return self.process.children(recursive=True)

    def pid_of(self, name: str) -> int:
        records = re.findall(r'"name": "([^"]+)", "pid": (\d+)', (self.home / "run" / "processes.json").read_text())
        return int(dict(records)[name])

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path):
    """Start launchers, and leave none of their processes behind whatever happens."""
    runs: list[Run] = []

    def begin(name="home", **environ) -> Run:
        runs.append(Run(tmp_path / name, **environ))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            left = run.descendants()
            run.process.kill()
            run.process.wait()
            for process in left:
                if process.is_running():
                    process.kill()


def get(url: str, token: str = "", context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_newcomer_starts_uses_breaks_stops_and_starts_it_again(start):
    run = start().ready()
    url, token = run.env["ESCALE_URL"], run.env["ESCALE_TOKEN"]

    # It works, for people, scripts and machines.
    assert get(f"{url}/readyz")[0] == 200
    assert get(f"{url}/api/v1/projects/")[0] == 401
    status, projects = get(f"{url}/api/v1/projects/", token)
    assert status == 200
    assert b"demo" in projects
    assert stat.S_IMODE((run.home / "sandbox.env").stat().st_mode) == 0o600
    people = re.findall(r"^    (architect|admin|viewer) +(\S+) ", run.said(), re.M)
    assert len({password for _name, password in people}) == 3
    assert token in run.said()
    environ = read_env(run.home / "run" / "runtime.env")
    trust = ssl.create_default_context(cafile=environ["ESCALE_MACHINE_CA"])
    assert get(f"{environ['ESCALE_MACHINE_URL']}/healthz", context=trust)[0] == 200

    # What dies comes back.
    for name in ("web", "paris", "redis", "worker-1"):
        os.kill(run.pid_of(name), signal.SIGKILL)
        run.until_said(f"{name} was killed by SIGKILL; starting it again", timeout_s=10)
    end = time.monotonic() + 60
    while True:
        try:
            if get(f"{url}/readyz")[0] == 200 and run.pid_of("paris"):
                break
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.2)

    # Ctrl-C leaves nothing running.
    everything = run.descendants()
    assert len(everything) >= 10
    assert run.interrupt() == 0, run.said()
    assert alive(everything) == []
    assert "did not stop by itself" not in run.said()

    # A second start finds everything as it was.
    again = start().ready()
    assert again.env["ESCALE_TOKEN"] == token
    assert "shown this once" not in again.said()
    assert not (run.home / "run" / "not-yet-shown.json").exists()
    assert token not in again.said()
    assert str(again.home / "sandbox.env") in again.said()
    assert get(f"{again.env['ESCALE_URL']}/api/v1/projects/", token)[0] == 200

    # A launcher that is killed takes everything with it, and the next start is none the worse.
    everything = again.descendants()
    again.process.kill()
    again.process.wait()
    end = time.monotonic() + 30
    while alive(everything):
        assert time.monotonic() < end, alive(everything)
        time.sleep(0.1)
    third = start().ready()
    assert third.env["ESCALE_TOKEN"] == token
    assert third.interrupt() == 0


def test_two_copies_run_side_by_side_one_of_them_on_servers_of_others(start, tmp_path):
    import psycopg

    given = os.environ["DATABASE_URL"].rsplit("/", 1)[0]
    name = f"escale_launcher_{os.getpid()}"
    with psycopg.connect(f"{given}/postgres", autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name}")
        try:
            first = start("sandbox")
            second = start(
                "real",
                ESCALE_SANDBOX="0",
                DATABASE_URL=f"{given}/{name}",
                REDIS_URL=os.environ["REDIS_URL"],
                SECRET_KEY="a key of the operator's own, long enough to be one, certainly",
                ESCALE_KEYS="1:" + "A" * 43 + "=",
            )
            for run in (first.ready(), second.ready()):
                assert get(f"{run.env['ESCALE_URL']}/readyz")[0] == 200
            assert first.env["ESCALE_URL"] != second.env["ESCALE_URL"]
            names = {path.stem for path in (second.home / "logs").iterdir()}
            assert not names & {"postgres", "redis", "paris"}
            assert re.findall(r"^    (architect|admin|viewer) ", second.said(), re.M) == ["admin"]
            assert second.interrupt() == 0
            assert get(f"{first.env['ESCALE_URL']}/readyz")[0] == 200
            assert first.interrupt() == 0
        finally:
            connection.execute(f"drop database {name} with (force)")


def test_a_port_that_is_taken_is_an_error_that_names_the_fix(start):
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        run = start(PORT=str(port))
        assert run.process.wait(60) == 1
    assert f"Port {port} is taken" in run.said()
    assert "PORT=0" in run.said()
    assert not (run.home / "postgres").exists()


def test_real_services_need_keys_of_the_operators_own(start):
    run = start(ESCALE_SANDBOX="0")
    assert run.process.wait(120) == 1
    assert "SECRET_KEY is not set" in run.said()
    assert "ESCALE_KEYS is not set" in run.said()
    assert "Traceback" not in run.said()


def test_a_wrong_setting_is_named_before_anything_starts(start):
    run = start(ESCALE_WORKERS="many", PORT="minus one")
    assert run.process.wait(60) == 1
    assert "ESCALE_WORKERS is 'many' - that is not a whole number" in run.said()
    assert "PORT is 'minus one'" in run.said()
    assert not run.home.exists() or not (run.home / "postgres").exists()


def test_an_interrupt_in_the_middle_of_the_start_leaves_nothing(start):
    run = start()
    run.until_said("PostgreSQL answers", timeout_s=60)
    everything = run.descendants()
    assert run.interrupt() == 0, run.said()
    assert alive(everything) == []
