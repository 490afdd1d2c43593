"""Load a Compose file: from text to the project in its normal form."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.compose.canonical import set_defaults
from engine.compose.composition import Composer, Context
from engine.compose.consistency import Model, check_consistency
from engine.compose.decoding import Struct
from engine.compose.envfiles import merged_environment, parse_env_file, parse_raw_env_file
from engine.compose.interpolation import Interpolator, TextBudget, warn_of_missing
from engine.compose.model import ComposeError, Limits, Project
from engine.compose.normalisation import normalise, resolve_contents
from engine.compose.positions import SourceLocator
from engine.compose.remarks import remark
from engine.compose.report import Path, Refusal, Report
from engine.compose.service_form import FILE_OBJECT, NAMED_VOLUME, NETWORK, decode_service, put_field
from engine.compose.source import Document
from engine.compose.supplied import SuppliedFiles
from engine.compose.validation import suggestion

_MAX_SUGGESTIONS = 50
_NAME_CHARACTERS = re.compile("[a-z0-9_-]")
_RESOURCES: tuple[tuple[str, Struct], ...] = (
    ("networks", NETWORK),
    ("volumes", NAMED_VOLUME),
    ("secrets", FILE_OBJECT),
    ("configs", FILE_OBJECT),
)


def load_project(
    text: str | bytes,
    name: str | None,
    environment: Mapping[str, str] | None,
    files: Mapping[str, str | bytes] | None,
    profiles: Collection[str],
    limits: Limits,
) -> Project:
    """Load a Compose file; raises `ComposeError` with every error found."""
    report = Report()
    try:
        with _collector_paused():
            return _Loading(environment, files, limits, report).load(text, name, profiles)
    except Refusal as refusal:
        report.refused(refusal, None)
        raise ComposeError(report.findings()) from None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Spare the cycle collector: a loading model only grows, and looking through it again and again takes a quarter.

    Threads may do this side by side: who found the collector running starts it again.
    """
    was_running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_running:
            gc.enable()


def normalise_name(name: str) -> str:
    """Give the name with what a project name may not contain left out."""
    return "".join(_NAME_CHARACTERS.findall(name.lower())).lstrip("_-")


class _Loading:
    def __init__(
        self,
        environment: Mapping[str, str] | None,
        files: Mapping[str, str | bytes] | None,
        limits: Limits,
        report: Report,
    ) -> None:
        self._report = report
        self._suggestions = _MAX_SUGGESTIONS
        self._budget = TextBudget(limits)
        self._files = SuppliedFiles(files, limits)
        self._composer = Composer(self._files, limits, report)
        base = dict(environment or {})
        if ".env" in self._files:
            interpolator = Interpolator(base, self._budget)
            base = merged_environment(base, self._files.read_text(".env", "The file"), interpolator)
        self._environment = base

    def load(self, text: str | bytes, name: str | None, profiles: Collection[str]) -> Project:
        report = self._report
        documents, locator, has_variables = self._composer.read(text)
        project_name = self._project_name(documents, name, locator)
        self._environment["COMPOSE_PROJECT_NAME"] = project_name
        interpolator = Interpolator(self._environment, self._budget)
        context = Context(".", "", interpolator, is_main=True)
        model, _ = self._composer.compose(documents, locator, context, has_variables=has_variables)
        if not model and not report.failed:
            report.error(
                "compose.empty",
                "The file is empty - there is nothing to deploy - add `services:`.",
                (),
                locator=locator,
            )
        elif not project_name and not report.failed:
            report.error(
                "compose.name.missing",
                "The project has no name - networks and volumes are named after it - add `name:` at the top of the"
                " file.",
                ("name",),
                locator=locator,
            )
        if not model:
            report.raise_if_failed()

        def refuse(refusal: Refusal) -> None:
            report.refused(refusal, locator)
            self._composer.note_damage(refusal.path)

        set_defaults(model, refuse)
        resolve_contents(model, self._environment)
        normalise(model, project_name, self._environment)
        config = self._decode(model, project_name, profiles, locator, interpolator)
        remark(model, lambda code, message, path: report.warning(code, message, path, locator=locator))
        report.raise_if_failed()
        return Project(
            name=project_name,
            config=config,
            findings=report.findings(),
            files=self._files.contents,
            locate=locator.position,
            model=model,
            environment=self._environment,
        )

    # --- the name ---

    def _project_name(self, documents: list[Document], fallback: str | None, locator: SourceLocator) -> str:
        imposed = self._environment.get("COMPOSE_PROJECT_NAME")
        if imposed:
            if normalise_name(imposed) != imposed:
                self._report.error(
                    "compose.name.invalid",
                    f"`{imposed[:60]}` is no project name - names have lowercase letters, digits, `-`, `_` and start"
                    " with a letter or digit - correct COMPOSE_PROJECT_NAME.",
                )
            return imposed
        named = ""
        for document in documents:
            written = document.root.get("name") if document.root.__class__ is dict else None
            if written.__class__ is str and written:
                named = written
        if not named:
            return normalise_name(fallback or "")
        try:
            named = Interpolator(self._environment, self._budget).substitute(named)
        except Refusal as refusal:
            self._report.refused(refusal.below("name"), locator)
        return normalise_name(named)

    # --- the normal form ---

    def _decode(
        self,
        model: dict[str, Any],
        project_name: str,
        profiles: Collection[str],
        locator: SourceLocator,
        interpolator: Interpolator,
    ) -> dict[str, Any]:
        services: dict[str, dict[str, Any]] = {}
        disabled: dict[str, dict[str, Any]] = {}
        active = set(profiles) or {
            profile.strip() for profile in self._environment.get("COMPOSE_PROFILES", "").split(",")
        }
        raw_services = model.get("services") or {}
        for name in sorted(raw_services):
            refused: list[Refusal] = []
            decoded = decode_service(raw_services[name], refused)
            for refusal in refused:
                self._report.refused(refusal.below("services", name), locator)
                self._composer.note_damage(refusal.path)
            if _enabled(decoded, active):
                services[name] = decoded
            else:
                disabled[name] = decoded
        resources = {section: self._resources(model, section, struct, locator) for section, struct in _RESOURCES}
        self._check(services, disabled, resources, model, locator)
        for name, service in services.items():
            self._add_files(name, service, raw_services[name], interpolator, locator)
        config: dict[str, Any] = {"name": project_name, "services": services}
        for section, used in _used(services).items():
            kept = {key: value for key, value in resources[section].items() if key in used}
            if kept:
                config[section] = kept
        for config_object in config.get("configs", {}).values():
            if "environment" in config_object:
                config_object.pop("content", None)
        for secret in config.get("secrets", {}).values():
            secret.pop("content", None)
        self._extensions(model, config, locator)
        return {key: config[key] for key in sorted(config)}

    def _resources(
        self, model: dict[str, Any], section: str, struct: Struct, locator: SourceLocator
    ) -> dict[str, dict[str, Any]]:
        decoded: dict[str, dict[str, Any]] = {}
        raw = model.get(section) or {}
        for name in sorted(raw):
            try:
                decoded[name] = struct(raw[name] or {})
            except Refusal as refusal:
                self._report.refused(refusal.below(section, name), locator)
                self._composer.note_damage((section, name))
                decoded[name] = {}
        return decoded

    def _check(
        self,
        services: dict[str, dict[str, Any]],
        disabled: dict[str, dict[str, Any]],
        resources: dict[str, dict[str, dict[str, Any]]],
        model: dict[str, Any],
        locator: SourceLocator,
    ) -> None:
        damaged = self._composer.damaged

        def complain(
            code: str,
            message: str,
            path: Path,
            *,
            at_key: bool = False,
            candidates: tuple[str, Collection[str]] | None = None,
        ) -> None:
            damage = damaged.get(path[:2])
            if damage and (len(path) == 2 or path[2] in damage):
                return  # a consequence of what is reported already
            hint = ""
            if candidates and self._suggestions:
                self._suggestions -= 1
                hint = suggestion(*candidates)
            self._report.error(code, message, path, locator=locator, at_key=at_key, hint=hint)

        check_consistency(
            Model(
                services=services,
                disabled=disabled,
                networks=resources["networks"],
                volumes=resources["volumes"],
                secrets=resources["secrets"],
                configs=resources["configs"],
                models=model.get("models") or {},
            ),
            complain,
        )

    def _add_files(
        self,
        name: str,
        service: dict[str, Any],
        raw: dict[str, Any],
        interpolator: Interpolator,
        locator: SourceLocator,
    ) -> None:
        """Add what a service's environment and label files say; both kinds vanish from the normal form."""
        for key, add in (("env_file", self._add_env_file), ("label_file", self._add_label_file)):
            entries = raw.get(key)
            if not entries:
                continue
            collected: dict[str, str] = {}
            if key == "env_file":
                collected = {k: v for k, v in (service.get("environment") or {}).items() if v is not None}
            for index, entry in enumerate(entries):
                path: Path = ("services", name, key, index)
                known = len(interpolator.missing)
                try:
                    add(service, entry, collected, interpolator)
                except Refusal as refusal:
                    self._report.refused(refusal.below(*path), locator)
                warn_of_missing(interpolator, known, path, self._report, locator)
            target = "environment" if key == "env_file" else "labels"
            merged: dict[str, str | None] = {**collected, **(service.get(target) or {})}
            put_field(service, target, {variable: merged[variable] for variable in sorted(merged)} or None)

    def _add_env_file(
        self, service: dict[str, Any], entry: Any, collected: dict[str, str], interpolator: Interpolator
    ) -> None:
        path, required, format_ = entry["path"], entry.get("required", True), entry.get("format") or ""
        if path not in self._files and required is False:
            return
        text = self._files.read_text(path, "The environment file")
        own = service.get("environment") or {}

        def lookup(key: str) -> str | None:
            value = self._environment.get(key)
            return own.get(key) if value is None else value

        if format_ == "raw":
            interpolator.budget.charge(len(text))
            parse_raw_env_file(text, collected, lookup)
        elif format_ in ("", ".env"):
            parse_env_file(text, collected, lookup, interpolator)
        else:
            raise Refusal(
                "compose.env_file.format",
                f"`{format_[:40]}` is no format of environment files - only `raw` and the usual one are known - remove"
                " `format`.",
                ("format",),
            )

    def _add_label_file(
        self, service: dict[str, Any], entry: Any, collected: dict[str, str], interpolator: Interpolator
    ) -> None:
        text = self._files.read_text(str(entry), "The label file")
        own: dict[str, str] = {}
        parse_env_file(text, own, collected.get, interpolator)
        collected.update(own)

    def _extensions(self, model: dict[str, Any], config: dict[str, Any], locator: SourceLocator) -> None:
        for key, value in model.items():
            if key.startswith("x-"):
                try:
                    config[key] = _printable(value)
                except Refusal as refusal:
                    self._report.refused(refusal.below(key), locator)


def _enabled(service: dict[str, Any], active: set[str]) -> bool:
    profiles = service.get("profiles")
    return not profiles or "*" in active or not active.isdisjoint(profiles)


def _used(services: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Collect which resources the enabled services use; the others are not part of the normal form."""
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "secrets": set(), "configs": set()}
    for service in services.values():
        used["networks"].update(service.get("networks") or ())
        for volume in service.get("volumes") or ():
            if volume.get("type") == "volume":
                used["volumes"].add(volume.get("source", ""))
        for secret in (*(service.get("secrets") or ()), *((service.get("build") or {}).get("secrets") or ())):
            used["secrets"].add(secret.get("source", ""))
        for config in service.get("configs") or ():
            used["configs"].add(config.get("source", ""))
    return used


def _printable(value: Any) -> Any:
    """Copy an extension the way the reference prints it: empty lists become null, keys are sorted."""
    if value.__class__ is dict:
        printable = {}
        for key in sorted(value):
            try:
                printable[key] = _printable(value[key])
            except Refusal as refusal:
                raise refusal.below(key) from None
        return printable
    if value.__class__ is list:
        items = []
        for index, item in enumerate(value):
            try:
                items.append(_printable(item))
            except Refusal as refusal:
                raise refusal.below(index) from None
        return items or None
    if value.__class__ is float and not math.isfinite(value):
        raise Refusal(
            "compose.value.number", "Infinity and not-a-number cannot be written as JSON - use text or a number."
        )
    return value
