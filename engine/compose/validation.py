"""Check a model against the official JSON schema, and say in plain words where it differs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

from engine.compose.report import Path, Refusal, dotted

_MAX_ERRORS = 100
_MAX_CANDIDATES = 1000
_NAMED_SECTIONS = {
    "services": "service",
    "networks": "network",
    "volumes": "volume",
    "secrets": "secret",
    "configs": "config",
    "models": "model",
}
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "empty",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    text = files("engine.compose").joinpath("schema", "compose-spec.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@lru_cache(maxsize=1)
def _validator() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(_schema(), mask="…")


def schema_refusals(model: dict[str, Any]) -> list[Refusal]:
    """Give what the schema refuses in a model, at most a hundred things; an empty list means valid."""
    if _validator().is_valid(model):
        return []
    refusals: list[Refusal] = []
    for error in islice(_validator().iter_errors(model), _MAX_ERRORS):
        refusals.extend(_explain(error, model))
    return refusals


def _explain(error: Any, model: Any) -> Iterator[Refusal]:
    path: Path = tuple(error.instance_path)
    kind = error.kind
    name = kind.name
    if name == "oneOf":
        yield from _explain_choice(error, model)
        return
    here = dotted(path) or "the file"
    if name == "additionalProperties":
        for key in kind.unexpected:
            yield _unknown_key(str(key), path, _known_keys(error.schema_path))
    elif name == "type":
        value = _look(model, path)
        yield _refusal(
            "type", f"`{here}` must be {_or(kind.types)}, not {_kind(value)}", _advice(value, kind.types), path
        )
    elif name == "required":
        yield _refusal(
            "required",
            f"`{here}` lacks `{kind.property}`",
            f"it cannot be understood without - add `{kind.property}`",
            path,
        )
    elif name == "enum":
        options = [str(option) for option in kind.options]
        value = str(_look(model, path))
        close = difflib.get_close_matches(value, options, 1)
        meant = f" (did you mean `{close[0]}`?)" if close else ""
        yield _refusal(
            "enum",
            f"`{here}` is `{_short(value)}`",
            f"only these are known: {', '.join(options)}{meant} - choose one of them",
            path,
        )
    elif name in ("minimum", "maximum"):
        bound = "less" if name == "minimum" else "more"
        yield _refusal(
            "range",
            f"`{here}` is {_short(str(_look(model, path)))}",
            f"it must not be {bound} than {kind.limit} - correct it",
            path,
        )
    elif name == "pattern":
        yield _refusal(
            "pattern",
            f"`{here}` is `{_short(str(_look(model, path)))}`",
            f"it does not have the expected form (`{kind.pattern}`) - correct it",
            path,
        )
    elif name == "uniqueItems":
        index = _repeated(_look(model, path))
        yield _refusal(
            "unique",
            f"`{here}` contains the same element twice",
            "the second would have no effect - remove one of them",
            path if index is None else (*path, index),
        )
    else:
        yield _refusal("invalid", f"`{here}` is not what the specification describes", "correct it", path)


def _refusal(code: str, what: str, why_and_now: str, path: Path) -> Refusal:
    return Refusal(f"compose.schema.{code}", f"{what} - {why_and_now}.", path)


def _explain_choice(error: Any, model: Any) -> Iterator[Refusal]:
    """Explain the branch of a choice that the author most likely meant: the one whose type fits."""
    path: Path = tuple(error.instance_path)
    wanted: list[str] = []
    fitting: list[list[Any]] = []
    for branch in getattr(error.kind, "context", ()):
        mismatch = next(
            (item for item in branch if item.kind.name == "type" and tuple(item.instance_path) == path), None
        )
        if mismatch is None:
            fitting.append(branch)
        else:
            wanted.extend(mismatch.kind.types)
    if fitting:
        for item in max(fitting, key=lambda branch: max((len(found.instance_path) for found in branch), default=0)):
            yield from _explain(item, model)
        return
    value = _look(model, path)
    yield _refusal("type", f"`{dotted(path)}` must be {_or(wanted)}, not {_kind(value)}", _advice(value, wanted), path)


def _unknown_key(key: str, path: Path, known: list[str]) -> Refusal:
    if len(path) == 1 and path[0] in _NAMED_SECTIONS:
        return Refusal(
            "compose.schema.name",
            f"`{_short(key)}` is no valid name for a {_NAMED_SECTIONS[str(path[0])]} - names have letters, digits, `.`,"
            " `_` and `-` - rename it.",
            (*path, key),
            at_key=True,
        )
    close = difflib.get_close_matches(key, known, 1, 0.7)
    if path and key in _NAMED_SECTIONS:
        close = []
        advice = f"`{key}` belongs to the top level, without indentation."
    elif close:
        advice = f"did you mean `{close[0]}`?"
    elif not path:
        advice = "services stand under `services:`; keys of your own start with `x-`."
    else:
        advice = "remove it; keys of your own start with `x-`."
    place = "at the top level" if not path else f"in `{dotted(path)}`"
    return Refusal(
        "compose.schema.unknown_key",
        f"`{_short(key)}` is not known {place} - the Compose Specification gives it no meaning there - {advice}",
        (*path, key),
        hint=f"Did you mean `{close[0]}`?" if close else "",
        at_key=True,
    )


def _known_keys(schema_path: list[Any]) -> list[str]:
    node: Any = _schema()
    for part in schema_path[:-1]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return []
    properties = node.get("properties") if isinstance(node, dict) else None
    return list(properties) if isinstance(properties, dict) else []


def _look(model: Any, path: Path) -> Any:
    for part in path:
        try:
            model = model[part]
        except (KeyError, IndexError, TypeError):
            return None
    return model


def _or(types: list[str]) -> str:
    words = sorted({_TYPES.get(name, name) for name in types})
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}` (true or false)"
    if isinstance(value, (int, float)):
        return f"the number {_short(str(value))}"
    if isinstance(value, str):
        return f"the text `{_short(value)}`"
    return "a mapping" if isinstance(value, dict) else "a list"


def _advice(value: Any, wanted: list[str]) -> str:
    if "string" in wanted and isinstance(value, (bool, int, float)):
        return "YAML reads it as something else than text - put it in quotes"
    if isinstance(value, dict) and "array" in wanted:
        return "write each element on a line of its own that starts with `- `"
    if value is None:
        return "it has no value - add one or remove the key"
    return "nothing else is understood here - correct it"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _repeated(values: Any) -> int | None:
    seen: list[Any] = []
    for index, value in enumerate(values if isinstance(values, list) else ()):
        if value in seen:
            return index
        seen.append(value)
        if index > 1000:
            break
    return None


def suggestion(name: str, known: Any) -> str:
    """Give the question whether a similar known name was meant, or nothing."""
    close = difflib.get_close_matches(name, list(islice(known, _MAX_CANDIDATES)), 1)
    return f"Did you mean `{close[0]}`?" if close else ""
