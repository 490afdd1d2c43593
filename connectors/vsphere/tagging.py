"""Tags, which only the REST API tells, in bulk; a vCenter without it has none.

https://developer.broadcom.com/xapis/vsphere-automation-api/latest/cis/tagging/tag-association/: servers from 7.0 U2 on
answer below /api, older ones (and they too) below /rest, which wraps its answers in ``value``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.base import Access, ConnectorError
from connectors.listing import Item
from connectors.vsphere.transport import Transport

_AT_ONCE = 1_000
_MOST = 5_000
_ANSWER_BYTES = 64 * 1024 * 1024
_ABSENT = frozenset({400, 401, 403, 404, 405, 501})


Names = dict[str, tuple[str, str]]
"""Id of a tag -> its name and its category's."""


class Absent(Exception):  # noqa: N818 - a fact, not a fault
    """The vCenter has no REST API, or shows no tags to this account."""


class Tags:
    """The tags of one vCenter, read in a login of its own that ends with it."""

    def __init__(self, access: Access, names: Names | None = None) -> None:
        """Prepare; ``names`` are what an earlier reading found."""
        self._transport = Transport(access)
        self._login = base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
        self._session = ""
        self._base = ""
        self.names = names  # None: nobody has read them yet

    def __enter__(self) -> Tags:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._session:
            path = "/api/session" if self._base == "/api" else "/rest/com/vmware/cis/session"
            with contextlib.suppress(Absent, ConnectorError):  # it ends by itself
                self._call("DELETE", path)
        self._transport.close()

    def load(self) -> None:
        """Read the names of all tags. Absent; ConnectorError when the server does not answer as it should."""
        self._sign_in()
        names: Names = {}
        categories = {key: self._get("category", key).get("name", "") for key in self._ids("category")}
        for key in self._ids("tag"):
            tag = self._get("tag", key)
            names[key] = (str(tag.get("name", "")), str(categories.get(tag.get("category_id", ""), "")))
        self.names = names

    def items(self) -> Iterator[Item]:
        """Yield the tags themselves."""
        for key, (name, category) in (self.names or {}).items():
            yield Item("tag", key, key, name, {"category": category})

    def of(self, refs: Iterable[str]) -> dict[str, list[str]]:
        """Return the names of the tags of machines; each of those asked for is a key."""
        wanted = list(refs)
        found: dict[str, list[str]] = {ref: [] for ref in wanted}
        names = self.names or {}
        if not names:
            return found
        self._sign_in()
        for first in range(0, len(wanted), _AT_ONCE):
            objects = [{"id": ref, "type": "VirtualMachine"} for ref in wanted[first : first + _AT_ONCE]]
            answer = self._associations("list-attached-tags-on-objects", {"object_ids": objects})
            for entry in answer:
                about = entry.get("object_id")
                ref = about.get("id", "") if isinstance(about, dict) else ""
                if ref in found:  # a server that has none says null instead of an empty list
                    keys = entry.get("tag_ids") or ()
                    found[ref] += [names[key][0] for key in keys if isinstance(key, str) and key in names]
        return found

    def digest(self) -> str:
        """Return a digest of all names and of which object has which tag."""
        names = self.names or {}
        state: list[Any] = sorted((key, *value) for key, value in names.items())
        keys = list(names)
        for first in range(0, len(keys), _AT_ONCE):
            answer = self._associations("list-attached-objects-on-tags", {"tag_ids": keys[first : first + _AT_ONCE]})
            state += sorted(
                (entry.get("tag_id", ""), sorted(str(each.get("id", "")) for each in _dicts(entry.get("object_ids"))))
                for entry in answer
            )
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()

    # Details

    def _sign_in(self) -> None:
        if self._session:
            return
        basic = {"Authorization": f"Basic {self._login}"}
        for base, path in (("/api", "/api/session"), ("/rest", "/rest/com/vmware/cis/session")):
            try:
                self._session, self._base = str(self._call("POST", path, headers=basic)), base
            except Absent:
                continue
            if self._base == "/api":
                try:  # some servers have a session there, and nothing else
                    self._ids("category")
                except Absent:
                    continue
            return
        raise Absent

    def _ids(self, what: str) -> list[str]:
        path = f"/api/cis/tagging/{what}" if self._base == "/api" else f"/rest/com/vmware/cis/tagging/{what}"
        found = self._call("GET", path)
        if not isinstance(found, list):
            raise self._strange()
        return [str(key) for key in found[:_MOST]]

    def _get(self, what: str, key: str) -> Mapping[str, Any]:
        if self._base == "/api":
            found = self._call("GET", f"/api/cis/tagging/{what}/{key}")
        else:
            found = self._call("GET", f"/rest/com/vmware/cis/tagging/{what}/id:{key}")
        if not isinstance(found, dict):
            raise self._strange()
        return found

    def _associations(self, action: str, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if self._base == "/api":
            path = f"/api/cis/tagging/tag-association?action={action}"
        else:
            path = f"/rest/com/vmware/cis/tagging/tag-association?~action={action}"
        found = self._call("POST", path, body)
        if found is not None and not isinstance(found, list):
            raise self._strange()
        return _dicts(found)

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        sent = {"Accept": "application/json", "User-Agent": "escale", **(headers or {})}
        if self._session:
            sent["vmware-api-session-id"] = self._session
        content = b""
        if body is not None:
            sent["Content-Type"], content = "application/json", json.dumps(body).encode()
        reply = self._transport.request(method, path, content, sent, repeatable=True, max_bytes=_ANSWER_BYTES)
        if reply.status in _ABSENT:
            raise Absent
        if not 200 <= reply.status < 300:
            raise ConnectorError(
                "cloud.busy",
                f"{self._transport.host} answered a question for tags with HTTP status {reply.status} - its services "
                "may be starting - it is tried again",
                retry_after=10.0,
            )
        try:
            found = json.loads(reply.body) if reply.body else None
        except (ValueError, RecursionError):
            raise self._strange() from None
        return found.get("value") if self._base != "/api" and isinstance(found, dict) and "value" in found else found

    def _strange(self) -> ConnectorError:
        return ConnectorError(
            "cloud.fault",
            f"{self._transport.host} answered a question for tags with something else - a proxy may be in the way - "
            "check the cloud's address",
        )


def _dicts(found: Any) -> list[Mapping[str, Any]]:
    return [each for each in found or () if isinstance(each, dict)]
