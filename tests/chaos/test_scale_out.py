"""Two web processes, three workers and a relay over one PostgreSQL and one Redis, all by TCP: the same code."""

from __future__ import annotations

import json
import threading
import urllib.request

import pytest

from apps.operations.models import Event, Operation, Step
from tests.chaos.oracle import check, wait_for_end
from tests.chaos.plant import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]


def ask(address, person, method="GET", body=None):
    request = urllib.request.Request(address, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {person.token_text}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


class Follower(threading.Thread):
    """Follow an operation's events over HTTP; comes back at the other web process after each few events."""

    def __init__(self, addresses, person, operation, come_back_after):
        super().__init__(daemon=True)
        self.addresses, self.person, self.operation = addresses, person, operation
        self.come_back_after = come_back_after
        self.events, self.connections, self.error = [], 0, None

    def run(self):
        try:
            while not any(e["type"] == "operation.state" and e["data"]["state"] == "succeeded" for e in self.events):
                self.follow(self.addresses[self.connections % len(self.addresses)])
        except Exception as error:
            self.error = error

    def follow(self, address):
        self.connections += 1
        request = urllib.request.Request(f"{address}/api/v1/operations/{self.operation.pk}/events/?after=0")
        request.add_header("Authorization", f"Bearer {self.person.token_text}")
        request.add_header("Accept", "text/event-stream")
        if self.events:
            request.add_header("Last-Event-ID", str(self.events[-1]["seq"]))
        taken = 0
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status == 204:
                return
            for line in answer:
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line[6:]))
                    taken += 1
                    if taken >= self.come_back_after:
                        return


def test_two_web_processes_three_workers_and_a_relay_work_as_one(plant, order, bob, charlie):
    second, third = plant.start_worker("second", 1), plant.start_worker("third", 1)
    try:
        webs = [plant.start_web("web-1"), plant.start_web("web-2")]
        plant.workers_ready(second, third)
        operations = [order(16, width=8, task_s=0.15) for _ in range(6)]
        followers = [Follower(webs, bob, operation, 7) for operation in operations]
        for follower in followers:
            follower.start()
        wait_for_end(plant, *operations, timeout_s=60)
        check(plant, *operations)
        for follower in followers:
            follower.join(20)
            assert follower.error is None, follower.error
            assert [event["seq"] for event in follower.events] == list(
                Event.objects.filter(operation=follower.operation).order_by("seq").values_list("seq", flat=True)
            )
            assert follower.connections > 3

        # All three took part; each web process tells the same; strangers see nothing at either.
        workers = {name.partition("@")[0] for name in Step.objects.values_list("worker", flat=True)}
        assert workers == {"worker", "second", "third"}
        pages = [ask(f"{web}/api/v1/operations/{operations[0].pk}/", bob) for web in webs]
        assert pages[0] == pages[1]
        assert pages[0]["state"] == "succeeded"
        for web in webs:
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(f"{web}/api/v1/operations/{operations[0].pk}/", charlie)
            assert refused.value.code == 404
            assert ask(f"{web}/readyz", bob)["status"] == "ready"

        # Cancelled at one, it ends at all of them.
        long = order(2, task_s=60)
        until(lambda: Step.objects.filter(operation=long, state="waiting").count() == 2, 20, "not under way", plant)
        ask(f"{webs[1]}/api/v1/operations/{long.pk}/cancel/", bob, "POST", {"mode": "revert"})
        until(lambda: ask(f"{webs[0]}/api/v1/operations/{long.pk}/", bob)["state"] == "reverted", 30, "goes on", plant)
        assert Operation.objects.get(pk=long.pk).undo_done == 2
        assert sum(plant.cloud.things().values()) == 16 * 6
    finally:
        for name in plant.running():
            if name not in ("relay", "worker"):
                plant.kill(name)
