"""Real drawings: each of the corpus realises and plans on a vSphere without an error, and its plan is as expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.planner import plan_text
from engine.resources import Machine
from engine.userdata import materialise, render, secret_files
from tests.engine.cloud import TinyCloud
from tests.engine.drawings import draw, errors, load, part
from tests.engine.golden import check_golden
from tests.engine.test_userdata import OFFER, check_cloud_config, files_of, read_by_compose

FOLDER = Path(__file__).parents[1] / "corpus" / "awesome-compose"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def drawing(name: str) -> tuple[str, dict[str, bytes]]:
    """Return the text of a drawing and the files beside it."""
    (path,) = FOLDER.joinpath(name).glob("compose.y*ml")
    beside = {
        str(other.relative_to(path.parent)): other.read_bytes()
        for other in sorted(path.parent.rglob("*"))
        if other.is_file() and other != path
    }
    return path.read_text(encoding="utf-8"), beside


def test_the_whole_corpus_is_here() -> None:
    assert len(NAMES) == 20


@pytest.mark.parametrize("name", NAMES)
def test_a_real_drawing_can_be_deployed_updated_and_destroyed(name: str, tmp_path: Path) -> None:
    text, files = drawing(name)
    project = load(text, files)
    images = {
        service: f"registry.example/{name}/{service}:1"
        for service, body in project.services().items()
        if "image" not in body
    }
    desired = draw(project, images=images)
    assert not errors(desired)
    cloud = TinyCloud()
    plan = cloud.plan(desired)
    ledger = "".join(
        f"# {entry.line or '-'} {'.'.join(map(str, entry.path))} {entry.verdict}: {entry.reason}\n"
        for entry in plan.ledger
        if entry.verdict != "honoured"
    )
    check_golden(f"corpus/{name}", plan_text(plan) + ledger)

    standing: list[str] = []
    for machine in desired.resources.values():
        if isinstance(machine, Machine):
            userdata = materialise(machine.userdata, OFFER) if machine.fetches_secrets else machine.userdata
            written = files_of(check_cloud_config(render(userdata)))
            standing.extend(read_by_compose(tmp_path, written["/opt/escale/compose.yaml"].decode())["services"])
            secrets = secret_files(project, machine)
            assert bool(secrets) == machine.fetches_secrets
            for content in secrets.values():
                assert not any(content in data for data in written.values())
            assert part(desired, machine.key.removeprefix("machine:"))["name"] == "shop"
    assert sorted(standing) == sorted(project.services())

    cloud.execute(plan)
    assert cloud.plan(draw(project, images=images, prior=cloud.prior)).empty
    # The same on a machine for each service: another way to the same containers.
    alone = draw(project, images=images, prior=cloud.prior, policy={"isolation": "machine"})
    assert not errors(alone)
    cloud.deploy(alone)
    cloud.execute(cloud.plan_destroy())
    assert not cloud.things
