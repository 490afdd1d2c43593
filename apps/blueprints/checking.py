"""Look through a text that is being drawn: with the files that its design or draft has, and with ways to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.blueprints import drafts, fixes, services
from apps.blueprints import files as supplied
from apps.blueprints.models import Blueprint, Draft
from engine import compose as engine
from engine.compose.joining import join
from engine.realise.declared import read_declarations
from engine.realise.extension import read_extensions
from engine.realise.notes import Notes


def look_through(
    compose: str,
    *,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> list[dict[str, Any]]:
    """Return the findings on a text as plain data, each with its `fix` where there is one.

    Besides what keeps a design from being saved, these tell what is wrong with its ``x-escale``.
    """
    given, values = supplies_of(files=files, environment=environment, draft=draft, blueprint=blueprint)
    name = blueprint.name if blueprint is not None else (draft.name if draft is not None else "")
    try:
        project = services.load_text(compose, name=name or "blueprint", files=given, environment=values)
    except engine.ComposeError as error:
        found = list(error.findings)
    else:
        extensions, notes = read_extensions(project), Notes(project)
        read_declarations(extensions, project.services(), notes)
        found = [*project.findings, *extensions.findings, *notes.findings]
    return fixes.with_fixes(found)


def join_files(
    sources: Sequence[tuple[str, str]],
    *,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> tuple[str, list[dict[str, Any]]]:
    """Merge (name, text) pairs, each over those before it, into one text; besides, the findings on that.

    Comments and anchors are lost: a merged value stands in none of the files. Fault ``compose.invalid``, with
    findings that name the file, for what cannot be merged.
    """
    given, values = supplies_of(environment=environment, draft=draft, blueprint=blueprint)
    try:
        text, told = join(sources, name="blueprint", environment=values, files=given)
    except engine.ComposeError as error:
        raise services.invalid_fault(error.findings) from None
    found = look_through(text, environment=environment, draft=draft, blueprint=blueprint)
    return text, [*fixes.with_fixes(told), *found]


def supplies_of(
    *,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    blueprint: Blueprint | None = None,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files and values that a text is read with.

    They are those of the draft, or else of the design's latest version, with the given ones over them; the caller
    must be allowed to see both. Faults: those of files and values.
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
