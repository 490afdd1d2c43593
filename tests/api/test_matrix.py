"""Walk every route by method and role, from the URL resolver and the roles that the views declare.

Nobody writes a case by hand: a route that is added is walked; one that declares no role fails, and so does one that
lets in less or more than it declares, or that shows or takes anything of another organization's or project's.
"""

from __future__ import annotations

import pytest

from tests.api import routes as table
from tests.api.routes import LIBRARY, Route
from tests.api.world import World, leaks, snapshot, text_of, undone

pytestmark = pytest.mark.django_db  # each test's own transaction ends inside the one of `built`

ROLES = ["viewer", "architect", "operator", "admin"]
OUTSIDERS = ["anonymous", "expired", "revoked"]
ROUTES = table.routes()
DECLARED = [route for route in ROUTES if route.name not in LIBRARY]
GUARDED = [route for route in DECLARED if route.role != "public"]


def call(client, route: Route, world: World, side, person, body=None, query=""):
    path = table.address(route, side, person)
    data = table.body(route, side) if body is None else body
    if route.method == "GET":
        return client.get(path + query)
    return getattr(client, route.method.lower())(path + query, data)


def test_there_are_routes_to_walk():
    assert len(DECLARED) >= 30
    assert {route.method for route in DECLARED} >= {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_declares_its_least_role(route):
    from apps.tenancy.api.views import ScopedView

    if route.name in LIBRARY:
        return
    assert route.view is not None, f"{route} is not a view of the API - derive it from ScopedView or ScopedViewSet"
    assert issubclass(route.view, ScopedView), f"{route.view} does not derive from ScopedView or ScopedViewSet"
    assert route.role is not None, f"{route.view.__name__}.roles has no entry for {route.action!r}"
    assert route.role in (*ROLES, "public")


@pytest.mark.parametrize("route", DECLARED, ids=str)
def test_every_address_and_body_is_known_to_the_matrix(route, world):
    """A new route must be callable here: see the tables in tests/api/routes.py."""
    path = table.address(route, world.shop, world.people["admin"])
    assert "<" not in path
    assert "(" not in path


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_nobody_without_a_valid_token_gets_in(route, world, callers):
    for name in OUTSIDERS:
        answer = call(callers[name], route, world, world.shop, world.people["admin"])
        assert answer.status_code == 401, (name, answer.content)
        assert answer["WWW-Authenticate"]
        assert not leaks(answer, world.shop.marks(outside=True))


@pytest.mark.parametrize("route", [route for route in DECLARED if route.role == "public"], ids=str)
def test_what_is_public_answers_everybody_and_shows_nothing_of_anybodys(route, world, callers):
    for name, client in callers.items():
        answer = call(client, route, world, world.shop, world.people["admin"])
        assert answer.status_code == 200, name
        assert not leaks(answer, world.shop.marks() + world.attic.marks())


@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_each_role_is_let_in_from_the_declared_one_up(route, world, callers):
    needed = ROLES.index(route.role)
    for rank, role in enumerate(ROLES):
        with undone():
            answer = call(callers[role], route, world, world.shop, world.people[role])
            if rank < needed:
                assert answer.status_code == 403, (role, answer.status_code, text_of(answer))
                assert answer.json()["code"] in ("forbidden", "forbidden.token")
                assert answer.json()["granters"] == ["alice"]
            else:
                # Past the role check: done, or refused for another reason than who asks.
                good = answer.status_code < 300 or answer.status_code in (400, 409, 422, 502, 503)
                assert good, (role, answer.status_code, text_of(answer))


# And a worker, or a server that shows a certificate; the tests of deployments and clouds show their success.
NEEDS_A_CLOUD = {"plan.create", "deployment.create", "cloud.certificate", "onboarding.create"}
CALLABLE = [route for route in GUARDED if route.key in table.BODIES or not route.detail]


@pytest.mark.parametrize("route", [route for route in CALLABLE if route.key not in NEEDS_A_CLOUD], ids=str)
def test_an_administrator_succeeds_where_the_matrix_knows_the_body(route, world, callers):
    """Shows that the refusals above are due to the role, not to a body that nobody could send."""
    answer = call(callers["admin"], route, world, world.shop, world.people["admin"])
    assert answer.status_code < 300, text_of(answer)


SOMEBODYS = [route for route in GUARDED if route.detail and route.key not in table.NOBODYS]


@pytest.mark.parametrize("route", SOMEBODYS, ids=str)
@pytest.mark.parametrize("caller", ["stranger", "neighbour"])
def test_what_belongs_to_others_does_not_exist(route, caller, world, callers):
    """The object's id is in the address: of another organization, or of another project of one's own organization."""
    if caller == "neighbour" and route.scope == "organization":
        return  # what the organization shares, members of single projects may read; the next test looks at it
    before = snapshot()
    answer = call(callers[caller], route, world, world.shop, world.people["admin"])
    assert answer.status_code == 404, (answer.status_code, text_of(answer))
    sent = table.address(route, world.shop, world.people["admin"])
    assert not leaks(answer, world.shop.marks(outside=caller == "stranger"), sent)
    assert snapshot() == before


@pytest.mark.parametrize("route", [route for route in GUARDED if route.scope == "organization"], ids=str)
def test_an_administrator_of_one_project_is_a_viewer_of_the_organization(route, world, callers):
    with undone():
        answer = call(callers["neighbour"], route, world, world.lab, world.people["neighbour"])
    if route.role == "viewer":
        assert answer.status_code < 300, text_of(answer)
    else:
        assert answer.status_code == 403, text_of(answer)


@pytest.mark.parametrize("route", [route for route in GUARDED if route.method == "GET" and not route.detail], ids=str)
def test_lists_hold_nothing_of_others(route, world, callers):
    for caller, foreign in (("stranger", world.shop), ("stranger", world.lab), ("neighbour", world.shop)):
        answer = call(callers[caller], route, world, foreign, world.people[caller])
        if answer.status_code == 403:
            continue
        assert answer.status_code == 200
        assert not leaks(answer, foreign.marks(outside=caller == "stranger")), caller


@pytest.mark.parametrize("route", [route for route in GUARDED if route.method == "GET" and not route.detail], ids=str)
def test_filters_by_what_belongs_to_others_find_nothing(route, world, callers):
    for name in table.FILTERS:
        for caller, foreign in (("stranger", world.shop), ("neighbour", world.shop)):
            query = f"?{name}={table.reference(name, foreign)}"
            answer = call(callers[caller], route, world, foreign, world.people[caller], query=query)
            assert answer.status_code in (200, 400, 403, 404), (query, text_of(answer))
            assert not leaks(answer, foreign.marks(outside=caller == "stranger"), sent=query), query


@pytest.mark.parametrize("route", [route for route in GUARDED if route.method == "GET"], ids=str)
def test_odd_filters_break_nothing(route, world, callers):
    names = ["limit", "cursor", "after", "since"] if route.detail else [*table.FILTERS, "name", "state", "limit"]
    for name in names:
        for value in ("%00", "x" * 2000, "%F0%9F%92%A9", "-1"):
            answer = call(callers["admin"], route, world, world.shop, world.people["admin"], query=f"?{name}={value}")
            assert answer.status_code < 500, (name, value, text_of(answer))


WITH_REFERENCES = [(route, name) for route in GUARDED for name in table.REFERENCES.get(route.key, ())]


@pytest.mark.parametrize(("route", "name"), WITH_REFERENCES, ids=lambda value: str(value))
@pytest.mark.parametrize("caller", ["stranger", "neighbour"])
def test_bodies_that_refer_to_what_belongs_to_others_find_nothing(route, name, caller, world, callers):
    own = world.attic if caller == "stranger" else world.lab
    if caller == "neighbour" and ((route.scope == "organization" and route.role != "viewer") or name == "cloud"):
        return  # not let in at all; and clouds are shared by the organization
    before = snapshot()
    body = {**table.body(route, own), name: table.reference(name, world.shop)}
    if route.key == "deployment.create" and name != "plan":
        body = {**table.BODIES["plan.create"](own), name: table.reference(name, world.shop)}
    answer = call(callers[caller], route, world, own, world.people[caller], body=body)
    assert answer.status_code == 404, (answer.status_code, text_of(answer))
    assert not leaks(answer, world.shop.marks(outside=caller == "stranger"), sent=str(body))
    assert snapshot() == before


def test_every_reference_of_a_body_is_tried_with_somebody_elses(world):
    """Finds fields that refer to objects by looking at the serializers that the schema names for each write."""
    from rest_framework import serializers

    from apps.tenancy.api.fields import ReferenceField

    missing = []
    for route in GUARDED:
        if route.method in ("GET", "DELETE"):
            continue
        for serializer in _serializers_of(route):
            for name, field in serializer().get_fields().items():
                refers = isinstance(field, ReferenceField | serializers.RelatedField) and not field.read_only
                if refers and name not in table.REFERENCES.get(route.key, ()):
                    missing.append(f"{route.key}: {name}")
    assert not missing, f"add to REFERENCES in tests/api/routes.py: {missing}"


def _serializers_of(route: Route):
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer
    from rest_framework.test import APIRequestFactory

    view = route.view()
    view.request = Request(getattr(APIRequestFactory(), route.method.lower())("/"))
    view.action, view.kwargs, view.args, view.format_kwarg = route.action, {}, (), None
    view.swagger_fake_view = True
    method = getattr(view, route.action)
    schema_class = getattr(method, "kwargs", {}).get("schema") or AutoSchema
    schema = schema_class() if isinstance(schema_class, type) else schema_class
    schema.view, schema.method, schema.path = view, route.method, "/"
    found = schema.get_request_serializer()
    if isinstance(found, type) and issubclass(found, BaseSerializer):
        return [found]
    return [type(found)] if isinstance(found, BaseSerializer) else []
