"""Talk to the portal's REST API: one place for addresses, the token, pages and problems."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


class CliError(Exception):
    """Say what went wrong in words for a terminal; ``code`` is the problem's stable code, ``body`` all of it."""

    def __init__(
        self, message: str, *, code: str = "cli", hint: str = "", body: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.hint, self.body = message, code, hint, dict(body or {})


@dataclass(frozen=True)
class Login:
    """The portal's address, a token, and perhaps the PEM file of the authority that signed its certificate."""

    url: str
    token: str
    ca: str | None = None


def login_path() -> Path:
    """Return where ``escale login`` keeps address and token (mode 0600)."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "escale" / "login.json"


def read_login() -> Login:
    """Return the login from ``ESCALE_URL`` and ``ESCALE_TOKEN``, or from ``escale login``; CliError otherwise."""
    kept: dict[str, Any] = {}
    if login_path().exists():
        try:
            kept = json.loads(login_path().read_text())
        except (OSError, ValueError) as error:
            raise CliError(f"{login_path()} cannot be read: {error}", hint="Run `escale login` again.") from None
    url = os.environ.get("ESCALE_URL") or kept.get("url")
    # A token is only for the portal that issued it: one kept for another address is never sent there.
    token = os.environ.get("ESCALE_TOKEN") or (kept.get("token") if url == kept.get("url") else None)
    if not url or not token:
        raise CliError(
            "No portal is known.",
            code="cli.no_login",
            hint="Run `escale login --url URL`, or set ESCALE_URL and ESCALE_TOKEN.",
        )
    return Login(str(url).rstrip("/"), str(token), os.environ.get("ESCALE_CA") or kept.get("ca"))


def write_login(login: Login) -> Path:
    """Keep a login for later commands, readable by its owner only."""
    path = login_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": login.url, "token": login.token, "ca": login.ca}, file)
    path.chmod(0o600)
    return path


class Client:
    """The API as methods that return decoded JSON; every failure is a CliError."""

    def __init__(self, login: Login, *, timeout_s: float = 120.0) -> None:
        self.login = login
        self._http = httpx.Client(
            base_url=login.url,
            headers={
                "Authorization": f"Bearer {login.token}",
                "Accept": "application/json",
                "User-Agent": "escale-cli",
            },
            timeout=timeout_s,
            verify=login.ca or True,
            trust_env=login.ca is None,
        )

    def get(self, path: str, **params: Any) -> Any:
        """Return the answer of a GET; parameters that are None are left out."""
        return self._send("GET", path, params={key: value for key, value in params.items() if value is not None})[0]

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[Any, str | None]:
        """Return the answer and its ``Location``; sent once, with a key that makes a repetition harmless."""
        return self._send("POST", path, json=dict(body or {}), headers={"Idempotency-Key": str(uuid.uuid4())})

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of a change."""
        return self._send("PATCH", path, json=dict(body))[0]

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of a replacement."""
        return self._send("PUT", path, json=dict(body))[0]

    def delete(self, path: str) -> tuple[Any, str | None]:
        """Return the answer and its ``Location``."""
        return self._send("DELETE", path, headers={"Idempotency-Key": str(uuid.uuid4())})

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page after page."""
        answer = self.get(path, **params)
        while True:
            yield from answer["results"]
            if not answer["next"]:
                return
            answer = self.get(answer["next"])

    def text(self, path: str, **params: Any) -> Iterator[str]:
        """Yield a long text as it comes, piece by piece."""
        try:
            with self._http.stream("GET", path, params=params, headers={"Accept": "*/*"}) as stream:
                if stream.status_code >= 400:
                    stream.read()
                    raise problem(stream)
                yield from stream.iter_text()
        except httpx.TransportError as error:
            raise CliError(
                f"The connection to {self.login.url} broke: {error or type(error).__name__}", code="cli.connection"
            ) from None

    def events(self, operation: str, after: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield an operation's events as they happen: sequence number and event; ends when the stream does."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        try:
            with self._http.stream(
                "GET", f"/api/v1/operations/{operation}/events/", headers=headers, timeout=httpx.Timeout(30, read=60)
            ) as stream:
                if stream.status_code != 200:
                    stream.read()
                    raise problem(stream)
                number, data = after, ""
                for line in stream.iter_lines():
                    if line.startswith("id:"):
                        number = int(line[3:].strip())
                    elif line.startswith("data:"):
                        data += line[5:].strip()
                    elif not line and data:
                        yield number, json.loads(data)
                        data = ""
        except httpx.TransportError:
            return  # the caller looks at the operation's state and comes back with the last number it has seen

    def _send(self, method: str, path: str, **options: Any) -> tuple[Any, str | None]:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.ConnectError as error:
            raise CliError(
                f"The portal at {self.login.url} cannot be reached: {error}",
                code="cli.unreachable",
                hint="Is it running, and is the address right? `escale login` changes it.",
            ) from None
        except httpx.TransportError as error:
            raise CliError(
                f"The connection to {self.login.url} broke: {error or type(error).__name__}", code="cli.connection"
            ) from None
        if answer.status_code >= 400:
            raise problem(answer)
        return (answer.json() if answer.content else None), answer.headers.get("Location")


def problem(answer: httpx.Response) -> CliError:
    """Return the error for an answer: a problem document in words, or what little there is."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict) or "title" not in body:
        return CliError(
            f"The portal answered {answer.status_code} {answer.reason_phrase}.",
            code=f"http.{answer.status_code}",
            hint="Is ESCALE_URL the address of an Escale portal?",
        )
    text = str(body["title"]) + (f": {body['detail']}" if body.get("detail") else "")
    return CliError(text, code=str(body.get("code", "problem")), hint=str(body.get("hint") or ""), body=body)
