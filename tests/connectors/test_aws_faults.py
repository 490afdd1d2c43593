"""The connector on an AWS that throttles, lags, refuses and breaks off: work completes, nothing is made twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.aws.account import Account
from connectors.base import Connector, ConnectorError, Outcome
from engine.resources import (
    Balancer,
    DiskMount,
    Firewall,
    Listener,
    Machine,
    Network,
    Nic,
    Rule,
    config_hash,
)
from tests.connectors.aws_bench import AwsBench
from tests.connectors.bench import Site, owner

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(aws: AwsBench) -> Iterator[AwsBench]:
    yield aws
    aws.aws.reset()
    aws.new_process()


@pytest.fixture
def site(bench: AwsBench) -> Iterator[Site]:
    connector = bench.connect(options={"settle_s": 4.0})
    yield Site(bench, connector)
    connector.close()


def a_web_tier(site: Site) -> list[Any]:
    """Return a drawing: a public and a private subnet, a machine with a disk in both, a firewall and a balancer."""
    number = site.owner.deployment_id[:8]
    public = Network("network:@public", f"public-{number}", True, "10.96.1.0/24", access="public")
    back = Network("network:back", f"back-{number}", True, "10.96.2.0/24", access="private")
    firewall = Firewall("firewall:host-1", "host-1", (Rule("tcp", 80, 80, "0.0.0.0/0"),))
    machine = Machine(
        key="machine:host-1",
        name="shop-host-1",
        template=site.bench.template,
        cpus=2,
        memory_mib=1024,
        nics=(Nic("network:@public"), Nic("network:back", "10.96.2.10/24", {"db": "10.96.2.11/24"})),
        disks=(DiskMount("volume:data", "/var/lib/data", 1),),
        userdata={"write_files": [], "runcmd": [["true"]]},
        firewall="firewall:host-1",
    )
    balancer = Balancer("balancer:web", "web", (Listener("tcp", 80, 80),), ("machine:host-1",), "network:@public")
    return [
        ("folder.create", site.folder),
        ("network.create", public),
        ("network.create", back),
        ("firewall.create", firewall),
        ("volume.create", site.volume()),
        ("machine.create", machine),
        ("machine.start", machine.key),
        ("machine.ready", machine.key),
        ("balancer.create", balancer),
    ]


def insist(site: Site, verb: str, about: Any, patience_s: float = 60.0) -> Outcome:
    """Run an action as the runner does: again, while its error may pass."""
    action = site.action(verb, about)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            outcome = site.finish(site.start(action))
        except ConnectorError as error:
            outcome = Outcome.failed(error)
        if outcome.error is None or outcome.error.permanent or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert outcome.state == "done", (verb, outcome.error and (outcome.error.message, outcome.error.detail))
    if "external_id" in outcome.result:
        site.facts[action.resource] = {**site.facts.get(action.resource, {}), **outcome.result}
    return outcome


def take_down(site: Site, built: list[Any]) -> None:
    site.next_operation()
    insist(site, "machine.stop", "machine:host-1")
    insist(site, "machine.detach", "machine:host-1")
    for verb, about in reversed(built):
        if verb.endswith(".create"):
            what = about.key if about.key.startswith("machine:") else about
            insist(site, verb.replace("create", "delete"), what)


def count(bench: AwsBench, kind: str) -> int:
    return sum(1 for line in bench.listing() if line.startswith(kind + " "))


def test_a_deployment_stands_and_leaves_nothing_behind(bench: AwsBench, site: Site) -> None:
    before = bench.listing()
    built = a_web_tier(site)
    for verb, about in built:
        site.run(verb, about)
    seen = site.observe()
    assert not seen.strays
    assert {key: each.config_hash for key, each in seen.resources.items()} == {
        about.key: config_hash(about) for verb, about in built if verb.endswith(".create")
    }
    machine = bench.instance(site.facts["machine:host-1"]["external_id"])
    cards = sorted(machine["NetworkInterfaces"], key=lambda card: card["Attachment"]["DeviceIndex"])
    firewall = site.facts["firewall:host-1"]["external_id"]
    assert [firewall in {group["GroupId"] for group in card["Groups"]} for card in cards] == [True, False]
    assert [entry["PrivateIpAddress"] for entry in cards[1]["PrivateIpAddresses"]] == ["10.96.2.10", "10.96.2.11"]
    assert cards[0]["Association"]["PublicIp"]  # although EC2 gives none at the start with several cards
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert seen.resources["balancer:web"].attributes["machines"] == [machine["InstanceId"]]
    assert seen.resources["balancer:web"].attributes["listeners"] == [
        {"protocol": "tcp", "port": 80, "target_port": 80}
    ]
    assert seen.resources["firewall:host-1"].attributes["rules"] == [
        {"protocol": "tcp", "first": 80, "last": 80, "source": "0.0.0.0/0"}
    ]
    tags = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}
    assert tags["escale:organization"] == site.owner.organization_id
    assert tags["escale:resource"] == "machine:host-1"
    take_down(site, built)
    assert bench.tagged(site.owner.deployment_id) == []
    assert bench.listing() == before


def test_half_of_all_requests_refused_and_listings_that_lag_make_nothing_twice(bench: AwsBench, site: Site) -> None:
    before = bench.listing()
    bench.aws.order(delays={"lag": 150})
    bench.aws.fault("*", "refuse", code="RequestLimitExceeded", status=503, count=0, probability=0.5)
    built = a_web_tier(site)
    for verb, about in built:
        insist(site, verb, about)
    bench.aws.calm()
    assert count(bench, "instance") == sum(1 for line in before if line.startswith("instance ")) + 1
    for kind, more in (("vpc", 1), ("subnet", 2), ("gateway", 1), ("balancer", 1), ("targets", 1)):
        assert count(bench, kind) == sum(1 for line in before if line.startswith(kind + " ")) + more, kind
    assert not site.observe().strays
    bench.aws.order(delays={"lag": 150})
    bench.aws.fault("*", "refuse", code="RequestLimitExceeded", status=503, count=0, probability=0.5)
    take_down(site, built)
    bench.aws.calm()
    assert bench.tagged(site.owner.deployment_id) == []
    assert bench.listing() == before


@pytest.mark.parametrize("action", ["CreateVpc", "CreateInternetGateway", "CreateSubnet", "CreateSecurityGroup"])
def test_a_call_without_a_client_token_that_was_done_unheard_is_not_done_again(
    bench: AwsBench, site: Site, action: str
) -> None:
    before = bench.listing()
    bench.aws.order(delays={"lag": 100})
    bench.aws.fault(action, "cut_after")
    site.next_operation()
    insist(site, "folder.create", site.folder)
    insist(site, "network.create", site.backnet())
    assert count(bench, "vpc") == sum(1 for line in before if line.startswith("vpc ")) + 1
    assert count(bench, "gateway") == sum(1 for line in before if line.startswith("gateway ")) + 1
    assert not site.observe().strays
    site.next_operation()
    insist(site, "network.delete", site.backnet())
    insist(site, "folder.delete", site.folder)
    assert bench.tagged(site.owner.deployment_id) == []
    assert bench.listing() == before


def test_a_step_whose_answer_was_lost_gets_the_same_machine_from_another_process(bench: AwsBench, site: Site) -> None:
    site.lay_ground()
    bench.aws.order(delays={"lag": 300})
    bench.cut_after("machine.create")
    with pytest.raises(ConnectorError) as caught:
        site.start(site.action("machine.create", site.machine()))
    assert caught.value.maybe_done
    bench.new_process()
    insist(site, "machine.create", site.machine())  # the machine cannot be seen yet: its client token finds it
    bench.aws.calm()
    assert bench.machines() == 1


def test_one_token_with_other_parameters_is_told_apart_and_recovers(bench: AwsBench, site: Site) -> None:
    site.lay_ground()
    bench.aws.order(delays={"lag": 400})
    action = site.action("machine.create", site.machine())
    site.start(action)
    bench.new_process()
    other = bench.connect(options={"settle_s": 4.0, "metadata_hops": 2})  # the settings changed in between
    with pytest.raises(ConnectorError) as caught:
        other.start(action, site.key(action))
    assert (caught.value.code, caught.value.permanent) == ("cloud.busy", False)
    time.sleep(0.4)
    outcome = site.finish(other.start(action, site.key(action)), other)
    assert outcome.result["created"] is True
    assert bench.machines() == 1
    other.close()


# Who we are


def role_of(bench: AwsBench) -> dict[str, Any]:
    role = bench.aws.credentials["roles"][0]
    return {"role_arn": role["arn"], "external_id": role["external_id"], "settle_s": 2.0}


def test_another_account_is_reached_by_its_role(bench: AwsBench) -> None:
    connector = bench.connect(options=role_of(bench))
    health = connector.probe()
    assert health.ok, health.findings
    assert health.facts["account"] == "210987654321"
    assert ":assumed-role/" in health.facts["arn"]
    site = Site(bench, connector)
    site.run("folder.create", site.folder)
    assert not Site(bench, bench.connect(), site.owner).observe().resources  # it stands in the other account
    site.run("folder.delete", site.folder)
    connector.close()


def test_a_role_is_not_assumed_without_its_external_id(bench: AwsBench) -> None:
    connector = bench.connect(options={**role_of(bench), "external_id": "guessed"})
    with pytest.raises(ConnectorError) as caught:
        connector.inventory()
    assert (caught.value.code, caught.value.permanent) == ("cloud.permission", True)
    assert "role/escale" in caught.value.message
    connector.close()


def test_a_session_that_ended_early_is_renewed_in_the_middle_of_work(bench: AwsBench) -> None:
    connector = bench.connect(options=role_of(bench))
    site = Site(bench, connector)
    action = site.action("folder.create", site.folder)
    outcome = site.start(action)
    bench.aws.expire()
    ended = site.finish(outcome)
    assert ended.state == "done", ended.error and (ended.error.message, ended.error.detail)
    site.run("folder.create", site.folder)
    site.run("folder.delete", site.folder)
    connector.close()


def test_an_unknown_key_is_told_from_a_wrong_secret_by_nobody(bench: AwsBench) -> None:
    for changes in ({"username": "AKIAUNKNOWN000000000"}, {"password": "wrong"}):
        connector = bench.connect(**changes)
        with pytest.raises(ConnectorError) as caught:
            connector.inventory()
        assert (caught.value.code, caught.value.permanent) == ("cloud.not_authenticated", True)
        connector.close()


def test_missing_permissions_are_named(bench: AwsBench) -> None:
    denied = ["ec2:RunInstances", "ec2:CreateTags", "elasticloadbalancing:DescribeLoadBalancers"]
    bench.aws.order(denied=denied)
    connector = bench.connect()
    health = connector.probe()
    assert not health.ok
    assert sorted(health.facts["missing_permissions"]) == sorted(denied)
    assert "ec2:RunInstances" in health.findings[0].message
    connector.close()


def test_a_probe_changes_nothing(bench: AwsBench) -> None:
    before = bench.listing()
    connector = bench.connect()
    health = connector.probe()
    assert health.ok, health.findings
    assert abs(health.facts["clock_skew_s"]) < 5
    assert bench.listing() == before
    connector.close()


# What does not fit


def test_what_runs_counts_in_its_own_zone_alone(bench: AwsBench, site: Site) -> None:
    inventory = site.connector.inventory()
    used = {quota.name: quota.used for quota in inventory.quotas}
    assert used["vcpus"] == sum(zone.cpu_used_mhz // 2500 for zone in inventory.clusters) > 0
    assert {zone.hosts for zone in inventory.clusters} == {0}
    volumes = {store.name: store.capacity_gib - store.free_gib for store in inventory.datastores}
    assert volumes["gp3"] == used["volumes_gib"]


def test_quotas_are_told_and_checked_before_anything_is_made(bench: AwsBench, site: Site) -> None:
    bench.aws.order(quotas={"L-1216C47A": 5, "L-F678F1CE": 2, "L-7A658B76": 1})
    quotas = {quota.name: quota for quota in site.connector.inventory().quotas}
    assert (quotas["vcpus"].limit, quotas["vcpus"].used) == (5, 4)  # two machines of others run, of two vCPUs each
    assert (quotas["vpcs"].limit, quotas["vpcs"].used) == (2, 2)
    assert quotas["volumes_gib"].limit == 1024
    for action in (
        site.action("machine.create", site.machine()),
        site.action("folder.create", site.folder),
        site.action("volume.create", site.volume(2000)),
    ):
        findings = site.connector.check(action)
        assert [finding.code for finding in findings] == ["cloud.no_space"], action.verb
        assert "quota" in findings[0].message
    assert site.fails("folder.create", site.folder).code == "cloud.no_space"


def test_a_machine_larger_than_all_types_is_refused_with_the_reason(site: Site) -> None:
    site.lay_ground()
    error = site.fails("machine.create", site.machine(cpus=1000))
    assert (error.code, error.permanent) == ("cloud.invalid", True)
    assert "1000 CPUs" in error.message


@pytest.mark.parametrize("address", ["10.96.1.1/24", "10.96.1.3/24", "10.96.1.255/24", "10.97.0.9/24"])
def test_an_address_that_aws_keeps_for_itself_is_refused(site: Site, address: str) -> None:
    site.run("folder.create", site.folder)
    network = Network("network:back", "back", True, "10.96.1.0/24")
    site.run("network.create", network)
    error = site.fails("machine.create", site.machine(nics=(Nic("network:back", address),)))
    assert (error.code, error.permanent) == ("cloud.invalid", True)
    assert address.partition("/")[0] in error.message


def test_a_subnet_outside_of_the_vpc_widens_it(bench: AwsBench, site: Site) -> None:
    site.run("folder.create", site.folder)
    result = site.run("network.create", Network("network:far", "far", True, "10.97.4.0/24")).result
    assert result["cidr"] == "10.97.4.0/24"
    error = site.fails("network.create", Network("network:tiny", "tiny", True, "10.96.9.0/30"))
    assert (error.code, error.permanent) == ("cloud.invalid", True)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a" * 63, "Ünïcødé 機械", "'; DROP TABLE machines; --", "${IFS}$(reboot)"]
)
def test_names_that_mean_harm_are_names(bench: AwsBench, site: Site, name: str) -> None:
    site.lay_ground()
    site.run("machine.create", site.machine(name=name))
    seen = site.observe()
    assert seen.resources["machine:host-1"].external_id == site.facts["machine:host-1"]["external_id"]
    assert not seen.strays
    told = json.loads(bench.userdata(site.facts["machine:host-1"]["external_id"]).partition("\n")[2])
    assert told["hostname"] == name
    site.run("machine.delete", "machine:host-1")


def test_user_data_beyond_16_kilobytes_is_refused(site: Site) -> None:
    import random

    site.lay_ground()
    noise = random.Random(1).randbytes(20000).hex()
    error = site.fails("machine.create", site.machine(userdata={"runcmd": [["echo", noise]]}))
    assert (error.code, error.permanent) == ("cloud.invalid", True)
    assert "16384" in error.message


# Spot, adoption, listing


def test_a_spot_machine_is_asked_for_and_ended_without_being_stopped(bench: AwsBench, site: Site) -> None:
    site.lay_ground()
    machine = site.machine(spot=True)
    site.run("machine.create", machine)
    for verb in ("machine.stop", "machine.detach", "machine.delete"):
        site.run(verb, machine.key)
    assert bench.machines() == 0


def test_an_adopted_machine_gets_our_tags_and_keeps_its_name(bench: AwsBench, site: Site) -> None:
    strange = next(each for each in bench.instances() if {"Key": "Name", "Value": "payroll-1"} in each["Tags"])
    identity = strange["InstanceId"]
    action = site.action("machine.adopt", "machine:payroll", spec={"adopted": identity, "config_hash": "abc"})
    assert site.finish(site.start(action)).result["created"] is True
    assert site.observe().resources["machine:payroll"].config_hash == "abc"
    other = Site(bench, site.connector, owner("other"))
    theirs = other.action("machine.adopt", "machine:payroll", spec={"adopted": identity, "config_hash": "abc"})
    with pytest.raises(ConnectorError) as caught:
        other.start(theirs)
    assert caught.value.code == "cloud.foreign"
    deletion = site.action("machine.delete", "machine:payroll", external_id=identity)
    with pytest.raises(ConnectorError) as caught:
        site.start(deletion)
    assert caught.value.code == "cloud.foreign"
    release = site.action("machine.release", "machine:payroll", external_id=identity)
    assert site.finish(site.start(release)).state == "done"
    assert bench.instance(identity)["Tags"] == strange["Tags"]


def pages(connector: Connector, cursor: str = "") -> list[Any]:
    return list(connector.listing(cursor))  # type: ignore[attr-defined]


def test_everything_is_listed_and_an_unchanged_cloud_lists_nothing(bench: AwsBench, site: Site) -> None:
    site.lay_ground(volume=True)
    site.run("machine.create", site.machine(disk=True))
    first = pages(site.connector)
    assert first[-1].last
    assert all(page.full for page in first)
    items = {(item.kind, item.id): item for page in first for item in page.items}
    machine = items["machine", site.facts["machine:host-1"]["external_id"]]
    assert machine.facts["owner"]["deployment_id"] == site.owner.deployment_id
    assert machine.facts["type"] == "t3.micro"
    assert machine.facts["networks"] == ["frontend"]
    assert {disk["path"] for disk in machine.facts["disks"]} >= {site.facts["volume:data"]["external_id"]}
    kinds = {kind for kind, _ in items}
    assert kinds >= {"machine", "template", "volume", "network", "vpc", "firewall", "cluster"}
    json.dumps([[item.kind, item.id, item.name, item.facts] for item in items.values()])
    again = pages(site.connector, first[-1].cursor)
    assert [(page.items, page.gone, page.full, page.last) for page in again] == [((), (), False, True)]
    site.run("machine.delete", "machine:host-1")
    changed = pages(site.connector, first[-1].cursor)
    assert changed[0].full
    assert ("machine", machine.id) not in {(item.kind, item.id) for page in changed for item in page.items}


def test_the_firewall_of_a_machine_is_changed_in_place(bench: AwsBench, site: Site) -> None:
    built = a_web_tier(site)
    for verb, about in built[:4]:
        site.run(verb, about)
    firewall = replace(built[3][1], rules=(Rule("tcp", 443, 443, "192.0.2.0/24"), Rule("udp", 53, 53, "0.0.0.0/0")))
    site.next_operation()
    site.run("firewall.update", firewall)
    seen = site.observe().resources["firewall:host-1"]
    assert seen.config_hash == config_hash(firewall)
    assert [(rule["protocol"], rule["first"]) for rule in seen.attributes["rules"]] == [("tcp", 443), ("udp", 53)]
    assert site.fails("folder.delete", site.folder).code == "cloud.busy"  # ours are still inside


def test_no_request_goes_to_an_address_that_is_not_allowed(bench: AwsBench) -> None:
    from connectors.addressing import AddressPolicy

    connector = bench.connect(addresses=AddressPolicy())
    with pytest.raises(ConnectorError) as caught:
        connector.inventory()
    assert (caught.value.code, caught.value.permanent) == ("cloud.address_refused", True)
    metadata = bench.connect(address="https://169.254.169.254")
    with pytest.raises(ConnectorError) as caught:
        metadata.inventory()
    assert caught.value.code == "cloud.address_refused"
    assert not connector.probe().ok
    for each in (connector, metadata):
        each.close()


def test_ec2s_own_buckets_are_kept_to(bench: AwsBench) -> None:
    """With AWS's sizes on both sides, a burst is slowed down by us and never refused by EC2."""
    bench.aws.order(buckets={"Describe*": [100, 20]})
    connector = bench.connect(options={"rate_factor": 1.0})
    site = Site(bench, connector)
    began = time.monotonic()
    for _ in range(22):
        site.observe()
    assert time.monotonic() - began < 20
    connector.close()


def test_a_volume_that_is_being_changed_to_another_size_gets_the_new_one_in_the_end(
    bench: AwsBench, site: Site
) -> None:
    site.run("folder.create", site.folder)
    site.run("volume.create", site.volume())
    larger = replace(site.volume(), size_gib=site.volume().size_gib + 5)
    bench.aws.fault("ModifyVolume", "refuse", code="IncorrectModificationState", status=400)
    with pytest.raises(ConnectorError) as caught:
        site.start(site.action("volume.extend", larger))
    assert (caught.value.code, caught.value.permanent) == ("cloud.busy", False)
    assert insist(site, "volume.extend", larger).result["size_gib"] == larger.size_gib


def test_images_of_a_name_are_looked_for_among_known_owners_alone(
    bench: AwsBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may publish an image under any name, and the newest of a name is taken."""
    asked: list[dict[str, Any]] = []
    call = Account.call

    def heard(self: Account, service: str, action: str, **params: Any) -> dict[str, Any]:
        asked.extend([params] if action == "DescribeImages" else [])
        return call(self, service, action, **params)

    monkeypatch.setattr(Account, "call", heard)
    for owners in ([], ["136693071363"]):
        connector = bench.connect(options={"images": ["debian-12-*"], **({"image_owners": owners} if owners else {})})
        connector.inventory()
        connector.close()
    assert [params["Owners"] for params in asked] == [["self"], ["amazon"], ["self"], ["136693071363"]]


def test_no_listing_is_asked_for_as_a_whole(bench: AwsBench, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS has smaller buckets for that, and may not answer it in time."""
    whole: set[str] = set()
    call = Account.call
    pages_of = {"DescribeAvailabilityZones", "DescribeInternetGateways", "DescribeAddresses", "DescribeRouteTables"}

    def heard(self: Account, service: str, action: str, **params: Any) -> dict[str, Any]:
        if service == "ec2" and action.startswith("Describe") and not params.keys() & {"MaxResults", "InstanceIds"}:
            whole.add(action)
        return call(self, service, action, **params)

    monkeypatch.setattr(Account, "call", heard)
    site.lay_ground()
    site.connector.inventory()
    site.observe()
    pages(site.connector)
    assert whole <= pages_of, whole - pages_of
