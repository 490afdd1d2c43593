"""The simulated AWS does what its table says: looked at with boto3, and nothing of ours in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from sandbox.aws.process import Aws, AwsError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running() -> Iterator[Aws]:
    with Aws() as aws:
        yield aws


@pytest.fixture
def aws(running: Aws) -> Iterator[Aws]:
    yield running
    running.reset()


def client(aws: Aws, service: str = "ec2", **changes: Any) -> Any:
    key = aws.credentials["keys"][0]
    settings: dict[str, Any] = {
        "region_name": aws.region,
        "endpoint_url": aws.url,
        "aws_access_key_id": key["id"],
        "aws_secret_access_key": key["secret"],
        "verify": aws.ready["ca_file"],
        "config": Config(retries={"total_max_attempts": 1}),
    }
    return boto3.client(service, **{**settings, **changes})  # type: ignore[call-overload]


def refused(work: Any, *args: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        work(*args, **params)
    return str(caught.value.response["Error"]["Code"])


def launch(ec2: Any, token: str = "", **changes: Any) -> str:
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    params = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **changes}
    made = ec2.run_instances(**params, **({"ClientToken": token} if token else {}))
    return str(made["Instances"][0]["InstanceId"])


def state(ec2: Any, instance: str) -> str:
    told = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(told["State"]["Name"])


def test_a_token_makes_one_instance_and_refuses_other_parameters(aws: Aws) -> None:
    ec2 = client(aws)
    assert launch(ec2, "one") == launch(ec2, "one") != launch(ec2, "two")
    assert refused(launch, ec2, "one", InstanceType="t3.small") == "IdempotentParameterMismatch"
    volume = {"AvailabilityZone": aws.region + "a", "Size": 1, "VolumeType": "gp3", "ClientToken": "one"}
    first = ec2.create_volume(**volume)["VolumeId"]
    assert ec2.create_volume(**volume)["VolumeId"] == first


def test_unknown_images_and_types_are_refused(aws: Aws) -> None:
    ec2 = client(aws)
    assert refused(launch, ec2, ImageId="ami-00000000000000000") == "InvalidAMIID.NotFound"
    assert refused(launch, ec2, InstanceType="t3.gigantic") == "InvalidParameterValue"


def test_states_take_their_time_and_forbid_what_aws_forbids(aws: Aws) -> None:
    ec2 = client(aws)
    aws.order(delays={"instance": 1500})
    instance = launch(ec2)
    assert state(ec2, instance) == "pending"
    assert refused(ec2.stop_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    while state(ec2, instance) == "pending":
        time.sleep(0.05)
    aws.order(delays={"instance": 0})
    ec2.stop_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "stopped"
    ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": b"again"})
    ec2.start_instances(InstanceIds=[instance])
    kind = {"Value": "t3.small"}
    assert refused(ec2.modify_instance_attribute, InstanceId=instance, InstanceType=kind) == "IncorrectInstanceState"


def test_what_was_made_cannot_be_seen_for_a_while(aws: Aws) -> None:
    ec2 = client(aws)
    aws.order(delays={"lag": 2000})
    instance = launch(ec2)
    assert refused(state, ec2, instance) == "InvalidInstanceID.NotFound"
    assert refused(ec2.create_tags, Resources=[instance], Tags=[]) == "InvalidInstanceID.NotFound"
    filters = [{"Name": "instance-id", "Values": [instance]}]
    found = ec2.describe_instances(Filters=filters)["Reservations"]
    assert [each for reservation in found for each in reservation["Instances"]] == []


def test_only_known_keys_with_right_signatures_may_ask(aws: Aws) -> None:
    assert refused(client(aws, aws_secret_access_key="wrong").describe_vpcs) == "AuthFailure"
    assert refused(client(aws, aws_access_key_id="AKIAUNKNOWN").describe_vpcs) == "AuthFailure"
    sts = client(aws, "sts", aws_secret_access_key="wrong")
    assert refused(sts.get_caller_identity) == "SignatureDoesNotMatch"


def test_a_role_needs_its_external_id_and_its_session_ends(aws: Aws) -> None:
    role, sts = aws.credentials["roles"][0], client(aws, "sts")
    wrong = {"RoleArn": role["arn"], "RoleSessionName": "test", "ExternalId": "guess"}
    assert refused(sts.assume_role, **wrong) == "AccessDenied"
    told = sts.assume_role(**{**wrong, "ExternalId": role["external_id"]})["Credentials"]
    ec2 = client(
        aws, aws_access_key_id=told["AccessKeyId"], aws_secret_access_key=told["SecretAccessKey"],
        aws_session_token=told["SessionToken"],
    )  # fmt: skip
    assert ec2.describe_vpcs()["Vpcs"]
    aws.expire()
    assert refused(ec2.describe_vpcs) == "RequestExpired"


def test_quotas_are_told_and_kept(aws: Aws) -> None:
    quotas = client(aws, "service-quotas")
    aws.order(quotas={"L-1216C47A": 5})
    told = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    assert told["Value"] == 5
    assert refused(launch, client(aws)) == "VcpuLimitExceeded"  # two machines of others have two vCPUs each
    aws.order(quotas={"L-7A658B76": 0})
    volume = {"AvailabilityZone": aws.region + "a", "Size": 1, "VolumeType": "gp3"}
    assert refused(client(aws).create_volume, **volume) == "VolumeLimitExceeded"


def test_what_is_in_use_is_not_deleted(aws: Aws) -> None:
    ec2 = client(aws)
    subnet = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["frontend"]}])["Subnets"][0]
    assert refused(ec2.delete_subnet, SubnetId=subnet["SubnetId"]) == "DependencyViolation"
    assert refused(ec2.delete_vpc, VpcId=subnet["VpcId"]) == "DependencyViolation"


def test_addresses_that_aws_keeps_are_refused(aws: Aws) -> None:
    ec2 = client(aws)
    subnet = ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["backend"]}])["Subnets"][0]["SubnetId"]

    def card(address: str) -> Any:
        entry = {"PrivateIpAddress": address, "Primary": True}
        return [{"DeviceIndex": 0, "SubnetId": subnet, "PrivateIpAddresses": [entry]}]

    for address in ("172.20.2.0", "172.20.2.3", "172.20.2.255", "172.20.3.9"):
        assert refused(launch, ec2, NetworkInterfaces=card(address)) == "InvalidParameterValue", address
    launch(ec2, NetworkInterfaces=card("172.20.2.9"))
    assert refused(launch, ec2, NetworkInterfaces=card("172.20.2.9")) == "InvalidIPAddress.InUse"


def test_buckets_run_empty_and_fill_again(aws: Aws) -> None:
    ec2 = client(aws)
    aws.order(buckets={"DescribeVpcs": [2, 0.5]})
    ec2.describe_vpcs()
    ec2.describe_vpcs()
    assert refused(ec2.describe_vpcs) == "RequestLimitExceeded"
    assert ec2.describe_subnets()["Subnets"]


def test_permissions_are_taken_away_and_told_by_dry_runs(aws: Aws) -> None:
    ec2 = client(aws)
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == "DryRunOperation"
    aws.order(denied=["ec2:CreateVpc"])
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == "UnauthorizedOperation"


@pytest.mark.parametrize(("kind", "made"), [("cut_before", 0), ("cut_after", 1)])
def test_a_connection_breaks_before_or_after_the_call_was_done(aws: Aws, kind: str, made: int) -> None:
    ec2 = client(aws)
    before = len(ec2.describe_vpcs()["Vpcs"])
    aws.fault("CreateVpc", kind)
    with pytest.raises((HTTPClientError, OSError)):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == before + made


def test_orders_that_make_no_sense_are_refused(aws: Aws) -> None:
    for order in ({"fault": {"nothing": 1}}, {"quotas": {"L-0": 1}}, {"delays": {"never": 1}}):
        with pytest.raises(AwsError):
            aws.order(**order)


def test_keys_and_certificates_outlive_a_kill_and_what_was_made_does_not(tmp_path: Path) -> None:
    first = Aws(tmp_path).start()
    keys, thumbprint = first.credentials, first.thumbprint
    client(first).create_vpc(CidrBlock="10.9.0.0/16")
    child = int((tmp_path / "moto.pid").read_text())
    first.kill()
    first.stop()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)  # moto does not outlive its proxy
    with Aws(tmp_path) as second:
        assert (second.credentials, second.thumbprint) == (keys, thumbprint)
        assert "10.9.0.0/16" not in {each["CidrBlock"] for each in client(second).describe_vpcs()["Vpcs"]}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
