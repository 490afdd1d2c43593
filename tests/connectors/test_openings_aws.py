"""Firewalls and balancers on a simulated AWS: security groups and network load balancers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.aws import firewalls
from connectors.aws.account import shared
from connectors.aws.cloud import Cloud
from tests.connectors.aws_bench import AwsBench
from tests.connectors.openings_contract import Estate, OpeningsContract

pytestmark = pytest.mark.slow


class TestAwsOpenings(OpeningsContract):
    @pytest.fixture
    def bench(self, aws: AwsBench) -> Iterator[AwsBench]:
        yield aws
        aws.aws.reset()

    def test_rules_of_which_one_is_there_already_unseen_come_all(self, bench: AwsBench, estate: Estate) -> None:
        """AWS takes all rules of a call or none, and what one look shows of a group may be old."""
        estate.lay(1)
        group = str(estate.site.facts["firewall:host-1"]["external_id"])
        cloud = Cloud(bench.access(), shared(bench.access()))
        wanted = {("tcp", 80, 80, "0.0.0.0/0"), ("tcp", 443, 443, "0.0.0.0/0"), ("tcp", 22, 22, "10.0.0.0/8")}
        firewalls._reconcile(cloud, {"GroupId": group, "IpPermissions": []}, wanted)
        assert wanted <= set(firewalls.rules_of(cloud.by_id(cloud.groups, "group-id", [group])[group]))

    def test_a_balancer_is_gone_when_its_cards_are(self, bench: AwsBench, estate: Estate) -> None:
        """They keep its subnet for minutes after the balancer itself is listed no more."""
        estate.lay(1)
        site, ec2 = estate.site, bench.client("ec2")
        made = site.run("balancer.create", estate.balancer(1)).result
        card = ec2.create_network_interface(
            SubnetId=site.facts["network:@public"]["external_id"],
            Description=f"ELB net/{made['moref']}/0123456789abcdef",
        )["NetworkInterface"]["NetworkInterfaceId"]
        outcome = site.start(site.action("balancer.delete", "balancer:web"))
        for _ in range(3):
            assert outcome.state == "running"
            assert outcome.handle
            outcome = site.connector.poll([outcome.handle])[outcome.handle]
        ec2.delete_network_interface(NetworkInterfaceId=card)
        assert site.finish(outcome).state == "done"
