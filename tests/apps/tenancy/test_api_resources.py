"""Projects, members, tokens and oneself over REST."""

from apps.tenancy.models import ApiToken, Membership
from tests.people import client_with


def test_projects_show_the_callers_role(alice, bob, viewer):
    for person, role in ((alice, "admin"), (bob, "architect"), (viewer, "viewer")):
        (row,) = person.api.get("/api/v1/projects/").json()["results"]
        assert (row["slug"], row["organization"], row["role"]) == ("shop", "acme", role)


def test_a_project_is_made_and_found_by_its_slug(alice):
    made = alice.api.post("/api/v1/projects/", {"slug": "lab", "name": "Lab", "policy": {"isolation": "machine"}})
    assert (made.status_code, made.json()["role"]) == (201, "admin")
    assert alice.api.get("/api/v1/projects/lab/").json() == made.json()
    changed = alice.api.patch("/api/v1/projects/lab/", {"name": "Laboratory"})
    assert changed.json()["name"] == "Laboratory"
    assert alice.api.post("/api/v1/projects/", {"slug": "lab", "name": "Lab"}).json()["code"] == "name_taken"


def test_an_organization_is_seen_by_its_members_only(alice, charlie):
    assert [row["slug"] for row in alice.api.get("/api/v1/organizations/").json()["results"]] == ["acme"]
    assert alice.api.get("/api/v1/organizations/acme/").json()["current"] is True
    assert alice.api.get("/api/v1/organizations/globex/").status_code == 404


def test_a_member_is_added_changed_and_removed(alice, charlie, shop):
    added = alice.api.post("/api/v1/members/", {"username": "charlie", "role": "viewer", "project": "shop"})
    assert added.status_code == 201, added.content
    address = f"/api/v1/members/{added.json()['id']}/"
    assert alice.api.patch(address, {"role": "operator"}).json()["role"] == "operator"
    assert alice.api.delete(address).status_code == 204
    assert alice.api.delete(address).status_code == 404
    assert alice.api.post("/api/v1/members/", {"username": "nobody", "role": "viewer"}).json()["code"] == (
        "member.unknown"
    )


def test_a_member_may_be_created_with_a_password_that_does_not_come_back(alice):
    body = {"username": "dora", "role": "viewer", "password": "a long enough sentence", "email": "dora@acme.example"}
    made = alice.api.post("/api/v1/members/", body)
    assert made.status_code == 201
    assert "long enough" not in made.content.decode()
    weak = alice.api.post("/api/v1/members/", {**body, "username": "eve", "password": "short"})
    assert (weak.status_code, weak.json()["params"][0]["name"]) == (400, "password")


def test_a_user_is_not_left_behind_when_becoming_a_member_fails(alice, monkeypatch):
    from apps.tenancy import services
    from apps.tenancy.faults import fault
    from apps.tenancy.models import User

    def refuses(*args):
        raise fault("conflict")

    monkeypatch.setattr(services, "add_member", refuses)
    body = {"username": "dora", "role": "viewer", "password": "a long enough sentence"}
    assert alice.api.post("/api/v1/members/", body).status_code == 409
    assert not User.objects.filter(username="dora").exists()


def test_a_token_is_shown_once_and_works(bob):
    made = bob.api.post("/api/v1/tokens/", {"name": "ci", "role": "viewer", "project": "shop"})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    text = made.json()["token"]
    me = client_with(text).get("/api/v1/me/").json()
    assert (me["username"], me["token"]["role"]) == ("bob", "viewer")
    assert me["projects"] == [{"id": me["projects"][0]["id"], "slug": "shop", "role": "viewer"}]
    shown = bob.api.get(f"/api/v1/tokens/{made.json()['id']}/")
    assert text not in shown.content.decode()
    assert "digest" not in shown.json()
    assert bob.api.delete(f"/api/v1/tokens/{made.json()['id']}/").status_code == 204
    assert client_with(text).get("/api/v1/me/").status_code == 401


def test_one_sees_ones_own_tokens_and_administrators_see_all(alice, bob, viewer):
    owners = lambda person: {  # noqa: E731
        row["user"] for row in person.api.get("/api/v1/tokens/").json()["results"]
    }
    assert owners(alice) == {"alice", "bob", "victor"}
    assert owners(viewer) == {"victor"}
    assert viewer.api.delete(f"/api/v1/tokens/{bob.token.pk}/").status_code == 404
    assert ApiToken.objects.get(pk=bob.token.pk).revoked_at is None


def test_a_token_that_asks_for_too_much_is_refused_with_what_would_do(viewer):
    answer = viewer.api.post("/api/v1/tokens/", {"name": "strong", "role": "admin"})
    assert (answer.status_code, answer.json()["code"]) == (403, "token.role_too_high")


def test_a_refusal_names_who_can_help(viewer):
    answer = viewer.api.post("/api/v1/projects/", {"slug": "new", "name": "New"})
    assert answer.status_code == 403
    assert answer.json()["granters"] == ["alice"]
    assert answer.json()["needed_role"] == "admin"


def test_a_token_weaker_than_its_user_is_told_apart_from_a_weak_user(alice):
    text = alice.api.post("/api/v1/tokens/", {"name": "weak", "role": "viewer"}).json()["token"]
    answer = client_with(text).post("/api/v1/projects/", {"slug": "new", "name": "New"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden.token")


def test_the_audit_log_is_listed_latest_first_and_narrowed(alice, bob):
    alice.api.post("/api/v1/projects/", {"slug": "lab", "name": "Lab"})
    rows = alice.api.get("/api/v1/audit/").json()["results"]
    assert rows[0]["action"] == "project.create"
    assert rows[0]["actor"] == "token alice's token of alice"
    assert [row["sequence"] for row in rows] == sorted((row["sequence"] for row in rows), reverse=True)
    narrowed = alice.api.get("/api/v1/audit/?action=member.add").json()["results"]
    assert {row["action"] for row in narrowed} == {"member.add"}
    head = alice.api.get("/api/v1/audit/head/").json()
    assert (head["whole"], head["sequence"], head["hash"]) == (True, rows[0]["sequence"], rows[0]["hash"])


def test_members_of_single_projects_read_what_is_shared_and_manage_nothing(acme, alice, charlie, shop):
    Membership.objects.filter(user=charlie.user).delete()
    alice.api.post("/api/v1/members/", {"username": "charlie", "role": "admin", "project": "shop"})
    browser = charlie.browser
    assert browser.get("/api/v1/me/").json()["role"] == "viewer"
    assert browser.get("/api/v1/clouds/").status_code == 200
    for path in ("/api/v1/members/", "/api/v1/audit/"):
        assert browser.get(path).status_code == 403
