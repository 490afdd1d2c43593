"""Bring everything up, watch over it, and take it down again: what `make run` does inside the virtual environment."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import FrameType
from typing import Any

from launcher import child, environment, processes
from launcher.certificates import Certificates, ensure_certificates, listening_names
from launcher.embedded import Postgres, Redis, ServerFailedError, wait_until_it_answers
from launcher.home import Home, HomeError, as_json, write_private
from launcher.places import CLONE, home_folder
from launcher.simulator_build import SimulatorsError
from launcher.simulators import Simulators
from launcher.supervisor import Supervisor, stop_leftovers
from launcher.terminal import complain, say, step
from portal.env import Environment, SettingsError, check_together, declared, load

DATABASE = "escale"
READY_TIMEOUT_S = 90.0


class StartError(RuntimeError):
    """The start cannot go on; the text says what, why and what now."""


class StopRequested(BaseException):
    """Somebody asked for the end: no error, so it passes every `except Exception`."""


class Serving:
    """Hold one run of the portal with everything it needs on this machine."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.settings: Environment = load(environ, reader="launcher")
        self.sandbox: bool = declared("ESCALE_SANDBOX").convert(environ.get("ESCALE_SANDBOX") or "1")
        self.home = Home(home_folder(environ))
        self.supervisor = Supervisor(self.home.logs, self.home.run / "processes.json", CLONE)
        self.interrupts = 0
        self.port = 0
        self.url = ""
        self.child_environ: dict[str, str] = {}

    def run(self) -> int:
        """Serve until asked to stop; returns the exit code. Everything that was started is stopped in any case."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        code = 0
        try:
            self._start()
            self._watch()
        except StopRequested:
            pass
        except (
            HomeError, ServerFailedError, SettingsError, SimulatorsError, StartError,
        ) as error:  # fmt: skip
            complain(str(error))
            code = 1
        finally:
            # From here on a further Ctrl-C only shortens the waiting.
            self.interrupts = max(self.interrupts, 1)
            self._stop()
        return code

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.interrupts += 1
        if self.interrupts == 1:
            raise StopRequested

    def _stop(self) -> None:
        say()
        step("stopping (Ctrl-C once more to hurry)")
        self.supervisor.stop_all(hurry=lambda: self.interrupts > 1)
        step("everything is stopped")

    # Start

    def _start(self) -> None:
        self.home.open(enterable=os.geteuid() == 0 and not child.user_namespaces_work())
        self.home.take()
        for name in stop_leftovers(self.home.run / "processes.json"):
            step(f"stopped {name}, which an earlier start had left running")
        host = self.settings["HOST"]
        self.port = self._port("web", "PORT")
        machine_port = self._port("machine", "MACHINE_PORT")
        certificates = ensure_certificates(self.home.folder / "tls", listening_names(host))
        secrets = self.home.secrets()
        simulators = Simulators(self.home, self.supervisor, self.settings["SIMULATOR_PORTS"]) if self.sandbox else None
        if simulators:
            simulators.begin()
        database_url, redis_url = self._servers(secrets)
        made = environment.of_the_portal(
            self.environ,
            secrets,
            sandbox=self.sandbox,
            database_url=database_url,
            redis_url=redis_url,
            url=f"http://{self.reachable_host}:{self.port}",
            machine_url=f"https://{self.reachable_host}:{machine_port}",
            machine_ca=certificates.authority,
        )
        self.child_environ = environment.of_a_child(self.environ, made)
        check_together(
            load(self.child_environ)
        )  # says at once, and in one place, what the processes would all say in their logs
        self.url = self.child_environ["ESCALE_URL"]
        self.home.write_runtime_env(made)
        self._manage("bringing the database up to date", "migrate", "--no-input")
        if simulators:
            simulators.wait()
        accounts = self._bootstrap(simulators.clouds() if simulators else None)
        self._start_portal(host, machine_port, certificates)
        self._wait_until_ready()
        if simulators:
            # In the background: a sandbox is ready without labels, and stays so when a run fails.
            self.supervisor.start(processes.labels_program(self.child_environ))
        self._greet(accounts)

    def _port(self, name: str, variable: str) -> int:
        return self.home.port(name, self.settings[variable], variable)

    def _servers(self, secrets: Mapping[str, str]) -> tuple[str, str]:
        """Start the embedded servers that no address replaces; returns the addresses of those started."""
        postgres = redis = None
        if not environment.is_given(self.environ, "DATABASE_URL"):
            folder = self.home.folder / "postgres"
            postgres = Postgres(folder, self._port("postgres", "POSTGRES_PORT"), secrets["postgres_password"])
            if not (folder / "PG_VERSION").exists():
                step("making the PostgreSQL database")
            postgres.prepare()
            postgres_process = self.supervisor.start(processes.postgres_program(postgres))
        if not environment.is_given(self.environ, "REDIS_URL"):
            redis = Redis(self.home.folder / "redis", self._port("redis", "REDIS_PORT"), secrets["redis_password"])
            redis_process = self.supervisor.start(processes.redis_program(redis))
        if postgres:
            wait_until_it_answers(postgres, postgres_process, self.supervisor.log_of("postgres"))
            postgres.ensure_database(DATABASE)
            step(f"PostgreSQL answers on port {postgres.port}")
        if redis:
            wait_until_it_answers(redis, redis_process, self.supervisor.log_of("redis"))
            step(f"Redis answers on port {redis.port}")
        return postgres.url(DATABASE) if postgres else "", redis.url() if redis else ""

    def _bootstrap(self, clouds: list[dict[str, Any]] | None) -> dict[str, Any]:
        arguments = ["bootstrap", "--token-file", str(self.home.run / "token")]
        if clouds is None:
            arguments += ["--people", "admin"]
        else:
            path = self.home.run / "clouds.json"
            write_private(path, as_json(clouds))
            arguments += ["--people", "architect,admin,viewer", "--clouds", str(path)]
        accounts: dict[str, Any] = json.loads(self._manage("setting up the organization and its people", *arguments))
        # A start that fails later must not be the only one that knew the passwords.
        accounts["people"] = self.home.not_yet_shown() + accounts["people"]
        self.home.keep_until_shown(accounts["people"])
        self.home.write_sandbox_env(self.url, (self.home.run / "token").read_text(encoding="ascii").strip())
        return accounts

    def _manage(self, title: str, *arguments: str) -> str:
        step(title)
        log = self.home.logs / "setup.log"
        with log.open("ab") as output:
            result = subprocess.run(
                processes.manage(*arguments),
                env=self.child_environ,
                cwd=CLONE,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,
                check=False,
            )
            output.write(result.stderr)
        if result.returncode:
            said = result.stderr.decode(errors="replace").strip()[-1500:]
            raise StartError(f"`manage.py {arguments[0]}` failed - {said} - see {log}, mend that, then try again.")
        return result.stdout.decode()

    def _start_portal(self, host: str, machine_port: int, certificates: Certificates) -> None:
        environ = self.child_environ
        for number in range(1, self.settings["ESCALE_WORKERS"] + 1):
            self.supervisor.start(processes.worker_program(environ, number))
        self.supervisor.start(processes.relay_program(environ))
        self.supervisor.start(processes.beat_program(environ, self.home.run))
        self.supervisor.start(processes.web_program(environ, host, self.port))
        self.supervisor.start(processes.machine_program(environ, host, machine_port, certificates))

    def _wait_until_ready(self) -> None:
        step("starting web, workers, relay and beat")
        until = time.monotonic() + READY_TIMEOUT_S
        while True:
            self.supervisor.tick()
            problems = self._problems()
            if not problems:
                return
            if time.monotonic() > until:
                raise StartError(
                    f"The portal is not ready after {READY_TIMEOUT_S:g} s - {'; '.join(problems.values())} - "
                    f"see the logs in {self.home.logs}."
                )
            time.sleep(0.25)

    def _problems(self) -> dict[str, str]:
        """Return what /readyz complains about, by check; nothing when the portal is ready."""
        try:
            with urllib.request.urlopen(f"http://{self.reachable_host}:{self.port}/readyz", timeout=5):
                return {}
        except urllib.error.HTTPError as error:
            try:
                checks = json.load(error)["checks"]
            except (ValueError, KeyError):
                return {"web": f"the web process answers {error.code}"}
            return {name: check["problem"] for name, check in checks.items() if not check["ok"]}
        except (OSError, http.client.HTTPException) as error:
            return {"web": f"the web process does not answer ({error})"}

    @property
    def reachable_host(self) -> str:
        """Return the address at which this machine reaches a listener on HOST."""
        host: str = self.settings["HOST"]
        return "127.0.0.1" if host in ("0.0.0.0", "") else host

    def _greet(self, accounts: Mapping[str, Any]) -> None:
        step("ready")
        say()
        if accounts["people"]:
            say("  People made now; these passwords are shown this once:")
            for person in accounts["people"]:
                say(f"    {person['username']:<10} {person['password']:<24} {person['role']}")
            say()
        say(f"  Open     {self.url}")
        say(f"  API      {self.url}/api/docs/")
        if accounts["token_is_new"]:
            say(f"  Token    {self.home.token()}")
        else:
            say("  Token    as before")
        say(f"           (with the address in {self.home.sandbox_env}, for scripts to source)")
        say(f"  Logs     {self.home.logs}")
        say()
        say("  Ctrl-C stops everything.")
        self.home.keep_until_shown([])

    def _watch(self) -> None:
        while True:
            self.supervisor.tick()
            time.sleep(0.2)
