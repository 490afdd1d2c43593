"""Put a model together from its documents, what its services extend, and what it includes.

Source of the order of things: compose-go v2.9.1 `loader/loader.go`, `loader/extends.go`, `loader/include.go`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.compose.canonical import Canonical, set_defaults
from engine.compose.envfiles import merged_environment
from engine.compose.interpolation import Interpolator, interpolate
from engine.compose.merging import drop_repetitions, extend_service, merge_models
from engine.compose.model import Limits
from engine.compose.normalisation import resolve_contents, resolve_listed_variables
from engine.compose.paths import PathResolver, is_remote, join
from engine.compose.positions import SourceLocator
from engine.compose.report import Path, Refusal, Report
from engine.compose.scalars import Timestamp
from engine.compose.source import Document, Spent, copy_tree, count_characters, decode_text, read_documents
from engine.compose.supplied import SuppliedFiles
from engine.compose.validation import schema_refusals

_MAX_CHAIN = 50
_SECTIONS = ("services", "volumes", "networks", "secrets", "configs", "models")


@dataclass(frozen=True)
class Context:
    """Say where a source stands: its folder (as seen from the main file), its variables, who included it."""

    folder: str
    label: str
    interpolator: Interpolator
    included: tuple[str, ...] = ()
    is_base: bool = False  # loaded only because a service extends one of it: neither checked nor completed
    is_main: bool = False


@dataclass
class _Base:
    """Hold a file that services extend, loaded once."""

    services: dict[str, Any]
    resets: list[Path]


class Composer:
    """Load sources into one canonical model; findings go to the report, and errors of the text end the loading."""

    def __init__(self, files: SuppliedFiles, limits: Limits, report: Report) -> None:
        self.files = files
        self.limits = limits
        self.report = report
        self.canonical = Canonical(limits)
        self.damaged: dict[Path, set[str | int]] = {}
        self._bases: dict[tuple[str, str], _Base] = {}
        self._spent = Spent()
        self._sources = 0
        self._has_timestamps = False

    # --- sources ---

    def read(self, raw: str | bytes, name: str = "") -> tuple[list[Document], SourceLocator, bool]:
        """Read a text into documents; raises `ComposeError` when that fails."""
        self._sources += 1
        if self._sources > self.limits.max_sources:
            self.report.error(
                "compose.limit.sources",
                f"More than {self.limits.max_sources} files are included or extended - it is refused because it could"
                " go on forever - include fewer.",
            )
            self.report.raise_if_failed()
        text = decode_text(raw, self.limits, self.report, name=name)
        self.report.raise_if_failed()
        assert text is not None
        locator = SourceLocator(text, name)
        documents = read_documents(text, self.limits, self.report, locator, self._spent)
        self.report.raise_if_failed()
        return documents, locator, "$" in text

    def compose(
        self, documents: list[Document], locator: SourceLocator, context: Context, *, has_variables: bool
    ) -> tuple[dict[str, Any], list[Path]]:
        """Merge documents into one canonical model; gives the paths that the last of them resets, too."""
        model: dict[str, Any] = {}
        resets: list[Path] = []
        for document in documents:
            root = document.root
            if root.__class__ is not dict:
                self.report.error(
                    "compose.yaml.root",
                    "The top level of the file is not a mapping - a Compose file consists of `services:` and other"
                    " sections - start with `services:`.",
                    (),
                    locator=locator,
                )
                self.report.raise_if_failed()
            interpolate(root, context.interpolator, self.report, locator, has_variables=has_variables)
            self.report.raise_if_failed()
            resets = document.resets
            if not context.is_base:
                self._extend_all(root, document, locator, context)
                apply_resets(model, resets)
                self._include_all(root, locator, context)
            try:
                model = merge_models(model, root) if model else root
            except Refusal as refusal:
                self.report.refused(refusal, locator)
                self.report.raise_if_failed()
            self._complete(model, document, locator, context)
        return model, resets

    def _complete(self, model: dict[str, Any], document: Document, locator: SourceLocator, context: Context) -> None:
        refused: list[Refusal] = []
        drop_repetitions(model, refused.append)
        self._has_timestamps = self._has_timestamps or document.has_timestamps
        if not context.is_base:
            if self._has_timestamps:
                _settle_timestamps(model, (), refused.append)
            schema = schema_refusals(model)
            known = {refusal.path for refusal in schema}
            refused = [*schema, *(refusal for refusal in refused if refusal.path not in known)]
        for refusal in refused:
            self._take_out(refusal, model, locator)
        if "version" in model and not context.is_base:
            self.report.warning(
                "compose.version.obsolete",
                "`version` is obsolete - it has no effect - remove it.",
                ("version",),
                locator=locator,
                at_key=True,
            )
            del model["version"]

        def refuse(refusal: Refusal) -> None:
            self._take_out(refusal, model, locator)

        self.canonical.model(model, refuse)
        drop_repetitions(model, refuse, only_long_forms=True)

    def _take_out(self, refusal: Refusal, model: dict[str, Any], locator: SourceLocator) -> None:
        """Report a refusal and remove what it concerns, so that the rest can still be checked."""
        self.report.refused(refusal, locator)
        path = refusal.path
        section = model.get(str(path[0])) if path else None
        if len(path) < 2 or path[0] not in _SECTIONS:
            if path and refusal.code == "compose.schema.unknown_key":
                model.pop(str(path[0]), None)
            else:
                self.report.raise_if_failed()
            return
        self.note_damage(path)
        if section.__class__ is not dict or path[1] not in section:
            return
        resource = section[path[1]]
        if path[0] != "services":
            section[path[1]] = {"external": True}  # still known by its name, so that it is reported only once
        elif len(path) == 2 or resource.__class__ is not dict:
            section[path[1]] = {}
        elif path[2] in resource:
            del resource[path[2]]

    def note_damage(self, path: Path) -> None:
        """Remember that something of a service or resource was refused already."""
        self.damaged.setdefault(path[:2], set()).add(path[2] if len(path) > 2 else "")

    # --- extends ---

    def _extend_all(self, root: dict[str, Any], document: Document, locator: SourceLocator, context: Context) -> None:
        services = root.get("services")
        if services.__class__ is not dict:
            return  # the schema says why
        for name, service in services.items():
            if service.__class__ is dict and "extends" in service:
                try:
                    services[name] = self._extend(name, services, (), document.resets, context)
                except Refusal as refusal:
                    self.report.refused(refusal.below("services", name, "extends"), locator)
                    if refusal.code.startswith("compose.limit."):
                        self.report.raise_if_failed()
                    self.note_damage(("services", name, "extends"))
                    del service["extends"]

    def _extend(
        self,
        name: str,
        services: dict[str, Any],
        trail: tuple[tuple[str, str], ...],
        resets: list[Path],
        context: Context,
        label: str = "",
    ) -> Any:
        service = services.get(name)
        if service is None:
            return None
        if service.__class__ is not dict:
            raise Refusal(
                "compose.schema.type", f"The service `{name}`{_in(label)} is not a mapping - it cannot be extended."
            )
        if "extends" not in service:
            return service
        reference, file = _extends_reference(service["extends"])
        base_label = label
        if file is not None:
            base = self._base(file, context)
            base_services, base_resets, base_label = base.services, base.resets, file
        else:
            base_services, base_resets = services, resets
        if reference not in base_services:
            raise Refusal(
                "compose.extends.service",
                f"The service `{name}`{_in(label)} extends `{reference}`, which does not exist{_in(base_label)} -"
                " correct the name.",
            )
        step = (base_label if file is not None else label, name)
        if step in trail:
            cycle = [service_name for _, service_name in (*trail[trail.index(step) :], step)]
            raise Refusal(
                "compose.extends.cycle",
                f"These services extend each other in a circle: {' -> '.join(cycle)} - nothing could be taken over -"
                " remove one `extends`.",
            )
        if len(trail) >= _MAX_CHAIN:
            raise Refusal(
                "compose.limit.extends",
                f"Services extend each other through more than {_MAX_CHAIN} levels - shorten the chain.",
            )
        base_service = self._extend(reference, base_services, (*trail, step), base_resets, context, base_label)
        if base_service is None:
            return service
        source = self._repeat(base_service)
        apply_resets({"services": {name: source}}, resets)
        merged = extend_service(source, service)
        merged.pop("extends", None)
        services[name] = merged
        return merged

    def _repeat(self, service: dict[str, Any]) -> dict[str, Any]:
        self._spent.repeated_nodes += _count(service)
        if self._spent.repeated_nodes > self.limits.max_alias_nodes:
            raise Refusal(
                "compose.limit.expansion",
                f"What services extend grows to more than {self.limits.max_alias_nodes:,} values - it is refused"
                " because it could exhaust the server - extend smaller services.",
            )
        self._spent.repeated_characters += count_characters(service)
        if self._spent.repeated_characters > self.limits.max_alias_characters:
            raise Refusal(
                "compose.limit.expansion",
                f"What services extend grows to more than {self.limits.max_alias_characters:,} characters - it is"
                " refused because it could exhaust the server - extend smaller services.",
            )
        copy: dict[str, Any] = copy_tree(service)
        return copy

    def _base(self, file: str, context: Context) -> _Base:
        if is_remote(file):
            raise _remote("extends", file)
        key = (context.folder, file)
        if key not in self._bases:
            path = join(context.folder, file)
            raw = self.files.read(path)
            if raw is None:
                raise Refusal(
                    "compose.file.missing",
                    f"The file `{path}` to extend from was not supplied - the server reads nothing from its own disk -"
                    " upload it together with the Compose file.",
                )
            documents, locator, has_variables = self.read(raw, path)
            base_context = replace(context, is_base=True, is_main=False)
            model, resets = self.compose(documents, locator, base_context, has_variables=has_variables)
            services = model.get("services")
            if services.__class__ is not dict:
                raise Refusal(
                    "compose.extends.service", f"The file `{path}` has no services - none of it can be extended."
                )
            PathResolver(posixpath.dirname(file) or ".", context.interpolator.environment).resolve(model)
            self._bases[key] = _Base(services, resets)
        return self._bases[key]

    # --- include ---

    def _include_all(self, root: dict[str, Any], locator: SourceLocator, context: Context) -> None:
        entries = root.pop("include", None)
        if entries is None:
            return
        if entries.__class__ is not list:
            self.report.error(
                "compose.schema.type",
                "`include` must be a list of files - nothing else is understood here - write `- path` below it.",
                ("include",),
                locator=locator,
            )
            return
        for index, entry in enumerate(entries):
            try:
                model = self._include(entry, context)
                for section in _SECTIONS:
                    _import(model.get(section), root, section)
            except Refusal as refusal:
                self.report.refused(refusal.below("include", index), locator)

    def _include(self, entry: Any, context: Context) -> dict[str, Any]:
        paths, folder, env_files = _include_entry(entry)
        for path in paths:
            if is_remote(path):
                raise _remote("include", path)
        relative = folder or posixpath.dirname(paths[0]) or "."
        inside = join(context.folder, relative)
        main = join(context.folder, paths[0])
        if main in (*context.included, context.label):
            raise Refusal(
                "compose.include.cycle",
                f"These files include each other in a circle: {' -> '.join([*context.included, context.label, main])} -"
                " it would never end - remove one `include`.",
            )
        environment = self._included_environment(env_files, inside, context)
        interpolator = Interpolator(environment, context.interpolator.budget)
        included = Context(inside, main, interpolator, (*context.included, context.label))
        model: dict[str, Any] = {}
        for path in paths:
            full = join(context.folder, path)
            raw = self.files.read(full)
            if raw is None:
                raise Refusal(
                    "compose.file.missing",
                    f"The included file `{full}` was not supplied - the server reads nothing from its own disk - upload"
                    " it together with the Compose file.",
                )
            documents, locator, has_variables = self.read(raw, full)
            part, resets = self.compose(documents, locator, included, has_variables=has_variables)
            apply_resets(model, resets)
            model = merge_models(model, part) if model else part

        def refuse(refusal: Refusal) -> None:
            self.report.refused(refusal, locator)

        drop_repetitions(model, refuse)
        set_defaults(model, refuse)
        PathResolver(relative, environment).resolve(model)
        resolve_contents(model, environment)
        resolve_listed_variables(model, environment)
        return model

    def _included_environment(self, env_files: list[str], inside: str, context: Context) -> Mapping[str, str]:
        environment = context.interpolator.environment
        if not env_files:
            default = posixpath.join(inside, ".env")
            if default not in self.files:
                return environment
            return merged_environment(environment, self.files.read_text(default, "The file"), context.interpolator)
        added: dict[str, str] = dict(environment)
        for env_file in env_files:
            text = self.files.read_text(join(context.folder, env_file), "The environment file")
            added = merged_environment(added, text, context.interpolator)
        return added


# --- helpers -----------------------------------------------------------------------------------------------------


def _in(label: str) -> str:
    return f" in `{label}`" if label else ""


def _remote(what: str, reference: str) -> Refusal:
    return Refusal(
        "compose.file.remote",
        f"`{what}` points to `{reference[:80]}`, another machine - the server fetches nothing for a drawing - download"
        " the file and upload it together with the Compose file.",
    )


def _extends_reference(extends: Any) -> tuple[str, str | None]:
    if extends.__class__ is str:
        return extends, None
    if extends.__class__ is dict and extends.get("service").__class__ is str:
        file = extends.get("file")
        if file is None or file.__class__ is str:
            return extends["service"], file
    raise Refusal(
        "compose.schema.type",
        "`extends` must be the name of a service, or a mapping with `service` and `file` - correct it.",
    )


def _include_entry(entry: Any) -> tuple[list[str], str, list[str]]:
    if entry.__class__ is str:
        return [entry], "", []
    if entry.__class__ is dict:
        paths, folder, env_files = entry.get("path"), entry.get("project_directory") or "", entry.get("env_file")
        paths = [paths] if paths.__class__ is str else paths
        env_files = [env_files] if env_files.__class__ is str else env_files or []
        if (
            paths
            and folder.__class__ is str
            and all(value.__class__ is list for value in (paths, env_files))
            and all(item.__class__ is str for item in (*paths, *env_files))
        ):
            return paths, folder, env_files
    raise Refusal(
        "compose.schema.type",
        "An element of `include` must be a path, or a mapping with `path`, `project_directory` and `env_file` - correct"
        " it.",
    )


def _import(resources: Any, root: dict[str, Any], section: str) -> None:
    if resources.__class__ is not dict:
        return
    target = root.setdefault(section, {})
    if target.__class__ is not dict:
        return  # the schema says why
    for name, resource in resources.items():
        if name in target and target[name] != resource:
            raise Refusal(
                "compose.include.conflict",
                f"`{section}.{name}` is defined in the file and, differently, in an included one - only one could count"
                " - rename one of them.",
            )
        target[name] = resource


def apply_resets(model: dict[str, Any], resets: list[Path]) -> None:
    """Take the nodes out of a model that a later document resets."""
    for path in resets:
        node: Any = model
        for part in path[:-1]:
            node = node.get(part) if node.__class__ is dict else None
        if path and node.__class__ is dict:
            node.pop(path[-1], None)


def _count(value: Any) -> int:
    if value.__class__ is dict:
        return 1 + sum(_count(item) for item in value.values())
    if value.__class__ is list:
        return 1 + sum(_count(item) for item in value)
    return 1


def _settle_timestamps(value: Any, path: Path, refuse: Any) -> None:
    """Refuse dates, which Compose knows nowhere but in extensions, and turn all of them into text."""
    items = value.items() if value.__class__ is dict else enumerate(value)
    for key, item in items:
        if item.__class__ is Timestamp:
            value[key] = str(item)
            here = (*path, key)
            if not _in_extension(here):
                refuse(
                    Refusal(
                        "compose.schema.date",
                        f"YAML reads `{item[:10]}` as a date - Compose knows no dates - put the value in quotes.",
                        here,
                    )
                )
        elif item.__class__ is dict or item.__class__ is list:
            _settle_timestamps(item, (*path, key), refuse)


def _in_extension(path: Path) -> bool:
    return any(isinstance(part, str) and part.startswith("x-") for part in path)
