"""Names, ports and addresses between containers that stand on different machines."""

from __future__ import annotations

import pytest

from engine.observed import NetworkFact
from engine.realise.subnets import Addresses, Subnets
from engine.resources import Network, to_json
from tests.engine.drawings import INVENTORY, draw, entry, errors, found, machines, part, settings, target

APART = """
services:
  web:
    image: nginx
    ports: ["80:80"]
    depends_on: [db]
    x-escale: {isolation: machine}
  db:
    image: postgres
    expose: [5432, "5433/udp"]
    x-escale: {isolation: machine}
"""


def hosts(desired: object, label: str, service: str) -> list[str]:
    return list(part(desired, label)["services"][service].get("extra_hosts", []))  # type: ignore[arg-type]


def private(desired: object, label: str, service: str) -> list[tuple[str, int, str, str]]:
    return [
        (port["host_ip"], port["target"], port["published"], port["protocol"])
        for port in part(desired, label)["services"][service].get("ports", ())  # type: ignore[arg-type]
        if port.get("host_ip", "").startswith("10.")
    ]


def test_a_network_on_one_machine_remains_a_bridge_there() -> None:
    text = "services: {web: {image: a, networks: [back]}, db: {image: b, networks: [back]}}\nnetworks: {back: {}}"
    desired = draw(text)
    assert [key for key in desired.resources if key.startswith("network:")] == ["network:@VM Network"]
    assert part(desired, "host-1")["networks"] == {"back": {"name": "shop_back"}}
    assert [nic.address for nic in machines(desired)["host-1"].nics] == [None]


def test_a_network_that_spans_machines_becomes_a_port_group_with_fixed_addresses() -> None:
    desired = draw(APART)
    network = desired.resources["network:default"]
    assert isinstance(network, Network)
    assert network.managed
    assert network.name == "shop-default-7c9e6679"
    assert network.subnet is not None
    assert network.subnet.startswith("10.")
    for machine in machines(desired).values():
        default, card = machine.nics
        assert (default.network, default.address) == ("network:@VM Network", None)
        assert card.network == "network:default"
    addresses = [machine.nics[1].address for machine in machines(desired).values()]
    assert len(set(addresses)) == 2
    assert entry(desired, "networks", "default").verdict == "approximated"


def test_names_lead_to_the_machine_and_declared_ports_are_published_there_alone() -> None:
    desired = draw(APART)
    address = str(machines(desired)["db-1"].nics[1].address).split("/")[0]
    assert hosts(desired, "web-1", "web") == [f"db:{address}"]
    assert private(desired, "db-1", "db") == [(address, 5432, "5432", "tcp"), (address, 5433, "5433", "udp")]
    assert part(desired, "web-1")["services"]["web"]["ports"] == [
        {"mode": "ingress", "protocol": "tcp", "published": "80", "target": 80}
    ]


def test_a_dependant_waits_for_the_declared_port_and_for_its_machine() -> None:
    desired = draw(APART)
    address = str(machines(desired)["db-1"].nics[1].address).split("/")[0]
    assert settings(desired, "web-1")["waits"] == [{"service": "web", "for": "db", "address": address, "port": 5432}]
    assert desired.start_after == {"machine:web-1": ("machine:db-1",)}
    assert "depends_on" not in part(desired, "web-1")["services"]["web"]
    told = entry(desired, "services", "web", "depends_on", "db")
    assert told.verdict == "approximated"
    assert "port 5432" in told.reason


def test_a_port_that_nobody_declares_is_a_warning_that_says_how_to_declare_it() -> None:
    desired = draw(APART.replace('    expose: [5432, "5433/udp"]\n', ""))
    (finding,) = found(desired, "realise.port_undeclared")
    assert finding.severity == "warning"
    assert "expose: [<port>]" in finding.message
    assert entry(desired, "services", "db", "expose").code == "ledger.expose.undeclared"
    assert settings(desired, "web-1")["waits"] == []


def test_a_port_that_stands_in_a_callers_settings_is_used() -> None:
    text = APART.replace('    expose: [5432, "5433/udp"]\n', "").replace(
        "    image: nginx\n", "    image: nginx\n    environment: {DATABASE_URL: 'postgres://shop:pw@db:5432/shop'}\n"
    )
    desired = draw(text)
    assert not found(desired, "realise.port_undeclared")
    assert [port[1] for port in private(desired, "db-1", "db")] == [5432]
    assert "was read from the settings of web" in entry(desired, "services", "db", "expose").reason


def test_all_names_of_a_service_are_known() -> None:
    text = """
    services:
      web: {image: a, links: ["db:database"], networks: [back], x-escale: {isolation: machine}}
      db:
        image: b
        expose: [1]
        container_name: shop-db
        networks: {back: {aliases: [store]}}
        x-escale: {isolation: machine}
    networks: {back: {}}
    """
    names = {line.partition(":")[0] for line in hosts(draw(text), "web-1", "web")}
    assert names == {"db", "shop-db", "store", "database"}


def test_a_hosts_entry_of_the_drawing_wins() -> None:
    text = APART.replace("    image: nginx\n", "    image: nginx\n    extra_hosts: ['db:192.0.2.7']\n")
    assert hosts(draw(text), "web-1", "web") == ["db:192.0.2.7"]


def test_networks_that_do_not_meet_know_nothing_of_each_other() -> None:
    text = """
    services:
      web: {image: a, networks: [front], x-escale: {isolation: machine}}
      api: {image: a, networks: [front, back], expose: [80], x-escale: {isolation: machine}}
      db: {image: b, networks: [back], expose: [1], x-escale: {isolation: machine}}
    networks: {front: {}, back: {}}
    """
    desired = draw(text)
    assert {line.partition(":")[0] for line in hosts(desired, "web-1", "web")} == {"api"}
    assert {line.partition(":")[0] for line in hosts(desired, "api-1", "api")} == {"db", "web"}
    assert [nic.network for nic in machines(desired)["web-1"].nics] == ["network:@VM Network", "network:front"]


def test_a_replica_on_the_same_machine_is_called_there() -> None:
    text = """
    services:
      web: {image: a, deploy: {replicas: 2}, x-escale: {placement: SPREAD}}
      api: {image: b, expose: [80], deploy: {replicas: 2}, x-escale: {placement: SPREAD}}
      far: {image: c, x-escale: {isolation: machine}}
    """
    desired = draw(text)
    assert not [line for line in hosts(desired, "host-1", "web") if line.startswith("api:")]
    lines = hosts(desired, "far-1", "far")
    assert [line.partition(":")[0] for line in lines].count("api") == 2  # both replicas, one line each


def test_two_services_of_a_machine_that_use_the_same_port_get_an_address_each() -> None:
    text = """
    services:
      far: {image: c, x-escale: {isolation: machine}}
      one: {image: a, expose: [8080]}
      two: {image: b, expose: [8080]}
    """
    desired = draw(text)
    card = machines(desired)["host-1"].nics[1]
    assert list(card.aliases) == ["two"]
    first, second = private(desired, "host-1", "one"), private(desired, "host-1", "two")
    assert first[0][0] == str(card.address).split("/")[0]
    assert second[0][0] == card.aliases["two"].split("/")[0] != first[0][0]
    assert set(hosts(desired, "far-1", "far")) == {f"one:{first[0][0]}", f"two:{second[0][0]}"}


def test_a_port_that_another_service_publishes_everywhere_is_a_warning() -> None:
    text = """
    services:
      far: {image: c, x-escale: {isolation: machine}}
      one: {image: a, ports: ["8080:80"]}
      two: {image: b, expose: [8080]}
    """
    (finding,) = found(draw(text), "realise.port_hidden")
    assert "port 8080 of two" in finding.message
    assert "service one publishes 8080" in finding.message


def test_a_fixed_address_of_a_service_becomes_one_of_its_machine() -> None:
    text = """
    services:
      dns: {image: a, expose: ["53/udp"], networks: {net: {ipv4_address: 172.20.0.53}}, x-escale: {isolation: machine}}
      app: {image: b, networks: [net], x-escale: {isolation: machine}}
    networks: {net: {ipam: {config: [{subnet: 172.20.0.0/24, gateway: 172.20.0.1}]}}}
    """
    desired = draw(text)
    assert desired.resources["network:net"].subnet == "172.20.0.0/24"  # type: ignore[union-attr]
    assert machines(desired)["dns-1"].nics[1].aliases == {"dns": "172.20.0.53/24"}
    assert hosts(desired, "app-1", "app") == ["dns:172.20.0.53"]
    assert part(desired, "dns-1")["services"]["dns"]["networks"] == {"net": None}
    assert "ipam" not in part(desired, "dns-1")["networks"]["net"]
    assert entry(desired, "services", "dns", "networks", "net", "ipv4_address").verdict == "approximated"


def test_on_one_machine_addresses_and_subnets_are_honoured_as_drawn() -> None:
    text = """
    services:
      dns: {image: a, networks: {net: {ipv4_address: 172.20.0.53}}}
    networks: {net: {internal: true, ipam: {config: [{subnet: 172.20.0.0/24}]}}}
    """
    desired = draw(text)
    assert part(desired, "host-1")["services"]["dns"]["networks"]["net"]["ipv4_address"] == "172.20.0.53"
    assert part(desired, "host-1")["networks"]["net"]["internal"] is True
    assert part(desired, "host-1")["networks"]["net"]["ipam"] == {"config": [{"subnet": "172.20.0.0/24"}]}


def test_an_internal_network_that_spans_machines_is_not_internal_on_them() -> None:
    desired = draw(APART + "networks: {default: {internal: true}}\n")
    assert "internal" not in part(desired, "db-1")["networks"]["default"]
    assert entry(desired, "networks", "default", "internal").verdict == "dropped"


def test_without_port_groups_a_second_card_on_the_existing_network_carries_the_private_addresses() -> None:
    desired = draw(APART, on=target(capabilities=set()))
    network = desired.resources["network:default"]
    assert isinstance(network, Network)
    assert (network.managed, network.name) == (False, "VM Network")
    assert machines(desired)["web-1"].nics[1].address is not None
    assert "others on that network" in entry(desired, "networks", "default").reason


def test_an_external_network_is_one_of_the_cloud() -> None:
    text = "services: {web: {image: a, networks: [lan]}}\nnetworks: {lan: {external: true, name: dmz}}"
    desired = draw(text)
    assert [nic.network for nic in machines(desired)["host-1"].nics] == ["network:@VM Network", "network:@dmz"]
    assert desired.resources["network:@dmz"].managed is False  # type: ignore[union-attr]
    assert "external" not in part(desired, "host-1")["networks"]["lan"]
    assert entry(desired, "networks", "lan", "external").verdict == "approximated"


def test_an_external_network_that_the_cloud_lacks_is_an_error() -> None:
    text = "services: {web: {image: a, networks: [lan]}}\nnetworks: {lan: {external: true, name: moon}}"
    (finding,) = found(draw(text), "realise.network_external_missing")
    assert (finding.severity, finding.line) == ("error", 2)
    assert "VM Network, dmz" in finding.message


@pytest.mark.parametrize(
    ("networks", "defaults", "chosen"),
    [
        ((), {}, None),
        ((NetworkFact("1", "blue", "standard"), NetworkFact("2", "azure", "standard")), {}, "azure"),
        (INVENTORY.networks, {}, "VM Network"),
        (INVENTORY.networks, {"network": "dmz"}, "dmz"),
    ],
)
def test_every_machine_has_a_card_on_an_existing_network(
    networks: tuple[NetworkFact, ...], defaults: dict[str, str], chosen: str | None
) -> None:
    desired = draw("services: {a: {image: a}}", on=target(networks=networks, defaults=defaults))
    if chosen is None:
        assert errors(desired) == ["realise.network_missing"]
    else:
        assert machines(desired)["host-1"].nics[0].network == f"network:@{chosen}"


def test_a_network_that_the_drawing_names_must_exist() -> None:
    desired = draw("services: {a: {image: a}}\nx-escale: {network: moon}")
    assert errors(desired) == ["realise.network_missing"]


def test_addresses_on_a_borrowed_network_stay_though_it_leaves_no_trace_of_its_own() -> None:
    here = target(capabilities=set())
    first = draw(APART + "networks: {default: {x-escale: {subnet: 10.7.0.0/24}}}\n", on=here)
    prior = {key: to_json(resource) for key, resource in first.resources.items() if key.startswith("machine:")}
    assert machines(draw(APART, on=here, prior=prior)) == machines(first)


def test_addresses_stay_when_services_come_and_go() -> None:
    first = draw(APART)
    prior = {key: to_json(resource) for key, resource in first.resources.items()}
    more = APART + "  aaa: {image: a, expose: [1], x-escale: {isolation: machine}}\n"
    second = draw(more, prior=prior)
    for label, machine in machines(first).items():
        assert machines(second)[label].nics == machine.nics
    less = draw(APART[: APART.index("  db:")].replace("    depends_on: [db]\n", ""), prior=prior)
    # A card is not taken away for being the last one on its network: that would replace the machine.
    assert machines(less)["web-1"].nics == machines(first)["web-1"].nics


def test_a_large_network_introduces_only_those_that_name_each_other() -> None:
    services = "".join(
        f"  s{n}: {{image: a, expose: [80], mem_limit: 7g{', depends_on: [s0]' if n == 9 else ''}}}\n"
        for n in range(60)
    )
    desired = draw(f"services:\n{services}", policy={"max_machine_memory_mib": 8192})
    lines = {label: hosts(desired, label, next(iter(part(desired, label)["services"]))) for label in machines(desired)}
    assert sum(map(len, lines.values())) == 1
    assert "depends_on, links, environment" in entry(desired, "networks", "default").reason


def test_host_networking_is_the_machines() -> None:
    desired = draw("services: {a: {image: a, network_mode: host}, b: {image: b}}")
    assert part(desired, "host-1")["services"]["a"]["network_mode"] == "host"
    assert entry(desired, "services", "a", "network_mode").verdict == "approximated"


def test_reserved_subnets_are_left_alone() -> None:
    first = draw(APART).resources["network:default"].subnet  # type: ignore[union-attr]
    other = draw(APART, policy={"reserved_subnets": [first]}).resources["network:default"].subnet  # type: ignore[union-attr]
    assert first != other
    narrow = {"private_supernet": "10.99.0.0/24", "reserved_subnets": ["10.99.0.0/16"]}
    assert "realise.subnets_exhausted" in errors(draw(APART, policy=narrow))


def test_subnets_never_overlap_and_are_the_same_in_every_run() -> None:
    def carve() -> list[str | None]:
        subnets = Subnets("10.96.0.0/16", ["10.96.0.0/18", "10.96.16.0/24", "172.16.0.0/12", "nonsense"])
        return [subnets.carve(f"network {n}", 20 + 400 * (n % 3 == 0)) for n in range(150)]

    from ipaddress import ip_network

    made = [ip_network(subnet) for subnet in carve() if subnet]
    assert carve() == carve()
    assert len(made) > 100
    for position, one in enumerate(made):
        assert not one.overlaps(ip_network("10.96.0.0/18"))
        assert not any(one.overlaps(other) for other in made[:position])


def test_a_subnet_hands_out_each_address_once() -> None:
    addresses = Addresses("10.0.0.0/28", ["10.0.0.5/28"])
    given = []
    while (address := addresses.give()) is not None:
        given.append(address)
    assert len(set(given)) == len(given) == 13
    assert "10.0.0.5/28" not in given
    assert addresses.take("10.0.1.1") is None
