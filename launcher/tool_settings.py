"""Give Django's settings to tools that only read the code (mypy's plug-in), where nothing is running."""

import os

from launcher.environment import placeholders

for _name, _value in placeholders().items():
    os.environ.setdefault(_name, _value)

from portal.settings import *  # noqa: E402, F403
