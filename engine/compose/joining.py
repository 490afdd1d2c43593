"""Join several Compose files into one text that means the same as `-f one -f other` does for the reference.

Variables stay variables and short forms stay short wherever that gives the same model as the reference's own way,
which is loading all of them as the documents of one stream; that is checked each time. Where it does not (a later file
extends a service of its own, or names the same port in another form), the model is written as the reference merged it.
Comments and anchors cannot survive: a merged value stands in none of the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from engine.compose.composition import Composer, apply_resets
from engine.compose.loader import load_project
from engine.compose.merging import drop_repetitions, merge_models
from engine.compose.model import DEFAULT_LIMITS, ComposeError, Limits, Project
from engine.compose.positions import SourceLocator
from engine.compose.report import Refusal, Report
from engine.compose.scalars import resolve_plain
from engine.compose.source import Document, count_characters
from engine.compose.supplied import SuppliedFiles
from engine.findings import Finding

_WIDTH = 120


def join(
    sources: Sequence[tuple[str, str]],
    *,
    name: str,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[str, tuple[Finding, ...]]:
    """Merge (name, text) pairs, each over those before it, into one Compose text; besides, what is remarkable in that.

    `name`, `environment` and `files` are as for `load`. Mistakes of the joined model do not matter here: load the text
    to find them. Raises `ComposeError`, its findings naming the file, when one cannot be read, when their shapes
    contradict each other, or when no one file could mean the same.
    """
    stream = "".join(_as_document(source) for _, source in sources)
    _refuse_large(len(stream), limits)
    merged = _merged(sources, files, limits)
    _refuse_large(count_characters(merged), limits)  # before it is written: aliases can stand for gigabytes
    text = write(merged)
    whole = _loaded(stream, name, environment, files, limits)
    if whole is None:
        return text, ()  # broken either way
    own = _loaded(text, name, environment, files, limits)
    if own is not None and own.model == whole.model:
        return text, ()
    resolved = _without_defaults(whole)
    _refuse_large(count_characters(resolved), limits)
    text = write(_escaped(resolved))
    own = _loaded(text, name, environment, files, limits)
    if own is None or own.model != whole.model:
        raise ComposeError(
            [
                Finding(
                    "compose.join.impossible",
                    "error",
                    "These files mean something together that no single file can say - nothing was joined - write what"
                    " the later ones change into the first by hand.",
                )
            ]
        )
    return text, (
        Finding(
            "compose.join.resolved",
            "info",
            "Variables were replaced by their values and short forms written out - kept as they are, the files would"
            " have meant something else in one - look through the result before you save it.",
        ),
    )


def write(model: Mapping[str, Any]) -> str:
    """Return plain data as YAML text that the loader reads back as the same data."""
    text: str = yaml.dump(
        dict(model), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False
    )
    return text


def _refuse_large(size: int, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise ComposeError(
            [
                Finding(
                    "compose.limit.bytes",
                    "error",
                    f"These files have more than {limits.max_bytes:,} characters together - one of that size could not"
                    " be kept - leave out what the drawing does not need.",
                )
            ]
        )


def _merged(
    sources: Sequence[tuple[str, str]], files: Mapping[str, str | bytes] | None, limits: Limits
) -> dict[str, Any]:
    report = Report()
    model: dict[str, Any] = {}
    composer = Composer(SuppliedFiles(files, limits), limits, report)
    for name, text in sources:
        documents, locator, _ = composer.read(text, name)
        for document in documents:
            try:
                model = _over(model, document, locator, report)
            except Refusal as refusal:
                report.refused(refusal, locator)
    report.raise_if_failed()
    return model


def _over(model: dict[str, Any], document: Document, locator: SourceLocator, report: Report) -> dict[str, Any]:
    if document.root.__class__ is not dict:
        raise Refusal("compose.yaml.root", "The top level of the file is not a mapping - start with `services:`.")
    apply_resets(model, document.resets)
    model = merge_models(model, document.root) if model else document.root
    drop_repetitions(model, lambda refusal: report.refused(refusal, locator))
    return model


def _as_document(text: str) -> str:
    """Return a text as one more document of a stream."""
    text = text.removeprefix("\ufeff")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    begins = next(lines, "").startswith(("---", "%"))
    return f"{'' if begins else '---'}\n{text}\n...\n"


def _loaded(
    text: str,
    name: str,
    environment: Mapping[str, str] | None,
    files: Mapping[str, str | bytes] | None,
    limits: Limits,
) -> Project | None:
    try:
        return load_project(text, name, environment, files, (), limits)
    except ComposeError:
        return None


def _without_defaults(project: Project) -> dict[str, Any]:
    """Return the model without the names and the network that loading would add again.

    A name would tie every project that is made of the text to the same volumes.
    """
    model = dict(project.model)
    for section in ("networks", "volumes", "secrets", "configs"):
        if model.get(section):
            model[section] = {
                key: _without(body, "name", f"{project.name}_{key}") for key, body in model[section].items()
            }
    model["networks"] = _without(model.get("networks"), "default", None)
    model["services"] = {
        name: _without(body, "networks", {"default": None}) for name, body in (model.get("services") or {}).items()
    }
    return {key: value for key, value in model.items() if value is not None}


def _without(body: Any, key: str, value: Any) -> Any:
    """Return a mapping without a key, if it has this value; None when nothing is left."""
    if not isinstance(body, Mapping) or key not in body or body[key] != value:
        return body
    return {other: item for other, item in body.items() if other != key} or None


def _escaped(value: Any) -> Any:
    """Return data in which a dollar sign stands for itself."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    """Write lists indented, repeat nothing by reference, and quote what the loader would not read as text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> Any:
    plain = resolve_plain(value).__class__ is str if value else False
    style = "|" if "\n" in value else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=style)


def _nothing(dumper: _Dumper, value: None) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:null", "")


_Dumper.add_multi_representer(str, _text)
_Dumper.add_representer(str, _text)
_Dumper.add_representer(type(None), _nothing)
