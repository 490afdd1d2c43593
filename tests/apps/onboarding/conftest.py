"""A cloud with machines that somebody else made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps.deployments.conftest import control, drive, paris, state
from tests.people import Person

__all__ = ["control", "drive", "paris", "state"]


def make_machine(control: Any, name: str, *, folder: str = "Legacy/Shop", **data: Any) -> str:
    """Put a running machine with two disks into the cloud; return its identity."""
    identity: str = control.put_machine(name, folder=folder)
    disks = [{"volume": None, "id": f"{identity}-{number}", "path": "", "size_gib": 10.0 * number} for number in (1, 2)]
    facts = {"power": "on", "on_since": 0.0, "networks": ["network-1"], "disks": disks, "annotation": "bob's"}
    control.change(identity, **{**facts, **data})
    return identity


@pytest.fixture
def estate(paris: Any, control: Any) -> list[str]:
    """Three machines that run on paris."""
    return [make_machine(control, name) for name in ("web 01", "db", "<script>alert(1)</script>")]


@pytest.fixture
def adopt(bob: Person, paris: Any, drive: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function that onboards machines, by REST, and gives the deployment's body back."""

    def onboard(machines: list[str], name: str = "legacy") -> Any:
        body = {"project": "shop", "cloud": "paris", "name": name, "machines": machines}
        made = bob.api.post("/api/v1/onboardings/", body, format="json")
        assert made.status_code == 201, made.content
        plan = bob.api.post(f"/api/v1/onboardings/{made.json()['id']}/plan/", format="json")
        assert plan.status_code == 201, plan.content
        started = bob.api.post("/api/v1/deployments/", {"plan": plan.json()["id"]}, format="json")
        assert started.status_code == 202, started.content
        operation = drive(started.json()["operation"])
        assert operation.state == "succeeded", operation.error
        return bob.api.get(f"/api/v1/deployments/{started.json()['id']}/").json()

    return onboard
