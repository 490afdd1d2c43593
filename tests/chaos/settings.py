"""The portal's settings with quick leases, and a cloud in a file that counts what is done to it."""

import json
import os

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.app"]
OPERATIONS = json.loads(os.environ["CHAOS_FIGURES"])
ALLOWED_HOSTS = ["*"]
