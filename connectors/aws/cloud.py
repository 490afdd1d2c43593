"""One region of an account as the verbs see it: settings, and looks at what there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from connectors.aws import faults, markers
from connectors.aws.account import Account, Memory
from connectors.aws.faults import Complaint
from connectors.base import Access, ConnectorError
from engine.observed import SizeFact
from engine.plan import Action
from engine.resources import Owner

_T = TypeVar("_T")
Facts = dict[str, Any]

TYPES = ("t3.*", "m6i.*", "c6i.*", "r6i.*")
OWNERS = ("amazon",)
CONTAINER_HOSTS = ("escale-container-host*",)
VOLUME_TYPES = ("gp3", "gp2", "io2", "io1", "st1", "sc1", "standard")
_CHUNK = 200  # values that one filter takes
_TYPES_AGE_S, _ZONES_AGE_S = 3600.0, 600.0
_DEAD = ("shutting-down", "terminated")


class Cloud:
    """A region of an account, with the settings of a cloud.

    Settings, all optional: ``region`` · ``endpoint_url`` for all services, ``endpoint_urls`` by service (``ec2``,
    ``sts``, ``elbv2``, ``service-quotas``) · ``role_arn``, ``external_id``, ``role_duration_s`` (3600) to assume a role
    · ``zone`` where things are made (the region's first) · ``vpc_cidr`` of a deployment's VPC (10.96.0.0/16) ·
    ``volume_type`` (gp3) · ``types`` (patterns of instance types) · ``images`` (ids and patterns of image names) and
    ``image_owners`` of those names (account ids, ``amazon``; the latter), besides the account's own ·
    ``container_hosts`` (patterns of image names) · ``key_name`` of an SSH key pair · ``instance_profile`` (name) ·
    ``public_addresses`` (true) · ``balancer_scheme`` (``internet-facing``) · ``metadata_hops`` (1) · ``rate_factor``
    (1.0) · ``settle_s`` (20) · ``ready_timeout_s`` (900), ``plain_timeout_s`` (300).
    """

    def __init__(self, access: Access, account: Account) -> None:
        self.access, self.account = access, account
        self._options: Mapping[str, Any] = access.options
        self._lock = threading.Lock()

    @property
    def memory(self) -> Memory:
        """Return what this process remembers of its own work."""
        return self.account.memory

    def option(self, name: str, default: _T) -> _T:
        """Return a setting, or its default when it is missing or empty."""
        found = self._options.get(name)
        return default if found is None or found == "" else found

    @property
    def settle_s(self) -> float:
        """Return how long a thing may stay unseen after it was made."""
        return float(self.option("settle_s", 20.0))

    # Calls

    def ec2(self, action: str, **params: Any) -> Facts:
        """Call EC2."""
        return self.account.call("ec2", action, **params)

    def elb(self, action: str, **params: Any) -> Facts:
        """Call Elastic Load Balancing."""
        return self.account.call("elbv2", action, **params)

    def unless_gone(self, action: str, *also: str, **params: Any) -> bool:
        """Call EC2; what is gone already, or complains by one of the codes, is as it should be."""
        try:
            self.ec2(action, **params)
        except Complaint as complaint:
            if faults.gone(complaint.code) or complaint.code in also:
                return False
            raise
        return True

    def tag(self, thing: str, **marks: str) -> None:
        """Write marks on a thing."""
        tags = {markers.PREFIX + mark: markers.clean(value) for mark, value in marks.items()}
        self.ec2("CreateTags", Resources=[thing], Tags=markers.as_list(tags))

    def untag(self, thing: str, *marks: str) -> None:
        """Remove marks from a thing."""
        self.ec2("DeleteTags", Resources=[thing], Tags=[{"Key": markers.PREFIX + mark} for mark in marks])

    # Looks. Filters instead of ids: an id that cannot be seen yet would refuse the whole look.

    def instances(self, filters: Sequence[Facts] = (), *, dead: bool = False) -> list[Facts]:
        """Return instances; those that are gone or going only if asked for."""
        reservations = self.account.pages("ec2", "DescribeInstances", "Reservations", **_filtered(filters))
        found = [instance for reservation in reservations for instance in reservation["Instances"]]
        return found if dead else [each for each in found if each["State"]["Name"] not in _DEAD]

    def volumes(self, filters: Sequence[Facts] = ()) -> list[Facts]:
        """Return volumes that are not being deleted."""
        found = self.account.pages("ec2", "DescribeVolumes", "Volumes", **_filtered(filters))
        return [volume for volume in found if volume["State"] not in ("deleting", "deleted")]

    def subnets(self, filters: Sequence[Facts] = ()) -> list[Facts]:
        """Return subnets."""
        return list(self.account.pages("ec2", "DescribeSubnets", "Subnets", **_filtered(filters)))

    def vpcs(self, filters: Sequence[Facts] = ()) -> list[Facts]:
        """Return VPCs."""
        return list(self.account.pages("ec2", "DescribeVpcs", "Vpcs", **_filtered(filters)))

    def groups(self, filters: Sequence[Facts] = ()) -> list[Facts]:
        """Return security groups."""
        return list(self.account.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", **_filtered(filters)))

    def by_id(self, look: Callable[..., list[Facts]], name: str, ids: Iterable[str], **more: Any) -> dict[str, Facts]:
        """Return what can be seen of things with ids, in as few calls as filters allow."""
        wanted = sorted({identity for identity in ids if identity})
        field = _ID[name]
        found: dict[str, Facts] = {}
        for at in range(0, len(wanted), _CHUNK):
            for thing in look([{"Name": name, "Values": wanted[at : at + _CHUNK]}], **more):
                found[thing[field]] = thing
        return found

    # What the region has, remembered for a while

    def cached(self, name: str, max_age_s: float, look: Callable[[], _T]) -> _T:
        """Return what was looked up a short while ago."""
        known = self.memory.cached.get(name)
        if known is not None and time.monotonic() - known[0] < max_age_s:
            return known[1]  # type: ignore[no-any-return]
        found = look()
        self.memory.cached[name] = (time.monotonic(), found)
        return found

    def zones(self) -> list[str]:
        """Return the region's availability zones by name."""

        def look() -> list[str]:
            zones = self.ec2("DescribeAvailabilityZones")["AvailabilityZones"]
            return sorted(
                zone["ZoneName"]
                for zone in zones
                if zone["State"] == "available" and zone.get("ZoneType", "availability-zone") == "availability-zone"
            )

        return self.cached("zones", _ZONES_AGE_S, look)

    def zone(self, wanted: str | None = None) -> str:
        """Return the zone to make something in; ConnectorError when there is no such zone."""
        zones = self.zones()
        name = wanted or str(self.option("zone", ""))
        if name and name not in zones:
            raise missing("zone", name, zones)
        if not name and not zones:
            raise missing("zone", "", zones)
        return name or zones[0]

    def sizes(self) -> tuple[SizeFact, ...]:
        """Return the instance types that may be chosen, current ones that boot from EBS."""
        patterns = [str(text) for text in self.option("types", TYPES)]

        def look() -> tuple[SizeFact, ...]:
            wanted = [{"Name": "instance-type", "Values": patterns}] if patterns else []
            found = self.account.pages("ec2", "DescribeInstanceTypes", "InstanceTypes", **_filtered(wanted))
            facts = (_size(each) for each in found if not each.get("BareMetal") and each.get("CurrentGeneration", True))
            return tuple(sorted(facts, key=lambda size: (size.cpus, size.memory_mib, size.name)))

        return self.cached("sizes", _TYPES_AGE_S, look)

    def size_of(self, name: str) -> SizeFact | None:
        """Return what an instance type is, also one that may not be chosen."""
        known = next((size for size in self.sizes() if size.name == name), None)
        if known is not None or not name:
            return known

        def look() -> SizeFact | None:
            found = self.ec2("DescribeInstanceTypes", InstanceTypes=[name])["InstanceTypes"]
            return _size(found[0]) if found else None

        return self.cached(f"size:{name}", _TYPES_AGE_S, look)

    def images(self) -> list[Facts]:
        """Return the images that machines may be made from, newest first: the account's own and those configured."""
        found = {image["ImageId"]: image for image in self._images(Owners=["self"])}
        listed: list[str] = list(self.option("images", []))
        wanted = [str(text) for text in listed]
        ids = [text for text in wanted if text.startswith("ami-")]
        names = [text for text in wanted if not text.startswith("ami-")]
        # Anybody may publish an image of any name, and the newest of a name is taken: names need an owner.
        owners: list[str] = list(self.option("image_owners", OWNERS))
        if ids:
            found.update((each["ImageId"], each) for each in self._images(ids=ids))
        if names:
            found.update((each["ImageId"], each) for each in self._images(names=names, Owners=owners))
        usable = [image for image in found.values() if image.get("State", "available") == "available"]
        return sorted(usable, key=lambda image: (str(image.get("CreationDate", "")), image["ImageId"]), reverse=True)

    def _images(self, *, ids: Sequence[str] = (), names: Sequence[str] = (), **params: Any) -> list[Facts]:
        filters = [{"Name": "image-id", "Values": list(ids)}] if ids else []
        if names:
            filters.append({"Name": "name", "Values": list(names)})
        return list(self.account.pages("ec2", "DescribeImages", "Images", **params, **_filtered(filters)))

    def image(self, wanted: str) -> Facts:
        """Return the image of a name (the newest) or an id; ConnectorError names those that exist."""
        images = self.images()
        for image in images:
            if wanted in (image["ImageId"], image.get("Name")):
                return image
        raise missing("template", wanted, {str(image.get("Name") or image["ImageId"]) for image in images})

    def container_host(self, image: Facts) -> bool:
        """Tell whether an image can run containers, by its tag ``escale:engine`` or its name."""
        patterns = [str(text) for text in self.option("container_hosts", CONTAINER_HOSTS)]
        name = str(image.get("Name", ""))
        return "engine" in markers.read(image) or any(fnmatchcase(name, pattern) for pattern in patterns)

    def volume_type(self, wanted: str | None) -> str:
        """Return the EBS volume type to use; ConnectorError names those that exist."""
        name = wanted or str(self.option("volume_type", "gp3"))
        if name not in VOLUME_TYPES:
            raise missing("datastore", name, VOLUME_TYPES)
        return name


_ID = {
    "instance-id": "InstanceId",
    "volume-id": "VolumeId",
    "subnet-id": "SubnetId",
    "vpc-id": "VpcId",
    "group-id": "GroupId",
}


def target(action: Action) -> str:
    """Return the id of the existing thing that an action is about, or ""."""
    known = action.inputs.get(action.resource, {}).get("external_id")
    return str(action.external_id or action.spec.get("external_id") or known or "")


def required_owner(thing: Facts, owner: Owner, what: str) -> markers.Tags:
    """Return a thing's marks; ConnectorError ``cloud.foreign`` when they are not the owner's."""
    marks = markers.read(thing)
    if marks.get("deployment") != owner.deployment_id:
        raise ConnectorError(
            "cloud.foreign",
            f"{what} was left alone - it does not carry this deployment's tags - look at it on AWS and plan again",
            permanent=True,
        )
    return marks


def missing(what: str, name: str, known: Iterable[str]) -> ConnectorError:
    """Return the error of something that does not exist, with what does."""
    have = ", ".join(sorted(known)) or "none"
    return ConnectorError(
        "cloud.not_found",
        f"There is no {what} {name!r} - the cloud has {have} - choose one of these",
        permanent=True,
    )


def vanished(what: str) -> ConnectorError:
    """Return the error of something that somebody deleted."""
    return ConnectorError(
        "cloud.not_found", f"{what} is gone - somebody deleted it on AWS - plan again", permanent=True
    )


def _filtered(filters: Sequence[Facts]) -> Facts:
    return {"Filters": list(filters)} if filters else {}


def _size(told: Facts) -> SizeFact:
    network = told.get("NetworkInfo", {})
    architectures = told.get("ProcessorInfo", {}).get("SupportedArchitectures", ["x86_64"])
    return SizeFact(
        name=told["InstanceType"],
        cpus=told["VCpuInfo"]["DefaultVCpus"],
        memory_mib=told["MemoryInfo"]["SizeInMiB"],
        nics=network.get("MaximumNetworkInterfaces", 2),
        addresses=network.get("Ipv4AddressesPerInterface", 2),
        architecture="x86_64" if "x86_64" in architectures else architectures[0],
        spot="spot" in told.get("SupportedUsageClasses", ("on-demand",)),
    )
