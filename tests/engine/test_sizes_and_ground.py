"""A target that sells sizes, shares no network and shuts machines off: what a drawing becomes there."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from engine.observed import QuotaFact, SizeFact, Target
from engine.realise import Desired
from engine.resources import Balancer, Firewall, Folder, Network, from_json, to_json
from tests.engine.drawings import AWS, draw, entry, errors, found, machines, target

WEB = """
services:
  web: {image: nginx, ports: ["80:80"], networks: [front, back], deploy: {replicas: 3}}
  db: {image: postgres, networks: [back], expose: [5432], x-escale: {isolation: machine}}
networks: {front: , back: }
"""


def on(**inventory: Any) -> Target:
    return replace(AWS, inventory=replace(AWS.inventory, **inventory))


def with_defaults(**defaults: Any) -> Target:
    return replace(AWS, defaults=defaults)


def prior(desired: Desired) -> dict[str, Any]:
    return {key: to_json(resource) for key, resource in desired.resources.items()}


def ground(desired: Desired) -> Folder:
    folder = desired.resources["folder:deployment"]
    assert isinstance(folder, Folder)
    return folder


def networks(desired: Desired) -> dict[str, Network]:
    return {key: one for key, one in desired.resources.items() if isinstance(one, Network)}


def rules(desired: Desired, label: str) -> list[tuple[str, int, int, str]]:
    firewall = desired.resources[f"firewall:{label}"]
    assert isinstance(firewall, Firewall)
    return [(rule.protocol, rule.first, rule.last, rule.source) for rule in firewall.rules]


def single(ports: str, more: str = "", **options: Any) -> Desired:
    return draw(
        f"services:\n  web:\n    image: nginx\n    ports: {ports}\n{more}", on=options.pop("on", AWS), **options
    )


# The ground.


def test_all_networks_lie_in_the_deployments_own_range_and_overlap_nowhere() -> None:
    desired = draw(WEB, on=AWS)
    assert not errors(desired)
    whole = IPv4Network(str(ground(desired).cidr))
    assert whole.prefixlen == 20
    assert whole.subnet_of(IPv4Network("10.96.0.0/12"))
    found_ = networks(desired)
    assert {key: one.access for key, one in found_.items()} == {
        "network:@public": "public",
        "network:back": "private",
        "network:front": "private",
    }
    subnets = [IPv4Network(str(one.subnet)) for one in found_.values()]
    assert all(subnet.subnet_of(whole) for subnet in subnets)
    assert not any(one.overlaps(other) for one in subnets for other in subnets if one is not other)
    assert all(one.managed for one in found_.values())


def test_every_machine_has_its_first_card_on_the_public_network() -> None:
    for machine in machines(draw(WEB, on=AWS)).values():
        assert machine.nics[0].network == "network:@public"
        assert machine.nics[0].address is None


def test_addresses_that_amazon_keeps_are_given_to_nobody() -> None:
    text = WEB.replace("back: }", "back: {x-escale: {subnet: 10.100.0.0/28}} }")
    text = text.replace("networks: [back]", "networks: {back: {ipv4_address: 10.100.0.2}}")
    desired = draw(text, on=AWS)
    addresses = [
        IPv4Address(str(nic.address).partition("/")[0])
        for machine in machines(desired).values()
        for nic in machine.nics
        if nic.network == "network:back"
    ]
    assert len(addresses) == 4
    assert min(addresses) >= IPv4Address("10.100.0.4")
    assert max(addresses) <= IPv4Address("10.100.0.14")
    assert entry(desired, "services", "db", "networks", "back", "ipv4_address").verdict == "dropped"


def test_a_small_subnet_is_full_once_its_eleven_addresses_are_given() -> None:
    text = WEB.replace("back: }", "back: {x-escale: {subnet: 10.100.0.0/28}} }")
    assert "realise.subnet_full" not in errors(draw(text.replace("replicas: 3", "replicas: 10"), on=AWS))
    assert "realise.subnet_full" in errors(draw(text.replace("replicas: 3", "replicas: 11"), on=AWS))


def test_the_range_follows_a_subnet_that_is_drawn_and_another_one_is_told() -> None:
    text = WEB.replace(
        "front: , back: ", "front: {x-escale: {subnet: 192.168.7.0/24}}, back: {x-escale: {subnet: 10.5.3.0/24}}"
    )
    desired = draw(text, on=AWS)
    assert ground(desired).cidr == "10.5.0.0/16"
    assert networks(desired)["network:back"].subnet == "10.5.3.0/24"
    assert IPv4Network(str(networks(desired)["network:front"].subnet)).subnet_of(IPv4Network("10.5.0.0/16"))
    assert entry(desired, "networks", "front", "subnet").verdict == "approximated"


@pytest.mark.parametrize("subnet", ["10.0.0.0/8", "10.1.2.0/29"])
def test_a_subnet_of_a_size_that_amazon_has_not_is_told(subnet: str) -> None:
    desired = draw(WEB.replace("back: }", f"back: {{x-escale: {{subnet: {subnet}}}}} }}"), on=AWS)
    assert entry(desired, "networks", "back", "subnet").verdict == "approximated"
    assert 16 <= IPv4Network(str(networks(desired)["network:back"].subnet)).prefixlen <= 28


def test_ranges_of_others_are_kept_away_from_as_long_as_there_are_any() -> None:
    own = str(ground(draw(WEB, on=AWS)).cidr)
    other = str(ground(draw(WEB, on=AWS, policy={"reserved_subnets": [own]})).cidr)
    assert not IPv4Network(own).overlaps(IPv4Network(other))
    full = draw(WEB, on=AWS, policy={"reserved_subnets": ["10.96.0.0/12"]})
    assert ground(full).cidr == own
    assert not errors(full)


def test_the_ground_stays_when_the_drawing_grows() -> None:
    first = draw(WEB, on=AWS)
    text = WEB.replace("front: , back: ", "front: , back: , more: ").replace("[back], expose", "[back, more], expose")
    second = draw(text.replace("[front, back]", "[front, back, more]"), on=AWS, prior=prior(first))
    assert ground(second) == ground(first)
    before, after = networks(first), networks(second)
    assert {key: after[key] for key in before} == before
    assert "network:more" in after


def test_a_full_ground_says_what_to_do() -> None:
    first = prior(draw(WEB, on=AWS))
    first["folder:deployment"]["cidr"] = str(first["network:@public"]["subnet"])
    names = ", ".join(f"n{number}" for number in range(3))
    text = WEB.replace("front: , back: ", "front: , back: , n0: , n1: , n2: ")
    text = text.replace("[front, back]", f"[front, back, {names}]").replace(
        "[back], expose", f"[back, {names}], expose"
    )
    desired = draw(text, on=AWS, prior=first)
    assert "realise.subnets_exhausted" in errors(desired)
    assert any("deploy anew" in finding.message for finding in found(desired, "realise.subnets_exhausted"))


def test_networks_that_nobody_shares_are_told() -> None:
    text = WEB.replace("front: , back: ", "front: {external: true}, back: {x-escale: {vlan: 7}}")
    desired = draw(text + "x-escale: {network: VM Network}\n", on=AWS)
    assert not errors(desired)
    assert entry(desired, "networks", "front", "external").verdict == "dropped"
    assert entry(desired, "networks", "back", "x-escale", "vlan").verdict == "dropped"
    assert entry(desired, "x-escale", "network").verdict == "dropped"
    assert found(desired, "realise.network_external_own")
    assert networks(desired)["network:front"].managed


# The zone.


def test_all_of_it_stands_in_one_zone_and_stays_there() -> None:
    first = draw(WEB, on=AWS)
    assert ground(first).zone == "eu-west-1a"
    assert {machine.cluster for machine in machines(first).values()} == {"eu-west-1a"}
    named = draw(WEB + "x-escale: {cluster: eu-west-1c}\n", on=AWS)
    assert ground(named).zone == "eu-west-1c"
    assert {machine.cluster for machine in machines(named).values()} == {"eu-west-1c"}
    moved = draw(WEB + "x-escale: {cluster: eu-west-1c}\n", on=AWS, prior=prior(first))
    assert errors(moved) == ["placement.zone_split"]


def test_two_zones_in_one_drawing_are_an_error() -> None:
    text = WEB.replace("x-escale: {isolation: machine}", "x-escale: {machine: store}")
    text += "x-escale: {machines: {store: {cluster: eu-west-1b}, spare: {cluster: eu-west-1c}}}\n"
    desired = draw(text, on=AWS)
    assert errors(desired) == ["placement.zone_split"]
    good = draw(text.replace("eu-west-1c", "eu-west-1b"), on=AWS)
    assert not errors(good)
    assert ground(good).zone == "eu-west-1b"


# What is let in.


@pytest.mark.parametrize(
    ("ports", "wanted"),
    [
        ('["80:80"]', [("tcp", 80, 80)]),
        ('["8080:80/udp", "8080:80"]', [("tcp", 8080, 8080), ("udp", 8080, 8080)]),
        ('["8000-8003:8000-8003", "8004:1"]', [("tcp", 8000, 8004)]),
        ('[{target: 80, published: "9000-9010"}]', [("tcp", 9000, 9010)]),
        ('["0.0.0.0:81:80", "[::]:82:80"]', [("tcp", 81, 82)]),
        ('["127.0.0.1:5432:5432"]', []),
        ('["10.1.2.3:5432:5432"]', []),
        ('["5432"]', []),
        ('[{target: 80, published: "80", protocol: sctp}]', []),
    ],
)
def test_published_ports_are_let_in_and_nothing_else(ports: str, wanted: list[tuple[str, int, int]]) -> None:
    desired = single(ports)
    assert rules(desired, "host-1") == [(*one, "0.0.0.0/0") for one in wanted]
    assert machines(desired)["host-1"].firewall == "firewall:host-1"


@pytest.mark.parametrize(
    ("port", "verdict"),
    [
        ('"80:80"', "honoured"),
        ('"127.0.0.1:5432:5432"', "honoured"),
        ('"10.1.2.3:5432:5432"', "approximated"),
        ('"5432"', "dropped"),
        ('{target: 80, published: "80", protocol: sctp}', "dropped"),
    ],
)
def test_the_ledger_says_of_each_port_who_reaches_it(port: str, verdict: str) -> None:
    desired = single(f"[{port}]")
    assert entry(desired, "services", "web", "ports", 0).verdict == verdict
    # What the table says of the key is said all the same.
    assert entry(desired, "services", "web", "ports").code == "ledger.ports"


def test_the_admin_says_who_reaches_published_ports() -> None:
    desired = single('["80:80"]', on=with_defaults(open_to=["203.0.113.0/24", "198.51.100.7/32"]))
    assert rules(desired, "host-1") == [("tcp", 80, 80, "203.0.113.0/24"), ("tcp", 80, 80, "198.51.100.7/32")]
    assert "203.0.113.0/24" in entry(desired, "services", "web", "ports", 0).reason


def test_a_container_on_the_machines_network_has_its_declared_ports_opened() -> None:
    desired = single("[]", "    network_mode: host\n    expose: [8080, 53/udp]\n")
    assert rules(desired, "host-1") == [("tcp", 8080, 8080, "0.0.0.0/0"), ("udp", 53, 53, "0.0.0.0/0")]
    entries = [one for one in desired.ledger if one.path == ("services", "web", "network_mode")]
    assert {one.code for one in entries} >= {"ledger.network_mode.opened"}


def test_a_declared_range_is_opened_as_one_and_what_is_neither_tcp_nor_udp_is_not() -> None:
    desired = single("[]", '    network_mode: host\n    expose: ["3000-3005", "9/sctp"]\n')
    assert rules(desired, "host-1") == [("tcp", 3000, 3005, "0.0.0.0/0")]


def test_a_machine_that_publishes_nothing_lets_nothing_in() -> None:
    assert rules(draw(WEB, on=AWS), "db-1") == []


def test_a_vsphere_has_neither_firewalls_nor_balancers_nor_ground() -> None:
    desired = draw(WEB)
    kinds = {resource.kind for resource in desired.resources.values()}
    assert kinds == {"folder", "network", "machine"}
    assert ground(desired).cidr is None
    assert {machine.size for machine in machines(desired).values()} == {None}
    assert not any("firewall" in one.reason or "balancer" in one.reason for one in desired.ledger)


# Balancers.


def test_replicas_that_publish_a_port_get_a_balancer() -> None:
    desired = draw(WEB, on=AWS)
    balancer = desired.resources["balancer:web"]
    assert isinstance(balancer, Balancer)
    assert [(one.protocol, one.port, one.target_port) for one in balancer.listeners] == [("tcp", 80, 80)]
    assert balancer.machines == ("machine:host-1", "machine:host-2", "machine:host-3")
    assert balancer.network == "network:@public"
    assert len(balancer.name) <= 32
    assert from_json(to_json(balancer)) == balancer


@pytest.mark.parametrize(
    "change",
    [
        ("replicas: 3", "replicas: 1"),
        ('"80:80"', '"80"'),
        ('"80:80"', '"127.0.0.1:80:80"'),
        ('["80:80"]', '[{target: 80, published: "9000-9010"}]'),
    ],
)
def test_what_cannot_be_balanced_is_not(change: tuple[str, str]) -> None:
    assert "balancer:web" not in draw(WEB.replace(*change), on=AWS).resources


def test_a_range_that_is_not_balanced_is_told() -> None:
    desired = draw(
        WEB.replace('["80:80"]', '[{target: 80, published: "9000-9010"}]').replace(
            "deploy: {replicas: 3}", "deploy: {replicas: 3}, x-escale: {placement: SPREAD}"
        ),
        on=AWS,
    )
    codes = {one.code: one.verdict for one in desired.ledger if one.path == ("services", "web", "ports", 0)}
    assert codes["ledger.ports.balanced"] == "approximated"


# Sizes.


def test_a_machine_is_of_the_smallest_size_that_holds_it_and_its_cards() -> None:
    made = machines(draw(WEB, on=AWS))
    assert (made["db-1"].size, made["host-1"].size) == ("t3.micro", "t3.small")  # two cards, three cards
    assert made["db-1"].asked == (1, 1024)
    assert (made["db-1"].cpus, made["db-1"].memory_mib) == (2, 1024)


def test_many_networks_make_a_machine_larger() -> None:
    names = ", ".join(f"n{number}" for number in range(6))
    text = WEB.replace("front: , back: ", ", ".join(f"n{number}: {{}}" for number in range(6)))
    text = text.replace("[front, back]", f"[{names}]").replace("networks: [back]", f"networks: [{names}]")
    desired = draw(text, on=on(quotas=()))
    assert not errors(desired)
    assert {machine.size for machine in machines(desired).values()} == {"m5.4xlarge"}  # seven cards


def test_a_machine_that_no_size_holds_is_an_error_that_says_what_there_is() -> None:
    few = on(sizes=tuple(size for size in AWS.inventory.sizes if size.nics < 3))
    desired = draw(WEB, on=few)
    assert "realise.size_missing" in errors(desired)
    message = found(desired, "realise.size_missing")[0].message
    assert "3 network cards" in message
    assert "t3.micro has 2, 1024 MiB and 2 cards" in message
    assert "a1.medium" not in message  # of another architecture


def test_a_service_larger_than_the_largest_size_is_an_error() -> None:
    desired = single("[]", "    mem_reservation: 200g\n    x-escale: {isolation: machine}\n")
    assert "realise.service_too_large" in errors(desired)


def test_drawn_machines_and_pools_get_sizes_too() -> None:
    text = """
    services:
      web: {image: nginx, x-escale: {machine: front}, deploy: {replicas: 2}}
      db: {image: postgres, x-escale: {machine: store}}
    x-escale: {machines: {front: {count: 2}, store: {cpus: 3, memory: 10GiB}, bare: {}}}
    """
    made = machines(draw(text, on=AWS))
    assert made["store"].size == "m5.xlarge"
    assert made["store"].asked == (3, 10240)
    assert made["front-1"].size == made["front-2"].size
    assert made["bare"].plain
    assert made["bare"].size == "t3.micro"


def test_a_size_stays_though_a_better_one_is_sold_by_now() -> None:
    first = draw(WEB, on=AWS)
    better = on(sizes=(SizeFact("t4.tiny", 1, 1024, 4, 4), *AWS.inventory.sizes))
    assert machines(draw(WEB, on=better))["db-1"].size == "t4.tiny"
    again = draw(WEB, on=better, prior=prior(first))
    assert {label: one.size for label, one in machines(again).items()} == {
        label: one.size for label, one in machines(first).items()
    }
    more = WEB.replace("image: postgres", "image: postgres, mem_reservation: 3g")
    assert machines(draw(more, on=better, prior=prior(first)))["db-1"].size == "t3.medium"


def test_the_sizes_are_told() -> None:
    (finding,) = found(draw(WEB, on=AWS), "realise.sizes")
    assert "t3.micro for db-1" in finding.message


# Spot.


@pytest.mark.parametrize(
    ("drawn", "default", "wanted"),
    [
        ("", False, (False, False)),
        ("", True, (True, True)),
        ("machine: {spot: true}", False, (True, True)),
        ("machine: {spot: false}", True, (False, False)),
        ("machines: {store: {spot: true}}", False, (False, True)),
        ("machine: {spot: true}, machines: {store: {spot: false}}", False, (True, False)),
    ],
)
def test_the_drawing_says_which_machines_are_spot_and_then_the_admin(
    drawn: str, default: bool, wanted: tuple[bool, bool]
) -> None:
    extension = drawn if "machines" in drawn else f"{drawn}{', ' if drawn else ''}machines: {{store: {{}}}}"
    text = WEB.replace("x-escale: {isolation: machine}", "x-escale: {machine: store}") + f"x-escale: {{{extension}}}\n"
    made = machines(draw(text, on=with_defaults(spot=default)))
    assert (made["host-1"].spot, made["store"].spot) == wanted


def test_spot_has_no_effect_where_nobody_sells_it_and_the_ledger_says_so() -> None:
    text = WEB + "x-escale: {machine: {spot: true}, machines: {store: {spot: true}}}\n"
    desired = draw(text)
    assert not any(machine.spot for machine in machines(desired).values())
    assert entry(desired, "x-escale", "machine", "spot").verdict == "dropped"
    assert entry(desired, "x-escale", "machines", "store", "spot").verdict == "dropped"
    assert entry(draw(text, on=AWS), "x-escale", "machine", "spot").verdict == "honoured"


def test_a_size_that_is_not_sold_as_spot_is_not_taken_for_it() -> None:
    only = on(sizes=(SizeFact("big", 4, 8192, 4, 4, spot=False), SizeFact("odd", 1, 512, 1, 1)))
    desired = draw(WEB + "x-escale: {machine: {spot: true}}\n", on=only)
    assert "realise.size_missing" in errors(desired)
    assert "spot" in found(desired, "realise.size_missing")[0].message


# Quotas.


@pytest.mark.parametrize(
    ("quota", "more"),
    [
        (QuotaFact("vcpus", 11, 4, "L-1216C47A"), 8),
        (QuotaFact("machines", 3, 0), 4),
        (QuotaFact("vpcs", 5, 5, "L-F678F1CE"), 1),
        (QuotaFact("volumes_gib", 100, 80), 32),
        (QuotaFact("firewalls", 100, 97), 7),
        (QuotaFact("balancers", 0, 0), 1),
        (QuotaFact("addresses", 5, 4, "L-0263D0A3"), 4),
    ],
)
def test_what_a_quota_does_not_allow_is_said_with_figures_before_anything_is_made(quota: QuotaFact, more: int) -> None:
    desired = draw(WEB, on=on(quotas=(quota,)))
    (finding,) = found(desired, "placement.quota")
    assert finding.severity == "error"
    assert f"{more} more" in finding.message
    assert f"allows {quota.limit:g} " in finding.message
    assert quota.code in finding.message
    enough = replace(quota, limit=quota.used + more)
    assert not found(draw(WEB, on=on(quotas=(enough,))), "placement.quota")


def test_what_a_deployment_has_already_is_not_counted_again() -> None:
    first = prior(draw(WEB, on=AWS))
    full = on(quotas=(QuotaFact("vcpus", 8, 8), QuotaFact("vpcs", 1, 1), QuotaFact("spot_vcpus", 0, 0)))
    assert not found(draw(WEB, on=full, prior=first), "placement.quota")
    four = draw(WEB.replace("replicas: 3", "replicas: 4"), on=full, prior=first)
    assert found(four, "placement.quota")[0].message.startswith("This cloud allows 8 CPUs")
    spot = draw(WEB + "x-escale: {machine: {spot: true}}\n", on=full, prior=first)
    assert "spot machines" in found(spot, "placement.quota")[0].message


# User-data.


def test_files_that_the_clouds_user_data_cannot_hold_are_an_error() -> None:
    noise = "".join(sha256(str(number).encode()).hexdigest() for number in range(400))
    text = "services:\n  web: {image: nginx, volumes: ['./a.txt:/a.txt']}\n"
    small = draw(text, on=AWS, files={"a.txt": "x" * 30_000})
    assert not errors(small)  # what counts is how small it packs
    assert "realise.userdata_too_large" in errors(draw(text, on=AWS, files={"a.txt": noise}))
    assert not errors(draw(text, on=target(), files={"a.txt": noise[:3000]}))
