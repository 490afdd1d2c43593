"""What every connector that adopts machines must do; ``test_adoption_*.py`` bring an estate each."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from connectors.base import Connector, ConnectorError, Outcome
from engine import onboarding
from engine.found import FoundMachine
from engine.plan import Action
from engine.resources import Machine, config_hash, to_json
from tests.connectors.bench import Bench, Site, owner
from tests.engine.drawings import draw, machines


class Estate(Protocol):
    """A cloud with machines that somebody else made, and the strings to pull behind the connector's back."""

    bench: Bench

    def stranger(self, name: str) -> str:
        """Make a running machine with a description, settings and two disks of somebody's; return its identity."""

    def raw(self, machine: str) -> Any:
        """Return all that can be told of a machine, read past the connector."""

    def power(self, machine: str) -> str: ...
    def grown(self, machine: str) -> list[float]:
        """Return the sizes of the machine's disks in GiB."""

    def make_template(self, machine: str) -> None: ...
    def destroy(self, machine: str) -> None: ...


def drawn(found: FoundMachine, **changes: Any) -> Machine:
    """Return the machine as its own drawing has it."""
    (machine,) = machines(draw(onboarding.draw("legacy", "paris", [replace(found, deployment_id="")]).text)).values()
    return replace(machine, **changes)


class AdoptionContract:
    """Subclasses give the fixture ``estate``."""

    @pytest.fixture
    def connector(self, estate: Estate) -> Iterator[Any]:
        connector = estate.bench.connect()
        yield connector
        connector.close()

    @pytest.fixture
    def site(self, estate: Estate, connector: Connector) -> Site:
        return Site(estate.bench, connector)

    def action(self, site: Site, verb: str, machine: Machine) -> Action:
        spec = json.loads(json.dumps({**to_json(machine), "config_hash": config_hash(machine)}))
        return site.action(verb, machine.key, spec=spec, external_id=machine.adopted)

    def adopt(self, site: Site, machine: Machine) -> Outcome:
        outcome = site.finish(site.start(self.action(site, "machine.adopt", machine)))
        assert outcome.state == "done", outcome.error
        return outcome

    def test_a_stranger_s_machine_is_described_as_it_is(self, estate: Estate, connector: Any) -> None:
        identity = estate.stranger("web 01")
        (found,) = connector.describe([identity.upper(), str(uuid.uuid4())])
        assert (found.id, found.name, found.power, found.template) == (identity, "web 01", "on", False)
        assert found.cpus > 0
        assert found.memory_mib > 0
        assert len(found.disks) == 2
        assert len({disk.label for disk in found.disks}) == 2
        assert all(disk.size_mib > 0 and disk.datastore for disk in found.disks)
        assert len(found.networks) == 1
        assert not found.owned
        assert FoundMachine.from_json(json.loads(json.dumps(found.to_json()))) == found

    def test_many_machines_are_described_in_few_calls(self, estate: Estate, connector: Any) -> None:
        ids = [estate.stranger(f"many-{number}") for number in range(10)]
        assert {found.id for found in connector.describe(ids)} == set(ids)
        assert connector.describe([]) == ()

    def test_adopting_writes_markers_and_nothing_else(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        before = estate.raw(identity)
        outcome = self.adopt(site, machine)
        assert outcome.result["external_id"] == identity
        assert outcome.result["created"] is True
        assert outcome.result["power"] == "on"
        (found,) = connector.describe([identity])
        assert (found.deployment_id, found.resource, found.config_hash, found.adopted) == (
            site.owner.deployment_id,
            machine.key,
            config_hash(machine),
            True,
        )
        assert found.organization_id == site.owner.organization_id
        assert estate.power(identity) == "on"
        assert estate.raw(identity) != before
        self.release(site, machine)
        assert estate.raw(identity) == before

    def release(self, site: Site, machine: Machine) -> Outcome:
        outcome = site.finish(site.start(self.action(site, "machine.release", machine)))
        assert outcome.state == "done", outcome.error
        return outcome

    def test_undoing_an_adoption_leaves_the_machine_as_it_was(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        before = estate.raw(identity)
        machine = drawn(connector.describe([identity])[0])
        outcome = self.adopt(site, machine)
        action = self.action(site, "machine.adopt", machine)
        undone = site.finish(connector.undo(action, outcome.result, site.key(action)))
        assert undone.state == "done", undone.error
        assert estate.raw(identity) == before

    def test_undoing_a_release_marks_the_machine_again(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        self.adopt(site, machine)
        outcome = self.release(site, machine)
        action = self.action(site, "machine.release", machine)
        assert site.finish(connector.undo(action, outcome.result, site.key(action))).state == "done"
        (found,) = connector.describe([identity])
        assert (found.deployment_id, found.adopted) == (site.owner.deployment_id, True)
        assert found.config_hash == config_hash(machine)

    def test_an_adoption_that_is_tried_again_writes_nothing_more(
        self, estate: Estate, connector: Any, site: Site
    ) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        self.adopt(site, machine)
        marked = estate.raw(identity)
        estate.bench.new_process()
        again = self.adopt(site, machine)
        assert again.result["created"] is True, "it is this step's own doing, so that undoing takes it back"
        assert estate.raw(identity) == marked

    def test_a_call_whose_answer_was_lost_is_found_again(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        estate.bench.cut_after("machine.adopt")
        action = self.action(site, "machine.adopt", machine)
        try:
            site.finish(site.start(action))
        except ConnectorError as error:
            assert error.maybe_done  # noqa: PT017
        estate.bench.new_process()
        assert site.finish(site.start(action)).state == "done"
        assert connector.describe([identity])[0].resource == machine.key

    def test_a_machine_of_another_deployment_is_not_adopted(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        other = Site(estate.bench, connector, owner("other"))
        self.adopt(other, machine)
        marked = estate.raw(identity)
        error = site.fails("machine.adopt", machine.key, external_id=identity)
        assert (error.code, error.permanent) == ("cloud.foreign", True)
        assert "somebody else adopted it" in error.message
        assert site.fails("machine.release", machine.key, external_id=identity).code == "cloud.foreign"
        assert estate.raw(identity) == marked

    def test_of_two_that_adopt_one_machine_at_once_one_has_it(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        sites = [site, *(Site(estate.bench, connector, owner(f"other-{number}")) for number in range(3))]
        ends: dict[str, str] = {}
        gate = threading.Barrier(len(sites))

        def run(one: Site) -> None:
            gate.wait(10)
            try:
                outcome = one.finish(one.start(self.action(one, "machine.adopt", machine)))
                ends[one.owner.deployment_id] = outcome.error.code if outcome.error else "done"
            except ConnectorError as error:
                ends[one.owner.deployment_id] = error.code

        threads = [threading.Thread(target=run, args=(one,)) for one in sites]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(ends.values()).count("done") == 1, ends
        assert set(ends.values()) <= {"done", "cloud.foreign", "cloud.busy"}
        (found,) = connector.describe([identity])
        assert ends[found.deployment_id] == "done"

    def test_a_machine_that_vanished_is_told_and_a_release_of_it_is_done(
        self, estate: Estate, connector: Any, site: Site
    ) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        estate.destroy(identity)
        error = site.fails("machine.adopt", machine.key, external_id=identity)
        assert (error.code, error.permanent) == ("cloud.not_found", True)
        assert self.release(site, machine).result["gone"] is True

    def test_a_template_is_not_adopted(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        estate.make_template(identity)
        assert connector.describe([identity])[0].template
        assert site.fails("machine.adopt", machine.key, external_id=identity).code == "cloud.invalid"

    def test_an_adopted_machine_is_never_deleted(self, estate: Estate, connector: Any, site: Site) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        self.adopt(site, machine)
        error = site.fails("machine.delete", machine.key, external_id=identity)
        assert error.code == "cloud.foreign"
        assert "never deleted" in error.message
        assert connector.describe([identity])[0].power == "on"

    def test_a_machine_that_we_made_is_never_released(self, site: Site) -> None:
        site.lay_ground()
        made = site.machine()
        site.run("machine.create", made)
        assert site.fails("machine.release", made.key).code == "cloud.foreign"

    def test_sizes_of_an_adopted_machine_change_and_its_description_stays(
        self, estate: Estate, connector: Any, site: Site
    ) -> None:
        identity = estate.stranger("web")
        machine = drawn(connector.describe([identity])[0])
        self.adopt(site, machine)
        first, second = machine.own_disks
        larger = replace(
            machine,
            cpus=machine.cpus + 1,
            memory_mib=machine.memory_mib + 256,
            own_disks=(first, replace(second, size_mib=second.size_mib + 1024)),
        )
        site.facts[machine.key] = {"external_id": identity}
        site.run("machine.stop", machine.key)
        note = connector.describe([identity])[0].annotation
        before = estate.grown(identity)
        site.next_operation()
        outcome = site.finish(site.start(self.action(site, "machine.update", larger)))
        assert outcome.state == "done", outcome.error
        (found,) = connector.describe([identity])
        assert (found.cpus, found.memory_mib) == (larger.cpus, larger.memory_mib)
        assert estate.grown(identity) == [before[0], before[1] + 1]
        assert found.config_hash == config_hash(larger)
        assert found.annotation == note
        assert found.adopted
