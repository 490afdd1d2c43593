#!/usr/bin/env python
"""Run Django's commands; in a clone where `make run` works, with the sandbox's own settings."""

import os
import sys


def run() -> None:
    """Start the command line, with a plain message instead of a traceback when the settings are wrong."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from launcher.environment import complete_for_manage
    from portal.env import SettingsError

    complete_for_manage(os.environ, sys.argv[1:2])
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except (SettingsError, ImproperlyConfigured) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    run()
