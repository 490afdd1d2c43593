"""Find every route of the API, and know how to call it.

A new route is found by itself. If its address holds something else than below, or if its action needs a body to get
past the role check, add it to `ADDRESSES` or `BODIES`; the matrix fails until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.world import Side
from tests.people import Person

PREFIX = "api/v1/"

LIBRARY = {"api-schema", "api-docs"}
"""Views of libraries that anybody may read: the description of the API holds nothing of anybody's."""


@dataclass(frozen=True)
class Route:
    """One address and one method of it."""

    name: str
    path: str
    method: str
    action: str
    view: Any
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def role(self) -> str | None:
        """Return the least role that the view declares, "public", or None when it declares nothing."""
        declared = getattr(self.view, "roles", {}).get(self.action)
        return str(getattr(declared, "value", declared)) if declared is not None else None

    @property
    def scope(self) -> str:
        """Return whether the role must hold in the organization or in the object's project."""
        return str(getattr(self.view, "scope", "organization"))

    @property
    def detail(self) -> bool:
        """Tell whether the address names one object."""
        return bool(self.parameters)

    @property
    def key(self) -> str:
        """Return how the tables below name it: the basename and the action."""
        return f"{self.name.rpartition('-')[0] or self.name}.{self.action}"


def routes() -> list[Route]:
    """Return every route under /api/v1/, from the URL resolver."""
    from django.urls import get_resolver

    found = [route for route in _walk(get_resolver().url_patterns, "", {}) if route.path.startswith(PREFIX)]
    return sorted(found, key=str)


def _walk(patterns: Any, prefix: str, parameters: dict[str, None]) -> Iterator[Route]:
    from django.urls import URLResolver

    for entry in patterns:
        path = prefix + str(entry.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        names = {**parameters, **dict.fromkeys(entry.pattern.regex.groupindex)}
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path, names)
            continue
        view = getattr(entry.callback, "cls", None) or getattr(entry.callback, "view_class", None)
        actions = getattr(entry.callback, "actions", None)
        if actions is None:
            methods = [name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)]
            actions = {name: name for name in methods} or {"get": "get"}
        for method, action in actions.items():
            if method in ("head", "options"):
                continue
            yield Route(entry.name or "", path, method.upper(), action, view, tuple(names))


OBJECTS: dict[str, Callable[[Side, Person], Any]] = {
    "cloud": lambda side, person: side.cloud.pk,
    "offer": lambda side, person: side.offer.pk,
    "project": lambda side, person: side.project.pk,
    "organization": lambda side, person: side.project.organization_id,
    "blueprint": lambda side, person: side.blueprint.pk,
    "plan": lambda side, person: side.plan.pk,
    "deployment": lambda side, person: side.deployment.pk,
    "operation": lambda side, person: side.operation.pk,
    "member": lambda side, person: _member(side),
    "token": lambda side, person: person.token.pk,
    "draft": lambda side, person: side.drafts[person.user.username].pk,
    "machine": lambda side, person: side.machine.pk,
    "thing": lambda side, person: side.thing.pk,
    "conformance": lambda side, person: side.run.pk,
    "label": lambda side, person: side.label.pk,
    "view": lambda side, person: side.views[person.user.username].pk,
    "onboarding": lambda side, person: side.onboarding.pk,
}
"""What `id` in an address stands for, by the basename of the route."""

OTHERS: dict[str, Callable[[Side], Any]] = {
    "number": lambda side: side.version.number,
    "code": lambda side: "forbidden",
    "step": lambda side: side.step.pk,
    "key": lambda side: side.step.key,
    "share": lambda side: side.share.pk,
    "token": lambda side: side.share_token,
    "grant": lambda side: side.grant.pk,
    "template": lambda side: "three-tier-shop",
}
"""What other parameters in addresses stand for."""


def _member(side: Side) -> Any:
    from apps.tenancy.models import Membership

    rows = Membership.objects.filter(organization=side.project.organization, project=None)
    return rows.exclude(role="admin").order_by("pk").values_list("pk", flat=True).first() or rows.first().pk


COMPOSE = "services:\n  web:\n    image: nginx:1.27\n"

NOBODYS = {"blueprint.template"}
"""Routes to what the portal ships, which is the same for every organization."""

BODIES: dict[str, Callable[[Side], dict[str, Any]]] = {
    "cloud.create": lambda side: {
        "name": "fresh",
        "kind": "fake",
        "address": "fake.example",
        "username": "u",
        "password": "p",
    },
    "cloud.partial_update": lambda side: {"title": "Changed"},
    "cloud.credential": lambda side: {"username": "u", "password": "p"},
    "cloud.certificate": lambda side: {"address": "127.0.0.1:1"},
    "cloud.add_grant": lambda side: {"organization": "elsewhere"},
    "label.sign": lambda side: {"statement": "We vouch for it."},
    "label.withdraw": lambda side: {"reason": "It is over."},
    "label.verify": lambda side: {"format": "escale.conformance/1", "signed": {"format": "escale.conformance/1"}},
    "project.create": lambda side: {"slug": "fresh", "name": "Fresh"},
    "project.partial_update": lambda side: {"name": "Changed"},
    "member.create": lambda side: {"username": "nina", "role": "viewer", "project": str(side.project.pk)},
    "member.partial_update": lambda side: {"role": "viewer"},
    "token.create": lambda side: {"name": "fresh", "role": "viewer", "project": str(side.project.pk)},
    "blueprint.create": lambda side: {"project": str(side.project.pk), "name": "fresh", "compose": COMPOSE},
    "blueprint.add_version": lambda side: {"compose": COMPOSE},
    "blueprint.validate": lambda side: {"compose": COMPOSE},
    "blueprint.merge": lambda side: {"files": [{"name": "compose.yaml", "compose": COMPOSE}]},
    "blueprint.restore": lambda side: {"message": "as it was"},
    "blueprint.add_share": lambda side: {"version": 1},
    "draft.create": lambda side: {"project": str(side.project.pk), "name": "fresh", "compose": "services: ["},
    "draft.update": lambda side: {"revision": 1, "compose": "services: ["},
    "draft.save": lambda side: {"revision": 1},
    "plan.create": lambda side: {"blueprint": str(side.blueprint.pk), "cloud": str(side.cloud.pk), "name": "fresh"},
    "plan.preview": lambda side: {
        "project": str(side.project.pk),
        "cloud": str(side.cloud.pk),
        "deployment": str(side.deployment.pk),
        "compose": COMPOSE,
    },
    "deployment.create": lambda side: {"plan": str(side.plan.pk)},
    "onboarding.create": lambda side: {
        "project": str(side.project.pk),
        "cloud": str(side.cloud.pk),
        "name": "fresh",
        "machines": ["m-1"],
    },
    "view.create": lambda side: {"name": "fresh", "filters": {"power": "on"}},
    "view.partial_update": lambda side: {"sort": "host"},
    "cloud-api-sync.post": lambda side: {"scratch": True},
}
"""The bodies of writes, with references to the objects of a side."""

REFERENCES: dict[str, list[str]] = {
    "member.create": ["project"],
    "token.create": ["project"],
    "blueprint.create": ["project"],
    "blueprint.validate": ["draft", "blueprint"],
    "blueprint.merge": ["draft", "blueprint"],
    "draft.create": ["project", "blueprint"],
    "plan.create": ["blueprint", "cloud", "version", "deployment"],
    "plan.preview": ["project", "blueprint", "cloud", "deployment", "draft"],
    "deployment.create": ["plan", "blueprint", "cloud", "version", "deployment"],
    "onboarding.create": ["project", "cloud"],
}
"""The fields of bodies that refer to an object: each is tried with somebody else's."""

FILTERS = ("project", "cloud", "deployment", "blueprint", "draft", "plan", "operation", "subject", "version", "user")
"""The parameters of lists that may refer to an object: each is tried with somebody else's."""


def address(route: Route, side: Side, person: Person) -> str:
    """Return the address of a route for the objects of a side; KeyError names what is missing in the tables."""
    import re

    path = "/" + route.path
    for name in route.parameters:
        if name == "id":
            base = route.name.partition("-")[0]
            value = OBJECTS[base](side, person)
        else:
            value = OTHERS[name](side)
        path = re.sub(rf"\(\?P<{name}>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?{name}>", str(value), path)
    return path.replace("/?", "/")


def body(route: Route, side: Side) -> dict[str, Any]:
    """Return a body that the route takes."""
    make = BODIES.get(route.key)
    return make(side) if make is not None else {}


def reference(name: str, side: Side) -> str:
    """Return the id of the object that a field or filter of this name refers to."""
    if name == "user":
        return str(side.operation.created_by_id)
    if name == "subject":
        return str(side.deployment.pk)
    return str(getattr(side, name).pk)
