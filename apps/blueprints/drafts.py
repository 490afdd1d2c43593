"""Keep what somebody is drawing: cheap writes by revision, and the way from a draft to a design."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from apps.audit.services import gathered
from apps.blueprints import files as supplied
from apps.blueprints import services
from apps.blueprints.models import Blueprint, BlueprintVersion, Draft
from apps.tenancy import encryption
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Project, Role
from apps.tenancy.querysets import as_uuid

MAX_TEXT_BYTES = 1024 * 1024
MAX_UNSAVED = 100
"""Drafts without a design, for each user and project."""
MAX_COMPARED = 200
"""Drafts that a list looks through for those with changes."""
KEPT_FOR = timedelta(days=180)

PURPOSES: dict[str, Callable[[Any], str]] = {
    "sealed_files": lambda draft: f"draft-files:{draft.pk}",
    "sealed_environment": lambda draft: f"draft-environment:{draft.pk}",
}
"""What each sealed column of a draft is sealed for: exactly this draft."""

Kept = Mapping[str, bytes | None]
"""Files by path; None stands for the content that is stored under the same path."""
KeptValues = Mapping[str, str | None]


def find_draft(principal: Principal, reference: object) -> Draft:
    """Return the principal's own draft of an id; 404 fault otherwise."""
    rows = Draft.objects.visible_to(principal).select_related("project__organization", "blueprint", "created_by")
    found = rows.filter(pk=as_uuid(reference)).first()
    if found is None:
        raise fault("not_found")
    return found


def changed_drafts(principal: Principal, project: Project, most: int) -> list[Draft]:
    """Return the principal's own drafts in a project that differ from what they were made from, at most `most`.

    The texts are compared by the database; contents are opened only for a draft that looks like its version
    otherwise. Of very many drafts the `MAX_COMPARED` latest are looked at.
    """
    same = BlueprintVersion.objects.filter(
        blueprint=OuterRef("blueprint"), number=OuterRef("base_version"), text=OuterRef("text")
    )
    rows = (
        Draft.objects.visible_to(principal)
        .filter(project=project)
        .select_related("project__organization", "blueprint")
        .defer("text", "sealed_files", "sealed_environment")
        .annotate(same_as=Subquery(same.values("pk")[:1]))
    )
    return list(islice((draft for draft in rows[:MAX_COMPARED] if not _untouched(draft)), most))


def _untouched(draft: Any) -> bool:
    if draft.same_as is None or draft.description not in (None, draft.blueprint.description):
        return False
    version = BlueprintVersion.objects.select_related("blueprint__project__organization").get(pk=draft.same_as)
    if sorted(draft.file_paths) != sorted(version.files.values_list("path", flat=True)):
        return False
    if bool(draft.environment_names) != bool(version.environment_sealed):
        return False
    files, environment = contents_of(draft)
    return environment == supplied.environment_of(version) and files == supplied.read(version)


def contents_of(draft: Draft) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the opened files by path and the opened values for interpolation."""
    return _files_of(draft), _environment_of(draft)


def open_draft(
    principal: Principal,
    project: Project | None = None,
    *,
    blueprint: Blueprint | None = None,
    name: str = "",
    description: str = "",
    compose: str | None = None,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Draft, bool]:
    """Return the principal's draft of a design, or a new one; besides, whether it is new.

    A new draft of a design starts from its latest version, but for what is given. Faults: ``draft.too_large``,
    ``draft.too_many`` (without a design), and those of files and values.
    """
    if blueprint is not None:
        if project is not None and project != blueprint.project:
            raise fault("draft.other_project", name=blueprint.name, project=project.slug)
        project = blueprint.project
    assert project is not None
    require(principal, Role.ARCHITECT, project)
    if blueprint is not None and (known := _draft_of(principal, blueprint)) is not None:
        return known, False
    draft = Draft(project=project, blueprint=blueprint, name=name, description=description, created_by=principal.user)
    if blueprint is not None:
        last = blueprint.versions.order_by("-number").first()
        draft.name, draft.description = blueprint.name, description or None
        if last is not None:
            last.blueprint = blueprint
            draft.base_version = last.number
            compose = last.text if compose is None else compose
            files = supplied.read(last) if files is None else files
            environment = supplied.environment_of(last) if environment is None else environment
    elif Draft.objects.filter(created_by=principal.user, project=project, blueprint=None).count() >= MAX_UNSAVED:
        raise fault("draft.too_many", limit=MAX_UNSAVED, project=project.slug)
    draft.text = _checked_text(compose or "")
    _put_files(draft, files or {})
    _put_environment(draft, environment or {})
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
    except IntegrityError:  # the same user opened the same design in another tab at the same moment
        known = _draft_of(principal, blueprint) if blueprint is not None else None
        if known is None:
            raise
        return known, False
    return draft, True


def write_draft(
    principal: Principal,
    draft: Draft,
    *,
    revision: int,
    compose: str,
    name: str | None = None,
    description: str | None = None,
    files: Kept | None = None,
    environment: KeptValues | None = None,
) -> Draft:
    """Replace what a draft holds, if it still is at `revision`; Fault ``draft.conflict`` otherwise.

    What is None stays. One UPDATE on the revision decides, so of two writers from the same revision exactly one
    succeeds. The text is not looked at: autosave calls this every second.
    """
    require(principal, Role.ARCHITECT, draft.project)
    if draft.revision != revision:
        raise _conflict(draft, revision)
    draft.text = _checked_text(compose)
    fields = ["text"]
    if name is not None:
        draft.name = name
        fields.append("name")
    if description is not None:
        draft.description = description
        fields.append("description")
    if files is not None:
        stored = _files_of(draft) if None in files.values() else {}
        _put_files(draft, {path: _stored(stored, path, content) for path, content in files.items()})
        fields += ["sealed_files", "file_paths"]
    if environment is not None:
        values = _environment_of(draft) if None in environment.values() else {}
        _put_environment(draft, {key: _stored(values, key, value) for key, value in environment.items()})
        fields += ["sealed_environment", "environment_names"]
    _advance(draft, revision, fields)
    return draft


def save_draft(
    principal: Principal,
    draft: Draft,
    *,
    revision: int,
    name: str = "",
    message: str = "",
    base_version: int | None = None,
    force: bool = False,
) -> tuple[Blueprint, BlueprintVersion, bool]:
    """Make a design of a draft, or a new version of its design; returns both, and whether there is a new version.

    The draft stays, on top of what was saved. `base_version` replaces the draft's own after a merge; `force` saves
    over whatever is the latest. Faults: ``draft.conflict``, ``compose.invalid``, ``blueprint.name_taken``,
    ``blueprint.version_conflict``.
    """
    require(principal, Role.ARCHITECT, draft.project)
    if draft.revision != revision:
        raise _conflict(draft, revision)
    files, environment = contents_of(draft)
    with transaction.atomic(), gathered():
        blueprint = draft.blueprint
        if blueprint is None:
            version = _first_version(principal, draft, revision, name or draft.name, message, files, environment)
            blueprint, new = version.blueprint, True
        else:
            base = draft.base_version if base_version is None else base_version
            before = blueprint.versions.order_by("-number").values_list("number", flat=True).first()
            version = services.save_version(
                principal,
                blueprint,
                compose=draft.text,
                files=files,
                environment=environment,
                message=message,
                base_version=None if force else base,
            )
            new = version.number != before
            if draft.description is not None and draft.description != blueprint.description:
                blueprint.description = draft.description
                blueprint.save(update_fields=["description", "updated_at"])
        draft.blueprint, draft.base_version, draft.name = blueprint, version.number, blueprint.name
        draft.description = None
        _advance(draft, revision, ["blueprint", "base_version", "name", "description"])
    return blueprint, version, new


def forget_abandoned(batch: int = 1_000) -> int:
    """Delete drafts that nobody has touched for half a year, and return how many there were."""
    old = Draft.objects.filter(updated_at__lt=timezone.now() - KEPT_FOR)
    return Draft.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:batch])).delete()[0]


def _first_version(
    principal: Principal,
    draft: Draft,
    revision: int,
    name: str,
    message: str,
    files: Mapping[str, bytes],
    environment: Mapping[str, str],
) -> BlueprintVersion:
    try:
        blueprint = services.create_blueprint(
            principal,
            draft.project,
            name=name,
            compose=draft.text,
            files=files,
            environment=environment,
            description=draft.description or "",
            message=message,
        )
    except Fault as error:
        moved = not Draft.objects.filter(pk=draft.pk, revision=revision).exists()
        if error.code == "blueprint.name_taken" and moved:
            raise _conflict(draft, revision) from None  # the same draft was saved at the same moment
        raise
    return blueprint.versions.get()


def _draft_of(principal: Principal, blueprint: Blueprint) -> Draft | None:
    rows = Draft.objects.select_related("project__organization", "blueprint", "created_by")
    return rows.filter(created_by=principal.user, blueprint=blueprint).first()


def _advance(draft: Draft, revision: int, fields: list[str]) -> None:
    """Write these fields as the next revision, or raise the conflict when somebody else did so first."""
    draft.revision, draft.updated_at = revision + 1, timezone.now()
    values = {field: getattr(draft, field) for field in (*fields, "revision", "updated_at")}
    if not Draft.objects.filter(pk=draft.pk, revision=revision).update(**values):
        raise _conflict(draft, revision)


def _conflict(draft: Draft, given: int) -> Exception:
    stored = Draft.objects.filter(pk=draft.pk).only("revision", "text", "updated_at").first()
    if stored is None:
        return fault("not_found")
    return fault(
        "draft.conflict",
        given=given,
        stored=stored.revision,
        extra={
            "revision": stored.revision,
            "compose": stored.text,
            "updated_at": stored.updated_at.isoformat().replace("+00:00", "Z"),
        },
    )


def _checked_text(text: str) -> str:
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_TEXT_BYTES:
        raise fault("draft.too_large", size=size, limit=MAX_TEXT_BYTES)
    return text


def _stored(stored: Mapping[str, Any], name: str, given: Any) -> Any:
    if given is not None:
        return given
    if name not in stored:
        raise fault("draft.not_stored", name=name[:100])
    return stored[name]


def _put_files(draft: Draft, files: Mapping[str, bytes]) -> None:
    checked = supplied.check_files(files)
    draft.file_paths = sorted(checked)
    encoded = {path: base64.b64encode(content).decode() for path, content in checked.items()}
    draft.sealed_files = _sealed(draft, "sealed_files", encoded)


def _put_environment(draft: Draft, environment: Mapping[str, str]) -> None:
    values = services.check_environment(environment)
    draft.environment_names = sorted(values)
    draft.sealed_environment = _sealed(draft, "sealed_environment", values)


def _files_of(draft: Draft) -> dict[str, bytes]:
    return {path: base64.b64decode(content) for path, content in _opened(draft, "sealed_files").items()}


def _environment_of(draft: Draft) -> dict[str, str]:
    return _opened(draft, "sealed_environment")


def _sealed(draft: Draft, column: str, data: Mapping[str, str]) -> bytes:
    if not data:
        return b""
    return encryption.seal(draft.project.organization, PURPOSES[column](draft), json.dumps(dict(data)).encode())


def _opened(draft: Draft, column: str) -> dict[str, str]:
    blob = bytes(getattr(draft, column))
    if not blob:
        return {}
    opened: dict[str, str] = json.loads(
        encryption.open_sealed(draft.project.organization, PURPOSES[column](draft), blob)
    )
    return opened
