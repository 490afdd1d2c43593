"""`manage.py bootstrap`: make a new portal usable, or tell that it is."""

from __future__ import annotations

import json
import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from apps.clouds import services as clouds
from apps.clouds.models import Cloud
from apps.clouds.tasks import refresh_clouds
from apps.tenancy import services as tenancy
from apps.tenancy import tokens
from apps.tenancy.access import System
from apps.tenancy.faults import Fault
from apps.tenancy.models import Membership, Organization, Project, Role, User

LOCK = 0x45534341  # "ESCA", for the advisory lock
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread
TRUST = ("address", "ca_pem", "thumbprint")
TOKEN_NAME = "bootstrap"  # noqa: S105 (its name, not its text)


class Command(BaseCommand):
    """Create what is missing of: organization, project, people with generated passwords, a token, clouds."""

    help = (
        "Create the organization, the project, the people and the API token that a new portal needs, and register "
        "clouds. What exists is kept; passwords are printed only when made. Prints JSON."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--organization", default="sandbox", help="slug of the organization")
        parser.add_argument("--project", default="demo", help="slug of its first project")
        parser.add_argument(
            "--people", default="admin", help=f"roles to make a user for, by commas: {', '.join(Role.values)}"
        )
        parser.add_argument(
            "--token-file", type=Path, help="file for an administrator's API token; kept while it is valid"
        )
        parser.add_argument("--clouds", type=Path, help="JSON file with clouds to register or bring up to date")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do all of it under one lock, so that two starts at once make one organization."""
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
                told = self._set_up(options)
        except Fault as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(told))
        if told.get("clouds"):
            try:
                refresh_clouds.delay()  # what they hold is wanted on the first page, and not a minute later
            except BrokerError as error:
                self.stderr.write(f"The clouds are read at the next minute; the broker does not answer now ({error}).")

    def _set_up(self, options: dict[str, Any]) -> dict[str, Any]:
        organization = _organization(options["organization"])
        who = System(organization)
        project = Project.objects.filter(organization=organization, slug=options["project"]).first()
        if project is None:
            project = tenancy.create_project(who, options["project"], options["project"].capitalize())
        roles = [Role(text.strip()) for text in options["people"].split(",") if text.strip()]
        people = [person for role in roles if (person := _person(who, role)) is not None]
        told: dict[str, Any] = {"organization": organization.slug, "project": project.slug, "people": people}
        if options["token_file"]:
            told["token_is_new"] = _token(who, options["token_file"])
        if options["clouds"]:
            told["clouds"] = [_cloud(who, facts) for facts in json.loads(options["clouds"].read_text(encoding="utf-8"))]
        return told


def _organization(slug: str) -> Organization:
    found = Organization.objects.filter(slug=slug).first()
    return found or tenancy.create_organization(slug, slug.capitalize())


def _person(who: System, role: Role) -> dict[str, str] | None:
    """Create the user that carries a role's name, unless it exists."""
    if User.objects.filter(username=role.value).exists():
        return None
    password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    user = tenancy.create_user(who, role.value, password)
    tenancy.add_member(who, user, role)
    return {"username": user.username, "password": password, "role": role.label}


def _token(who: System, path: Path) -> bool:
    """Write a token unless the file holds one that works in this database; tells whether it did."""
    if path.exists():
        try:
            tokens.authenticate(path.read_text(encoding="ascii").strip())
        except Fault:
            pass
        else:
            return False
    admin = Membership.objects.filter(organization=who.organization, project=None, role=Role.ADMIN).first()
    if admin is None:
        raise CommandError("No token was made - the organization has no administrator - add admin to --people.")
    _row, text = tenancy.issue_token(who, TOKEN_NAME, Role.ADMIN, user=admin.user)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return True


def _cloud(who: System, facts: dict[str, Any]) -> str:
    """Register a cloud, or bring it up to date when its address or certificate changed; one removed stays removed."""
    name = str(facts["name"])
    known = Cloud.objects.filter(organization=who.organization, name=name).order_by("created_at").last()
    if known is None:
        clouds.register_cloud(who, **facts)
    elif known.removed_at is None and any(getattr(known, key) != facts[key] for key in TRUST):
        # The password goes to the new address only because it comes from whoever named that address.
        clouds.update_cloud(who, known, username=facts["username"], password=facts["password"],
                            **{key: facts[key] for key in TRUST})  # fmt: skip
    return name
