"""One-time, expiring, machine-bound fetches of a drawing's secrets.

The token is derived from the step that makes the machine, so that a step that is taken over after a crash
hands out the same token and not a second one; only its digest is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.blueprints.services import load_project
from apps.deployments.models import Deployment, FetchGrant, Plan, Resource
from apps.operations.models import Operation
from apps.operations.registry import StepReport
from apps.tenancy import encryption
from apps.tenancy.faults import fault
from engine.resources import Machine, from_json
from engine.userdata import secret_files

LIFETIME = timedelta(hours=1)  # from the creation of the machine, and again from each start of it


def mint(*, deployment_id: str, step_key: str, machine_spec: dict[str, Any], operation_id: Any) -> str:
    """Store a grant for a machine about to be made and return its token; the same step gives the same token."""
    token = _token(step_key)
    deployment = Deployment.objects.select_related("project__organization").get(pk=deployment_id)
    plan = Plan.objects.select_related("version__blueprint__project__organization").get(operation_id=operation_id)
    assert plan.version is not None
    machine = from_json(machine_spec)
    assert isinstance(machine, Machine)
    drawing = load_project(plan.version, name=plan.deployment_name)
    # A machine that is updated may boot before its step is recorded, so it is bound at once; a new one cannot boot
    # before the step that makes it is done, and is bound then.
    known = Resource.objects.filter(deployment_id=deployment_id, key=machine_spec["key"]).first()
    uuid = str((known.facts if known else {}).get("bios_uuid", "")).lower()
    contents = {path: base64.b64encode(data).decode() for path, data in secret_files(drawing, machine).items()}
    with transaction.atomic():
        grant, created = FetchGrant.objects.get_or_create(
            digest=_digest(token),
            defaults={
                "deployment": deployment,
                "machine_key": machine.key,
                "machine_uuid": uuid,
                "sealed": b"",
                "expires_at": timezone.now() + LIFETIME,
            },
        )
        if created:
            # Whatever an earlier machine of this name has not fetched is no longer to be had.
            FetchGrant.objects.filter(deployment=deployment, machine_key=machine.key, used_at=None).exclude(
                pk=grant.pk
            ).delete()
            grant.sealed = encryption.seal(
                deployment.project.organization, purpose_of(grant), json.dumps(contents).encode()
            )
            grant.save(update_fields=["sealed"])
    return token


def bind(operation: Operation, step: StepReport, resource: Resource) -> None:
    """Bind the grant of a step to the machine that the step has made; without it nobody can use the token."""
    if not step.payload["spec"].get("fetches_secrets"):
        return
    uuid = str(resource.facts.get("bios_uuid", "")).lower()
    FetchGrant.objects.filter(
        deployment_id=resource.deployment_id, machine_key=resource.key, machine_uuid="", used_at=None
    ).update(machine_uuid=uuid)


def prolong(resource: Resource) -> None:
    """Let an unused grant live for another while, since its machine boots only now."""
    FetchGrant.objects.filter(deployment_id=resource.deployment_id, machine_key=resource.key, used_at=None).update(
        expires_at=timezone.now() + LIFETIME
    )


def redeem(token: str, machine_uuid: str, address: str | None) -> dict[str, str]:
    """Return {path: base64} for a token once, and never again; Fault ``fetch.refused`` without saying why.

    An attacker learns nothing from the answer; the reason goes to the log of the caller.
    """
    with transaction.atomic():
        grant = (
            FetchGrant.objects.select_for_update(of=("self",))
            .select_related("deployment__project__organization")
            .filter(digest=_digest(token))
            .first()
        )
        if (
            grant is None
            or grant.used_at is not None
            or grant.expires_at <= timezone.now()
            or not grant.machine_uuid
            or not hmac.compare_digest(grant.machine_uuid, machine_uuid.strip().lower())
        ):
            raise fault("fetch.refused")
        opened = encryption.open_sealed(grant.deployment.project.organization, purpose_of(grant), bytes(grant.sealed))
        grant.used_at, grant.used_from, grant.sealed = timezone.now(), address, b""
        grant.save(update_fields=["used_at", "used_from", "sealed"])
    contents: dict[str, str] = json.loads(opened)
    return contents


def _token(step_key: str) -> str:
    key = hashlib.sha256(b"escale fetch token\0" + settings.SECRET_KEY.encode()).digest()
    return base64.urlsafe_b64encode(hmac.new(key, step_key.encode(), hashlib.sha256).digest()).decode().rstrip("=")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def purpose_of(grant: FetchGrant) -> str:
    """Return what the contents of a grant are sealed for: exactly this grant."""
    return f"fetch-grant:{grant.id}"
