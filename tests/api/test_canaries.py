"""Secrets that stand out are put in everywhere they may go in, then looked for everywhere they must not be.

Looked through: every row of every table, every key of Redis, everything logged, and every answer of the API. In each
of them in clear, in base64, in hexadecimal, quoted.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.db import connection

from tests.api import routes as table
from tests.people import Person, client_with

pytestmark = pytest.mark.django_db(transaction=True)

CLOUD = 'cän"ary/cloud+4f1d9c7eb2a6'
ROTATED = "canary-rotated-51b2aa07"
PERSON = "canary person d2c19e6403fa"
DRAWING = "canary-drawing-90ee7b3f"
LATER = "canary-later-0b7f4a55"
DRAFTED = "canary-drafted-c41d7e90"
TYPED = "canary-typed-77a0f3be"

VAULT = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password}
    secrets: [password]
secrets:
  password:
    file: ./password.txt
"""


def forms(secret: str) -> list[bytes]:
    """Return the secret as it may be written, cut where an encoding would depend on what stands before it.

    Of awkward secrets the plain end stands for the whole: no quoting of any text changes it.
    """
    raw = secret.encode()
    spelled = {
        re.split(rb"[^A-Za-z0-9_-]", raw)[-1],
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"=")[:-2],
        base64.b64encode(b"x" + raw).rstrip(b"=")[4:-2],
        base64.b64encode(b"xx" + raw).rstrip(b"=")[4:-2],
    }
    assert min(map(len, spelled)) >= 12
    return sorted(spelled)


def found_in(text: str | bytes, secrets: dict[str, str]) -> list[str]:
    data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    return [name for name, secret in secrets.items() if any(form in data for form in forms(secret))]


class Listener:
    """Keep every answer that the clients get."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bytes]] = []

    def hear(self, client: Any) -> Any:
        request = client.request

        def heard(**options: Any) -> Any:
            answer = request(**options)
            content = b"" if getattr(answer, "streaming", False) else answer.content
            headers = repr(sorted(answer.headers.items())).encode()
            self.answers.append((f"{options.get('REQUEST_METHOD')} {options.get('PATH_INFO')}", headers + content))
            return answer

        client.request = heard
        return client


def rows_of_every_table() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        tables = [name for (name,) in cursor.fetchall()]
        found = []
        for name in tables:
            cursor.execute(f'select t::text from "{name}" t')
            found += [(name, text) for (text,) in cursor.fetchall()]
    return found


def everything_in_redis() -> list[tuple[str, bytes]]:
    found = []
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            if kind == b"string":
                value = client.get(key) or b""
            elif kind == b"list":
                value = b"\n".join(client.lrange(key, 0, -1))
            elif kind == b"hash":
                value = repr(client.hgetall(key)).encode()
            elif kind == b"zset":
                value = repr(client.zrange(key, 0, -1)).encode()
            else:
                value = repr(client.smembers(key)).encode() if kind == b"set" else b""
            found.append((key.decode(errors="replace"), key + b"\n" + value))
    return found


def test_the_search_finds_what_is_there():
    """Shows that the test below can fail: each form is found where it is put."""
    secrets = {"secret": CLOUD}
    raw = CLOUD.encode()
    for text in (
        f"login with {CLOUD} failed",
        json.dumps({"password": CLOUD}),
        json.dumps({"password": CLOUD}, ensure_ascii=False),
        json.dumps({"payload": json.dumps({"password": CLOUD})}),
        "\\x" + raw.hex(),
        base64.b64encode(b'{"password": "' + raw + b'"}').decode(),
        base64.b64encode(b"p" + raw + b"q").decode(),
        "https://u:" + urllib.parse.quote(CLOUD, safe="") + "@host",
    ):
        assert found_in(text, secrets) == ["secret"], text
    assert found_in("nothing here", secrets) == []


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, by the same pipeline that writes the real log."""
    written = io.StringIO()
    root = logging.getLogger()
    real = next(handler for handler in root.handlers if type(handler) is logging.StreamHandler)
    handler = logging.StreamHandler(written)
    handler.setFormatter(real.formatter)
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


def test_no_secret_shows_up_anywhere(
    alice: Person,
    bob: Person,
    state: str,
    blueprint: Any,
    drive: Any,
    control: Any,
    log: io.StringIO,
    monkeypatch: Any,
) -> None:
    from apps.clouds import connections

    connections.close_all()
    listener = Listener()
    admin, architect = listener.hear(alice.api), listener.hear(bob.api)
    secrets = {"cloud": CLOUD, "rotated": ROTATED, "person": PERSON, "drawing": DRAWING, "later": LATER}
    secrets |= {"drafted": DRAFTED, "typed": TYPED}
    handed_out = {"alice": alice.token_text, "bob": bob.token_text}

    def done(answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    # A cloud is registered, read, tested, refused, down, and its credential exchanged.
    cloud = {"name": "paris", "kind": "fake", "address": "fake.example", "username": "u", "password": CLOUD}
    done(admin.post("/api/v1/clouds/", cloud, headers={"Idempotency-Key": "one"}), 201)
    done(admin.post("/api/v1/clouds/", cloud, headers={"Idempotency-Key": "one"}), 201)
    done(admin.post("/api/v1/clouds/", {**cloud, "title": 7, "ca_pem": CLOUD}), 400)
    done(admin.post("/api/v1/clouds/", cloud), 409)
    done(architect.post("/api/v1/clouds/", cloud), 403)
    done(admin.generic("POST", "/api/v1/clouds/", f'{{"password": "{CLOUD}', content_type="application/json"), 400)
    set_state(state)
    done(admin.post("/api/v1/clouds/paris/refresh/"), 200)
    control.fault("probe", "refuse", code="cloud.not_authenticated", message=f"it does not take {CLOUD}")
    done(admin.post("/api/v1/clouds/paris/test/"), 200)
    done(admin.put("/api/v1/clouds/paris/credential/", {"username": "u", "password": ROTATED}), 204)
    done(admin.patch("/api/v1/clouds/paris/", {"username": "u", "password": LATER, "region": "x"}), 200)
    with monkeypatch.context() as patched:
        patched.setattr(connections.registry, "connect", break_with_the_password)
        connections.close_all()
        done(admin.post("/api/v1/clouds/paris/refresh/"), 200)
    connections.close_all()
    done(admin.post("/api/v1/clouds/paris/refresh/"), 200)

    # A person is made; tokens are issued and used.
    person = {"username": "dora", "role": "viewer", "password": PERSON}
    done(admin.post("/api/v1/members/", person), 201)
    done(admin.post("/api/v1/members/", person), 409)
    made = client_with(bob.token_text).post("/api/v1/tokens/", {"name": "ci", "role": "viewer"})
    handed_out["ci"] = done(made, 201)["token"]
    done(listener.hear(client_with(handed_out["ci"])).get("/api/v1/me/"), 200)
    done(listener.hear(client_with(handed_out["ci"][:-1] + "_")).get("/api/v1/me/"), 401)

    # A draft with secrets beside it is begun, written, refused, merged with, checked and saved.
    draft = {"project": "shop", "name": "drafted", "compose": VAULT, "files": {"password.txt": DRAFTED}}
    at = (
        f"/api/v1/drafts/{done(architect.post('/api/v1/drafts/', draft, headers={'Idempotency-Key': 'd'}), 201)['id']}/"
    )
    done(architect.put(at, {"revision": 1, "compose": VAULT, "environment": {"TYPED": TYPED}}), 200)
    done(architect.put(at, {"revision": 1, "compose": VAULT, "files": {"password.txt": LATER}}), 409)
    done(architect.put(at, {"revision": 2, "compose": VAULT, "files": {"password.txt": None, "x": {"base64": 7}}}), 422)
    beside = {"draft": at.split("/")[-2]}
    done(architect.post("/api/v1/blueprints/validate/", {"compose": VAULT, **beside}), 200)
    done(architect.post("/api/v1/blueprints/merge/", {"files": [{"name": "a", "compose": VAULT}], **beside}), 200)
    done(architect.post(f"{at}save/", {"revision": 2}, headers={"Idempotency-Key": "s"}), 201)

    # A drawing with a secret is kept, planned, deployed with a failure on the way, retried, and destroyed.
    drawing = blueprint(VAULT, name="vault", files={"password.txt": DRAWING})
    control.fault("machine.create", "fail", message=f"the guest said {LATER}", permanent=True)
    body = {"blueprint": drawing["id"], "cloud": "paris", "name": "vault"}
    deployed = done(architect.post("/api/v1/deployments/", body, headers={"Idempotency-Key": "two"}), 202)
    operation = f"/api/v1/operations/{deployed['operation']}/"
    assert drive(deployed["operation"]).state == "failed"
    answer = architect.post(f"{operation}retry/")
    assert answer.status_code in (200, 202), answer.content
    assert drive(deployed["operation"]).state == "succeeded"
    (machine,) = control.things("machine")
    handed_out["fetch"] = fetch_token(machine)
    look_at_everything(admin, alice)
    destroyed = done(architect.delete(f"/api/v1/deployments/{deployed['id']}/"), 202)
    assert drive(destroyed["operation"]).state == "succeeded"
    look_at_everything(admin, alice)

    everywhere = {**secrets, **handed_out}
    places: list[tuple[str, str | bytes]] = []
    places += [(f"the table {name}", text) for name, text in rows_of_every_table()]
    places += [(f"the key {name} in Redis", value) for name, value in everything_in_redis()]
    places += [(f"the answer to {name}", content) for name, content in listener.answers]
    assert "Incident" in log.getvalue(), "nothing was logged, so this test would prove nothing"
    places.append(("the log", log.getvalue()))
    hits = [(place, name) for place, text in places for name in found_in(text, everywhere)]
    assert hits == []
    assert len(places) > 100


def set_state(path: str) -> None:
    """Point the cloud at the test's own file, which the API refuses to set."""
    from apps.clouds.models import Cloud

    Cloud.objects.update(options={"state": path, "duration_s": 0.01})


def break_with_the_password(access: Any) -> Any:
    """Fail as an SDK might: with the password in the exception, and in the one that caused it."""
    try:
        raise ValueError(f"cannot log in as {access.username}:{access.password}")
    except ValueError as error:
        raise RuntimeError(f"session for {access.password!r} failed") from error


def fetch_token(machine: Any) -> str:
    from engine.userdata import read_file

    text = read_file(machine["data"]["userdata"], "/opt/escale/fetch.json")
    assert text is not None
    return str(json.loads(text)["token"])


def look_at_everything(client: Any, person: Person) -> None:
    """Read every list, and every object of every list, with all that hangs below it."""
    walked = 0
    readable = [route for route in table.routes() if route.method == "GET" and route.name not in table.LIBRARY]
    for route in readable:
        if route.detail:
            continue
        answer = client.get(f"/{route.path}")
        told = answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
        rows = answer.json().get("results", []) if told else []
        base = route.name.partition("-")[0]
        for row in rows:
            for below in readable:
                if below.parameters == ("id",) and below.name.partition("-")[0] == base:
                    client.get(f"/{below.path}".replace("(?P<id>[^/]+)", str(row.get("id"))))
                    walked += 1
    assert walked > 10
