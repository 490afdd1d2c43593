"""`--region` plans one region of a drawing as a deployment of its own, on the cloud that it is drawn for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import app as cli

TEXT = "services: {web: {image: nginx}}\nx-escale: {regions: {front: {cloud: paris}}}\n"


class Portal:
    """Answer as the portal would, and remember what was sent."""

    def __init__(self, running: list[dict[str, Any]]) -> None:
        self.running, self.sent, self.asked = running, {}, []  # type: ignore[var-annotated]

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        self.asked.append((path, query))
        return {"results": self.running if "deployments" in path else []}

    def post(self, path: str, body: dict[str, Any]) -> tuple[dict[str, Any], None]:
        self.sent[path] = body
        return {"id": "1"}, None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "compose.yaml"
    path.write_text(TEXT)
    return path


def planned(portal: Portal, file: Path, to: str, region: str) -> dict[str, Any]:
    cli._plan(portal, file, to, "shop", "shop", None, True, region=region, quiet=True)  # type: ignore[arg-type]
    body: dict[str, Any] = portal.sent["/api/v1/plans/"]
    return body


def test_the_design_keeps_its_name_and_the_deployment_adds_the_region_s(file: Path) -> None:
    portal = Portal([])
    body = planned(portal, file, "", "front")
    assert portal.sent["/api/v1/blueprints/"]["name"] == "shop"
    assert (body["name"], body["region"], "cloud" in body) == ("shop-front", "front", False)
    assert ("/api/v1/deployments/", {"project": "shop", "name": "shop-front"}) in portal.asked
    assert planned(Portal([]), file, "roubaix", "front")["cloud"] == "roubaix"


def test_a_region_that_runs_already_is_updated(file: Path) -> None:
    assert planned(Portal([{"id": "7"}]), file, "", "front")["deployment"] == "7"


def test_without_a_region_all_of_it_is_planned_for_the_named_cloud(file: Path) -> None:
    body = planned(Portal([]), file, "paris", "")
    assert (body["name"], body["region"], body["cloud"]) == ("shop", "", "paris")
