import pytest

from apps.audit.models import Entry
from apps.tenancy import services
from apps.tenancy.access import Principal, System
from apps.tenancy.faults import Fault
from apps.tenancy.models import ApiToken, Membership, Role


def membership_of(person):
    return Membership.objects.get(user=person.user, organization=person.organization)


def test_only_an_administrator_manages_members(alice, bob, viewer, olga, charlie, shop):
    for person in (bob, viewer, olga):
        for attempt in (
            lambda p=person: services.add_member(p.principal, charlie.user, Role.VIEWER),
            lambda p=person: services.change_role(p.principal, membership_of(p), Role.ADMIN),
            lambda p=person: services.remove_member(p.principal, membership_of(alice)),
            lambda p=person: services.create_project(p.principal, "new", "New"),
            lambda p=person: services.create_user(p.principal, "new", "a long enough sentence"),
        ):
            with pytest.raises(Fault) as caught:
                attempt()
            assert caught.value.code == "forbidden"
    services.add_member(alice.principal, charlie.user, Role.VIEWER, shop)


def test_a_changed_role_holds_at_once(alice, bob, shop):
    services.change_role(alice.principal, membership_of(bob), Role.VIEWER)
    assert bob.principal.role_in(shop) == Role.VIEWER


def test_a_removed_member_has_no_role_and_no_token_any_more(alice, bob, shop):
    services.remove_member(alice.principal, membership_of(bob))
    assert bob.principal.role_in(shop) is None
    assert not ApiToken.objects.filter(user=bob.user, revoked_at__isnull=True).exists()


def test_who_keeps_a_role_in_a_project_keeps_the_tokens(alice, bob, shop):
    services.add_member(alice.principal, bob.user, Role.VIEWER, shop)
    services.remove_member(alice.principal, Membership.objects.get(user=bob.user, project=None))
    assert ApiToken.objects.filter(user=bob.user, revoked_at__isnull=True).exists()


def test_the_last_administrator_stays(alice, bob):
    for attempt in (
        lambda: services.remove_member(alice.principal, membership_of(alice)),
        lambda: services.change_role(alice.principal, membership_of(alice), Role.OPERATOR),
    ):
        with pytest.raises(Fault) as caught:
            attempt()
        assert caught.value.code == "member.last_admin"
    services.change_role(alice.principal, membership_of(bob), Role.ADMIN)
    services.remove_member(alice.principal, membership_of(alice))


def test_a_member_is_added_once(alice, bob):
    with pytest.raises(Fault) as caught:
        services.add_member(alice.principal, bob.user, Role.VIEWER)
    assert caught.value.code == "member.exists"


def test_a_project_of_others_does_not_exist_when_members_are_added(alice, bob, attic):
    with pytest.raises(Fault) as caught:
        services.add_member(alice.principal, bob.user, Role.VIEWER, attic)
    assert caught.value.status == 404


def test_an_administrator_of_one_project_does_not_manage_the_organization(acme, alice, bob, shop):
    services.remove_member(alice.principal, membership_of(bob))
    services.add_member(alice.principal, bob.user, Role.ADMIN, shop)
    with pytest.raises(Fault) as caught:
        services.create_project(Principal(bob.user, acme), "new", "New")
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("slug", ["", "Shop", "-shop", "shop-", "a" * 64, "sh op", "shöp", "../x", "a\x00b"])
def test_a_slug_that_could_not_be_an_address_is_refused(alice, slug):
    with pytest.raises(Fault) as caught:
        services.create_project(alice.principal, slug, "Name")
    assert caught.value.params[0]["name"] == "slug"


def test_names_are_taken_once_per_organization(alice, charlie, shop):
    with pytest.raises(Fault) as caught:
        services.create_project(alice.principal, "shop", "Another")
    assert caught.value.code == "name_taken"
    services.create_project(charlie.principal, "shop", "Theirs")


def test_weak_passwords_are_refused_with_their_reasons(alice):
    with pytest.raises(Fault) as caught:
        services.create_user(alice.principal, "dora", "short")
    assert caught.value.params[0]["name"] == "password"
    assert "short" not in str(caught.value.to_json()["detail"])


def test_every_change_is_audited_with_who_did_it(alice, bob, shop):
    services.change_role(alice.principal, membership_of(bob), Role.VIEWER)
    entry = Entry.objects.filter(organization=alice.organization).last()
    assert (entry.action, entry.actor, entry.object_name) == ("member.role", "alice", "bob")
    assert entry.data == {"role": "viewer", "before": "architect", "project": None}


def test_what_cannot_be_audited_is_not_done(acme, monkeypatch):
    from apps.tenancy import auditing
    from apps.tenancy.faults import Defect
    from apps.tenancy.models import Project

    monkeypatch.setattr(auditing, "_recorder", None)
    with pytest.raises(Defect):
        services.create_project(System(acme), "silent", "Silent")
    assert not Project.objects.filter(slug="silent").exists()
