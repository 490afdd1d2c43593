"""Fill the database of DATABASE_URL with the scene, and print what a browser needs to know of it as JSON.

A program of its own: the tests' own process is bound to another database.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CLOUDS = {"berlin": 0.4, "bremen": 4.0}
"""Fake clouds that answer, and how many seconds each of their tasks takes."""


def seed(password: str, folder: Path) -> dict[str, Any]:
    """Make the scene, and the fake clouds that answer; their worlds are files in the folder."""
    from apps.clouds import services as clouds
    from apps.tenancy.access import System
    from tests.e2e.estate import fill_estate
    from tests.e2e.labelled import label_clouds
    from tests.e2e.scene import make_scene

    scene = make_scene(password)
    estate = fill_estate(scene.clouds["paris"], scene.clouds["frankfurt"])
    stranger(password)
    for name, duration_s in CLOUDS.items():
        cloud = clouds.register_cloud(
            System(scene.organization),
            name=name,
            title=name.capitalize(),
            kind="fake",
            address="127.0.0.1:9443",
            username="escale",
            password="hush",
            options={"state": str(folder / f"{name}.sqlite"), "duration_s": duration_s, "boot_s": duration_s},
        )
        assert clouds.refresh(cloud).ok
    return {
        "estate": estate,
        "runs": label_clouds(scene.organization),
        "designs": {name: str(row.pk) for name, row in scene.designs.items()},
        "plans": {name: str(row.pk) for name, row in scene.plans.items()},
        "deployments": {name: str(row.pk) for name, row in scene.deployments.items()},
        "operations": {name: str(row.pk) for name, row in scene.operations.items()},
    }


def stranger(password: str) -> None:
    """Make an organization that has nothing to do with the scene's, and zoe, who is all of it."""
    from apps.tenancy import services as tenancy
    from apps.tenancy.access import System

    who = System(tenancy.create_organization("rival", "Rival Freight"))
    tenancy.create_project(who, "freight", "Freight")
    tenancy.add_member(who, tenancy.create_user(who, "zoe", password), "admin")


if __name__ == "__main__":
    import django

    django.setup()
    json.dump(seed(sys.argv[1], Path(sys.argv[2])), sys.stdout)
