import os
import signal
import sys
import time

import psutil
import pytest

from launcher.embedded import wrapped
from launcher.supervisor import Program, Supervisor, stop_leftovers

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path / "logs", tmp_path / "processes.json", tmp_path)
    yield made
    made.stop_all(hurry=lambda: True)


def until(condition, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_what_dies_is_started_again_with_a_line_on_the_terminal(supervisor, capfd):
    process = supervisor.start(Program("web", lambda: SLEEPER, rank=1))
    first = process.pid
    os.kill(first, signal.SIGKILL)

    def again():
        supervisor.tick()
        return supervisor.pid_of("web") != first

    until(again)
    assert psutil.pid_exists(supervisor.pid_of("web"))
    assert "web was killed by SIGKILL; starting it again in 0.5 s" in capfd.readouterr().out


def test_what_keeps_dying_waits_longer_each_time(supervisor, capfd):
    supervisor.start(Program("broken", lambda: [sys.executable, "-c", "raise SystemExit(3)"], rank=1))
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        supervisor.tick()
        time.sleep(0.02)
    out = capfd.readouterr().out
    assert "ended with exit code 3; starting it again in 0.5 s" in out
    assert "starting it again in 1 s" in out
    assert out.count("starting it again") <= 4


def test_output_goes_to_a_log_of_its_own(supervisor):
    process = supervisor.start(Program("web", lambda: [sys.executable, "-c", "print('hello'); exit(0)"], rank=1))
    process.wait()
    assert supervisor.log_of("web").read_text() == "hello\n"


def test_they_stop_in_the_order_of_their_ranks(supervisor, tmp_path):
    note = tmp_path / "stopped"
    script = (
        "import signal, sys, time\n"
        f"def stop(*_): open({str(note)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    for name, rank in (("database", 0), ("worker", 3), ("web", 5)):
        supervisor.start(Program(name, lambda name=name: [sys.executable, "-c", script, name], rank=rank))
    until(lambda: all("up" in supervisor.log_of(name).read_text() for name in ("database", "worker", "web")))
    supervisor.stop_all()
    assert note.read_text().split() == ["web", "worker", "database"]


def test_what_does_not_stop_is_killed_with_its_children(supervisor, capfd):
    script = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    process = supervisor.start(Program("stubborn", lambda: [sys.executable, "-c", script], rank=1, stop_timeout_s=0.3))
    until(lambda: supervisor.log_of("stubborn").exists() and supervisor.log_of("stubborn").read_text().strip())
    grandchild = int(supervisor.log_of("stubborn").read_text())
    supervisor.stop_all()
    assert process.returncode == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")
    assert "stubborn did not stop by itself; killing it" in capfd.readouterr().out


def test_leftovers_of_a_killed_launcher_are_stopped(supervisor, tmp_path):
    process = supervisor.start(Program("worker", lambda: SLEEPER, rank=1))
    assert stop_leftovers(tmp_path / "processes.json") == ["worker"]
    assert not psutil.pid_exists(process.pid)
    assert not (tmp_path / "processes.json").exists()


def test_a_stranger_with_a_recorded_number_is_left_alone(tmp_path):
    record = tmp_path / "processes.json"
    record.write_text(f'[{{"name": "worker", "pid": {os.getpid()}, "created": 1.0}}]')
    assert stop_leftovers(record) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties lives together on Linux only")
def test_children_end_when_their_launcher_is_killed(tmp_path):
    note = tmp_path / "pid"
    script = (
        "import subprocess, sys, time\n"
        f"sys.path.insert(0, {os.getcwd()!r})\n"
        "from launcher.embedded import wrapped\n"
        f"child = subprocess.Popen(wrapped({SLEEPER!r}), start_new_session=True)\n"
        "time.sleep(0.5)\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    launcher = psutil.Popen([sys.executable, "-c", script])
    until(lambda: note.exists() and note.read_text())
    child = int(note.read_text())
    assert psutil.pid_exists(child)
    launcher.kill()
    launcher.wait()
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


def test_a_wrapped_program_keeps_its_arguments(tmp_path):
    done = psutil.Popen(wrapped([sys.executable, "-c", "import sys; print(sys.argv[1:])", "--a", "b c"]), stdout=-1)
    assert done.communicate()[0].decode().strip() == "['--a', 'b c']"


def test_what_runs_once_is_not_started_again_and_only_its_failure_is_told(supervisor, capfd):
    for name, code in (("good", 0), ("bad", 3)):
        command = [sys.executable, "-c", f"import sys; sys.exit({code})"]
        supervisor.start(Program(name, lambda command=command: command, 1, once=True))

    def over():
        supervisor.tick()
        return "bad" not in supervisor.record.read_text() and "good" not in supervisor.record.read_text()

    until(over)
    said = capfd.readouterr().out
    assert "bad ended with exit code 3" in said
    assert "good" not in said
    assert "again" not in said
    supervisor.stop_all()
