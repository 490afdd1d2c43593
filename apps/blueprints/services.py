"""Writes of blueprints: one transaction each, validated before anything is kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, ProtectedError
from django.utils.translation import gettext

from apps.audit.services import record
from apps.blueprints import files as supplied
from apps.blueprints.models import Blueprint, BlueprintVersion
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import fault
from apps.tenancy.models import Project, Role
from apps.tenancy.querysets import as_uuid
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
        project = load_text(text, name=name, files=files or {}, environment=environment or {})
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
    base_version: int | None = None,
    restored: int | None = None,
) -> BlueprintVersion:
    """Freeze a new version; files and environment that are None are taken over from the last one.

    A text that is the same in all respects as the last version makes no new one. With `base_version`, the number of
    the version that the text was made from, Fault ``blueprint.version_conflict`` when there is a newer one: of two
    who save at once, exactly one succeeds. `restored` is noted in the audit log.
    """
    require(principal, Role.ARCHITECT, blueprint.project)
    last = blueprint.versions.order_by("-number").first()
    while True:
        checked = supplied.check_files(files) if files is not None else (supplied.read(last) if last else {})
        values = (
            check_environment(environment)
            if environment is not None
            else (supplied.environment_of(last) if last else {})
        )
        _refuse_invalid(compose, name=blueprint.name, files=checked, environment=values)  # slow, so before the lock
        with transaction.atomic():
            if Blueprint.objects.select_for_update().filter(pk=blueprint.pk).first() is None:
                raise fault("not_found")
            latest = blueprint.versions.order_by("-number").first()
            if latest is not None and latest.digest == version_digest(compose, checked, values):
                return latest
            if base_version is not None and (latest is None or latest.number != base_version):
                raise _version_conflict(blueprint, base_version, latest)
            if latest != last and (files is None or environment is None):
                last = latest  # somebody saved meanwhile, and what is taken over is that one's
                continue
            version = _add_version(principal, blueprint, compose, checked, values, message)
            blueprint.save(update_fields=["updated_at"])
            noted = {"version": version.number} | ({"restored": restored} if restored is not None else {})
            record(principal, "blueprint.version", "blueprint", str(blueprint.id), blueprint.name, noted)
        return version


def restore_version(principal: Principal, version: BlueprintVersion, *, message: str = "") -> BlueprintVersion:
    """Freeze a new version that equals an old one in text, files and values, and return it.

    The history is only ever added to. When the old one is the latest already, it is returned as it is.
    """
    return save_version(
        principal,
        version.blueprint,
        compose=version.text,
        files=supplied.read(version),
        environment=supplied.environment_of(version),
        message=message or gettext("Version %(number)d restored") % {"number": version.number},
        restored=version.number,
    )


def find_blueprint(principal: Principal, reference: object) -> Blueprint:
    """Return the visible blueprint of an id, or of a name that only one of them has; 404 fault otherwise."""
    rows = Blueprint.objects.visible_to(principal).select_related("project__organization", "created_by")
    key = as_uuid(reference)
    found = list(rows.filter(pk=key) if key else rows.filter(name=str(reference))[:2])
    if len(found) != 1:
        raise fault("not_found")
    return found[0]


def find_version(blueprint: Blueprint, number: int) -> BlueprintVersion:
    """Return a version of a blueprint that the caller may see; Fault ``blueprint.no_version``."""
    found = BlueprintVersion.objects.filter(blueprint=blueprint, number=number).first()
    if found is None:
        raise fault("blueprint.no_version", name=blueprint.name, number=number)
    found.blueprint = blueprint
    return found


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
    return load_text(
        version.text,
        name=name or version.blueprint.name,
        files=supplied.read(version),
        environment=supplied.environment_of(version),
    )


def load_text(
    text: str | bytes, *, name: str, files: Mapping[str, bytes], environment: Mapping[str, str]
) -> compose.Project:
    """Load a text as the engine sees it, with checked files and values; raises `engine.compose.ComposeError`."""
    return compose.load(text, name=project_name(name), files=files, environment=environment)


def check_environment(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return interpolation values as text; Fault ``blueprint.environment`` for what cannot be one."""
    if len(environment) > MAX_ENVIRONMENT or any(
        not isinstance(key, str)
        or not key
        or "=" in key
        or "\0" in key
        or not _is_text(key)
        or not isinstance(value, str | int | float | bool)
        or len(str(value)) > 32_768
        or not _is_text(str(value))
        for key, value in environment.items()
    ):
        raise fault("blueprint.environment", limit=MAX_ENVIRONMENT)
    return {key: str(value) for key, value in environment.items()}


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)  # JSON lets half pairs in


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


def _version_conflict(blueprint: Blueprint, base: int, latest: BlueprintVersion | None) -> Exception:
    number = latest.number if latest else 0
    who = latest.created_by.get_username() if latest and latest.created_by else "-"
    return fault(
        "blueprint.version_conflict",
        name=blueprint.name,
        base=base,
        latest=number,
        who=who,
        extra={
            "base_version": base,
            "latest_version": number,
            "compose": latest.text if latest else "",
            "saved_by": who,
            "saved_at": latest.created_at.isoformat().replace("+00:00", "Z") if latest else None,
        },
    )


def _refuse_invalid(text: str, *, name: str, files: Mapping[str, bytes], environment: Mapping[str, str]) -> None:
    errors = [f for f in validate(text, name=name, files=files, environment=environment) if f.severity == "error"]
    if errors:
        raise invalid_fault(errors)
