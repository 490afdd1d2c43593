"""Turn what AWS complains about into the one error that leaves a connector."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import ConnectorError


class Complaint(Exception):  # noqa: N818 - AWS's answer, not yet an error of ours
    """An error that AWS answered with; never leaves this package."""

    def __init__(self, code: str, message: str, action: str) -> None:
        super().__init__(code)
        self.code, self.message, self.action = code, message, action


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code stands for: our code, whether another try can help, why it happened and what to do now."""

    code: str
    permanent: bool
    why: str
    now: str
    retry_after: float | None = None


def _busy(why: str, retry_after: float = 5.0) -> Meaning:
    return Meaning("cloud.busy", False, why, "it is tried again", retry_after)


def _full(why: str) -> Meaning:
    return Meaning("cloud.no_space", True, why, "ask AWS for a higher quota or free some, then retry")


_KEY = Meaning(
    "cloud.not_authenticated", True, "the access key is unknown or its secret wrong", "correct the credential"
)
_CLOCK = Meaning("cloud.not_authenticated", True, "the clocks differ too much", "set the portal's clock, then retry")
_RIGHT = Meaning("cloud.permission", True, "the credential lacks a permission", "grant it in IAM, then retry")

THROTTLED = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "EC2ThrottledException"}
)
ENDED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
MEANINGS: dict[str, Meaning] = {
    "AuthFailure": _KEY,
    "InvalidClientTokenId": _KEY,
    "UnrecognizedClientException": _KEY,
    "SignatureDoesNotMatch": _KEY,
    "IncompleteSignature": _KEY,
    "MissingAuthenticationToken": _KEY,
    "Blocked": Meaning("cloud.not_authenticated", True, "AWS has blocked the account", "ask AWS"),
    "OptInRequired": Meaning("cloud.permission", True, "the account does not use this region", "enable it, then retry"),
    "RequestExpired": _CLOCK,
    "ExpiredToken": Meaning("cloud.not_authenticated", False, "the role's session ended", "it is tried again", 1.0),
    "ExpiredTokenException": Meaning("cloud.not_authenticated", False, "the session ended", "it is tried again", 1.0),
    "UnauthorizedOperation": _RIGHT,
    "AccessDenied": _RIGHT,
    "AccessDeniedException": _RIGHT,
    "OperationNotPermitted": Meaning("cloud.permission", True, "AWS protects it", "lift the protection, then retry"),
    # Room
    "InstanceLimitExceeded": _full("the account's quota of instances is full"),
    "VcpuLimitExceeded": _full("the account's quota of vCPUs is full"),
    "MaxSpotInstanceCountExceeded": _full("the account's quota of spot vCPUs is full"),
    "VolumeLimitExceeded": _full("the account's quota of EBS storage (GiB) is full"),
    "VpcLimitExceeded": _full("the account's quota of VPCs in the region is full"),
    "InternetGatewayLimitExceeded": _full("the account's quota of internet gateways is full"),
    "SecurityGroupLimitExceeded": _full("the account's quota of security groups is full"),
    "SecurityGroupsPerInterfaceLimitExceeded": _full("a card has too many security groups"),
    "RulesPerSecurityGroupLimitExceeded": _full("a security group has too many rules"),
    "SubnetLimitExceeded": _full("the VPC's quota of subnets is full"),
    "VpcCidrBlockLimitExceeded": _full("the VPC has as many address ranges as it may have"),
    "NetworkInterfaceLimitExceeded": _full("the account's quota of network interfaces is full"),
    "AddressLimitExceeded": _full("the account's quota of elastic addresses is full"),
    "AttachmentLimitExceeded": _full("the instance has as many disks or cards as it may have"),
    "TagLimitExceeded": _full("it has as many tags as it may have"),
    "TooManyLoadBalancers": _full("the account's quota of load balancers is full"),
    "TooManyTargetGroups": _full("the account's quota of target groups is full"),
    "InsufficientFreeAddressesInSubnet": Meaning(
        "cloud.no_space", True, "the subnet has no free address", "give the network a larger subnet, then plan again"
    ),
    "InsufficientInstanceCapacity": _busy("AWS has no machine of this type in the zone right now", 60.0),
    "InsufficientVolumeCapacity": _busy("AWS has no storage of this type in the zone right now", 60.0),
    "InsufficientAddressCapacity": _busy("AWS has no public address right now", 60.0),
    "InsufficientCapacity": _busy("AWS has no room in the zone right now", 60.0),
    "SpotMaxPriceTooLow": _busy("the price of spot machines is higher than offered", 60.0),
    # What is there and what is not
    "InvalidAMIID.NotFound": Meaning("cloud.not_found", True, "the image does not exist", "choose another template"),
    "InvalidAMIID.Unavailable": Meaning("cloud.not_found", True, "the image cannot be used", "choose another one"),
    "InvalidGroup.Duplicate": Meaning("cloud.name_taken", True, "a group has this name already", "rename that group"),
    "InvalidSubnet.Conflict": Meaning(
        "cloud.name_taken", True, "another subnet of the VPC has some of these addresses", "choose another subnet"
    ),
    "DuplicateLoadBalancerName": Meaning("cloud.name_taken", True, "a balancer has this name", "rename that balancer"),
    "DuplicateTargetGroupName": Meaning("cloud.name_taken", True, "a target group has this name", "rename that group"),
    "InvalidIPAddress.InUse": Meaning("cloud.name_taken", True, "another card has the address", "plan again"),
    "LoadBalancerNotFound": Meaning("cloud.not_found", True, "it was deleted", "plan again"),
    "TargetGroupNotFound": Meaning("cloud.not_found", True, "it was deleted", "plan again"),
    "NoSuchResourceException": Meaning("cloud.not_found", True, "the region lacks it", "look at the region"),
    # Wrong requests
    "Unsupported": Meaning("cloud.invalid", True, "the zone or the type cannot do this", "choose another zone or size"),
    "UnsupportedOperation": Meaning("cloud.invalid", True, "AWS cannot do this to it", "change it, plan again"),
    "OptInRequiredException": _RIGHT,
    # Not now
    "IdempotentParameterMismatch": Meaning(
        "cloud.busy", False, "an earlier try of this step asked for something else and is still under way",
        "it is looked for and tried again", 5.0,
    ),
    "DependencyViolation": _busy("something still uses it"),
    "ResourceInUse": _busy("something still uses it"),
    "VolumeInUse": _busy("a machine still holds it"),
    "IncorrectState": _busy("it is in another state than expected", 3.0),
    "IncorrectInstanceState": _busy("the machine is in another state than expected", 3.0),
    "IncorrectModificationState": _busy("an earlier change of it is still under way", 30.0),
    "VolumeModificationRateExceeded": _busy("AWS changes a volume only once in six hours", 600.0),
    "ConcurrentTagAccess": _busy("somebody changed its tags at the same moment", 1.0),
    "InternalError": Meaning("cloud.fault", False, "AWS met an internal error", "it is tried again", 5.0),
    "InternalFailure": Meaning("cloud.fault", False, "AWS met an internal error", "it is tried again", 5.0),
    "Server.InternalError": Meaning("cloud.fault", False, "AWS met an internal error", "it is tried again", 5.0),
    "ServiceUnavailable": Meaning("cloud.fault", False, "the service is not available", "it is tried again", 10.0),
    "Unavailable": Meaning("cloud.fault", False, "the service is overloaded", "it is tried again", 10.0),
}  # fmt: skip
_GONE = Meaning("cloud.not_found", True, "it was deleted, or never was in this region", "plan again")
_WRONG = Meaning("cloud.invalid", True, "AWS refuses a value", "change it, then plan again")
_UNKNOWN = Meaning("cloud.fault", False, "AWS refused the request", "it is tried again", 5.0)


def meaning(code: str) -> Meaning:
    """Return what a code stands for; for codes that nobody has heard of: some fault, worth another try."""
    if code in MEANINGS:
        return MEANINGS[code]
    if code in THROTTLED:
        return _busy("AWS takes no more requests for now")
    if code.endswith((".NotFound", "NotFoundException", ".Malformed")):
        return _GONE
    if code.endswith(("LimitExceeded", "QuotaExceeded")):
        return _full("a quota of the account is full")
    if code.startswith(("Invalid", "Malformed", "Missing", "Unknown", "Validation", "Unsupported")):
        return _WRONG
    return _UNKNOWN


def gone(code: str) -> bool:
    """Tell whether a code says that a thing does not exist."""
    return meaning(code).code == "cloud.not_found"


def to_error(complaint: Complaint, what: str) -> ConnectorError:
    """Explain a complaint. ``what`` says what could not be done, as a sentence without its full stop."""
    known = meaning(complaint.code)
    told = " ".join(complaint.message.split())[:200].rstrip(".")
    now = f"grant {complaint.action} in IAM, then retry" if known is _RIGHT else known.now
    return ConnectorError(
        known.code,
        f"{what} - {known.why}{f' ({told})' if told else ''} - {now}",
        permanent=known.permanent,
        retry_after=known.retry_after,
        detail=f"{complaint.action}: {complaint.code}: {complaint.message}"[:500],
    )
