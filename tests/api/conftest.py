"""Lend the fixtures of the deployments' tests: a fake cloud, and somebody who drives operations to their end."""

from tests.apps.deployments.conftest import blueprint, control, drive, state

__all__ = ["blueprint", "control", "drive", "state"]
