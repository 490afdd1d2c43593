"""What a connector goes through that has firewalls and balancers, beside the suite that all go through.

Mix it into a test class whose fixture ``bench`` brings a cloud with these capabilities: on others each test fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Capability, Connector, ConnectorError
from engine.resources import Balancer, Firewall, Folder, Listener, Machine, Network, Nic, Rule, config_hash
from tests.connectors.bench import Bench, Site, execute, owner

ANYWHERE = "0.0.0.0/0"
WEB = (Rule("tcp", 80, 80, ANYWHERE), Rule("udp", 8000, 8010, "203.0.113.0/24"))


class Estate:
    """The drawing of these tests: a ground of its own where the cloud has that, firewalls, machines, a balancer."""

    def __init__(self, site: Site, *, own_ground: bool) -> None:
        self.site, self.own_ground = site, own_ground
        self.deployment = site.owner.deployment_id[:8]

    @property
    def folder(self) -> Folder:
        return replace(self.site.folder, cidr="10.96.16.0/20") if self.own_ground else self.site.folder

    @property
    def public(self) -> Network:
        if not self.own_ground:
            return Network("network:@public", f"public-{self.deployment}", True)
        return Network("network:@public", f"public-{self.deployment}", True, subnet="10.96.17.0/24", access="public")

    def firewall(self, number: int = 1, rules: tuple[Rule, ...] = WEB) -> Firewall:
        return Firewall(f"firewall:host-{number}", f"shop-{self.deployment}-{number}", rules)

    def machine(self, number: int = 1) -> Machine:
        return self.site.machine(number, nics=(Nic("network:@public"),), firewall=f"firewall:host-{number}")

    def balancer(self, *numbers: int, ports: tuple[tuple[str, int], ...] = (("tcp", 80),)) -> Balancer:
        listeners = tuple(Listener(protocol, port, port) for protocol, port in ports)
        machines = tuple(f"machine:host-{number}" for number in numbers)
        return Balancer("balancer:web", f"web-{self.deployment}", listeners, machines, "network:@public")

    def lay(self, *numbers: int) -> None:
        """Make the ground and machines that run, each behind its firewall."""
        self.site.run("folder.create", self.folder)
        self.site.run("network.create", self.public)
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> None:
        machine = self.machine(number)
        self.site.run("firewall.create", self.firewall(number))
        self.site.run("machine.create", machine)
        self.site.run("machine.start", machine.key)
        self.site.run("machine.ready", machine.key)


def rules_of(seen: Any, key: str) -> set[tuple[str, int, int, str]]:
    rules = seen.resources[key].attributes["rules"]
    return {(rule["protocol"], rule["first"], rule["last"], rule["source"]) for rule in rules}


class OpeningsContract:
    """Subclasses give the fixture ``bench``."""

    @pytest.fixture
    def estate(self, bench: Bench) -> Iterator[Estate]:
        connector: Connector = bench.connect()
        has = connector.capabilities
        assert {Capability.FIREWALLS, Capability.BALANCERS} <= has
        yield Estate(Site(bench, connector), own_ground=Capability.OWN_GROUND in has)
        connector.close()

    def test_it_leads_to_machines_behind_firewalls_and_leaves_nothing_in_the_end(
        self, bench: Bench, estate: Estate
    ) -> None:
        site, before = estate.site, bench.listing()
        estate.lay(1, 2)
        site.run("balancer.create", estate.balancer(1, 2))
        seen = site.observe()
        assert not seen.strays
        made = (estate.folder, estate.public, estate.firewall(1), estate.machine(1), estate.balancer(1, 2))
        assert {each.key: seen.resources[each.key].config_hash for each in made} == {
            each.key: config_hash(each) for each in made
        }
        assert rules_of(seen, "firewall:host-1") == {("tcp", 80, 80, ANYWHERE), ("udp", 8000, 8010, "203.0.113.0/24")}
        balancer = seen.resources["balancer:web"].attributes
        assert balancer["listeners"] == [{"protocol": "tcp", "port": 80, "target_port": 80}]
        ids = {key: str(facts["external_id"]) for key, facts in site.facts.items()}
        assert set(balancer["machines"]) == {ids["machine:host-1"], ids["machine:host-2"]}
        assert balancer["address"] == site.facts["balancer:web"]["address"] != ""
        ends: list[Any] = [("balancer.delete", "balancer:web")]
        for number in (1, 2):
            key = f"machine:host-{number}"
            ends += [("machine.stop", key), ("machine.delete", key), ("firewall.delete", f"firewall:host-{number}")]
        execute(site, [*ends, ("network.delete", "network:@public"), ("folder.delete", "folder:deployment")])
        assert bench.listing() == before
        assert not site.observe().resources

    @pytest.mark.parametrize("verb", ["firewall.create", "balancer.create"])
    def test_an_opening_that_is_made_again_is_the_one_of_before(self, bench: Bench, estate: Estate, verb: str) -> None:
        estate.lay(1)
        about = estate.firewall(2) if verb == "firewall.create" else estate.balancer(1)
        first = estate.site.run(verb, about).result["external_id"]
        listing = bench.listing()
        bench.new_process()
        assert estate.site.run(verb, about).result["external_id"] == first
        assert bench.listing() == listing
        estate.site.next_operation()
        again = estate.site.run(verb, about).result
        assert again["external_id"] == first
        assert again["created"] is False

    @pytest.mark.parametrize("verb", ["firewall.create", "balancer.create"])
    @pytest.mark.parametrize("how", ["cut_after", "lose"])
    def test_a_broken_connection_makes_one_opening(self, bench: Bench, estate: Estate, verb: str, how: str) -> None:
        estate.lay(1)
        before, site = bench.listing(), estate.site
        about: Any = estate.firewall(2) if verb == "firewall.create" else estate.balancer(1)
        getattr(bench, how)(verb)
        action = site.action(verb, about)
        with pytest.raises(ConnectorError) as caught:
            site.finish(site.start(action))
        assert caught.value.maybe_done
        bench.new_process()
        site.run(verb, about)
        site.run(verb.replace("create", "delete"), about.key)
        assert bench.listing() == before

    def test_rules_are_added_and_taken_away(self, estate: Estate) -> None:
        estate.lay(1)
        changed = estate.firewall(1, (Rule("tcp", 443, 443, ANYWHERE), WEB[1]))
        estate.site.run("firewall.update", changed)
        seen = estate.site.observe()
        assert rules_of(seen, "firewall:host-1") == {("tcp", 443, 443, ANYWHERE), ("udp", 8000, 8010, "203.0.113.0/24")}
        assert seen.resources["firewall:host-1"].config_hash == config_hash(changed)
        estate.site.run("firewall.update", changed)
        estate.site.run("firewall.update", estate.firewall(1, ()))
        assert rules_of(estate.site.observe(), "firewall:host-1") == set()

    def test_a_balancer_follows_its_machines_and_ports(self, estate: Estate) -> None:
        site = estate.site
        estate.lay(1, 2)
        site.run("balancer.create", estate.balancer(1, 2, ports=(("tcp", 80), ("tcp", 443))))
        address = site.facts["balancer:web"]["address"]
        estate.add(3)
        changed = estate.balancer(1, 3, ports=(("tcp", 80), ("udp", 53)))
        site.run("balancer.update", changed)
        seen = site.observe().resources["balancer:web"]
        assert set(seen.attributes["machines"]) == {
            str(site.facts[key]["external_id"]) for key in ("machine:host-1", "machine:host-3")
        }
        assert {(each["protocol"], each["port"]) for each in seen.attributes["listeners"]} == {("tcp", 80), ("udp", 53)}
        assert seen.attributes["address"] == address
        assert seen.config_hash == config_hash(changed)

    def test_a_machine_that_was_made_anew_is_led_to(self, estate: Estate) -> None:
        site = estate.site
        estate.lay(1, 2)
        site.run("balancer.create", estate.balancer(1, 2))
        old = str(site.facts["machine:host-2"]["external_id"])
        for verb in ("machine.stop", "machine.delete"):
            site.run(verb, "machine:host-2")
        site.facts.pop("machine:host-2")
        site.next_operation()
        machine = estate.machine(2)
        for verb, about in (
            ("machine.create", machine),
            ("machine.start", machine.key),
            ("machine.ready", machine.key),
        ):
            site.run(verb, about)  # type: ignore[arg-type]
        site.run("balancer.update", estate.balancer(1, 2))
        leads_to = set(site.observe().resources["balancer:web"].attributes["machines"])
        assert old not in leads_to
        assert str(site.facts["machine:host-2"]["external_id"]) in leads_to

    def test_tcp_and_udp_may_share_a_port(self, estate: Estate) -> None:
        estate.lay(1)
        estate.site.run("balancer.create", estate.balancer(1, ports=(("tcp", 53), ("udp", 53))))
        listeners = estate.site.observe().resources["balancer:web"].attributes["listeners"]
        assert {(each["protocol"], each["port"]) for each in listeners} == {("tcp", 53), ("udp", 53)}

    def test_a_port_may_come_to_take_udp_too_and_lose_it_again(self, estate: Estate) -> None:
        estate.lay(1)
        estate.site.run("balancer.create", estate.balancer(1, ports=(("tcp", 53),)))
        for ports in ((("tcp", 53), ("udp", 53)), (("udp", 53),)):
            estate.site.run("balancer.update", estate.balancer(1, ports=ports))
            listeners = estate.site.observe().resources["balancer:web"].attributes["listeners"]
            assert {(each["protocol"], each["port"]) for each in listeners} == set(ports)

    def test_a_firewall_takes_as_many_rules_as_clouds_allow(self, estate: Estate) -> None:
        estate.lay(1)
        rules = tuple(Rule("tcp", 10_000 + number, 10_000 + number, "203.0.113.128/25") for number in range(60))
        estate.site.run("firewall.create", estate.firewall(2, rules))
        assert len(rules_of(estate.site.observe(), "firewall:host-2")) == 60

    def test_a_firewall_in_use_is_deleted_later(self, estate: Estate) -> None:
        estate.lay(1)
        error = estate.site.fails("firewall.delete", "firewall:host-1")
        assert error.code == "cloud.busy"
        assert not error.permanent

    @pytest.mark.parametrize("kind", ["firewall", "balancer"])
    def test_what_is_gone_counts_as_deleted(self, estate: Estate, kind: str) -> None:
        estate.lay(1)
        about = estate.firewall(2) if kind == "firewall" else estate.balancer(1)
        estate.site.run(f"{kind}.create", about)
        for _ in range(2):
            estate.site.run(f"{kind}.delete", about.key)
        assert about.key not in estate.site.observe().resources

    @pytest.mark.parametrize("kind", ["firewall", "balancer"])
    def test_an_opening_is_taken_back_and_one_that_was_found_stays(
        self, bench: Bench, estate: Estate, kind: str
    ) -> None:
        site = estate.site
        estate.lay(1)
        before = bench.listing()
        about: Any = estate.firewall(2) if kind == "firewall" else estate.balancer(1)
        action = site.action(f"{kind}.create", about)
        made = dict(site.run(f"{kind}.create", about).result)
        assert site.finish(site.connector.undo(action, {**made, "created": False}, site.key(action))).state == "done"
        assert about.key in site.observe().resources
        assert site.finish(site.connector.undo(action, made, site.key(action))).state == "done"
        assert bench.listing() == before

    @pytest.mark.parametrize("kind", ["firewall", "balancer"])
    def test_an_opening_of_another_deployment_is_left_alone(self, bench: Bench, estate: Estate, kind: str) -> None:
        estate.lay(1)
        about: Any = estate.firewall(2) if kind == "firewall" else estate.balancer(1)
        estate.site.run(f"{kind}.create", about)
        listing = bench.listing()
        stranger = Site(bench, estate.site.connector, owner("other"), facts=estate.site.facts)
        # Where things are found by names that tell their owner, somebody else's is not there at all.
        assert stranger.fails(f"{kind}.update", about).code in ("cloud.foreign", "cloud.not_found")
        try:
            outcome = stranger.finish(stranger.start(stranger.action(f"{kind}.delete", about.key)))
            error = outcome.error
            assert error or outcome.result.get("gone")
        except ConnectorError as refusal:
            error = refusal
        assert error is None or error.code == "cloud.foreign"
        assert bench.listing() == listing

    def test_a_machine_gets_another_firewall_with_its_update(self, estate: Estate) -> None:
        site = estate.site
        estate.lay(1)
        site.run("firewall.create", estate.firewall(2))
        site.run("machine.stop", "machine:host-1")
        site.run("machine.update", replace(estate.machine(1), firewall="firewall:host-2"))
        site.run("firewall.delete", "firewall:host-1")
        assert site.fails("firewall.delete", "firewall:host-2").code == "cloud.busy"
