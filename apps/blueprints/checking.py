"""Look through a text that is being drawn: with the files that its design or draft has, and with ways to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.blueprints import drafts, fixes, services
from apps.blueprints import files as supplied
from apps.blueprints.models import Blueprint, BlueprintVersion, Draft
from apps.tenancy.access import Principal, require
from apps.tenancy.models import Role
from engine import compose as engine
from engine.compose.joining import join
from engine.realise.declared import read_declarations
from engine.realise.extension import read_extensions
from engine.realise.notes import Notes


def look_through(
    compose: str,
    *,
    name: str = "",
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the findings on a text as plain data, each with its `fix` where there is one.

    Besides what keeps a design from being saved, these tell what is wrong with its ``x-escale``.
    """
    try:
        project = services.load_text(
            compose, name=name or "blueprint", files=files or {}, environment=environment or {}
        )
    except engine.ComposeError as error:
        found = list(error.findings)
    else:
        extensions, notes = read_extensions(project), Notes(project)
        read_declarations(extensions, project.services(), notes)
        found = [*project.findings, *extensions.findings, *notes.findings]
    return fixes.with_fixes(found)


def look_through_for(
    principal: Principal,
    compose: str,
    *,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> list[dict[str, Any]]:
    """Return the findings on a text that is read with what stands beside a draft or design, and with what is given.

    A text says where values and files go, and findings repeat what they find there (`ports: ["${TOKEN}"]`). So who may
    not write the design has only its versions looked through, each with its own; Fault ``forbidden`` otherwise.
    """
    reads_only = draft is None and blueprint is not None and not principal.may(Role.ARCHITECT, blueprint.project)
    frozen = _version_of(blueprint, compose) if blueprint and reads_only and not files and not environment else None
    if frozen is not None:
        beside, values = supplied.read(frozen), supplied.environment_of(frozen)
    else:
        _require_writers(principal, draft, blueprint)
        beside, values = supplies_of(files=files, environment=environment, draft=draft, blueprint=blueprint)
    return look_through(compose, name=_name(draft, blueprint), files=beside, environment=values)


def join_files(
    principal: Principal,
    sources: Sequence[tuple[str, str]],
    *,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> tuple[str, list[dict[str, Any]]]:
    """Merge (name, text) pairs, each over those before it, into one text; besides, the findings on that.

    Comments and anchors are lost: a merged value stands in none of the files. Fault ``compose.invalid``, with
    findings that name the file, for what cannot be merged; ``forbidden`` for who may not write the design or draft.
    """
    _require_writers(principal, draft, blueprint)
    given, values = supplies_of(environment=environment, draft=draft, blueprint=blueprint)
    try:
        text, told = join(sources, name="blueprint", environment=values, files=given)
    except engine.ComposeError as error:
        raise services.invalid_fault(error.findings) from None
    found = look_through(text, name=_name(draft, blueprint), files=given, environment=values)
    return text, [*fixes.with_fixes(told), *found]


def _require_writers(principal: Principal, draft: Draft | None, blueprint: Blueprint | None) -> None:
    for source in (draft, blueprint):
        if source is not None:
            require(principal, Role.ARCHITECT, source.project)


def _name(draft: Draft | None, blueprint: Blueprint | None) -> str:
    return blueprint.name if blueprint is not None else draft.name if draft is not None else ""


def _version_of(blueprint: Blueprint, compose: str) -> BlueprintVersion | None:
    """Return the latest version that has this text, or None."""
    found = blueprint.versions.filter(text=compose).order_by("-number").first()
    if found is not None:
        found.blueprint = blueprint
    return found


def supplies_of(
    *,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files and values that a text is read with.

    They are those of the draft, or else of the design's latest version, with the given ones over them; the caller
    must be allowed to write both. Faults: those of files and values.
    """
    base_files: Mapping[str, bytes] = {}
    base_values: Mapping[str, str] = {}
    if draft is not None:
        base_files, base_values = drafts.contents_of(draft)
    elif blueprint is not None and (last := blueprint.versions.order_by("-number").first()) is not None:
        last.blueprint = blueprint
        base_files, base_values = supplied.read(last), supplied.environment_of(last)
    return (
        supplied.check_files({**base_files, **(files or {})}),
        services.check_environment({**base_values, **(environment or {})}),
    )
