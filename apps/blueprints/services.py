"""Writes of blueprints: one transaction each, validated before anything is kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError

from apps.audit.services import record
from apps.blueprints import files as supplied
from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Project, Role
from engine import compose
from engine.findings import Finding

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
MAX_ENVIRONMENT = 500


def check_name(name: str, what: str) -> str:
    """Return a name that is fit for folders, host names and addresses; Fault ``name.invalid`` otherwise."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise fault("name.invalid", name=str(name)[:80], what=what)
    return name


def project_name(name: str) -> str:
    """Return the Compose project name for a name of ours, by the reference's rule: ``[a-z0-9][a-z0-9_-]*``."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-") or "escale"


def validate(
    text: str | bytes,
    *,
    name: str = "blueprint",
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Return everything that is wrong or remarkable in a Compose text; never raises for the author's mistakes."""
    try:
        project = _load(text, name=name, files=files or {}, environment=environment or {})
    except compose.ComposeError as error:
        return list(error.findings)
    return list(project.findings)


def create_blueprint(
    principal: Principal,
    project: Project,
    *,
    name: str,
    compose: str,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    description: str = "",
    message: str = "",
) -> Blueprint:
    """Create a blueprint with its first version; Fault ``compose.invalid`` with findings when the text is wrong."""
    require(principal, Role.ARCHITECT, project)
    check_name(name, "design")
    checked = supplied.check_files(files or {})
    values = check_environment(environment or {})
    _refuse_invalid(compose, name=name, files=checked, environment=values)
    try:
        with transaction.atomic():
            blueprint = Blueprint.objects.create(
                project=project, name=name, description=description, created_by=principal.user
            )
            _add_version(principal, blueprint, compose, checked, values, message)
            record(principal, "blueprint.create", "blueprint", str(blueprint.id), name, {"project": project.slug})
    except IntegrityError:
        raise fault("blueprint.name_taken", project=project.slug, name=name) from None
    return blueprint


def save_version(
    principal: Principal,
    blueprint: Blueprint,
    *,
    compose: str,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    message: str = "",
) -> BlueprintVersion:
    """Freeze a new version; files and environment that are None are taken over from the last one.

    A text that is the same in all respects as the last version makes no new one.
    """
    require(principal, Role.ARCHITECT, blueprint.project)
    last = blueprint.versions.order_by("-number").first()
    checked = supplied.check_files(files) if files is not None else (supplied.read(last) if last else {})
    values = (
        check_environment(environment) if environment is not None else (supplied.environment_of(last) if last else {})
    )
    _refuse_invalid(compose, name=blueprint.name, files=checked, environment=values)
    if last is not None and last.digest == version_digest(compose, checked, values):
        return last
    with transaction.atomic():
        Blueprint.objects.select_for_update().get(pk=blueprint.pk)
        version = _add_version(principal, blueprint, compose, checked, values, message)
        blueprint.save(update_fields=["updated_at"])
        record(
            principal, "blueprint.version", "blueprint", str(blueprint.id), blueprint.name, {"version": version.number}
        )
    return version


def delete_blueprint(principal: Principal, blueprint: Blueprint) -> None:
    """Delete a blueprint with its history; Fault ``blueprint.in_use`` while a deployment or plan came from it."""
    require(principal, Role.ARCHITECT, blueprint.project)
    try:
        with transaction.atomic():
            record(principal, "blueprint.delete", "blueprint", str(blueprint.id), blueprint.name, {})
            blueprint.delete()
    except ProtectedError:
        raise fault("blueprint.in_use", name=blueprint.name) from None


def load_project(version: BlueprintVersion, *, name: str | None = None) -> compose.Project:
    """Load a version as the engine sees it, with its files and environment; ``name`` replaces the file's own."""
    return _load(
        version.text,
        name=name or version.blueprint.name,
        files=supplied.read(version),
        environment=supplied.environment_of(version),
    )


def check_environment(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return interpolation values as text; Fault ``blueprint.environment`` for what cannot be one."""
    if len(environment) > MAX_ENVIRONMENT or any(
        not isinstance(key, str)
        or not key
        or "=" in key
        or "\0" in key
        or not isinstance(value, str | int | float | bool)
        or len(str(value)) > 32_768
        for key, value in environment.items()
    ):
        raise fault("blueprint.environment", limit=MAX_ENVIRONMENT)
    return {key: str(value) for key, value in environment.items()}


def version_digest(text: str, files: Mapping[str, bytes], environment: Mapping[str, str]) -> str:
    """Return the digest that is equal for equal text, files and values."""
    total = hashlib.sha256(text.encode())
    for key, value in sorted(environment.items()):
        total.update(f"\0e{key}\0{value}".encode())
    for path, content in sorted(files.items()):
        total.update(f"\0f{path}\0".encode() + hashlib.sha256(content).digest())
    return total.hexdigest()


def invalid_fault(errors: Sequence[Finding]) -> Exception:
    """Return the fault for a text with mistakes: the first in words, all of them as findings."""
    first = errors[0]
    where = f" (line {first.line}, column {first.column})" if first.line else ""
    return fault("compose.invalid", first=f"{first.message}{where}", findings=errors)


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain data."""
    return [finding.to_json() for finding in findings]


def _add_version(
    principal: Principal,
    blueprint: Blueprint,
    text: str,
    files: Mapping[str, bytes],
    environment: Mapping[str, str],
    message: str,
) -> BlueprintVersion:
    last = blueprint.versions.aggregate(last=Max("number"))["last"] or 0
    version = BlueprintVersion(
        blueprint=blueprint,
        number=last + 1,
        text=text,
        message=message,
        digest=version_digest(text, files, environment),
        created_by=principal.user,
    )
    supplied.seal_environment(version, environment)
    version.save(force_insert=True)
    supplied.store(version, files)
    return version


def _load(
    text: str | bytes, *, name: str, files: Mapping[str, bytes], environment: Mapping[str, str]
) -> compose.Project:
    return compose.load(text, name=project_name(name), files=files, environment=environment)


def _refuse_invalid(text: str, *, name: str, files: Mapping[str, bytes], environment: Mapping[str, str]) -> None:
    errors = [f for f in validate(text, name=name, files=files, environment=environment) if f.severity == "error"]
    if errors:
        raise invalid_fault(errors)
