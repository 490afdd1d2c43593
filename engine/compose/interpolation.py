"""Replace `$VARIABLES` in values and cast the results, in the way of compose-go v2.9.1.

Sources of the rules: `template/template.go`, `interpolation/interpolation.go`, `loader/interpolate.go`. Only values are
replaced, never keys; defaults are evaluated even when they are not needed, as the reference does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.compose.model import Limits
from engine.compose.quantities import parse_bool, parse_float, parse_float32, parse_int
from engine.compose.report import Locator, Path, Refusal, Report, dotted

_NAME = re.compile("[_a-zA-Z\u017f\u212a][_a-zA-Z0-9\u017f\u212a]*")
_OPERATOR = re.compile(":?[-+?]")
_MAX_NESTING = 40


class TextBudget:
    """Bound the text that all variables and environment files of one project come to."""

    def __init__(self, limits: Limits) -> None:
        self.left = self._limit = limits.max_interpolated_bytes

    def charge(self, characters: int) -> None:
        """Take characters from the budget; raises `Refusal` when it is used up."""
        self.left -= characters
        if self.left < 0:
            raise self.exhausted()

    def exhausted(self) -> Refusal:
        """Say that the budget is used up."""
        return Refusal(
            "compose.limit.interpolation",
            f"Variables and environment files come to more than {self._limit:,} characters - it is refused because it"
            " could exhaust the server - use fewer or shorter ones.",
        )


class Interpolator:
    """Substitute variables from one environment; remembers which ones were missing."""

    def __init__(self, environment: Mapping[str, str], budget: TextBudget) -> None:
        self.environment = environment
        self.missing: dict[str, None] = {}
        self.budget = budget

    def substitute(self, template: str, lookup: Callable[[str], str | None] | None = None) -> str:
        """Give the text with its variables replaced.

        Raises `Refusal` when the template is malformed, a required variable is missing, or the budget is used up.
        """
        if "$" not in template:
            return template
        result = self._substitute(template, lookup or self.environment.get, 0)
        self.budget.charge(len(result))
        return result

    def _substitute(self, template: str, lookup: Callable[[str], str | None], nesting: int) -> str:
        if nesting > _MAX_NESTING:
            raise _too_nested()
        parts: list[str] = []
        size = 0
        position = 0
        last_brace = line_end = -1  # the last `}` of the line that ends at line_end
        while True:
            dollar = template.find("$", position)
            if dollar < 0 or dollar + 1 >= len(template):
                parts.append(template[position:])
                return "".join(parts)
            parts.append(template[position:dollar])
            follower = template[dollar + 1]
            if follower == "$":
                parts.append("$")
                position = dollar + 2
                continue
            if follower != "{":
                name = _NAME.match(template, dollar + 1)
                if name is None:
                    parts.append("$")
                    position = dollar + 1
                    continue
                value = self._value(name.group(), lookup)
                position = name.end()
            else:
                if dollar > line_end:
                    newline = template.find("\n", dollar)
                    line_end = len(template) if newline < 0 else newline
                    last_brace = template.rfind("}", dollar, line_end)
                value, position = self._braced(template, dollar, last_brace, lookup, nesting)
            size += len(value)
            if size > self.budget.left:
                raise self.budget.exhausted()
            parts.append(value)

    def _value(self, name: str, lookup: Callable[[str], str | None]) -> str:
        value = lookup(name)
        if value is None:
            self.missing[name] = None
            return ""
        return value

    def _braced(
        self, template: str, dollar: int, last_brace: int, lookup: Callable[[str], str | None], nesting: int
    ) -> tuple[str, int]:
        name = _NAME.match(template, dollar + 2)
        if name is None:
            raise _malformed(template)
        after = name.end()
        if template[after : after + 1] == "}":
            return self._value(name.group(), lookup), after + 1
        operator = _OPERATOR.match(template, after)
        if operator is None or last_brace < operator.end():
            raise _malformed(template)
        closing = _closing_brace(template, dollar, last_brace)
        word = template[operator.end() : closing]
        word = self._substitute(word, lookup, nesting + 1)
        value = lookup(name.group())
        kind = operator.group()
        is_set = value is not None and (kind[0] != ":" or value != "")
        if kind[-1] == "+":
            return (word if is_set else value or ""), closing + 1
        if kind[-1] == "-":
            return (value or "" if is_set else word), closing + 1
        if not is_set:
            reason = f": {word}" if word else ""
            raise Refusal(
                "compose.interpolation.required",
                f"The variable {name.group()} is required but has no value{reason} - the file asks for it with"
                f" `${{{name.group()}{kind}…}}` - give it a value.",
            )
        return value or "", closing + 1


def _closing_brace(template: str, start: int, last: int) -> int:
    """Find the `}` that closes the `${` at start; the last one of the line when none does."""
    open_braces = 0
    index = start
    while index <= last:
        character = template[index]
        if character == "}":
            open_braces -= 1
            if open_braces == 0:
                return index
        elif character == "{":
            open_braces += 1
            if open_braces > _MAX_NESTING:
                raise _too_nested()
            index += 1  # the reference skips the character after each opening brace
        index += 1
    return last


def _too_nested() -> Refusal:
    return Refusal(
        "compose.limit.interpolation",
        f"Variables are nested more than {_MAX_NESTING} levels deep - it is refused - simplify the default values.",
    )


def _malformed(template: str) -> Refusal:
    shown = template if len(template) <= 60 else template[:57] + "..."
    return Refusal(
        "compose.interpolation.syntax",
        f"`{shown}` has a `$` that is no complete variable - variables are written `$NAME` or `${{NAME}}` - to keep a"
        " plain dollar sign, double it: `$$`.",
    )


def interpolate(
    model: dict[str, Any], interpolator: Interpolator, report: Report, locator: Locator, *, has_variables: bool
) -> None:
    """Replace variables in all values of a model in place, then cast the fields that need another type than text."""
    if has_variables:
        _Walk(interpolator, report, locator).mapping(model, ())
    _cast_model(model, report, locator)


class _Walk:
    def __init__(self, interpolator: Interpolator, report: Report, locator: Locator) -> None:
        self._interpolator = interpolator
        self._report = report
        self._locator = locator

    def mapping(self, value: dict[str, Any], path: Path) -> None:
        for key, item in value.items():
            kind = item.__class__
            if kind is str:
                if "$" in item:
                    value[key] = self._text(item, (*path, key))
            elif kind is dict:
                self.mapping(item, (*path, key))
            elif kind is list:
                self._sequence(item, (*path, key))

    def _sequence(self, value: list[Any], path: Path) -> None:
        for index, item in enumerate(value):
            kind = item.__class__
            if kind is str:
                if "$" in item:
                    value[index] = self._text(item, (*path, index))
            elif kind is dict:
                self.mapping(item, (*path, index))
            elif kind is list:
                self._sequence(item, (*path, index))

    def _text(self, template: str, path: Path) -> str:
        known = len(self._interpolator.missing)
        try:
            text = self._interpolator.substitute(template)
        except Refusal as refusal:
            self._report.refused(refusal.below(*path), self._locator)
            if refusal.code == "compose.limit.interpolation":
                self._report.raise_if_failed()
            return ""
        warn_of_missing(self._interpolator, known, path, self._report, self._locator)
        return text


def warn_of_missing(interpolator: Interpolator, known: int, path: Path, report: Report, locator: Locator) -> None:
    """Warn of the variables that were found missing since there were `known` of them."""
    if len(interpolator.missing) > known:
        for name in list(interpolator.missing)[known:]:
            report.warning(
                "compose.interpolation.unset",
                f"The variable {name} is not set - it is replaced with nothing - give it a value, or a default with"
                f" `${{{name}:-value}}`.",
                path,
                locator=locator,
            )


Cast = Callable[[str], Any]
_INT: Cast = parse_int
_BOOL: Cast = parse_bool

_SERVICE_CASTS: dict[str, Any] = {
    "cpu_count": _INT,
    "cpu_percent": parse_float,
    "cpu_period": _INT,
    "cpu_quota": _INT,
    "cpu_rt_period": _INT,
    "cpu_rt_runtime": _INT,
    "cpus": parse_float32,
    "cpu_shares": _INT,
    "init": _BOOL,
    "deploy": {
        "replicas": _INT,
        "update_config": {"parallelism": _INT, "max_failure_ratio": parse_float},
        "rollback_config": {"parallelism": _INT, "max_failure_ratio": parse_float},
        "restart_policy": {"max_attempts": _INT},
        "placement": {"max_replicas_per_node": _INT},
    },
    "healthcheck": {"retries": _INT, "disable": _BOOL},
    "oom_kill_disable": _BOOL,
    "oom_score_adj": _INT,
    "pids_limit": _INT,
    "ports": [{"target": _INT}],
    "privileged": _BOOL,
    "read_only": _BOOL,
    "scale": _INT,
    "stdin_open": _BOOL,
    "tty": _BOOL,
    "volumes": [{"read_only": _BOOL, "volume": {"nocopy": _BOOL}}],
}
_ULIMIT_CASTS: dict[str, Any] = {"hard": _INT, "soft": _INT}
_TOP_CASTS: dict[str, dict[str, Any]] = {
    "networks": dict.fromkeys(("external", "internal", "attachable", "enable_ipv4", "enable_ipv6"), _BOOL),
    "volumes": {"external": _BOOL},
    "secrets": {"external": _BOOL},
    "configs": {"external": _BOOL},
}


def _cast_model(model: dict[str, Any], report: Report, locator: Locator) -> None:
    services = model.get("services")
    if services.__class__ is dict:
        for name, service in services.items():
            if service.__class__ is dict:
                for key in service:
                    rule = _SERVICE_CASTS.get(key)
                    if rule is not None:
                        _cast(service, key, rule, ("services", name), report, locator)
                ulimits = service.get("ulimits")
                if ulimits.__class__ is dict:
                    for key, limit in ulimits.items():
                        rule = _ULIMIT_CASTS if limit.__class__ is dict else _INT
                        _cast(ulimits, key, rule, ("services", name, "ulimits"), report, locator)
    for section, rules in _TOP_CASTS.items():
        resources = model.get(section)
        if resources.__class__ is dict:
            for name, resource in resources.items():
                if resource.__class__ is dict:
                    for key in resource:
                        rule = rules.get(key)
                        if rule is not None:
                            _cast(resource, key, rule, (section, name), report, locator)


def _cast(parent: Any, key: Any, rule: Any, path: Path, report: Report, locator: Locator) -> None:
    value = parent[key]
    kind = value.__class__
    if kind is str:
        if callable(rule):
            try:
                parent[key] = rule(value)
            except ValueError as error:
                here = (*path, key)
                report.error(
                    "compose.value.cast",
                    f"`{dotted(here)}` is `{value}`, which is {error} - this field takes nothing else - correct it.",
                    here,
                    locator=locator,
                )
    elif kind is dict:
        if rule.__class__ is dict:
            for name in value:
                if name in rule:
                    _cast(value, name, rule[name], (*path, key), report, locator)
    elif kind is list and rule.__class__ is list:
        for index in range(len(value)):
            _cast(value, index, rule[0], (*path, key), report, locator)
