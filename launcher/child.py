"""Turn into another program, after giving up root and tying one's life to the parent's.

    python launcher/child.py [--unprivileged] [--parent PID] [--death-signal INT|TERM|KILL] -- program arguments…

PostgreSQL refuses to run as root. With `--unprivileged` root becomes the user `nobody` inside a user namespace
of its own, in which root's files are nobody's: no account is made and no folder's rights are widened. Where the
kernel forbids that (some containers) the process really becomes `nobody`, and the caller must have chosen folders
that `nobody` may enter.

The parent's death is followed by the signal named, so that a launcher that is killed leaves no orphan (Linux only).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
UNPRIVILEGED_USER = "nobody"


def give_up_root() -> None:
    """Become `nobody`, in a user namespace when the kernel allows it; does nothing unless root."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(UNPRIVILEGED_USER)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.unshare(CLONE_NEWUSER) == 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{account.pw_uid} 0 1")
        _write("/proc/self/gid_map", f"{account.pw_gid} 0 1")
        return
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def follow_parent(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel for a signal when the parent dies; end at once when it has died already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def user_namespaces_work() -> bool:
    """Tell whether root's files stay reachable after `give_up_root`; tries it in a child process."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) == 0:
                _write("/proc/self/setgroups", "deny")
                _write("/proc/self/uid_map", "65534 0 1")
                status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def become(arguments: list[str]) -> None:
    """Read the command line, then replace this process; never returns."""
    parser = argparse.ArgumentParser(prog="launcher/child.py")
    parser.add_argument("--unprivileged", action="store_true")
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--death-signal", default="TERM", choices=("INT", "TERM", "KILL"))
    parser.add_argument("program", nargs="+")
    options = parser.parse_args(arguments)
    if options.unprivileged:
        give_up_root()
    if options.parent:
        follow_parent(options.parent, signal.Signals[f"SIG{options.death_signal}"])
    os.execvp(options.program[0], options.program)


if __name__ == "__main__":
    become(sys.argv[1:])
