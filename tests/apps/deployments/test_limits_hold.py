"""A cloud's limits hold for every plan, also for two that are started at the same moment."""

import threading

import pytest
from django.db import connection

from apps.clouds import holdings, sharing
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan
from apps.deployments.services import start
from apps.tenancy.faults import Fault

pytestmark = pytest.mark.django_db(transaction=True)


def plan(bob, made, name):
    answer = bob.api.post("/api/v1/plans/", {"blueprint": made["id"], "cloud": "paris", "name": name})
    assert answer.status_code == 201, answer.content
    return Plan.objects.get(pk=answer.json()["id"])


def limit(paris, **limits):
    Cloud.objects.filter(pk=paris.pk).update(limits=limits)


def test_a_plan_that_would_pass_a_limit_says_so_and_cannot_be_started(bob, paris, blueprint):
    made = blueprint()
    fits = plan(bob, made, "fits")
    machines, cpus = fits.body["requirements"]["machines"], fits.body["requirements"]["cpus"]
    assert machines >= 1
    limit(paris, machines=machines, cpus=cpus - 1)
    one = plan(bob, made, "one")
    told = [finding for finding in one.body["findings"] if finding["code"] == "cloud.limit_reached"]
    assert [finding["severity"] for finding in told] == ["warning"]
    assert f"0 of {cpus - 1} CPUs" in told[0]["message"]
    answer = bob.api.post("/api/v1/deployments/", {"plan": str(one.pk)})
    assert (answer.status_code, answer.json()["code"]) == (409, "cloud.limit_reached")
    assert answer.json()["exceeded"] == [{"kind": "cpus", "limit": cpus - 1, "held": 0, "wanted": cpus}]
    assert not Deployment.objects.exists()
    # The stored plan is not spoilt by it: with room it starts.
    limit(paris, machines=machines, cpus=cpus)
    assert bob.api.post("/api/v1/deployments/", {"plan": str(one.pk)}).status_code == 202


def test_what_was_started_counts_before_anything_of_it_exists(bob, paris, blueprint):
    made = blueprint()
    first, second = plan(bob, made, "first"), plan(bob, made, "second")
    limit(paris, machines=first.body["requirements"]["machines"])
    start(bob.principal, first)
    with pytest.raises(Fault) as caught:
        start(bob.principal, second)
    assert caught.value.code == "cloud.limit_reached"


def test_what_runs_counts_and_what_was_destroyed_does_not(bob, paris, running, blueprint, drive):
    held = holdings.on(paris)
    assert [holding.name for holding in held] == ["shop"]
    assert held[0].requirements["machines"] >= 1
    limit(paris, machines=held[0].requirements["machines"])
    second = plan(bob, blueprint(name="other"), "second")
    with pytest.raises(Fault, match="may hold no more"):
        start(bob.principal, second)
    answer = bob.api.delete(f"/api/v1/deployments/{running['id']}/")
    assert (
        drive(answer.json()["operation"] if "operation" in answer.json() else answer.json()["id"]).state == "succeeded"
    )
    start(bob.principal, second)


def test_two_plans_at_one_moment_do_not_pass_together(bob, paris, blueprint):
    made = blueprint()
    plans = [plan(bob, made, f"web-{number}") for number in range(4)]
    limit(paris, machines=plans[0].body["requirements"]["machines"])
    gate, ends = threading.Barrier(len(plans)), []

    def run(one):
        try:
            gate.wait(10)
            start(bob.principal, one)
            ends.append("started")
        except Fault as error:
            ends.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ends) == ["cloud.limit_reached"] * 3 + ["started"]
    assert Deployment.objects.count() == 1


def test_another_organization_deploys_to_a_shared_cloud_within_its_limits(
    alice, charlie, attic, paris, blueprint, drive
):
    sharing.accept(charlie.principal, sharing.share(alice.principal, paris, "globex"))
    text = {"project": "attic", "name": "theirs", "compose": "services:\n  web:\n    image: nginx:1.27\n"}
    made = charlie.api.post("/api/v1/blueprints/", text).json()
    body = {"blueprint": made["id"], "cloud": "paris", "name": "theirs"}
    answer = charlie.api.post("/api/v1/deployments/", body)
    assert answer.status_code == 202, answer.content
    assert drive(answer.json()["operation"]).state == "succeeded"
    # Its owner sees how much is held, and neither whose it is nor what it is called.
    usage = {row["kind"]: row["held"] for row in alice.api.get("/api/v1/clouds/paris/usage/").json()["results"]}
    assert usage["machines"] == 1
    removal = alice.api.delete("/api/v1/clouds/paris/")
    assert (removal.status_code, removal.json()["code"]) == (409, "cloud.in_use")
    assert "theirs" not in removal.content.decode()
    limit(paris, machines=1)
    second = charlie.api.post("/api/v1/deployments/", {**body, "name": "more"})
    assert (second.status_code, second.json()["code"]) == (409, "cloud.limit_reached")


def test_a_plan_does_not_outlive_the_right_to_use_its_cloud(alice, charlie, attic, paris, blueprint):
    grant = sharing.share(alice.principal, paris, "globex")
    sharing.accept(charlie.principal, grant)
    text = {"project": "attic", "name": "theirs", "compose": "services:\n  web:\n    image: nginx:1.27\n"}
    made = charlie.api.post("/api/v1/blueprints/", text).json()
    answer = charlie.api.post("/api/v1/plans/", {"blueprint": made["id"], "cloud": "paris", "name": "theirs"})
    planned = Plan.objects.get(pk=answer.json()["id"])
    sharing.unshare(alice.principal, paris, grant.pk)
    with pytest.raises(Fault) as caught:
        start(charlie.principal, planned)
    assert caught.value.code == "cloud.not_shared"


def test_a_cloud_that_is_not_shared_does_not_exist_for_others(charlie, attic, paris):
    text = {"project": "attic", "name": "theirs", "compose": "services:\n  web:\n    image: nginx:1.27\n"}
    made = charlie.api.post("/api/v1/blueprints/", text).json()
    for reference in ("paris", str(paris.pk)):
        answer = charlie.api.post("/api/v1/plans/", {"blueprint": made["id"], "cloud": reference, "name": "theirs"})
        assert answer.status_code == 404
