"""Designs to start from: each is what it says it is, in both languages, and can be planned as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.blueprints import checking
from apps.blueprints.starting_points import FOLDER, TEMPLATES, Template
from engine import compose
from engine.realise import realise
from tests.engine.drawings import OWNER, TARGET, machines
from tests.people import Person

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "awesome-compose"
OWN = [template for template in TEMPLATES.values() if not template.corpus]
BUILT = {"nginx-flask-mysql": ("backend", "proxy"), "nginx-golang-postgres": ("backend",)}


def named(templates: Any) -> Any:
    return pytest.mark.parametrize("template", templates, ids=lambda template: template.name)


def contents(template: Template) -> dict[str, bytes]:
    return {path: text.encode() for path, text in template.files.items()}


def plan(template: Template, region: str | None = None) -> Any:
    project = compose.load(template.compose, name="shop", files=contents(template))
    images = dict.fromkeys(BUILT.get(template.name, ()), "registry.example/app:1")
    return realise(project, TARGET, OWNER, {}, images, region=region)


def test_every_folder_is_offered_and_every_offer_has_its_folder() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(TEMPLATES)
    assert 8 <= len(TEMPLATES) <= 12


@named([template for template in TEMPLATES.values() if template.corpus])
def test_what_comes_from_the_corpus_is_unchanged(template: Template) -> None:
    for path in (CORPUS / template.name).rglob("*"):
        if path.is_file():
            assert (FOLDER / template.name / path.relative_to(CORPUS / template.name)).read_bytes() == path.read_bytes()
    assert template.compose.encode() == (CORPUS / template.name / "compose.yaml").read_bytes()
    assert (FOLDER / "LICENSE").read_bytes() == (CORPUS / "LICENSE").read_bytes()


@named(TEMPLATES.values())
def test_nothing_is_wrong_with_a_template(template: Template) -> None:
    assert checking.look_through(template.compose, files=contents(template)) == []


@named(TEMPLATES.values())
def test_a_template_can_be_planned_as_it_stands(template: Template) -> None:
    findings = [finding for finding in plan(template).findings if finding.severity != "info"]
    assert {finding.code for finding in findings} <= {"realise.regions_joined"}


@named(OWN)
def test_our_own_lose_nothing_on_a_cloud(template: Template) -> None:
    assert [entry for entry in plan(template).ledger if entry.verdict == "dropped"] == []


def test_the_three_tiers_stand_on_machines_of_their_own() -> None:
    homes = {
        label: {workload.service for workload in machine.workloads}
        for label, machine in machines(plan(TEMPLATES["three-tier-shop"])).items()
    }
    assert homes == {"front": {"web"}, "workers-1": {"app"}, "workers-2": {"app"}, "data": {"cache", "db"}}


def test_each_of_the_two_regions_is_complete_without_the_other() -> None:
    for region, services in (("main", {"web", "app", "db"}), ("standby", {"web-standby", "app-standby", "db-standby"})):
        desired = plan(TEMPLATES["two-regions"], region)
        found = {workload.service for machine in machines(desired).values() for workload in machine.workloads}
        assert found == services
        assert [entry for entry in desired.ledger if entry.verdict == "dropped" and "services" in entry.path[:1]
                and entry.path[1] in services] == []  # fmt: skip


def test_the_plain_machine_holds_no_container() -> None:
    found = machines(plan(TEMPLATES["machines-and-containers"]))
    assert {label: bool(machine.workloads) for label, machine in found.items()} == {"front": True, "bastion": False}


@pytest.mark.django_db
def test_they_are_listed_in_the_callers_language(viewer: Person) -> None:
    english = viewer.api.get("/api/v1/blueprints/templates/").json()["results"]
    french = viewer.api.get("/api/v1/blueprints/templates/", headers={"Accept-Language": "fr"}).json()["results"]
    assert [row["name"] for row in english] == [row["name"] for row in french] == list(TEMPLATES)
    assert english[0]["title"] == "Three-tier shop"
    assert french[0]["title"] == "Boutique à trois niveaux"
    names = {"WordPress", "Nextcloud", "Gitea"}
    for one, other in zip(english, french, strict=True):
        assert one["description"] != other["description"]
        assert one["title"] != other["title"] or one["title"] in names | {"Prometheus and Grafana"}


@pytest.mark.django_db
@named(TEMPLATES.values())
def test_a_template_becomes_a_draft_and_a_design_over_the_api(template: Template, bob: Person) -> None:
    shown = bob.api.get(f"/api/v1/blueprints/templates/{template.name}/").json()
    assert set(shown) == {"name", "title", "description", "compose", "files"}
    body = {"project": "shop", "name": template.name, "compose": shown["compose"], "files": shown["files"]}
    draft = bob.api.post("/api/v1/drafts/", body)
    assert draft.status_code == 201, draft.content
    saved = bob.api.post(f"/api/v1/drafts/{draft.json()['id']}/save/", {"revision": 1})
    assert saved.status_code == 201, saved.content
    assert saved.json()["version"]["compose"] == template.compose


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e%2fmodels.py", "LICENSE", "__init__.py"])
def test_nothing_else_of_the_server_can_be_read(viewer: Person, name: str) -> None:
    assert viewer.api.get(f"/api/v1/blueprints/templates/{name}/").status_code == 404
