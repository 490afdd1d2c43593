"""One drawing on two clouds, whole: a web tier on one, its database on the other, in one operation, by REST and CLI."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.journeys.stack import Stack
from tests.journeys.test_corpus import accepted, ended
from tests.journeys.vcenter import VCenter, compose_of, user_data

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]

SHOP = """\
services:
  web:
    image: nginx:1.27
    ports: ["80:80"]
    environment: {{DB: "postgres://db:5432/shop"}}
    depends_on: [db]
    x-escale: {{place: {far}}}
  db:
    image: postgres:17
    ports: ["5432:5432"]
    volumes: [data:/var/lib/postgresql/data]
volumes:
  data:
"""


def deploy(client: httpx.Client, text: str, name: str, cloud: str) -> tuple[dict[str, Any], dict[str, Any]]:
    project = client.get("/api/v1/projects/").json()["results"][0]["id"]
    blueprint = client.post("/api/v1/blueprints/", json={"project": project, "name": name, "compose": text})
    assert blueprint.status_code == 201, blueprint.text
    wanted = {"blueprint": blueprint.json()["id"], "cloud": cloud, "name": name}
    plan = client.post("/api/v1/plans/", json=wanted).json()
    assert not plan["blocked"], plan["findings"]
    deployment, location = accepted(client.post("/api/v1/deployments/", json={"plan": plan["id"]}))
    operation = ended(client, location)
    assert operation["state"] == "succeeded", operation
    return plan, client.get(f"/api/v1/deployments/{deployment['id']}/").json()


def test_a_shop_on_two_vcenters_is_deployed_updated_and_destroyed_as_one(stack: Stack, tmp_path: Path) -> None:
    paris, roubaix = stack.vcenter("paris"), stack.vcenter("roubaix")
    with stack.client() as client:
        plan, shop = deploy(client, SHOP.format(far="roubaix"), "two-clouds", "paris")
        assert [(one["caller"], one["called"], one["port"]) for one in plan["crossings"]] == [("web", "db", 5432)]
        parts = {part["cloud"]["name"]: part for part in shop["parts"]}
        assert {name: (part["state"], part["machines"]) for name, part in parts.items()} == {
            "paris": ("running", 1),
            "roubaix": ("running", 1),
        }
        machines = {one["cloud"]: one for one in shop["resources"] if one["kind"] == "machine"}
        address = machines["paris"]["addresses"][0]

        # The machine on roubaix knows the database by the very address that the one on paris has.
        (options,) = _marked(roubaix, machines["roubaix"]["name"])
        cloud_config = user_data(options)
        stack.check_cloud_config(cloud_config, "the web tier")
        web = compose_of(cloud_config)["services"]["web"]
        assert f"db:{address}" in web["extra_hosts"]
        assert set(paris.powers_of({machines["paris"]["name"]}).values()) == {"poweredOn"}

        again = client.post("/api/v1/plans/", json={"deployment": shop["id"]}).json()
        assert again["empty"], again["changes"]
        drift = client.get(f"/api/v1/deployments/{shop['id']}/drift/").json()
        assert not drift["drifted"], drift

    environment = stack.cli_environment(tmp_path)
    program = stack.program("escale")
    shown = subprocess.run(
        [program, "status", "two-clouds"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert "paris and roubaix" in shown.stdout, shown.stdout + shown.stderr
    ended_by = subprocess.run(
        [program, "destroy", "two-clouds", "--yes", "--wait"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended_by.returncode == 0, ended_by.stdout + ended_by.stderr
    for vcenter in (paris, roubaix):
        assert not _left(vcenter, "two-clouds")


def test_a_web_tier_on_aws_reaches_its_database_on_a_vcenter(stack: Stack) -> None:
    paris, ireland = stack.vcenter("paris"), _ec2(stack.clouds["ireland"], stack.home)
    with stack.client() as client:
        plan, shop = deploy(client, SHOP.format(far="ireland"), "web-on-aws", "paris")
        assert [cloud["name"] for cloud in plan["clouds"]] == ["paris", "ireland"]
        machines = {one["cloud"]: one for one in shop["resources"] if one["kind"] == "machine"}
        address = machines["paris"]["addresses"][0]
        (instance,) = _instances(ireland, machines["ireland"]["external_id"])
        assert instance["State"]["Name"] == "running"
        raw = ireland.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        data = base64.b64decode(raw["UserData"]["Value"])
        cloud_config = yaml.safe_load(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        stack.check_cloud_config(cloud_config, "the web tier on AWS")
        assert f"db:{address}" in compose_of(cloud_config)["services"]["web"]["extra_hosts"]
        assert client.post("/api/v1/plans/", json={"deployment": shop["id"]}).json()["empty"]

        _, location = accepted(client.delete(f"/api/v1/deployments/{shop['id']}/"))
        operation = ended(client, location)
        assert operation["state"] == "succeeded", operation
    assert not _left(paris, "web-on-aws")
    left = ireland.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
    assert {one["State"]["Name"] for held in left for one in held["Instances"]} <= {"terminated"}
    tagged = ireland.describe_vpcs()["Vpcs"]
    assert not [vpc for vpc in tagged if any("web-on-aws" in tag["Value"] for tag in vpc.get("Tags", ()))]


def _left(vcenter: VCenter, name: str) -> list[str]:
    """Return what bears a deployment's name; other things come and go while the sandbox's clouds are probed."""
    listing = vcenter.listing()
    everything = (*listing.machines, *listing.folders, *listing.networks, *listing.files)
    return sorted(one for one in everything if name in one)


def _ec2(cloud: dict[str, Any], folder: Path) -> Any:
    import boto3

    bundle = folder / "ireland.pem"
    bundle.write_text(cloud["ca_pem"])
    return boto3.client(
        "ec2",
        endpoint_url=cloud["address"],
        region_name=cloud["options"]["region"],
        aws_access_key_id=cloud["username"],
        aws_secret_access_key=cloud["password"],
        verify=str(bundle),
    )


def _instances(ec2: Any, instance_id: str) -> list[dict[str, Any]]:
    held = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    return [dict(one) for reservation in held for one in reservation["Instances"]]


def _marked(vcenter: Any, name: str) -> list[dict[str, str]]:
    from pyVmomi import vim

    rows = vcenter.rows(vim.VirtualMachine, "name", "config.extraConfig")
    return [
        {option.key: str(option.value) for option in row.get("config.extraConfig") or ()}
        for _, row in rows
        if row["name"] == name
    ]
