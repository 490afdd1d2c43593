"""A drawing over several clouds is planned as one: parts that are tied by addresses, in an order that can be run."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any

import pytest

from engine.across import reachable
from engine.realise.place import Clouds, homes, main_named, part
from engine.userdata import addresses, read_file
from engine.userdata.addresses import Peer
from tests.engine.across import Sky, codes, messages, text_of
from tests.engine.drawings import AWS, load
from tests.engine.golden import check_golden

SHOP = """
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    environment: {DB: "postgres://db:5432/shop"}
    depends_on: [db]
    x-escale: {place: roubaix}
  db:
    image: postgres:17
    ports: ["5432:5432"]
    volumes: ["data:/var/lib/postgresql/data"]
volumes: {data: }
"""
TWO = ("paris", "roubaix")


def changed(old: str, new: str, text: str = SHOP) -> str:
    assert old in text, old
    return text.replace(old, new)


def hosts(sky: Sky, cloud: str, label: str, service: str) -> list[str]:
    """Return the hosts entries of a service as its machine was applied last, marks and all."""
    compose = read_file(sky.machine(cloud, label).userdata, "/opt/escale/compose.yaml")
    assert compose is not None
    return list(json.loads(compose)["services"][service].get("extra_hosts", ()))


# What a plan looks like.


def test_a_web_tier_on_aws_and_its_database_on_a_vcenter() -> None:
    text = changed("place: roubaix", "place: ireland")
    sky = Sky(("paris", "ireland"), targets={"ireland": AWS})
    plan = sky.plan(text)
    check_golden("across-web-on-aws", text_of(plan))
    assert not plan.blocked
    sky.execute(plan)
    assert sky.plan(text).empty
    assert hosts(sky, "ireland", "host-1", "web") == ["db:@escale:address/1/1//host-1@"]


def test_a_database_on_aws_lets_its_callers_in_by_its_firewall() -> None:
    text = changed("place: roubaix", "machine: edge").replace(
        "volumes: [", "x-escale: {place: ireland}\n    volumes: ["
    )
    text += "x-escale: {machines: {edge: {cpus: 2}}}\n"
    sky = Sky(("paris", "ireland"), targets={"ireland": AWS})
    plan = sky.deploy(text)
    (crossing,) = plan.crossings
    assert (crossing.called_cloud, crossing.port) == ("ireland", 5432)
    assert "tcp 5432 from" in crossing.firewall
    check_golden("across-destroy", text_of(sky.plan_destroy()))
    sky.execute(sky.plan_destroy())
    assert not any(cloud.things for cloud in sky.clouds.values())


# Order.


def test_who_calls_is_made_when_whom_it_calls_is_ready_and_goes_before_it() -> None:
    sky = Sky(TWO)
    order = sky.deploy(SHOP).order()
    assert order.index("machine:host-1/machine.ready") < order.index("roubaix/machine:host-1/machine.create")
    end = sky.plan_destroy().order()
    assert end.index("roubaix/machine:host-1/machine.delete") < end.index("machine:host-1/machine.stop")


def test_what_only_waits_for_another_needs_no_address_of_it() -> None:
    text = changed('    ports: ["5432:5432"]\n', "").replace('    environment: {DB: "postgres://db:5432/shop"}\n', "")
    plan = Sky(TWO).plan(text)
    assert not plan.blocked
    assert plan.crossings == ()
    assert plan.after == {"roubaix/machine:host-1/machine.start": ("machine:host-1/machine.ready",)}


def test_the_agent_waits_for_the_port_over_the_border() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    settings = json.loads(read_file(sky.machine("roubaix", "host-1").userdata, "/opt/escale/machine.json") or "{}")
    assert settings["waits"] == [
        {"service": "web", "for": "db", "address": "@escale:address/1/1//host-1@", "port": 5432}
    ]


# Names and addresses.


def test_a_name_leads_to_all_machines_of_the_service_that_is_called() -> None:
    text = changed("image: postgres:17", "image: postgres:17\n    deploy: {replicas: 2}").replace(
        '    volumes: ["data:/var/lib/postgresql/data"]\n', ""
    )
    sky = Sky(TWO)
    sky.deploy(text)
    assert hosts(sky, "roubaix", "host-1", "web") == [
        "db:@escale:address/1/1//host-1@",
        "db:@escale:address/1/1//host-2@",
    ]


def test_aliases_and_links_are_names_too() -> None:
    text = """
    services:
      web:
        image: nginx
        links: ["db:store"]
        networks: [back]
        x-escale: {place: roubaix}
      db:
        image: postgres
        ports: ["5432:5432"]
        container_name: the-db
        networks: {back: {aliases: [primary]}}
    networks: {back: }
    """
    sky = Sky(TWO)
    sky.deploy(text)
    names = {entry.partition(":")[0] for entry in hosts(sky, "roubaix", "host-1", "web")}
    assert names == {"db", "store", "primary", "the-db"}


def test_the_same_again_is_empty_and_so_is_a_new_address_that_nobody_was_given() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    assert sky.plan(SHOP).empty
    sky.addresses["roubaix"]["machine:host-1"] = ["8.8.4.4"]  # of the caller: nobody has it
    assert sky.plan(SHOP).empty


def test_a_machine_that_is_made_anew_updates_its_callers_with_the_reason() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    sky.clouds["paris"].lose("machine:host-1")
    plan = sky.plan(SHOP)
    (change,) = [one for one in plan.plans["roubaix"].changes if one.change != "keep"]
    assert change.change == "update"
    assert change.cause.startswith("the address of db on paris changes: its machine is made anew")
    assert plan.after["roubaix/machine:host-1/machine.update"] == ("machine:host-1/machine.ready",)
    sky.execute(plan)
    assert hosts(sky, "roubaix", "host-1", "web") == ["db:@escale:address/1/2//host-1@"]
    assert sky.plan(SHOP).empty


def test_an_address_that_is_another_by_now_is_written_anew_once() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    sky.addresses["paris"]["machine:host-1"] = ["9.9.9.9"]
    plan = sky.plan(SHOP)
    assert [one.cause for one in plan.plans["roubaix"].changes if one.change == "update"] == [
        "the address of db on paris changes: it is 9.9.9.9 by now"
    ]
    sky.execute(plan)
    assert sky.given["roubaix"]["machine:host-1"] == {Peer("", "host-1"): "9.9.9.9"}
    assert sky.plan(SHOP).empty


def test_a_restart_renews_a_public_address_and_so_its_callers() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    plan = sky.plan(changed("postgres:17", "postgres:18"))
    assert [one.change for one in plan.plans["roubaix"].changes if one.kind == "machine"] == ["update"]
    sky.addresses["paris"]["machine:host-1"] = ["10.1.2.3"]
    sky.given["roubaix"]["machine:host-1"] = {Peer("", "host-1"): "10.1.2.3"}
    private = sky.plan(changed("postgres:17", "postgres:18"))
    assert [one.change for one in private.plans["roubaix"].changes if one.kind == "machine"] == ["keep"]


def test_public_addresses_come_first_unless_the_clouds_are_connected() -> None:
    told = ["127.0.0.1", "fe80::1", "not one", "10.96.0.3", "192.168.7.4", "8.8.8.8", "2001:4860::8"]
    assert addresses.choose(told) == "8.8.8.8"
    assert addresses.choose(told, private_first=True, internal=["10.96.0.3/24"]) == "192.168.7.4"
    assert addresses.choose(["fe80::1", "169.254.1.1", "0.0.0.0", "::1"]) is None
    assert addresses.choose([]) is None


def test_a_card_that_no_other_cloud_sees_is_no_way_to_a_machine_that_has_another_one() -> None:
    ground, own = {"network": "network:ground"}, {"network": "network:back", "address": "10.96.0.3/24"}
    both, alone = {"nics": [ground, own]}, {"nics": [own]}
    assert reachable(both, ["10.96.0.3", "192.168.7.4"], connected=True) == "192.168.7.4"
    assert reachable(both, ["10.96.0.3"], connected=True) is None  # the guest has not told of the other yet
    assert reachable(alone, ["10.96.0.3"], connected=True) == "10.96.0.3"


def test_a_route_is_asked_for_until_the_clouds_are_known_to_be_connected() -> None:
    assert "across.route" in codes(Sky(TWO).plan(SHOP), "warning")
    connected = Sky(TWO, reaches={"roubaix": frozenset({"paris"})})
    assert "across.route" not in codes(connected.plan(SHOP), "warning")
    sky = Sky(TWO)
    sky.deploy(SHOP)
    assert "across.route" not in codes(sky.plan(SHOP), "warning")  # its address is a public one
    sky.addresses["paris"]["machine:host-1"] = ["10.1.2.3"]
    assert "10.1.2.3" in messages(sky.plan(SHOP), "across.route")


# What cannot work.


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"5432:5432"', '"15432:5432"', "its machine has it as 15432"),
        ('"5432:5432"', '"127.0.0.1:5432:5432"', "published on 127.0.0.1 alone"),
        ('"5432:5432"', '"5432"', "publishes no port with a fixed number"),
        ('ports: ["5432:5432"]', "expose: [5432]", "publishes no port with a fixed number"),
        ('"5432:5432"', '"6432:6432"', "publishes 6432 only"),
    ],
)
def test_a_port_that_nobody_can_reach_is_refused_with_what_to_write(old: str, new: str, told: str) -> None:
    plan = Sky(TWO).plan(changed(old, new))
    assert codes(plan) == ["across.port_not_published"]
    said = messages(plan, "across.port_not_published")
    assert told in said
    assert '["5432:5432"]' in said
    assert next(one for one in plan.findings if one.severity == "error").line


def test_a_port_under_another_number_is_reached_where_the_caller_says_so() -> None:
    plan = Sky(TWO).plan(changed('"5432:5432"', '"15432:5432"').replace("db:5432", "db:15432"))
    assert not plan.blocked
    assert [(one.port, one.container_port) for one in plan.crossings] == [(15432, 5432)]


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("network_mode: service:db", "across.namespace_shared"),
        ("ipc: service:db", "across.namespace_shared"),
        ("pid: service:db", "across.namespace_shared"),
        ("volumes_from: [db]", "across.volumes_from"),
        ('volumes: ["data:/data"]', "across.volume_shared"),
    ],
)
def test_what_containers_share_within_a_machine_is_refused_over_a_border(extra: str, code: str) -> None:
    text = changed(
        "volumes: {data: }",
        f"  tool:\n    image: tool\n    {extra}\n    x-escale: {{place: roubaix}}\nvolumes: {{data: }}",
    )
    assert codes(Sky(TWO).plan(text)) == [code]
    assert not codes(Sky(TWO).plan(text.replace("place: roubaix", "place: paris")))


def test_a_hard_affinity_is_refused_and_a_soft_one_told() -> None:
    hard = changed("{place: roubaix}", "{place: roubaix, affinity: {services: [db]}}")
    assert codes(Sky(TWO).plan(hard)) == ["across.affinity"]
    soft = Sky(TWO).plan(changed("{place: roubaix}", "{place: roubaix, affinity: {services: [db], mode: soft}}"))
    assert not soft.blocked
    assert ("dropped", "ledger.across.affinity") in {(entry.verdict, entry.code) for entry in soft.ledger}


def test_two_sides_that_need_each_other_s_addresses_first_are_refused_by_name() -> None:
    text = changed("image: postgres:17", 'image: postgres:17\n    environment: {BACK: "http://web:80"}')
    plan = Sky(TWO).plan(text)
    assert codes(plan) == ["across.cycle"]
    assert "web (roubaix) calls db (paris)" in messages(plan, "across.cycle")
    assert "db (paris) calls web (roubaix)" in messages(plan, "across.cycle")
    assert plan.order()  # it can be read all the same


def test_a_round_over_the_machines_alone_is_refused_too() -> None:
    text = """
    services:
      a: {image: a, environment: {X: "b:1"}, x-escale: {place: roubaix}}
      b: {image: b, ports: ["1:1"]}
      c: {image: c, environment: {X: "d:2"}}
      d: {image: d, ports: ["2:2"], x-escale: {place: roubaix}}
    """
    assert codes(Sky(TWO).plan(text)) == ["across.cycle"]
    Sky(TWO).deploy(dedent(text) + "x-escale: {isolation: machine}\n")


def test_a_round_that_only_orders_is_broken_with_a_warning() -> None:
    text = changed("image: postgres:17", "image: postgres:17\n    depends_on: [helper]").replace(
        "  db:", "  helper:\n    image: helper\n    x-escale: {place: roubaix}\n  db:"
    )
    plan = Sky(TWO).plan(text)
    assert not plan.blocked
    assert codes(plan, "warning") == ["across.order_dropped", "across.route"]


def test_a_mere_word_is_no_call_unless_a_port_is_published_for_it() -> None:
    text = changed("image: postgres:17", "image: postgres:17\n    environment: {POSTGRES_DB: other}").replace(
        "  db:", "  other:\n    image: other\n    x-escale: {place: roubaix}\n  db:"
    )
    plan = Sky(TWO).plan(text)
    assert not plan.blocked
    assert "across.name_only" in codes(plan, "warning")
    published = Sky(TWO).plan(text.replace("image: other\n", 'image: other\n    ports: ["99:99"]\n'))
    assert not published.blocked  # a round that only a word makes is given up
    assert "across.name_dropped" in codes(published, "warning")


def test_a_volume_s_data_is_never_left_behind() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    plan = sky.plan(changed("volumes: [", "x-escale: {place: roubaix}\n    volumes: ["))
    assert codes(plan) == ["across.data_stays"]
    assert "mobility plan" in messages(plan, "across.data_stays")
    fresh = changed("volumes: [", "x-escale: {place: roubaix}\n    volumes: [").replace("data:/", "data2:/")
    renamed = sky.plan(fresh.replace("volumes: {data: }", "volumes: {data2: }"))
    assert not renamed.blocked
    assert [one.resource for one in renamed.plans[""].changes if one.data_loss] == ["volume:data"]


def test_a_service_moves_between_clouds_and_an_empty_part_goes_to_its_last_piece() -> None:
    sky = Sky(TWO)
    sky.deploy(SHOP)
    plan = sky.deploy(changed("    x-escale: {place: roubaix}\n", ""))
    assert not sky.clouds["roubaix"].things
    assert {one.cause for one in plan.plans["roubaix"].changes} == {"nothing of the drawing stands on roubaix any more"}
    assert sky.plan(changed("    x-escale: {place: roubaix}\n", "")).empty


# Where things stand.


def where(text: str, default: str = "paris", **options: Any) -> Any:
    names = options.pop("known", ("paris", "roubaix", "ireland"))
    return homes(load(text), default, Clouds(names, options.pop("labels", {}), options.pop("required", "")))


def test_the_nearest_place_counts() -> None:
    text = """
    services:
      own: {image: a, x-escale: {place: roubaix}}
      on-machine: {image: a, x-escale: {machine: edge}}
      in-region: {image: a, x-escale: {region: far}}
      rest: {image: a}
    x-escale:
      place: ireland
      machines: {edge: {place: roubaix}, plain: {region: far}}
      regions: {near: , far: {cloud: paris}}
    """
    found = where(text)
    assert found.services == {"own": "roubaix", "on-machine": "roubaix", "in-region": "paris", "rest": "ireland"}
    assert found.machines == {"edge": "roubaix", "plain": "paris"}
    assert (found.default, found.clouds) == ("ireland", ("ireland", "paris", "roubaix"))


def test_a_place_that_is_unknown_or_at_odds_with_its_machine_is_an_error_at_its_line() -> None:
    unknown = where("services: {a: {image: a, x-escale: {place: rubaix}}}")
    assert [one.code for one in unknown.findings] == ["across.cloud_unknown"]
    assert "did you mean 'roubaix'?" in unknown.findings[0].message
    odd = where(
        "services: {a: {image: a, x-escale: {place: paris, machine: m}}}\nx-escale: {machines: {m: {place: roubaix}}}"
    )
    assert [one.code for one in odd.findings] == ["across.place_conflict"]
    assert odd.services == {"a": "roubaix"}


def test_a_label_is_demanded_and_chosen_by() -> None:
    text = "services: {a: {image: a, x-escale: {place: {label: 'escale:deploy'}}}, b: {image: b}}"
    labels = {"ireland": ["escale:deploy"], "roubaix": ["escale:deploy", "escale:mobility"]}
    assert where(text, labels=labels).services == {"a": "roubaix", "b": "paris"}
    assert where(text, default="ireland", labels=labels).services == {"a": "ireland", "b": "ireland"}
    missing = where(text)
    assert [one.code for one in missing.findings] == ["placement.label_missing"]
    named = "services: {a: {image: a, x-escale: {place: {cloud: paris, label: required}}}}"
    assert [one.code for one in where(named, labels=labels).findings] == ["placement.label_missing"]
    assert not where(named.replace("paris", "ireland"), labels=labels).findings
    policy = where("services: {a: {image: a}}", labels=labels, required="escale:deploy")
    assert [one.code for one in policy.findings] == ["placement.label_missing"]
    assert not where("services: {a: {image: a}}", default="roubaix", labels=labels, required="escale:deploy").findings


@pytest.mark.parametrize("place", ["[a]", "7", "{}", "{cloud: [x]}", "{label: 3}", "{kloud: paris}", "''"])
def test_a_place_of_any_other_form_is_told_by_the_schema_and_survived(place: str) -> None:
    for text in (
        f"services: {{a: {{image: a, x-escale: {{place: {place}}}}}}}",
        f"services: {{a: {{image: a}}}}\nx-escale: {{place: {place}}}",
        f"services: {{a: {{image: a}}}}\nx-escale: {{machines: {{m: {{place: {place}}}}}}}",
    ):
        plan = Sky(TWO).plan(text)
        project = load(text)
        part(project, where(text), "paris")
        from engine.realise.extension import read_extensions

        assert "realise.extension" in {finding.code for finding in read_extensions(project).findings}
        assert plan.order() is not None


@pytest.mark.parametrize(
    ("text", "cloud"),
    [
        ("services: {a: {image: a, x-escale: {place: paris}}, b: {image: b}}", ""),
        ("services: {a: {image: a, x-escale: {place: paris}}, b: {image: b, x-escale: {place: roubaix}}}", "paris"),
        ("services: {a: {image: a}}\nx-escale: {place: {cloud: paris, label: required}}", "paris"),
        ("services: {a: {image: a}}\nx-escale: {regions: {one: {cloud: paris}, two: }}", ""),
        ("services: {a: {image: a}}\nx-escale: {regions: {one: {cloud: paris}, two: {cloud: roubaix}}}", "paris"),
        ("services: {a: {image: a, x-escale: {machine: m}}}\nx-escale: {machines: {m: {place: paris}}}", "paris"),
        ("services: {a: {image: a}}", ""),
    ],
)
def test_the_main_cloud_is_asked_for_unless_nothing_is_left_to_ask(text: str, cloud: str) -> None:
    assert main_named(load(text)) == cloud
