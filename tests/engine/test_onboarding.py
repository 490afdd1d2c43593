"""Machines that run already are drawn, planned and let go, and never made, replaced or deleted."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import onboarding, planner
from engine.found import FoundDisk, FoundMachine
from engine.observed import ObservedState
from engine.plan import Plan
from engine.resources import Machine, config_hash, from_json, to_json
from tests.engine.compose.reference import ask_reference
from tests.engine.drawings import OWNER, draw, errors, load, machines

WEB = FoundMachine(
    id="50360a2f-0000-4000-8000-000000000001",
    ref="vm-41",
    name="web 01",
    power="on",
    cpus=2,
    memory_mib=4096,
    folder="Legacy/Shop",
    networks=("frontend", "backend"),
    disks=(FoundDisk("Hard disk 1", 40 * 1024, "san-gold"), FoundDisk("Hard disk 2", 10_241, "san-silver")),
    guest="Debian GNU/Linux 11 (64-bit)",
)
DB = replace(
    WEB, id="50360a2f-0000-4000-8000-000000000002", ref="vm-42", name="db", cpus=8, memory_mib=16_384, power="off"
)
ESTATE = (WEB, DB)
HOSTILE = (
    "<script>alert(1)</script>",
    "${HOME}",
    "$$",
    "a: b\n  c: d",
    "# not a comment",
    '"; rm -rf /',
    "\\",
    "\u2028\u0000\u0085\ud800",
    "é ü 漢字 😀",
    "",
    " ",
    "-",
    "on",
    "null",
    "0x1f",
    "1e3",
    "x" * 300,
    "web-01",
    "WEB 01",
    "web_01",
)


def drawing(*found: FoundMachine) -> str:
    return onboarding.draw("legacy", "paris", found).text


class Estate:
    """A cloud with running machines, and what the journal would have recorded of them."""

    def __init__(self, *found: FoundMachine) -> None:
        self.found = {machine.id: machine for machine in found}
        self.prior: dict[str, dict[str, Any]] = {}

    def plan(self, text: str, *, restore: bool = False) -> Plan:
        ours = {one.resource: one.observed() for one in self.found.values() if one.is_of(OWNER)}
        others = {one.id: one for one in self.found.values() if not one.is_of(OWNER)}
        return planner.plan(
            draw(text), ObservedState(ours), self.prior, OWNER, "paris", adoptable=others, restore=restore
        )

    def run(self, plan: Plan) -> list[str]:
        assert not plan.blocked, [finding.message for finding in plan.findings]
        for action in plan.actions:
            assert action.external_id is not None
            spec = json.loads(json.dumps(dict(action.spec)))
            one = self.found[action.external_id]
            if action.verb == "machine.adopt":
                one = replace(
                    one,
                    deployment_id=OWNER.deployment_id,
                    resource=action.resource,
                    config_hash=spec["config_hash"],
                    adopted=True,
                )
                self.prior[action.resource] = {**spec, "state": "running" if one.power == "on" else "stopped"}
            elif action.verb == "machine.release":
                one = replace(one, deployment_id="", resource="", config_hash="", adopted=False)
                del self.prior[action.resource]
            elif action.verb == "machine.update":
                disks = tuple(FoundDisk(**disk) for disk in spec["own_disks"]) or one.disks
                one = replace(
                    one,
                    cpus=spec["cpus"],
                    memory_mib=spec["memory_mib"],
                    disks=disks,
                    config_hash=spec["config_hash"],
                )
                self.prior[action.resource] = {**spec, "state": self.prior[action.resource]["state"]}
            elif action.verb in ("machine.start", "machine.stop"):
                one = replace(one, power="on" if action.verb == "machine.start" else "off")
                self.prior[action.resource]["state"] = "running" if one.power == "on" else "stopped"
            else:
                assert action.verb == "machine.ready", action.verb
            self.found[one.id] = one
        return [action.key for action in plan.actions]

    def change(self, machine: FoundMachine, **changes: Any) -> None:
        self.found[machine.id] = replace(self.found[machine.id], **changes)


@pytest.fixture
def estate() -> Estate:
    adopted = Estate(*ESTATE)
    adopted.run(adopted.plan(drawing(*ESTATE)))
    return adopted


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in plan.findings]


def test_a_running_machine_is_drawn_with_its_size_networks_and_disks() -> None:
    assert drawing(WEB) == (
        "# Drawn by Escale from 1 machine on paris.\n"
        "# Each is adopted as it is: it gets Escale's markers, and nothing else of it is touched.\n"
        'name: "legacy"\n'
        "services: {}\n"
        "x-escale:\n"
        "  machines:\n"
        "    # Folder Legacy/Shop\n"
        "    web-01:\n"
        "      adopt:\n"
        '        uuid: "50360a2f-0000-4000-8000-000000000001"\n'
        '        name: "web 01"\n'
        '      description: "Debian GNU/Linux 11 (64-bit)"\n'
        "      cpus: 2\n"
        "      memory: 4GiB\n"
        "      networks:\n"
        '        - "frontend"\n'
        '        - "backend"\n'
        "      disks:\n"
        '        - label: "Hard disk 1"\n'
        "          size: 40GiB\n"
        '          datastore: "san-gold"\n'
        '        - label: "Hard disk 2"\n'
        "          size: 10241MiB\n"
        '          datastore: "san-silver"\n'
    )


def test_equal_machines_give_equal_text_in_any_order() -> None:
    many = [replace(WEB, id=f"50360a2f-0000-4000-8000-{number:012d}", name=f"m{number % 7}") for number in range(50)]
    shuffled = list(many)
    random.Random(4).shuffle(shuffled)
    assert drawing(*many) == drawing(*shuffled)


def test_whatever_machines_are_called_their_names_are_text_and_nothing_else() -> None:
    many = [
        replace(WEB, id=f"id-{number}", name=name, folder=name, networks=(name or "n",), guest=name)
        for number, name in enumerate(HOSTILE)
    ]
    drawn = onboarding.draw("legacy", "paris\n- x: y", many)
    project = load(drawn.text)
    bodies = project.extensions()["x-escale"]["machines"]
    assert set(bodies) == set(drawn.names.values())
    assert len(bodies) == len(HOSTILE)
    assert all(len(label) <= 40 for label in bodies)
    for one in many:
        body = bodies[drawn.names[one.id]]
        wanted = one.name[:200].replace("\ud800", "\ufffd").replace("\0", "\ufffd")
        assert body["adopt"] == {"uuid": one.id, "name": wanted or drawn.names[one.id]}
        assert body["networks"] == [wanted or "n"]
    assert not errors(draw(project))
    assert project.services() == {}


def test_nothing_is_made_for_machines_that_run_already() -> None:
    desired = draw(drawing(*ESTATE))
    assert set(desired.resources) == {"machine:web-01", "machine:db"}
    assert not desired.findings
    web = machines(desired)["web-01"]
    assert (web.cpus, web.memory_mib, web.name, web.adopted) == (2, 4096, "web 01", WEB.id)
    assert web.own_networks == ("frontend", "backend")
    assert [(disk.label, disk.size_mib) for disk in web.own_disks] == [("Hard disk 1", 40_960), ("Hard disk 2", 10_241)]
    assert from_json(json.loads(json.dumps(to_json(web)))) == web


def test_the_plan_only_writes_markers_and_says_so() -> None:
    plan = Estate(*ESTATE).plan(drawing(*ESTATE))
    assert [(action.key, action.external_id) for action in plan.actions] == [
        ("machine:db/machine.adopt", DB.id),
        ("machine:web-01/machine.adopt", WEB.id),
    ]
    assert plan.actions[1].title == "Write Escale's markers on web 01"
    assert "nothing else of it is touched" in plan.actions[1].cause
    assert plan.counts()["update"] == 2
    assert not plan.findings
    assert not any(change.destructive for change in plan.changes)


def test_the_drawing_applied_again_is_an_empty_plan(estate: Estate) -> None:
    plan = estate.plan(drawing(*ESTATE))
    assert plan.empty
    assert not plan.findings
    assert plan.counts()["keep"] == 2


def test_a_machine_is_adopted_by_its_identity_alone() -> None:
    estate = Estate(WEB)
    text = f"services: {{}}\nx-escale: {{machines: {{front: {{adopt: {{uuid: {WEB.id.upper()}}}}}}}}}"
    estate.run(estate.plan(text))
    assert estate.plan(text).empty
    estate.change(WEB, cpus=12)
    assert estate.plan(text).empty, "what is not drawn is whatever it is"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"deployment_id": "another"}, "another deployment"),
        ({"organization_id": "another"}, "another deployment"),
        ({"template": True}, "template"),
    ],
)
def test_a_machine_that_is_somebody_s_or_a_template_is_not_adopted(change: dict[str, Any], word: str) -> None:
    plan = Estate(replace(WEB, **change)).plan(drawing(WEB))
    assert codes(plan) == ["plan.adopt_refused"]
    assert word in plan.findings[0].message
    assert plan.blocked
    assert plan.empty
    drawn = onboarding.draw("legacy", "paris", [replace(WEB, **change), DB])
    assert [refused.name for refused in drawn.refused] == ["web 01"]
    assert set(drawn.names) == {DB.id}


def test_a_machine_that_is_gone_is_an_error() -> None:
    plan = Estate().plan(drawing(WEB))
    assert codes(plan) == ["plan.adopt_missing"]
    assert plan.empty


def test_an_adopted_machine_that_vanished_is_told_and_keeps_nothing_else_from_going_on(estate: Estate) -> None:
    del estate.found[WEB.id]
    plan = estate.plan(drawing(*ESTATE).replace("cpus: 8", "cpus: 6"))
    assert "plan.adopt_gone" in codes(plan)
    assert not plan.blocked
    assert [action.key for action in plan.actions] == ["machine:db/machine.update"]
    assert not any(action.verb == "machine.create" for action in estate.plan(drawing(*ESTATE), restore=True).actions)


def test_a_vanished_machine_that_is_taken_out_of_the_drawing_is_forgotten(estate: Estate) -> None:
    gone = estate.found.pop(WEB.id)
    plan = estate.plan(drawing(DB))
    assert [(action.key, action.external_id) for action in plan.actions] == [("machine:web-01/machine.release", WEB.id)]
    estate.found[WEB.id] = gone
    estate.run(plan)
    assert "machine:web-01" not in estate.prior
    assert estate.plan(drawing(DB)).empty


def test_an_appliance_is_warned_of_and_may_be_adopted_all_the_same() -> None:
    drawn = onboarding.draw("legacy", "paris", [replace(WEB, name="vcenter-01"), DB])
    assert len(drawn.names) == 2
    assert len(drawn.warnings) == 1
    assert "vcenter-01" in drawn.warnings[0]


def test_removing_a_machine_from_the_drawing_releases_it(estate: Estate) -> None:
    plan = estate.plan(drawing(DB))
    assert [action.key for action in plan.actions] == ["machine:web-01/machine.release"]
    assert not plan.actions[0].destructive
    assert plan.counts()["delete"] == 0
    assert "stays as it is" in plan.actions[0].cause
    estate.run(plan)
    assert estate.found[WEB.id] == WEB


def test_destroying_releases_every_adopted_machine_and_deletes_none(estate: Estate) -> None:
    ours = ObservedState({one.resource: one.observed() for one in estate.found.values()})
    plan = planner.plan_destroy(ours, estate.prior, OWNER, "paris")
    assert {action.verb for action in plan.actions} == {"machine.release"}
    assert not plan.data_loss
    estate.run(plan)
    assert tuple(estate.found.values()) == ESTATE


def test_an_adopted_machine_with_snapshots_and_many_disks_is_released_all_the_same(estate: Estate) -> None:
    estate.change(WEB, snapshots=3)
    ours = ObservedState({one.resource: one.observed() for one in estate.found.values()})
    assert not planner.plan_destroy(ours, estate.prior, OWNER, "paris").findings


def test_a_size_that_is_drawn_anew_is_an_ordinary_update(estate: Estate) -> None:
    text = drawing(*ESTATE).replace("cpus: 2\n      memory: 4GiB", "cpus: 4\n      memory: 8GiB")
    plan = estate.plan(text)
    assert [action.verb for action in plan.actions] == [
        "machine.stop",
        "machine.update",
        "machine.start",
        "machine.ready",
    ]
    (change,) = [change for change in plan.changes if change.change == "update"]
    assert change.cause.startswith("adopted: CPUs changed: 2 -> 4")
    assert "stopped for that and started again" in change.cause
    assert "switched off hard" in change.cause
    (warning,) = plan.findings
    assert (warning.code, warning.severity) == ("plan.restart", "warning")
    assert "by this plan: web 01." in warning.message
    estate.run(plan)
    assert (estate.found[WEB.id].cpus, estate.found[WEB.id].memory_mib) == (4, 8192)
    assert estate.plan(text).empty


def test_nothing_else_is_said_to_be_untouched_only_where_nothing_else_can_change() -> None:
    def told(size: str) -> str:
        text = f"x-escale: {{machines: {{front: {{adopt: {{uuid: {WEB.id}}}{size}}}}}}}"
        return " ".join(entry.reason for entry in draw(f"services: {{}}\n{text}").ledger)

    assert "nothing else is touched" in told("")
    assert "nothing else is touched" not in told(", cpus: 4")
    assert "stops and starts a machine that runs" in told(", cpus: 4")


def test_a_machine_that_is_off_is_changed_and_stays_off(estate: Estate) -> None:
    text = drawing(*ESTATE).replace("cpus: 8", "cpus: 6")
    assert not estate.plan(text).findings, "nobody is stopped"
    assert estate.run(estate.plan(text)) == ["machine:db/machine.update"]
    assert estate.found[DB.id].power == "off"


def test_a_disk_grows_and_never_shrinks(estate: Estate) -> None:
    larger = drawing(*ESTATE).replace("size: 10241MiB", "size: 12GiB", 1)
    plan = estate.plan(larger)
    assert "machine:db/machine.update" in {action.key for action in plan.actions}
    estate.run(plan)
    assert estate.found[DB.id].disks[1].size_mib == 12 * 1024
    assert codes(estate.plan(drawing(*ESTATE))) == ["plan.volume_shrink"]


def test_a_disk_does_not_grow_under_snapshots(estate: Estate) -> None:
    estate.change(DB, snapshots=1)
    plan = estate.plan(drawing(*ESTATE).replace("size: 10241MiB", "size: 12GiB", 1))
    assert codes(plan) == ["plan.snapshots"]
    assert plan.blocked


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('        - "backend"\n', "", "plan.adopt_networks"),
        ('label: "Hard disk 2"', 'label: "Hard disk 3"', "plan.adopt_disks"),
        (WEB.id, "50360a2f-0000-4000-8000-00000000000f", "plan.adopt_other"),
    ],
)
def test_what_would_need_another_machine_is_refused(estate: Estate, old: str, new: str, code: str) -> None:
    plan = estate.plan(drawing(WEB).replace(old, new) + drawing(DB).partition("Legacy/Shop\n")[2])
    assert code in codes(plan)
    assert plan.blocked
    assert not plan.actions


def test_an_adopted_machine_is_never_replaced_by_a_new_one(estate: Estate) -> None:
    text = f"services: {{}}\nx-escale: {{machines: {{web-01: {{cpus: 2}}, db: {{adopt: {{uuid: {DB.id}}}}}}}}}"
    plan = estate.plan(text)
    assert "plan.adopt_replaced" in codes(plan)
    assert plan.blocked
    assert not any(action.verb in ("machine.create", "machine.delete") for action in plan.actions)


@pytest.mark.parametrize("key", ["template: debian-12", "cluster: edge", "datastore: nfs", "count: 3"])
def test_what_only_a_new_machine_can_have_is_refused(key: str) -> None:
    text = f"services: {{}}\nx-escale: {{machines: {{m: {{adopt: {{uuid: {WEB.id}}}, {key}}}}}}}"
    (finding,) = [finding for finding in draw(text).findings if finding.severity == "error"]
    assert finding.code == "realise.adopted_key"
    assert finding.path == ("x-escale", "machines", "m", key.partition(":")[0])


@pytest.mark.parametrize("key", ["networks: [a]", "disks: [{label: a, size: 1GiB}]"])
def test_a_new_machine_has_no_disks_and_networks_of_its_own(key: str) -> None:
    text = f"services: {{}}\nx-escale: {{machines: {{m: {{{key}}}}}}}"
    assert [finding.code for finding in draw(text).findings if finding.severity == "error"] == ["realise.adopted_key"]


def test_one_machine_cannot_be_adopted_twice_in_a_drawing() -> None:
    body = f"{{adopt: {{uuid: {WEB.id}}}}}"
    text = f"services: {{}}\nx-escale: {{machines: {{a: {body}, b: {body}}}}}"
    assert [finding.code for finding in draw(text).findings] == ["realise.adopted_twice"]


def test_no_service_stands_on_an_adopted_machine() -> None:
    text = f"""
    services: {{web: {{image: nginx, x-escale: {{machine: front}}}}}}
    x-escale: {{machines: {{front: {{adopt: {{uuid: {WEB.id}}}}}}}}}
    """
    (finding,) = [finding for finding in draw(text).findings if finding.severity == "error"]
    assert finding.code == "realise.adopted_service"


def test_adopted_machines_and_containers_stand_in_one_drawing() -> None:
    text = f"""
    services: {{web: {{image: nginx}}}}
    x-escale: {{machines: {{front: {{adopt: {{uuid: {WEB.id}}}}}}}}}
    """
    desired = draw(text)
    assert not errors(desired)
    assert {"folder:deployment", "machine:front", "machine:host-1"} <= set(desired.resources)


# Drift


def test_what_somebody_changed_on_the_cloud_is_told_and_kept(estate: Estate) -> None:
    estate.change(WEB, cpus=6, disks=(replace(WEB.disks[0], size_mib=50 * 1024), WEB.disks[1]), power="off")
    plan = estate.plan(drawing(*ESTATE))
    assert plan.empty
    told = " ".join(finding.message for finding in plan.findings)
    assert codes(plan) == ["plan.drift_kept"] * 3
    assert "6 CPUs on the cloud, 2 are drawn" in told
    assert "50 GiB on the cloud, 40 are drawn" in told
    assert "switched off" in told


def test_restoring_puts_the_drawing_s_values_back(estate: Estate) -> None:
    estate.change(WEB, cpus=6, power="off")
    plan = estate.plan(drawing(*ESTATE), restore=True)
    assert "the drawing's value is restored" in plan.changes[-1].cause
    estate.run(plan)
    assert (estate.found[WEB.id].cpus, estate.found[WEB.id].power) == (2, "on")
    assert estate.plan(drawing(*ESTATE), restore=True).empty


def test_restoring_says_what_cannot_be_restored(estate: Estate) -> None:
    estate.change(WEB, disks=(replace(WEB.disks[0], size_mib=50 * 1024), WEB.disks[1]), networks=("frontend",))
    plan = estate.plan(drawing(*ESTATE), restore=True)
    assert plan.empty
    told = " ".join(finding.message for finding in plan.findings)
    assert "a disk cannot shrink" in told
    assert "never moved" in told


def test_drawing_what_is_on_the_cloud_writes_a_marker_and_restarts_nothing(estate: Estate) -> None:
    estate.change(WEB, cpus=6)
    text = drawing(*ESTATE).replace("cpus: 2", "cpus: 6")
    assert estate.run(estate.plan(text)) == ["machine:web-01/machine.update"]
    assert not estate.plan(text).findings
    assert estate.plan(text).empty


def test_lost_markers_are_written_again(estate: Estate) -> None:
    estate.change(WEB, deployment_id="", resource="", config_hash="", adopted=False)
    plan = estate.plan(drawing(*ESTATE))
    assert [action.key for action in plan.actions] == ["machine:web-01/machine.adopt"]
    assert "missing on the cloud" in plan.actions[0].cause


def test_a_plan_to_adopt_is_stale_when_a_machine_has_changed() -> None:
    base = planner.fingerprint(ObservedState(), {}, {WEB.id: WEB})
    assert base == planner.fingerprint(
        ObservedState(), {}, {WEB.id: replace(WEB, host="other", addresses=("10.0.0.1",))}
    )
    assert base != planner.fingerprint(ObservedState(), {}, {WEB.id: replace(WEB, cpus=3)})
    assert base != planner.fingerprint(ObservedState(), {}, {WEB.id: replace(WEB, deployment_id="x")})
    assert base != planner.fingerprint(ObservedState(), {}, {})
    assert planner.fingerprint(ObservedState(), {}, {}) == planner.fingerprint(ObservedState(), {})


def test_the_marked_hash_follows_what_is_drawn() -> None:
    one = machines(draw(drawing(WEB)))["web-01"]
    assert config_hash(one) != config_hash(replace(one, cpus=3))
    assert config_hash(one) == config_hash(replace(one, name="renamed"))
    assert isinstance(one, Machine)


def test_the_reference_reads_the_drawing_as_it_is_meant(tmp_path: Path) -> None:
    many = [replace(WEB, id=f"id-{number}", name=name, guest="") for number, name in enumerate(HOSTILE)]
    drawn = onboarding.draw("legacy", "paris", many)
    (tmp_path / "compose.yaml").write_text(drawn.text, encoding="utf-8")
    answer = ask_reference(tmp_path)
    assert not answer.error, answer.error
    # What it prints can be read again: it writes every dollar twice.
    bodies = json.loads(json.dumps(answer.config["x-escale"]["machines"]).replace("$$", "$"))
    ours = load(drawn.text).extensions()["x-escale"]["machines"]
    assert {label: body["adopt"] for label, body in bodies.items()} == {
        label: body["adopt"] for label, body in ours.items()
    }
