"""A plan may be for one region of a drawing; together the regions' plans are the whole, and nothing crosses unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compose.model import Project
from engine.plan import LedgerEntry
from engine.realise import Desired, regions
from engine.resources import Volume
from engine.userdata import read_file
from tests.engine.drawings import draw, errors, found, load, machines, part, placed
from tests.engine.test_plan_properties import drawings

SHOP = """
services:
  web:
    image: nginx
    depends_on: [api, db]
    links: [db]
    networks: [front, back]
    secrets: [key]
    x-escale: {machine: edge, uses: [api, db], affinity: {services: [api, db], mode: soft}}
  api:
    image: api
    environment: {DB: "postgres://db:5432/shop"}
    networks: [back]
    volumes: ["shared:/data"]
    configs: [settings]
  db:
    image: postgres
    networks: [back]
    expose: [5432]
    volumes: ["shared:/data", "own:/own"]
    x-escale: {region: backup, anti_affinity: {services: [web]}}
  probe:
    image: probe
    network_mode: service:web
    volumes_from: [api]
    x-escale: {region: backup}
networks: {front: {}, back: {}}
volumes: {shared: {}, own: {}}
configs: {settings: {content: x}}
secrets: {key: {environment: KEY}}
x-escale:
  regions: {paris: {cloud: paris}, backup: {cloud: roubaix}}
  machines:
    edge: {cpus: 2}
    bastion: {region: backup, template: debian-12-minimal}
"""


def told(desired: Desired, prefix: str = "ledger.regions.") -> dict[tuple[str | int, ...], LedgerEntry]:
    return {one.path: one for one in desired.ledger if one.code.startswith(prefix)}


def test_each_region_has_its_services_and_machines_and_what_they_use() -> None:
    project = load(SHOP, KEY="k")
    assert regions.names(project) == ("paris", "backup")
    paris, backup = (regions.part(project, region) for region in regions.names(project))
    assert (list(paris.services()), list(backup.services())) == (["api", "web"], ["db", "probe"])
    assert (list(paris.networks()), list(backup.networks())) == (["back", "front"], ["back"])
    assert set(paris.volumes()) == {"shared"}
    assert set(backup.volumes()) == {"own", "shared"}
    assert (list(paris.configs()), list(backup.configs())) == (["settings"], [])
    assert (list(paris.secrets()), list(backup.secrets())) == (["key"], [])
    assert placed(draw(project, region="paris")) == {"edge": ["web/1"], "host-1": ["api/1"]}
    assert placed(draw(project, region="backup")) == {"bastion": [], "host-1": ["db/1", "probe/1"]}


def test_regions_tell_the_clouds_that_they_are_meant_for() -> None:
    assert regions.clouds(load(SHOP, KEY="k")) == {"paris": "paris", "backup": "roubaix"}
    assert regions.clouds(load("services: {a: {image: a}}\nx-escale: {regions: {one: , two: {title: T}}}")) == {
        "one": "",
        "two": "",
    }


def test_the_region_that_a_service_names_is_honoured_in_the_plans_of_both_kinds() -> None:
    project = load(SHOP, KEY="k")
    for desired in (draw(project), draw(project, region="backup")):
        line = next(one for one in desired.ledger if one.path == ("services", "db", "x-escale", "region"))
        assert (line.verdict, line.code) == ("honoured", "ledger.x-escale.region")


def test_what_leads_to_another_region_is_in_the_ledger_beside_its_line() -> None:
    project = load(SHOP, KEY="k")
    desired = draw(project, region="paris")
    assert not errors(desired)
    lines = told(desired)
    assert {path: (one.verdict, one.line) for path, one in lines.items()} == {
        ("services", "web", "depends_on", "db"): ("dropped", 5),
        ("services", "web", "links", 0): ("dropped", 6),
        ("services", "web", "x-escale", "uses"): ("dropped", 9),
        ("services", "web", "x-escale", "affinity"): ("dropped", 9),
        ("services", "api"): ("approximated", 10),
        ("networks", "back"): ("approximated", 27),
        ("volumes", "shared"): ("approximated", 28),
    }
    assert "db (region backup)" in lines["volumes", "shared"].reason
    web = part(desired, "edge")["services"]["web"]
    assert "depends_on" not in web
    assert "links" not in web
    across = told(draw(project, region="backup"))
    assert across["services", "db", "x-escale", "anti_affinity"].verdict == "honoured"
    assert across["services", "probe", "network_mode"].verdict == "dropped"
    assert across["services", "probe", "volumes_from", 0].verdict == "dropped"
    probe = part(draw(project, region="backup"), "host-1")["services"]["probe"]
    assert not probe.keys() & {"network_mode", "volumes_from"}


def test_the_ledger_of_a_region_is_in_the_order_of_the_source() -> None:
    lines = [one.line for one in draw(load(SHOP, KEY="k"), region="paris").ledger if one.line is not None]
    assert lines == sorted(lines)


def test_a_shared_volume_is_a_disk_in_each_region() -> None:
    for region in ("paris", "backup"):
        volumes = [
            one for one in draw(load(SHOP, KEY="k"), region=region).resources.values() if isinstance(one, Volume)
        ]
        assert "volume:shared" in [volume.key for volume in volumes]


def test_a_drawing_of_several_regions_is_planned_whole_with_a_warning() -> None:
    desired = draw(load(SHOP, KEY="k"))
    (finding,) = found(desired, "realise.regions_joined")
    assert (finding.severity, finding.path, finding.line) == ("warning", ("x-escale", "regions"), 32)
    assert {key for keys in placed(desired).values() for key in keys} == {"web/1", "api/1", "db/1", "probe/1"}
    assert "machine:bastion" in desired.resources
    assert not told(desired)
    assert desired.regions["machine:bastion"] == "backup"
    assert not found(draw("services: {a: {image: a}}\nx-escale: {regions: {one: }}"), "realise.regions_joined")


def test_a_region_that_the_drawing_does_not_have_is_an_error() -> None:
    desired = draw(load(SHOP, KEY="k"), region="<script>")
    assert errors(desired) == ["realise.region_unknown"]
    assert "choose one of paris, backup" in desired.findings[0].message
    assert not desired.resources
    assert errors(draw("services: {a: {image: a}}", region="paris")) == ["realise.region_unknown"]
    with pytest.raises(KeyError):
        regions.part(load(SHOP, KEY="k"), "lyon")


def test_a_region_is_told_what_it_leaves_out() -> None:
    (finding,) = found(draw(load(SHOP, KEY="k"), region="paris"), "realise.region_part")
    assert "2 of 4 services" in finding.message


def test_machines_tell_their_region() -> None:
    assert draw(load(SHOP, KEY="k"), region="backup").regions == {
        "machine:bastion": "backup",
        "machine:host-1": "backup",
    }
    assert draw("services: {a: {image: a}}").regions == {}


def test_a_mistake_in_another_region_stops_nothing_here() -> None:
    text = SHOP.replace("region: backup, template", "region: backup, cpu: 1, template").replace(
        "x-escale: {region: backup, anti_affinity", "x-escale: {region: backup, anti_afinity"
    )
    project = load(text, KEY="k")
    assert not errors(draw(project, region="paris"))
    assert errors(draw(project, region="backup")) == ["realise.extension", "realise.extension"]
    assert errors(draw(project)) == ["realise.extension", "realise.extension"]


def test_a_service_drawn_in_two_regions_is_an_error_where_its_machine_is() -> None:
    text = SHOP.replace("{machine: edge,", "{machine: edge, region: backup,")
    project = load(text, KEY="k")
    assert errors(draw(project, region="paris")) == ["realise.region_conflict"]
    assert not errors(draw(project, region="backup"))


def test_images_of_other_regions_are_not_missed() -> None:
    images = {"db": "postgres:17", "web": "nginx:2", "nobody": "x"}
    desired = draw(load(SHOP, KEY="k"), region="paris", images=images)
    (finding,) = found(desired, "realise.image_unknown")
    assert "nobody" in finding.message
    assert "db" not in finding.message


def test_the_file_of_a_secret_of_another_region_does_not_travel_as_a_plain_file() -> None:
    text = """
    services:
      a: {image: a, volumes: ["./key.pem:/key.pem"]}
      b: {image: b, secrets: [key], x-escale: {region: two}}
    secrets: {key: {file: key.pem}}
    x-escale: {regions: {one: , two: }}
    """
    desired = draw(text, files={"key.pem": "private"}, region="one")
    userdata = machines(desired)["host-1"].userdata
    assert read_file(userdata, "/opt/escale/files/key.pem") is None
    assert machines(desired)["host-1"].fetches_secrets


@pytest.mark.parametrize(
    "text",
    [
        "x-escale: []",
        "x-escale: text",
        "x-escale: {regions: [one, two], machines: [m]}",
        "x-escale: {regions: {one: 1, two: []}, machines: {m: 7, n: {region: [one]}, o: {region: {a: b}}}}",
    ],
)
@pytest.mark.parametrize("service", ["{region: [a], machine: {b: c}}", "[region]", "{uses: db, affinity: 3}", "7"])
def test_extensions_of_any_form_are_survived_and_told(text: str, service: str) -> None:
    project = load(f"services: {{a: {{image: a, x-escale: {service}}}, b: {{image: b}}}}\n{text}\n")
    assert "realise.extension" in errors(draw(project))
    for region in regions.names(project):
        draw(project, region=region)


# Whatever is drawn.


@st.composite
def divided(pick: Any) -> Project:
    """The drawings of the plans' properties, with regions and machines that services name, or do not."""
    project = pick(drawings())
    names = pick(st.lists(st.sampled_from(["north", "south", "west"]), unique=True, min_size=1, max_size=3))
    declared = {
        name: pick(st.sampled_from([{}, {"region": names[-1]}, {"count": 2}]))
        for name in pick(st.lists(st.sampled_from(["front", "back"]), unique=True))
    }
    bodies: dict[str, Any] = {}
    for name in project.services():
        extension = dict(project.extensions("services", name).get("x-escale") or {})
        choice = pick(st.sampled_from([None, "machine", "region"]))
        if choice == "machine" and declared:
            extension["machine"] = pick(st.sampled_from(sorted(declared)))
        elif choice == "region":
            extension["region"] = pick(st.sampled_from(names))
        bodies[name] = {"x-escale": extension} if extension else {}
    top = {"regions": dict.fromkeys(names), "machines": declared}
    return replace(project, model={**project.model, "services": bodies, "x-escale": top})


@given(divided())
@settings(max_examples=60, deadline=None)
def test_every_service_and_machine_is_in_the_plan_of_exactly_one_region(project: Project) -> None:
    parts = {region: regions.part(project, region) for region in regions.names(project)}
    services = [name for one in parts.values() for name in one.services()]
    assert sorted(services) == sorted(project.services())
    drawn = [name for one in parts.values() for name in one.extensions()["x-escale"]["machines"]]
    assert sorted(drawn) == sorted(project.extensions()["x-escale"]["machines"])
    for section in ("networks", "volumes"):
        kept = {name for one in parts.values() for name in one.config[section]}
        assert kept == set(project.config[section])
    for region, one in parts.items():
        assert regions.names(one) == (region,)
        assert regions.part(one, region) == one
        homes = regions.region_of(project)
        assert {homes[name] for name in one.services()} <= {region}
        for body in one.services().values():
            assert set(body.get("depends_on") or ()) <= set(one.services())
    whole = draw(project)
    if errors(whole):
        return
    alone = [key for region in parts for keys in placed(draw(project, region=region)).values() for key in keys]
    assert sorted(alone) == sorted(key for keys in placed(whole).values() for key in keys)


@given(divided())
@settings(max_examples=60, deadline=None)
def test_every_dependency_that_crosses_regions_is_told_once(project: Project) -> None:
    homes = regions.region_of(project)
    crossing = sorted(
        (name, other)
        for name, body in project.services().items()
        for other in body.get("depends_on") or ()
        if homes[name] != homes[other]
    )
    seen = sorted(
        (one.path[1], one.path[3])
        for region in regions.names(project)
        for one in regions.crossings(project, region)
        if one.code == "regions.depends_on"
    )
    assert seen == crossing
