"""What EC2 does and moto does not: tokens, states that take time, lag, refusals, quotas."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from sandbox.aws import wire
from sandbox.aws.rules import Rules
from sandbox.aws.upstream import Upstream
from sandbox.aws.wire import Answer, Element, Refused, Request

_LISTS = {
    "DescribeInstances": ("instancesSet", "instanceId"),
    "DescribeInstanceStatus": ("instanceStatusSet", "instanceId"),
    "DescribeVolumes": ("volumeSet", "volumeId"),
    "DescribeSubnets": ("subnetSet", "subnetId"),
    "DescribeVpcs": ("vpcSet", "vpcId"),
    "DescribeSecurityGroups": ("securityGroupInfo", "groupId"),
    "DescribeInternetGateways": ("internetGatewaySet", "internetGatewayId"),
    "DescribeTags": ("tagSet", "resourceId"),
}
_MADE = {
    "RunInstances": ("instancesSet", "instanceId", "instance"),
    "CreateVolume": ("", "volumeId", "volume"),
    "CreateSubnet": ("", "subnetId", "subnet"),
    "CreateVpc": ("", "vpcId", "vpc"),
    "CreateSecurityGroup": ("", "groupId", "group"),
    "CreateInternetGateway": ("", "internetGatewayId", "gateway"),
}
_NOT_FOUND = {
    "i": "InvalidInstanceID.NotFound",
    "vol": "InvalidVolume.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "vpc": "InvalidVpcID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "ami": "InvalidAMIID.NotFound",
}
_CODES = {"pending": "0", "running": "16", "shutting-down": "32", "terminated": "48", "stopping": "64", "stopped": "80"}
_UNSIGNED = ("X-Amz-Date", "ClientToken", "Version", "Action")


@dataclass(slots=True)
class Thing:
    """Something that was made here: when it can be seen, and what it is until when."""

    kind: str
    visible_at: float
    state: str = ""
    until: float = 0.0
    answers_at: float = 0.0  # when a guest passes its checks
    doomed: bool = False
    maker: Request | None = None


@dataclass(slots=True)
class Issued:
    """What a client token stands for."""

    digest: str
    answer: Answer


class Estate:
    """The state that the proxy keeps beside moto's."""

    def __init__(self, upstream: Upstream, rules: Rules) -> None:
        self._upstream, self._rules = upstream, rules
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str, str], Issued] = {}
        self._token_locks: dict[tuple[str, str, str], threading.Lock] = defaultdict(threading.Lock)
        self._placing = threading.Lock()
        self.things: dict[str, Thing] = {}
        self._vcpus: dict[str, int] = {}

    def reset(self) -> None:
        """Forget everything, as moto does."""
        with self._lock:
            self._tokens.clear()
            self._token_locks.clear()
            self.things.clear()

    def handle(self, request: Request, account: str, *, doom: bool) -> Answer:
        """Answer one call of EC2; Refused as EC2 refuses."""
        action = request.action
        if request.params.get("DryRun", "").lower() == "true":
            raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        self._settle()
        self._see(request)
        token = request.params.get("ClientToken")
        if token and action in ("RunInstances", "CreateVolume"):
            return self._once(request, account, token, doom=doom)
        return self._do(request, account, doom=doom)

    # Tokens

    def _once(self, request: Request, account: str, token: str, *, doom: bool) -> Answer:
        if len(token) > 64 or not token.isascii():
            raise Refused("InvalidParameterValue", "The client token must be at most 64 ASCII characters.")
        name = (account, request.action, token)
        wanted = sorted((key, value) for key, value in request.params.items() if key not in _UNSIGNED)
        digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
        with self._lock:
            lock = self._token_locks[name]
        with lock:
            issued = self._tokens.get(name)
            if issued is not None:
                if issued.digest != digest:
                    message = "Arguments on this idempotent request are inconsistent with those of the previous one."
                    raise Refused("IdempotentParameterMismatch", message)
                return self._as_now(request, issued.answer)
            answer = self._do(request, account, doom=doom)
            if answer.status == 200:
                self._tokens[name] = Issued(digest, answer)
            return answer

    def _as_now(self, request: Request, answer: Answer) -> Answer:
        root = wire.parse(answer.body)
        self._rewrite(request, root)
        return Answer(answer.status, wire.dump(root))

    # Calls

    def _do(self, request: Request, account: str, *, doom: bool) -> Answer:
        action = request.action
        if action in ("RunInstances", "CreateVolume", "CreateVpc", "CreateSubnet", "CreateSecurityGroup"):
            with self._placing:  # so that neither a quota nor a name or a range is passed by two at once
                check = getattr(self, f"_before_{action}", None)
                if check is not None:
                    check(request)
                return self._done(request, self._upstream.forward(_spelled_out(request)), doom=doom)
        before = getattr(self, f"_before_{action}", None)
        if before is not None:
            before(request)
        if action == "ModifyInstanceAttribute" and "UserData.Value" in request.params:
            # Moto decodes it once too often; the documented form is what the client has sent.
            import base64

            value = base64.b64encode(request.params["UserData.Value"].encode()).decode()
            request = request.with_params({"UserData.Value": value})
        return self._done(request, self._upstream.forward(request), doom=doom)

    def _done(self, request: Request, answer: Answer, *, doom: bool) -> Answer:
        if answer.status != 200:
            return answer
        action = request.action
        if action not in _MADE and action not in _LISTS and action not in _AFTER:
            return answer
        root = wire.parse(answer.body)
        if action in _MADE:
            self._born(request, root, doom=doom)
        after = _AFTER.get(action)
        if after:
            after(self, request, root)
        self._rewrite(request, root)
        return Answer(200, wire.dump(root))

    def _born(self, request: Request, root: Element, *, doom: bool) -> None:
        listing, name, kind = _MADE[request.action]
        found = [item for _, item in wire.items(root, listing)] if listing else [root]
        delays, now = self._rules.delays, time.time()
        for element in found:
            identity = element.findtext(name) or element.findtext(f".//{name}") or ""
            thing = Thing(kind, now + delays.lag / 1000, maker=request)
            wait_s = getattr(delays, kind, 0) / 1000
            thing.until = now + wait_s
            thing.state = {"instance": "pending", "volume": "creating"}.get(kind, "pending")
            thing.answers_at = thing.until + delays.status / 1000
            if doom and kind == "instance":
                thing.doomed, thing.until = True, now + max(wait_s, 0.05)
            with self._lock:
                self.things[identity] = thing
            if kind == "instance":
                self._assign(request, element)

    def _assign(self, request: Request, element: Element) -> None:
        """Give a new instance's cards their further addresses, which moto leaves out of RunInstances."""
        cards = {
            card.findtext("attachment/deviceIndex") or "0": card.findtext("networkInterfaceId") or ""
            for _, card in wire.items(element, "networkInterfaceSet")
        }
        wanted: dict[str, list[str]] = defaultdict(list)
        for number in range(1, 16):
            prefix = f"NetworkInterface.{number}"
            index = request.params.get(f"{prefix}.DeviceIndex")
            for position in range(1, 51):
                place = f"{prefix}.PrivateIpAddresses.{position}"
                address = request.params.get(f"{place}.PrivateIpAddress")
                if index and address and request.params.get(f"{place}.Primary", "false").lower() != "true":
                    wanted[index].append(address)
        for index, addresses in wanted.items():
            params = {f"PrivateIpAddress.{number}": address for number, address in enumerate(addresses, 1)}
            self._upstream.ask(
                request, "AssignPrivateIpAddresses", {"NetworkInterfaceId": cards.get(index, ""), **params}
            )

    # Refusals

    def _see(self, request: Request) -> None:
        """Refuse what names a thing that cannot be seen yet."""
        now = time.time()
        for _, value in request.ids():
            thing = self.things.get(value)
            if thing is not None and now < thing.visible_at:
                prefix = value.partition("-")[0]
                raise Refused(_NOT_FOUND[prefix], f"The ID '{value}' does not exist")

    def _before_RunInstances(self, request: Request) -> None:  # noqa: N802 - the action's name
        params = request.params
        images = self._upstream.ask(request, "DescribeImages", {"ImageId.1": params.get("ImageId", "")})
        if not wire.items(images, "imagesSet"):
            raise Refused("InvalidAMIID.NotFound", f"The image id '[{params.get('ImageId')}]' does not exist")
        wanted = self._vcpus_of(request, params.get("InstanceType", ""))
        spot = params.get("InstanceMarketOptions.MarketType") == "spot"
        count = int(params.get("MaxCount", "1"))
        code = "L-34B43A08" if spot else "L-1216C47A"
        if self._used_vcpus(request, spot=spot) + wanted * count > self._rules.quota(code):
            name = "MaxSpotInstanceCountExceeded" if spot else "VcpuLimitExceeded"
            message = f"You have requested more vCPU capacity than your limit of {self._rules.quota(code):g} allows"
            raise Refused(name, message)
        for number in range(1, 32):
            size = params.get(f"BlockDeviceMapping.{number}.Ebs.VolumeSize")
            if size:
                self._room(request, params.get(f"BlockDeviceMapping.{number}.Ebs.VolumeType", "gp2"), float(size))
        for number in range(1, 16):
            self._address(request, f"NetworkInterface.{number}")

    def _address(self, request: Request, prefix: str) -> None:
        """Refuse an address outside of the subnet or among those that AWS keeps for itself."""
        subnet, params = request.params.get(f"{prefix}.SubnetId"), request.params
        told = [params.get(f"{prefix}.PrivateIpAddress")]
        told += [params.get(f"{prefix}.PrivateIpAddresses.{n}.PrivateIpAddress") for n in range(1, 51)]
        addresses = {text for text in told if text}
        if not subnet or not addresses:
            return
        found = self._upstream.ask(request, "DescribeSubnets", {"SubnetId.1": subnet})
        network = ipaddress.ip_network(found.findtext(".//cidrBlock") or "0.0.0.0/0")
        kept = {network[number] for number in range(4)} | {network[-1]}
        cards = self._upstream.ask(
            request, "DescribeNetworkInterfaces", {"Filter.1.Name": "subnet-id", "Filter.1.Value.1": subnet}
        )
        taken = {element.text for element in cards.iter("privateIpAddress")}
        for text in addresses:
            address = ipaddress.ip_address(text)
            if address not in network:
                raise Refused(
                    "InvalidParameterValue", f"Address {text} does not fall within the subnet's address range"
                )
            if address in kept:
                raise Refused("InvalidParameterValue", f"Address {text} is in subnet's reserved address range")
            if text in taken:
                raise Refused("InvalidIPAddress.InUse", f"Address {text} is in use.")

    def _before_CreateVolume(self, request: Request) -> None:  # noqa: N802
        kind, size = request.params.get("VolumeType", "gp2"), float(request.params.get("Size", "1"))
        if size > 65536:
            raise Refused("InvalidParameterValue", f"Volume of {size:g}GiB is too large for volume type {kind}")
        self._room(request, kind, size)

    def _room(self, request: Request, kind: str, size_gib: float) -> None:
        code = {"gp3": "L-7A658B76", "gp2": "L-D18FCD1D"}.get(kind)
        if code is None:
            return
        found = self._upstream.ask(request, "DescribeVolumes", {})
        used = sum(
            float(item.findtext("size") or 0)
            for _, item in wire.items(found, "volumeSet")
            if item.findtext("volumeType") == kind
        )
        if used + size_gib > self._rules.quota(code) * 1024:
            message = f"You have exceeded your maximum {kind} storage limit of {self._rules.quota(code):g} TiB."
            raise Refused("VolumeLimitExceeded", message)

    def _before_CreateVpc(self, request: Request) -> None:  # noqa: N802
        found = self._upstream.ask(request, "DescribeVpcs", {})
        if len(wire.items(found, "vpcSet")) + 1 > self._rules.quota("L-F678F1CE"):
            raise Refused("VpcLimitExceeded", "The maximum number of VPCs has been reached.")

    def _before_AttachVolume(self, request: Request) -> None:  # noqa: N802
        volume, instance = request.params["VolumeId"], request.params["InstanceId"]
        found = self._upstream.ask(request, "DescribeVolumes", {"VolumeId.1": volume})
        if found.find(".//attachmentSet/item") is not None:
            raise Refused("VolumeInUse", f"{volume} is already attached to an instance")
        if self._state(volume) == "creating":
            raise Refused("IncorrectState", f"'{volume}' is not 'available'.")
        known = self._upstream.ask(request, "DescribeInstances", {"InstanceId.1": instance})
        if (
            self._state(instance) in ("pending", "shutting-down")
            or known.findtext(".//instanceState/name") == "terminated"
        ):
            raise Refused("IncorrectState", f"Instance '{instance}' is not 'running'.")
        if request.params.get("Device", "") in {item.text for item in known.iter("deviceName")}:
            message = (
                f"Invalid value '{request.params.get('Device')}' for unixDevice. Attachment point is already in use"
            )
            raise Refused("InvalidParameterValue", message)

    def _before_DeleteVolume(self, request: Request) -> None:  # noqa: N802
        found = self._upstream.ask(request, "DescribeVolumes", {"VolumeId.1": request.params["VolumeId"]})
        if found.find(".//attachmentSet/item") is not None:
            raise Refused("VolumeInUse", f"Volume {request.params['VolumeId']} is currently attached")

    def _before_StopInstances(self, request: Request) -> None:  # noqa: N802
        for name, value in request.ids():
            if name.startswith("InstanceId") and self._state(value) in ("pending", "shutting-down"):
                raise Refused(
                    "IncorrectInstanceState", f"The instance '{value}' is not in a state from which it can be stopped."
                )

    def _before_StartInstances(self, request: Request) -> None:  # noqa: N802
        for name, value in request.ids():
            if name.startswith("InstanceId") and self._state(value) in ("stopping", "shutting-down"):
                message = f"The instance '{value}' is not in a state from which it can be started."
                raise Refused("IncorrectInstanceState", message)

    def _before_ModifyInstanceAttribute(self, request: Request) -> None:  # noqa: N802
        if "UserData.Value" not in request.params and "InstanceType.Value" not in request.params:
            return
        instance = request.params["InstanceId"]
        known = self._upstream.ask(request, "DescribeInstances", {"InstanceId.1": instance})
        if self._state(instance) == "stopping" or known.findtext(".//instanceState/name") != "stopped":
            raise Refused("IncorrectInstanceState", f"The instance '{instance}' is not in the 'stopped' state.")
        if "InstanceType.Value" in request.params:
            self._vcpus_of(request, request.params["InstanceType.Value"])

    def _before_DeleteSubnet(self, request: Request) -> None:  # noqa: N802
        self._unused(request, "subnet-id", request.params["SubnetId"])

    def _before_DeleteSecurityGroup(self, request: Request) -> None:  # noqa: N802
        self._unused(request, "group-id", request.params.get("GroupId", ""))

    def _before_DeleteVpc(self, request: Request) -> None:  # noqa: N802
        vpc = request.params["VpcId"]
        for action, name, listing in (
            ("DescribeInternetGateways", "attachment.vpc-id", "internetGatewaySet"),
            ("DescribeSecurityGroups", "vpc-id", "securityGroupInfo"),
        ):
            found = self._upstream.ask(request, action, {"Filter.1.Name": name, "Filter.1.Value.1": vpc})
            named = [item for _, item in wire.items(found, listing) if item.findtext("groupName") != "default"]
            if named:
                raise Refused("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted.")

    def _unused(self, request: Request, name: str, value: str) -> None:
        found = self._upstream.ask(
            request, "DescribeNetworkInterfaces", {"Filter.1.Name": name, "Filter.1.Value.1": value}
        )
        if wire.items(found, "networkInterfaceSet"):
            raise Refused("DependencyViolation", f"resource {value} has a dependent object")

    # Sizes

    def _vcpus_of(self, request: Request, name: str) -> int:
        if name not in self._vcpus:
            found = self._upstream.ask(request, "DescribeInstanceTypes", {"InstanceType.1": name})
            told = found.findtext(".//vCpuInfo/defaultVCpus")
            if told is None:
                raise Refused("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
            self._vcpus[name] = int(told)
        return self._vcpus[name]

    def _used_vcpus(self, request: Request, *, spot: bool) -> int:
        found = self._upstream.ask(
            request,
            "DescribeInstances",
            {
                "Filter.1.Name": "instance-state-name",
                "Filter.1.Value.1": "running",
                "Filter.1.Value.2": "pending",
                "MaxResults": "1000",
            },
        )
        return sum(
            self._vcpus_of(request, item.findtext("instanceType") or "")
            for _, item in wire.items(found, "instancesSet")
            if (item.findtext("instanceLifecycle") == "spot") == spot
        )

    # States

    def _state(self, identity: str) -> str:
        thing = self.things.get(identity)
        return thing.state if thing is not None and time.time() < thing.until else ""

    def _turn(self, state: str, request: Request, root: Element) -> None:
        """Let an instance's state take its time, like the change that led to it."""
        wait_s = self._rules.delays.instance / 1000
        now = time.time()
        for name, identity in request.ids():
            if name.startswith("InstanceId"):
                with self._lock:
                    thing = self.things.setdefault(identity, Thing("instance", 0.0))
                    thing.state, thing.until = state, now + wait_s
                    thing.answers_at = thing.until + self._rules.delays.status / 1000
                    thing.doomed = False

    def _settle(self) -> None:
        """Let instances die that were doomed and whose time has come."""
        now = time.time()
        with self._lock:
            dead = [(identity, thing) for identity, thing in self.things.items() if thing.doomed and now >= thing.until]
            for _, thing in dead:
                thing.doomed = False
        for identity, thing in dead:
            assert thing.maker is not None
            self._upstream.ask(thing.maker, "TerminateInstances", {"InstanceId.1": identity})
            thing.state = "failed"

    def _rewrite(self, request: Request, root: Element) -> None:
        """Show things as they are now: hidden, on their way, or changed."""
        now = time.time()
        listing, name = _LISTS.get(request.action, ("", ""))
        if listing:
            for parent, item in wire.items(root, listing):
                thing = self.things.get(item.findtext(name) or "")
                if thing is not None and now < thing.visible_at:
                    parent.remove(item)
        for _, item in wire.items(root, "instancesSet"):
            self._show(item, "instanceState", now)
        for _, item in wire.items(root, "instanceStatusSet"):
            self._show(item, "instanceState", now)
            thing = self.things.get(item.findtext("instanceId") or "")
            if self._rules.silent or (thing is not None and now < thing.answers_at):
                wire.put(item, "instanceStatus/status", "initializing")
                for detail in item.iterfind("instanceStatus/details/item/status"):
                    detail.text = "initializing"
        volumes = [item for _, item in wire.items(root, "volumeSet")]
        if request.action == "CreateVolume":
            volumes.append(root)
        for item in volumes:
            if self._state(item.findtext("volumeId") or "") == "creating":
                wire.put(item, "status", "creating")
        for kind, tag in (("subnet", "subnetSet"), ("vpc", "vpcSet")):
            made = [root.find(kind)] if request.action in ("CreateSubnet", "CreateVpc") else []
            for element in [item for _, item in wire.items(root, tag)] + [each for each in made if each is not None]:
                if self._state(element.findtext(f"{kind}Id") or "") == "pending":
                    wire.put(element, "state", "pending")

    def _show(self, item: Element, place: str, now: float) -> None:
        thing = self.things.get(item.findtext("instanceId") or "")
        if thing is None:
            return
        if thing.state == "failed":
            wire.put(item, f"{place}/name", "terminated")
            wire.put(item, f"{place}/code", _CODES["terminated"])
            wire.put(item, "stateReason/code", "Server.InternalError")
            wire.put(item, "stateReason/message", "Server.InternalError: Internal error on launch")
        elif (now < thing.until or thing.doomed) and thing.state in _CODES:
            wire.put(item, f"{place}/name", thing.state)
            wire.put(item, f"{place}/code", _CODES[thing.state])
        elif thing.state == "shutting-down" and now >= thing.until:
            wire.put(item, f"{place}/name", "terminated")
            wire.put(item, f"{place}/code", _CODES["terminated"])


def _spelled_out(request: Request) -> Request:
    """Name the cards' primary addresses in the way that moto reads."""
    found: dict[str, str] = {}
    for number in range(1, 16):
        prefix = f"NetworkInterface.{number}"
        for position in range(1, 51):
            place = f"{prefix}.PrivateIpAddresses.{position}"
            if request.params.get(f"{place}.Primary", "").lower() == "true":
                found[f"{prefix}.PrivateIpAddress"] = request.params.get(f"{place}.PrivateIpAddress", "")
    return request.with_params(found) if found else request


def _stopping(estate: Estate, request: Request, root: Element) -> None:
    estate._turn("stopping", request, root)


def _starting(estate: Estate, request: Request, root: Element) -> None:
    estate._turn("pending", request, root)


def _ending(estate: Estate, request: Request, root: Element) -> None:
    estate._turn("shutting-down", request, root)


_AFTER = {"StopInstances": _stopping, "StartInstances": _starting, "TerminateInstances": _ending}
