"""The people of the tests, each with a token and a client: use them in every test that needs somebody.

alice owns (administers) the organization "acme" with its project "shop"; bob is her teammate, an architect there;
victor only looks; olga operates. charlie is a stranger: an administrator of another organization, with the same role
there as alice has here. `tests/conftest.py` loads this file as a plugin, before Django is set up: so it imports
models only where it uses them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from apps.tenancy.access import Principal
    from apps.tenancy.models import ApiToken, Organization, Project, Role, User

PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody who acts: by `principal` in services, by `api` (token) or `browser` (session) over HTTP."""

    user: User
    organization: Organization
    token: ApiToken
    token_text: str = field(repr=False)
    api: APIClient = field(repr=False)

    @property
    def principal(self) -> Principal:
        """Return a fresh principal: roles are read again."""
        from apps.tenancy.access import Principal

        return Principal(type(self.user).objects.get(pk=self.user.pk), self.organization)

    @property
    def browser(self) -> Any:
        """Return a signed-in browser, as Django's test client."""
        from django.test import Client

        client = Client()
        client.force_login(self.user)
        return client


def client_with(token_text: str | None = None) -> APIClient:
    """Return an API client; without a token it is anonymous. Server errors are answers, not exceptions."""
    from rest_framework.test import APIClient

    client = APIClient(raise_request_exception=False)
    if token_text is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_text}")
    return client


def make_person(name: str, organization: Organization, role: Role | str, project: Project | None = None) -> Person:
    """Create a member with a token of the same role; the password is PASSWORD."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    from apps.tenancy import services
    from apps.tenancy.access import System
    from apps.tenancy.models import User

    # One round instead of a million: the tests guard nothing, and verifying works all the same.
    user = User.objects.create(username=name, password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1))
    services.add_member(System(organization), user, role, project)
    token, text = services.issue_token(System(organization), f"{name}'s token", role, user=user, project=project)
    return Person(user, organization, token, text, client_with(text))


@pytest.fixture(scope="session", autouse=True)
def _no_brake_on_wrong_tokens() -> None:
    """Let all tests together send more wrong tokens than one address may; the brake's own test sets its limit."""
    from apps.tenancy.api import authentication

    authentication.FAILURES = 1_000_000


@pytest.fixture
def acme(db: None) -> Organization:
    """The organization of alice, bob, victor and olga."""
    from apps.tenancy import services

    return services.create_organization("acme", "Acme")


@pytest.fixture
def shop(acme: Organization) -> Project:
    """Acme's project."""
    from apps.tenancy import services
    from apps.tenancy.access import System

    return services.create_project(System(acme), "shop", "Shop")


@pytest.fixture
def globex(db: None) -> Organization:
    """The organization of charlie, a stranger to acme."""
    from apps.tenancy import services

    return services.create_organization("globex", "Globex")


@pytest.fixture
def attic(globex: Organization) -> Project:
    """Globex's project."""
    from apps.tenancy import services
    from apps.tenancy.access import System

    return services.create_project(System(globex), "attic", "Attic")


@pytest.fixture
def alice(acme: Organization, shop: Project) -> Person:
    """The owner: administrator of acme."""
    return make_person("alice", acme, "admin")


@pytest.fixture
def bob(acme: Organization, shop: Project, alice: Person) -> Person:
    """The teammate: architect of acme."""
    return make_person("bob", acme, "architect")


@pytest.fixture
def olga(acme: Organization, shop: Project, alice: Person) -> Person:
    """The operator of acme."""
    return make_person("olga", acme, "operator")


@pytest.fixture
def viewer(acme: Organization, shop: Project, alice: Person) -> Person:
    """Victor, who may only look at acme."""
    return make_person("victor", acme, "viewer")


@pytest.fixture
def charlie(globex: Organization, attic: Project) -> Person:
    """The stranger: administrator of globex, nobody in acme."""
    return make_person("charlie", globex, "admin")


@pytest.fixture
def anonymous(db: None) -> APIClient:
    """An API client without any token."""
    return client_with()
