"""One account in one region: credentials, clients, and calls that stay inside its limits."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.session import Session

from connectors.aws import faults, pace
from connectors.aws.faults import Complaint
from connectors.aws.transport import Transport
from connectors.base import Access, ConnectorError

_LOADER = Loader()
_ATTEMPTS = 12
_EARLY_S = 300.0
"""A role's session is renewed so long before its end."""
_KEPT = 16
# How many entries of a listing one answer may hold. AWS has smaller buckets for those who ask for all at once, and may
# not answer them in time: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html
_PAGES = {
    "DescribeImages": 1000,
    "DescribeInstanceTypes": 100,
    "DescribeInstances": 1000,
    "DescribeNetworkInterfaces": 1000,
    "DescribeSecurityGroups": 1000,
    "DescribeSubnets": 1000,
    "DescribeVolumes": 500,
    "DescribeVpcs": 1000,
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")

# Neither files nor variables of whoever runs the portal decide what an account is.
_NOTHING: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
}


class RoleCredentials(Credentials):
    """Credentials of an assumed role, renewed before they end."""

    def __init__(self, account: Account, role: str, external_id: str, duration_s: int) -> None:
        super().__init__("", "")
        self._account, self._duration_s = account, duration_s
        self._role, self._external_id = role, external_id
        self._lock = threading.Lock()
        self._held: ReadOnlyCredentials | None = None
        self._ends_at = 0.0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return credentials that are good for some minutes."""
        with self._lock:
            if self._held is None or time.time() > self._ends_at - _EARLY_S:
                self._held, self._ends_at = self._assume()
            return self._held

    def forget(self) -> None:
        """Drop a session that AWS does not accept any more."""
        with self._lock:
            self._held = None

    def _assume(self) -> tuple[ReadOnlyCredentials, float]:
        told: dict[str, Any] = {
            "RoleArn": self._role,
            "RoleSessionName": "escale",
            "DurationSeconds": self._duration_s,
        }
        if self._external_id:
            told["ExternalId"] = self._external_id
        try:
            answer = self._account.assume(told)["Credentials"]
        except Complaint as complaint:
            raise faults.to_error(complaint, f"The role {self._role} could not be assumed") from None
        end: datetime = answer["Expiration"]
        held = ReadOnlyCredentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        return held, end.timestamp()


class Account:
    """Calls to one account's APIs in one region. Thread-safe; shared by all connectors of a process with one access."""

    def __init__(self, access: Access) -> None:
        options = access.options
        self.region = str(options.get("region") or _region_of(access.address) or "us-east-1")
        self._endpoints: dict[str, str] = {
            str(service): str(url) for service, url in dict(options.get("endpoint_urls") or {}).items()
        }
        self._endpoint = _endpoint(str(options.get("endpoint_url") or access.address))
        self.transport = Transport(access)
        self.timeout_s = access.timeout_s
        self.buckets = pace.Buckets(float(options.get("rate_factor", 1.0)))
        self.memory = Memory()
        self._own: Credentials = Credentials(access.username, access.password)
        role = str(options.get("role_arn") or "")
        duration_s = int(options.get("role_duration_s", 3600))
        external_id = str(options.get("external_id") or "")
        self._used = RoleCredentials(self, role, external_id, duration_s) if role else self._own
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.Lock()

    def call(self, service: str, action: str, **params: Any) -> dict[str, Any]:
        """Call an action (``DescribeInstances``); Complaint when AWS refuses, ConnectorError when it does not answer.

        Throttled calls are tried again within the call's deadline, and so are reads whose connection broke. A change
        whose connection broke is not: it may have been done.
        """
        try:
            return self._persist(service, action, params)
        except Complaint as complaint:
            if complaint.code not in faults.ENDED or not isinstance(self._used, RoleCredentials):
                raise
            self._used.forget()
            return self._persist(service, action, params)

    def pages(self, service: str, action: str, listing: str, **params: Any) -> Iterator[Any]:
        """Yield the entries of a listing, page by page."""
        marker = "Marker" if service == "elbv2" else "NextToken"
        told = "NextMarker" if service == "elbv2" else "NextToken"
        if action in _PAGES:
            params = {"MaxResults": _PAGES[action], **params}
        while True:
            answer = self.call(service, action, **params)
            yield from answer.get(listing, ())
            if not answer.get(told):
                return
            params = {**params, marker: answer[told]}

    def assume(self, params: dict[str, Any]) -> dict[str, Any]:
        """Call AssumeRole with the account's own key."""
        return self._persist("sts", "AssumeRole", params, own=True)

    def _persist(self, service: str, action: str, params: dict[str, Any], *, own: bool = False) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout_s
        repeatable = action.startswith(("Describe", "Get", "List", "Assume"))
        attempt = 0
        while True:
            attempt += 1
            wait_s = self.buckets.wait_s(action) if service == "ec2" else 0.0
            if time.monotonic() + wait_s > deadline:
                raise _throttled(action)
            time.sleep(wait_s)
            try:
                return self._once(service, action, params, own=own)
            except Complaint as complaint:
                if complaint.code not in faults.THROTTLED:
                    raise
                again: ConnectorError = _throttled(action)
            except ConnectorError as error:
                if not repeatable:
                    raise
                if error.code != "cloud.unreachable" or attempt >= 3:
                    raise ConnectorError(
                        error.code, error.message, permanent=error.permanent, retry_after=error.retry_after,
                        detail=error.detail,
                    ) from None  # fmt: skip
                again = error
            pause_s = pace.backoff_s(attempt)
            if attempt >= _ATTEMPTS or time.monotonic() + pause_s > deadline:
                raise again
            time.sleep(pause_s)

    def _once(self, service: str, action: str, params: dict[str, Any], *, own: bool) -> dict[str, Any]:
        client = self._client(service, own=own)
        try:
            answer: dict[str, Any] = client._make_api_call(action, params)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise Complaint(str(told.get("Code", "")), str(told.get("Message", "")), f"{service}:{action}") from None
        except ConnectorError:
            raise
        except (BotoCoreError, ValueError) as error:
            # Parameters that botocore refuses, an answer that it cannot read.
            raise ConnectorError(
                "cloud.invalid",
                f"{service}:{action} could not be asked for - {str(error)[:300]} - correct the value, or report this",
                permanent=True,
            ) from None
        answer.pop("ResponseMetadata", None)
        return answer

    def _client(self, service: str, *, own: bool) -> Any:
        with self._lock:
            client = self._clients.get((service, own))
            if client is None:
                session: Any = Session(session_vars=dict(_NOTHING))
                session.register_component("data_loader", _LOADER)
                session._credentials = self._own if own else self._used
                client = session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self._endpoints.get(service) or self._endpoint or None,
                    config=Config(
                        retries={"total_max_attempts": 1, "mode": "standard"},
                        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]
                        user_agent_extra="escale",
                        parameter_validation=True,
                    ),
                )
                client._endpoint.http_session = self.transport
                self._clients[service, own] = client
            return client


class Memory:
    """What this process remembers of what it did, for as long as AWS's own listings lag behind. Never needed."""

    def __init__(self) -> None:
        self.burnt: dict[str, int] = {}  # step -> client tokens that stand for things that are gone
        self.uncertain: dict[str, float] = {}  # step -> when a call of it may have been done unseen
        self.userdata: OrderedDict[str, bytes] = OrderedDict()  # step -> what a stopped machine is to be told
        self.cached: dict[str, tuple[float, Any]] = {}

    def remember(self, step: str, userdata: bytes) -> None:
        """Keep what a machine is told until it has stopped; the oldest go first."""
        self.userdata[step] = userdata
        while len(self.userdata) > 256:
            self.userdata.popitem(last=False)


_accounts: OrderedDict[str, Account] = OrderedDict()
_accounts_lock = threading.Lock()


def shared(access: Access) -> Account:
    """Return the process's account for an access; making clients costs a second's fraction, so they are kept."""
    name = _fingerprint(access)
    with _accounts_lock:
        account = _accounts.get(name)
        if account is None:
            account = _accounts[name] = Account(access)
        _accounts.move_to_end(name)
        dropped = [_accounts.popitem(last=False)[1] for _ in range(len(_accounts) - _KEPT)]
    for each in dropped:
        each.transport.close()
    return account


def memories() -> list[Memory]:
    """Return what this process remembers, of all accounts."""
    with _accounts_lock:
        return [account.memory for account in _accounts.values()]


def _fingerprint(access: Access) -> str:
    told = [
        access.address, access.username, access.password, access.ca_pem, access.thumbprint, access.timeout_s,
        dict(access.options), repr(access.addresses),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _region_of(address: str) -> str:
    """Return the region that an address is, or names (``ec2.REGION.amazonaws.com``), or ""."""
    if _REGION.fullmatch(address.strip()):
        return address.strip()
    host = urlsplit(address if "//" in address else f"https://{address}").hostname or ""
    parts = host.split(".")
    return parts[1] if len(parts) >= 4 and parts[0] in ("ec2", "sts") and "amazonaws" in host else ""


def _endpoint(address: str) -> str:
    """Return the URL of an endpoint that serves all services, or "" where AWS's own are meant; ConnectorError."""
    text = address.strip()
    if not text or ("." not in text and ":" not in text and "//" not in text and text != "localhost"):
        return ""  # nothing, or a region
    try:
        parts = urlsplit(text if "//" in text else f"https://{text}")
        good = parts.scheme == "https" and bool(parts.hostname) and not parts.username and (parts.port or 443)
    except ValueError:
        good, parts = False, urlsplit("")
    if not good:
        raise ConnectorError(
            "cloud.invalid",
            f"{address!r} is no endpoint - it must be a region, a host or an https:// URL - correct the address",
            permanent=True,
        )
    host = parts.hostname or ""
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) or host in ("amazonaws.com", "aws.amazon.com"):
        return ""
    return f"https://{parts.netloc}"


def _throttled(action: str) -> ConnectorError:
    return ConnectorError(
        "cloud.busy",
        f"{action} was not taken - the account's request limit is reached - it is tried again",
        retry_after=5.0,
    )
