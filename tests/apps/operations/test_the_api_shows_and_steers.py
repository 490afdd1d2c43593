import uuid

import pytest

from apps.operations.models import Operation
from apps.operations.runner import drive
from tests.apps.operations.looking import events_of

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "/api/v1/operations/"
ONCE = {"fail": {"permanent": True, "message": "Denied - no right - ask."}, "fail_times": 1}


def test_it_shows_an_operation(start, finish, viewer):
    operation = finish(start({"a": {}, "b": ONCE, "c": {}}, after={"b": ["a"], "c": ["b"]}))
    body = viewer.api.get(f"{BASE}{operation.pk}/").json()
    assert body["state"] == "failed"
    assert body["steps"] == {"total": 3, "done": 1, "undo_total": 0, "undo_done": 0}
    assert body["states"] == {"succeeded": 1, "failed": 1, "blocked": 1}
    assert body["percent"] == 33
    assert body["error"]["message"] == "Denied - no right - ask."
    assert body["error"]["step"] == "b"
    assert body["project"]["name"] == "shop"
    assert body["links"]["events"] == f"{BASE}{operation.pk}/events/"
    assert body["can"] == {"cancel": False, "retry": False, "rollback": False}  # victor only looks


def test_it_says_what_the_caller_may_do(start, finish, bob):
    running, failed = start({"a": {}}), finish(start({"a": ONCE}))
    assert bob.api.get(f"{BASE}{running.pk}/").json()["can"] == {"cancel": True, "retry": False, "rollback": False}
    assert bob.api.get(f"{BASE}{failed.pk}/").json()["can"] == {"cancel": False, "retry": True, "rollback": True}


def test_it_lists_the_newest_first_and_filters(start, finish, bob, shop):
    subject = ("deployment", uuid.uuid4())
    first = finish(start({"a": {}}, subject=subject))
    second = start({"a": {}})
    ids = lambda query="": [row["id"] for row in bob.api.get(BASE + query).json()["results"]]  # noqa: E731
    assert ids() == [str(second.pk), str(first.pk)]
    assert ids("?state=succeeded") == [str(first.pk)]
    assert ids("?state=live") == [str(second.pk)]
    assert ids("?state=succeeded,queued") == [str(second.pk), str(first.pk)]
    assert ids(f"?subject={subject[1]}") == [str(first.pk)]
    assert ids("?project=shop") == [str(second.pk), str(first.pk)]
    assert bob.api.get(f"{BASE}?state=odd").json()["code"] == "invalid"
    page = bob.api.get(f"{BASE}?limit=1").json()
    assert [row["id"] for row in bob.api.get(page["next"]).json()["results"]] == [str(first.pk)]


def test_the_number_of_queries_does_not_grow_with_the_list(start, bob):
    def queries():
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            assert bob.api.get(BASE).status_code == 200
        return len(captured)

    start({"a": {}})
    queries()  # the first use of a token is noted
    few = queries()
    for _ in range(8):
        start({"a": {}})
    assert queries() == few


def test_strangers_find_nothing(start, charlie):
    operation = start({"a": {}})
    assert charlie.api.get(BASE).json()["results"] == []
    for path in ("", "steps/", "events/"):
        assert charlie.api.get(f"{BASE}{operation.pk}/{path}").status_code == 404
    for path in ("cancel/", "retry/", "rollback/"):
        assert charlie.api.post(f"{BASE}{operation.pk}/{path}").status_code == 404
    stream = charlie.api.get(f"{BASE}{operation.pk}/events/", HTTP_ACCEPT="text/event-stream")
    assert stream.status_code == 404
    assert stream.json()["code"] == "not_found"


def test_it_lists_steps_in_the_order_of_the_plan(start, finish, bob):
    operation = finish(start({"z": {"result": {"id": 1}}, "a": ONCE}, after={"z": []}))
    bob.api.post(f"{BASE}{operation.pk}/rollback/")
    rows = bob.api.get(f"{BASE}{operation.pk}/steps/").json()["results"]
    assert [row["key"] for row in rows] == ["z", "a", "undo:a", "undo:z"]
    assert rows[0]["result"] == {"id": 1}
    assert rows[2]["undoes"] == "a"
    assert rows[1]["error"]["message"] == "Denied - no right - ask."
    ready = bob.api.get(f"{BASE}{operation.pk}/steps/?state=ready,pending").json()["results"]
    assert {row["key"] for row in ready} == {"undo:a", "undo:z"}


def test_it_lists_events_after_a_number(start, finish, bob):
    operation = finish(start({"a": {}}))
    total = len(events_of(operation))
    rows = bob.api.get(f"{BASE}{operation.pk}/events/").json()["results"]
    assert [row["seq"] for row in rows] == list(range(1, total + 1))
    assert set(rows[0]) == {"seq", "at", "type", "step_key", "data"}
    later = bob.api.get(f"{BASE}{operation.pk}/events/?after=2&limit=1").json()
    assert [row["seq"] for row in later["results"]] == [3]
    assert [row["seq"] for row in bob.api.get(later["next"]).json()["results"]] == [4]
    assert bob.api.get(f"{BASE}{operation.pk}/events/?after=x").json()["code"] == "invalid"


def test_cancelling_answers_202_with_the_address(start, bob):
    operation = start({"a": {"task_s": 60}})
    drive(operation.pk, budget_s=0.2)
    answer = bob.api.post(f"{BASE}{operation.pk}/cancel/", {"mode": "revert"})
    assert answer.status_code == 202
    assert answer["Location"] == f"{BASE}{operation.pk}/"
    assert answer.json()["state"] == "cancelling"
    assert answer.json()["cancel_mode"] == "revert"
    assert any(data.get("actor") == "token bob's token of bob" for _, _, data in events_of(operation))


def test_who_steers_is_audited(start, finish, bob, alice):
    operation = finish(start({"a": ONCE}))
    bob.api.post(f"{BASE}{operation.pk}/retry/")
    bob.api.post(f"{BASE}{operation.pk}/cancel/")
    bob.api.post(f"{BASE}{operation.pk}/rollback/")
    bob.api.post(f"{BASE}{operation.pk}/cancel/")  # refused: not audited as done
    from apps.audit.models import Entry

    entries = Entry.objects.filter(object_id=str(operation.pk)).order_by("sequence")
    assert [entry.action for entry in entries] == ["operation.retry", "operation.cancel", "operation.rollback"]
    assert {entry.actor for entry in entries} == {"token bob's token of bob"}


def test_cancelling_in_an_odd_way_is_refused(start, bob):
    operation = start({"a": {}})
    assert bob.api.post(f"{BASE}{operation.pk}/cancel/", {"mode": "explode"}).json()["code"] == "invalid"
    operation.refresh_from_db()
    assert operation.state == "queued"


def test_retry_and_rollback_answer_202(start, finish, bob):
    operation = finish(start({"a": ONCE}))
    assert bob.api.post(f"{BASE}{operation.pk}/retry/").json()["state"] == "queued"
    other = finish(start({"a": {"fail": {"permanent": True}}}))
    assert bob.api.post(f"{BASE}{other.pk}/rollback/").json()["state"] == "reverting"


def test_what_cannot_be_done_is_a_problem_that_says_what_to_do(start, finish, bob):
    operation = finish(start({"a": {}}))
    answer = bob.api.post(f"{BASE}{operation.pk}/cancel/")
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "operation.ended"
    assert answer.json()["hint"]


def test_viewers_steer_nothing(start, viewer):
    operation = start({"a": {}})
    assert viewer.api.post(f"{BASE}{operation.pk}/cancel/").status_code == 403


def test_operations_of_the_organization_are_for_operators(start, bob, olga):
    operation = start({"a": {}}, project=None)
    assert bob.api.get(f"{BASE}{operation.pk}/").json()["can"]["cancel"] is False
    assert bob.api.post(f"{BASE}{operation.pk}/cancel/").status_code == 403
    assert olga.api.post(f"{BASE}{operation.pk}/cancel/").status_code == 202


def test_a_repeated_request_does_nothing_twice(start, finish, bob):
    operation = finish(start({"a": ONCE}))
    key = {"HTTP_IDEMPOTENCY_KEY": "same"}
    first = bob.api.post(f"{BASE}{operation.pk}/retry/", **key)
    again = bob.api.post(f"{BASE}{operation.pk}/retry/", **key)
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert Operation.objects.count() == 1
