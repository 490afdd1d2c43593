"""Check that this Python is new enough, then hand over. Kept in a syntax that old Pythons understand."""

import os
import shutil
import sys

NEEDED = (3, 11)
KNOWN = ("python3.11", "python3.12", "python3.13", "python3.14")


def start():
    """Go on with a new enough Python of this machine, or say plainly that there is none."""
    if sys.version_info[:2] < NEEDED:
        for name in KNOWN:
            path = shutil.which(name)
            if path:
                os.execv(path, [path, "-m", "launcher"] + sys.argv[1:])
        sys.exit(
            "Escale needs Python 3.11 or newer - this is Python %d.%d (%s), and none of %s is on the PATH - "
            "install one (Debian, Ubuntu: apt install python3.11 python3.11-venv), then try again."
            % (sys.version_info[0], sys.version_info[1], sys.executable, ", ".join(KNOWN))
        )
    from launcher.commands import run_command

    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    start()
