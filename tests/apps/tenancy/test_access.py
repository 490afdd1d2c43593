import pytest

from apps.tenancy.access import Principal, find_project, require
from apps.tenancy.faults import Fault
from apps.tenancy.models import ApiToken, Membership, Organization, Project, Role, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def place():
    organization = Organization.objects.create(slug="acme", name="Acme")
    return organization, [
        Project.objects.create(organization=organization, slug=slug, name=slug.title()) for slug in ("shop", "lab")
    ]


def member(name, organization, role, project=None):
    user = User.objects.create_user(name)
    Membership.objects.create(user=user, organization=organization, project=project, role=role)
    return user


def test_a_role_allows_what_the_roles_below_it_allow(place):
    organization, (shop, _) = place
    bob = Principal(member("bob", organization, Role.ARCHITECT), organization)
    assert [bob.may(role, shop) for role in Role] == [True, True, False, False]


def test_the_role_of_an_organization_holds_in_each_of_its_projects(place):
    organization, (shop, lab) = place
    alice = Principal(member("alice", organization, Role.ADMIN), organization)
    assert alice.role_in(shop) == alice.role_in(lab) == Role.ADMIN
    assert set(Project.objects.visible_to(alice)) == {shop, lab}


def test_the_role_in_one_project_says_nothing_about_another_one(place):
    organization, (shop, lab) = place
    bob = Principal(member("bob", organization, Role.OPERATOR, shop), organization)
    assert bob.role_in(shop) == Role.OPERATOR
    assert bob.role_in(lab) is None
    assert list(Project.objects.visible_to(bob)) == [shop]
    assert bob.organization_role == Role.VIEWER


def test_the_stronger_of_two_roles_counts_in_a_project(place):
    organization, (shop, lab) = place
    user = member("bob", organization, Role.VIEWER)
    Membership.objects.create(user=user, organization=organization, project=shop, role=Role.ARCHITECT)
    bob = Principal(user, organization)
    assert (bob.role_in(shop), bob.role_in(lab)) == (Role.ARCHITECT, Role.VIEWER)


def test_a_token_never_allows_more_than_its_user_or_than_itself(place):
    organization, (shop, _) = place
    user = member("alice", organization, Role.ARCHITECT)
    strong = ApiToken(user=user, organization=organization, role=Role.ADMIN, name="strong")
    weak = ApiToken(user=user, organization=organization, role=Role.VIEWER, name="weak")
    assert Principal(user, organization, None, strong).role_in(shop) == Role.ARCHITECT
    assert Principal(user, organization, None, weak).role_in(shop) == Role.VIEWER


def test_a_token_of_one_project_sees_no_other_one_and_only_reads_what_is_shared(place):
    organization, (shop, lab) = place
    user = member("alice", organization, Role.ADMIN)
    token = ApiToken(user=user, organization=organization, project=shop, role=Role.ADMIN, name="ci")
    principal = Principal(user, organization, shop, token)
    assert principal.role_in(shop) == Role.ADMIN
    assert principal.role_in(lab) is None
    assert principal.organization_role == Role.VIEWER
    assert list(Project.objects.visible_to(principal)) == [shop]


def test_a_stranger_finds_no_project_of_another_organization(place):
    _, (shop, _) = place
    other = Organization.objects.create(slug="other", name="Other")
    charlie = Principal(member("charlie", other, Role.ADMIN), other)
    assert charlie.role_in(shop) is None
    for reference in (shop.pk, str(shop.pk), shop.slug):
        with pytest.raises(Fault) as caught:
            find_project(charlie, reference)
        assert (caught.value.status, caught.value.code) == (404, "project.not_found")


def test_a_project_is_found_by_id_and_by_name(place):
    organization, (shop, _) = place
    alice = Principal(member("alice", organization, Role.ADMIN), organization)
    assert find_project(alice, str(shop.pk)) == find_project(alice, "shop") == shop
    with pytest.raises(Fault):
        find_project(alice, "sh\x00op")


def test_a_refusal_says_which_role_is_missing_and_who_can_grant_it(place):
    organization, (shop, _) = place
    member("alice", organization, Role.ADMIN)
    viewer = Principal(member("victor", organization, Role.VIEWER), organization)
    with pytest.raises(Fault) as caught:
        require(viewer, Role.ARCHITECT, shop)
    refusal = caught.value
    assert (refusal.status, refusal.code) == (403, "forbidden")
    assert "Architect" in refusal.detail
    assert "Viewer" in refusal.detail
    assert "alice" in refusal.hint


def test_a_role_in_a_project_that_one_cannot_see_is_not_refused_but_not_found(place):
    organization, (shop, lab) = place
    bob = Principal(member("bob", organization, Role.ADMIN, shop), organization)
    with pytest.raises(Fault) as caught:
        require(bob, Role.VIEWER, lab)
    assert caught.value.status == 404
