"""Who may ask: access keys, roles to assume and their sessions, and signatures that must be right."""

from __future__ import annotations

import datetime
import hmac
import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.aws import wire
from sandbox.aws.wire import Refused, Request

OWN_ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
_SKEW_S = 300.0


@dataclass(slots=True)
class Key:
    """An access key; that of a session has a token and an end."""

    id: str
    secret: str
    account: str
    token: str = ""
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Role:
    """A role that other accounts' users may assume, with the external id that they must know."""

    arn: str
    external_id: str


class Accounts:
    """The keys in ``HOME/credentials.json`` (made at the first start) and the sessions of this process."""

    def __init__(self, home: Path) -> None:
        self._lock = threading.Lock()
        file = home / "credentials.json"
        if not file.exists():
            made = {
                "keys": [asdict(Key("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), OWN_ACCOUNT))],
                "roles": [asdict(Role(f"arn:aws:iam::{OTHER_ACCOUNT}:role/escale", "escale-" + secrets.token_hex(4)))],
            }
            file.touch(mode=0o600)
            file.write_text(json.dumps(made, indent=1))
        known = json.loads(file.read_text())
        self.file = file
        self.keys = {entry["id"]: Key(**entry) for entry in known["keys"]}
        self.roles = {entry["arn"]: Role(**entry) for entry in known["roles"]}
        self.sessions: dict[str, Key] = {}

    def authenticate(self, request: Request) -> Key:
        """Return the key that signed a request; Refused as AWS refuses."""
        with self._lock:
            key = self.keys.get(request.access_key) or self.sessions.get(request.access_key)
        ec2 = request.service == "ec2"
        if not request.access_key:
            code = "MissingAuthenticationToken" if not ec2 else "AuthFailure"
            raise Refused(code, "Request is missing an authentication token", 403)
        if key is None or not hmac.compare_digest(key.token, request.headers.get("x-amz-security-token", "")):
            if ec2:
                raise Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
            raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if key.token and key.expires_at <= time.time():
            code = "RequestExpired" if ec2 else "ExpiredToken"
            raise Refused(code, "The security token included in the request is expired", 400 if ec2 else 403)
        self._check_time(request)
        if not hmac.compare_digest(_signature(request, key), _claimed(request)):
            # EC2 calls a wrong secret AuthFailure, the other services name the signature.
            if ec2:
                raise Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
            message = "The request signature we calculated does not match the signature you provided."
            raise Refused("SignatureDoesNotMatch", message, 403)
        return key

    def assume(self, request: Request) -> None:
        """Refuse a role that is unknown or whose external id is not told."""
        role = self.roles.get(request.params.get("RoleArn", ""))
        if role is None or not hmac.compare_digest(role.external_id, request.params.get("ExternalId", "")):
            message = f"not authorized to perform: sts:AssumeRole on resource: {request.params.get('RoleArn', '')}"
            raise Refused("AccessDenied", message, 403)

    def learn(self, request: Request, body: bytes) -> None:
        """Remember the session in an answer to AssumeRole."""
        root = wire.parse(body)
        told = {name: root.findtext(f".//{name}") or "" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        seconds = float(request.params.get("DurationSeconds", "3600"))
        account = request.params["RoleArn"].split(":")[4]
        key = Key(told["AccessKeyId"], told["SecretAccessKey"], account, told["SessionToken"], time.time() + seconds)
        with self._lock:
            self.sessions[key.id] = key

    def expire(self) -> None:
        """End all sessions now."""
        with self._lock:
            for key in self.sessions.values():
                key.expires_at = 0.0

    def _check_time(self, request: Request) -> None:
        try:
            told = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        except (KeyError, ValueError):
            raise Refused("IncompleteSignature", "X-Amz-Date is missing or malformed", 403) from None
        moment = told.replace(tzinfo=datetime.UTC).timestamp()
        if abs(moment - time.time()) > _SKEW_S:
            code = "RequestExpired" if request.service == "ec2" else "SignatureDoesNotMatch"
            raise Refused(code, "Signature expired or not yet current: compare the clocks", 403)


def _claimed(request: Request) -> str:
    return request.headers.get("authorization", "").rpartition("Signature=")[2].strip()


def _signature(request: Request, key: Key) -> str:
    """Sign a request anew with botocore's own signer, over just the headers that were signed."""
    signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    url = f"https://{request.headers.get('host', '')}{request.path}"
    headers = {name: request.headers.get(name, "") for name in signed}
    again = AWSRequest(method=request.method, url=url, data=request.body, headers=headers)
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key.id, key.secret, key.token or None), request.service, request.region)
    canonical = signer.canonical_request(again)
    return str(signer.signature(signer.string_to_sign(again, canonical), again))
