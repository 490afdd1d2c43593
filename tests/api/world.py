"""Two organizations with one of everything each: what the matrix sends its requests at.

Objects are made straight in the database, so that the matrix depends on no service of the apps that it examines.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.people import Person, client_with, make_person


@dataclass
class Side:
    """One project of one organization, with one of everything in it."""

    project: Any
    cloud: Any
    blueprint: Any
    version: Any
    deployment: Any
    plan: Any
    operation: Any
    step: Any
    share: Any
    share_token: str
    grant: Any  # of its cloud, to somebody
    offer: Any  # of somebody's cloud, to its organization
    drafts: dict[str, Any] = field(default_factory=dict)  # by user name
    run: Any = None  # of its cloud, for a label
    label: Any = None  # that waits for a signature
    views: dict[str, Any] = field(default_factory=dict)  # of the inventory, by user name
    machine: Any = None  # in the inventory of its cloud
    thing: Any = None
    onboarding: Any = None

    @property
    def draft(self) -> Any:
        """Return the draft of somebody who may see this side."""
        return next(iter(self.drafts.values()))

    def marks(self, *, outside: bool = False) -> list[str]:
        """Return the texts that must not show up for anybody else; `outside`: nor for other organizations."""
        rows = [self.project, self.blueprint, self.version, self.deployment, self.plan, self.operation, self.share]
        rows += self.drafts.values()
        rows += self.views.values()
        rows += [self.onboarding]
        if outside:
            rows += [self.cloud, self.project.organization, self.machine, self.thing]
        return [str(row.pk) for row in rows] + [self.blueprint.name, self.deployment.name, self.share_token]


@dataclass
class World:
    """Everybody and everything."""

    acme: Any
    globex: Any
    people: dict[str, Person]
    shop: Side
    lab: Side
    attic: Side
    extra: dict[str, Any] = field(default_factory=dict)


def build() -> World:
    """Make the world: acme with the projects shop and lab, globex with attic."""
    from apps.tenancy import services
    from apps.tenancy.access import System
    from apps.tenancy.models import Role

    acme = services.create_organization("acme", "Acme")
    globex = services.create_organization("globex", "Globex")
    shop = services.create_project(System(acme), "shop", "Shop")
    lab = services.create_project(System(acme), "lab", "Lab")
    attic = services.create_project(System(globex), "attic", "Attic")
    people = {
        "admin": make_person("alice", acme, Role.ADMIN),
        "architect": make_person("bob", acme, Role.ARCHITECT),
        "operator": make_person("olga", acme, Role.OPERATOR),
        "viewer": make_person("victor", acme, Role.VIEWER),
        "neighbour": make_person("nina", acme, Role.ADMIN, lab),  # administers the project next door, no more
        "stranger": make_person("charlie", globex, Role.ADMIN),
    }
    world = World(
        acme,
        globex,
        people,
        shop=side(shop, people["admin"].user, "orchid"),
        lab=side(lab, people["neighbour"].user, "tulip"),
        attic=side(attic, people["stranger"].user, "cactus"),
    )
    for place, names in (
        (world.shop, ("admin", "architect", "operator", "viewer")),
        (world.lab, ("neighbour", "admin")),
        (world.attic, ("stranger",)),
    ):
        place.drafts = {people[name].user.username: draft(place, people[name].user) for name in names}
        place.views = {people[name].user.username: view(place, people[name].user) for name in names}
    return world


def draft(side: Side, user: Any) -> Any:
    """Make a person's draft of the design of a side."""
    from apps.blueprints.models import Draft

    return Draft.objects.create(
        project=side.project,
        blueprint=side.blueprint,
        base_version=side.version.number,
        name=side.blueprint.name,
        text=side.version.text.replace("nginx", "httpd"),
        created_by=user,
    )


def side(project: Any, user: Any, word: str) -> Side:
    """Make one of everything in a project; `word` marks its names."""
    from django.utils import timezone

    from apps.blueprints.models import Blueprint, BlueprintVersion, ShareLink
    from apps.clouds import services as clouds
    from apps.clouds.models import Cloud, CloudGrant
    from apps.deployments.models import Deployment, Plan
    from apps.onboarding.models import Onboarding
    from apps.operations.models import Event, Operation, Step
    from apps.tenancy import encryption

    organization = project.organization
    cloud = Cloud.objects.filter(organization=organization).first() or clouds.register_cloud(
        None, organization, name=f"cloud-{word}", kind="fake", address="fake.example", username="u", password="p"
    )
    blueprint = Blueprint.objects.create(project=project, name=f"{word}-design", created_by=user)
    version = BlueprintVersion.objects.create(
        blueprint=blueprint, number=1, text="services: {web: {image: nginx}}\n", digest="0" * 64, created_by=user
    )
    token = word.ljust(43, "_")
    share = ShareLink(blueprint=blueprint, digest=hashlib.sha256(token.encode()).hexdigest(), created_by=user)
    share.sealed_token = encryption.seal(organization, f"share-link:{share.pk}", token.encode())
    share.save()
    deployment = Deployment.objects.create(
        project=project, name=f"{word}-web", cloud=cloud, version=version, state="running", created_by=user
    )
    owner = {
        "organization_id": str(organization.pk),
        "organization": organization.slug,
        "project_id": str(project.pk),
        "project": project.slug,
        "deployment_id": str(deployment.pk),
        "deployment": deployment.name,
    }
    body = {
        "format": 1,
        "hash": "h",
        "owner": owner,
        "target": cloud.name,
        "base": "b",
        "counts": {"create": 0, "update": 0, "replace": 0, "delete": 0, "keep": 0},
        "requirements": {"machines": 0, "cpus": 0, "memory_mib": 0, "disk_gib": 0, "networks": 0},
        "findings": [],
        "changes": [],
        "actions": [],
        "ledger": [],
        "desired": {},
    }
    plan = Plan.objects.create(
        project=project,
        cloud=cloud,
        version=version,
        deployment_id=deployment.pk,
        deployment_name=deployment.name,
        body=body,
        hash="h",
        created_by=user,
    )
    operation = Operation.objects.create(
        id=uuid.uuid4(),
        organization=organization,
        project=project,
        kind="deploy",
        title=f"Deploy {word}-web",
        state="failed",
        subject_type="deployment",
        subject_id=deployment.pk,
        cloud_id=cloud.pk,
        created_by=user,
        actor=user.username,
        finished_at=timezone.now(),
        last_seq=1,
    )
    step = Step.objects.create(
        operation=operation,
        position=0,
        key="folder:deployment/folder.create",
        title=f"Make {word}",
        handler="cloud",
        state="failed",
        cloud_id=cloud.pk,
    )
    Event.objects.create(
        operation=operation, seq=1, at=timezone.now(), type="step.log", data={"line": f"{word} happened"}
    )
    grant = CloudGrant.objects.create(cloud=cloud, organization_slug=f"friends-of-{word}")
    offer = CloudGrant.objects.create(
        cloud=_cloud_of_others(), organization_slug=organization.slug, project_slug=project.slug,
        organization=organization, project=project,
    )  # fmt: skip
    made = Side(project, cloud, blueprint, version, deployment, plan, operation, step, share, token, grant, offer)
    made.run, made.label = labelled(cloud)
    made.machine, made.thing = _inventory(cloud, deployment, word)
    made.onboarding = Onboarding.objects.create(
        project=project, cloud=cloud, name=f"{word}-legacy", text="services: {}\n", created_by=user
    )
    return made


def _inventory(cloud: Any, deployment: Any, word: str) -> tuple[Any, Any]:
    """Make a machine of the deployment, and a network beside it."""
    from django.utils import timezone

    from apps.inventory.models import Machine, Thing

    facts = {"cloud": cloud, "first_seen_at": timezone.now(), "changed_at": timezone.now(), "digest": b"0" * 16}
    machine = Machine.objects.create(
        id=uuid.uuid4(),
        uid=f"{word}-uid",
        ref=f"{word}-ref",
        name=f"vm of {word}",
        search=f"vm of {word}",
        owner_organization=cloud.organization_id,
        owner_deployment=deployment.pk,
        owner_key="machine:web-1",
        **facts,
    )
    name = f"net-{word}"
    return machine, Thing.objects.create(id=uuid.uuid4(), kind="network", uid=name, ref=name, name=name, **facts)


def labelled(cloud: Any) -> tuple[Any, Any]:
    """Make a run that has passed on a cloud, and the label that waits for a signature; one for all of its projects."""
    from django.utils import timezone

    from apps.labels import basis
    from apps.labels.models import Evidence, Label, Run

    known = Label.objects.filter(cloud=cloud).select_related("run").first()
    if known is not None:
        return known.run, known
    now = timezone.now()
    run = Run.objects.create(
        organization=cloud.organization, cloud=cloud, state="passed", level="deploy", basis=basis.of(cloud),
        started_at=now, finished_at=now, cleaned_at=now,
    )  # fmt: skip
    Evidence.objects.create(
        run=run, position=0, probe="api", level="deploy", required=True, verdict="passed", started_at=now,
        finished_at=now,
    )  # fmt: skip
    label = Label.objects.create(organization=cloud.organization, cloud=cloud, run=run, level="deploy", created_at=now)
    return run, label


def view(side: Side, user: Any) -> Any:
    """Make a person's private view of the inventory."""
    from apps.inventory.models import View

    return View.objects.create(organization=side.project.organization, owner=user, name=f"view of {side.project.slug}")


def _cloud_of_others() -> Any:
    """Return a cloud of an organization that has nobody in it."""
    from apps.clouds.models import Cloud
    from apps.tenancy.models import Organization

    others, _ = Organization.objects.get_or_create(slug="umbrella", defaults={"name": "Umbrella"})
    cloud, _ = Cloud.objects.get_or_create(organization=others, name="lent", defaults={"kind": "fake"})
    return cloud


def clients(world: World) -> dict[str, Any]:
    """Return an API client for everybody, and for those who come with no, an expired or a revoked token."""
    from datetime import timedelta

    from django.utils import timezone

    from apps.tenancy import services
    from apps.tenancy.models import ApiToken

    found = {name: person.api for name, person in world.people.items()}
    found["anonymous"] = client_with()
    admin = world.people["admin"]
    expired, text = services.issue_token(admin.principal, "expired", "admin")
    ApiToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    found["expired"] = client_with(text)
    revoked, text = services.issue_token(admin.principal, "revoked", "admin")
    services.revoke_token(admin.principal, revoked)
    found["revoked"] = client_with(text)
    return found


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Take back what happens meanwhile, so that the next caller meets the same world."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def text_of(answer: Any) -> str:
    if getattr(answer, "streaming", False):
        return ""  # the streams are examined where they are made; here the status tells
    return answer.content.decode()


def leaks(answer: Any, marks: list[str], sent: str = "") -> list[str]:
    """Return the marks that an answer shows, other than those that the caller has sent and is answered with."""
    if "json" in answer["Content-Type"]:
        body = answer.json()
        body.pop("instance", None)
        return [mark for mark in marks if mark in str(body) and mark not in sent]
    return [mark for mark in marks if mark in text_of(answer) and mark not in sent]


def snapshot() -> dict[str, int]:
    """Count the rows of every table: a refused request leaves them as they are."""
    from django.apps import apps

    ignored = {"tenancy.apitoken", "sessions.session"}
    return {
        model._meta.label_lower: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.label_lower not in ignored and model._meta.managed
    }
