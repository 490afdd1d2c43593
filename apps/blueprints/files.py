"""The files that come beside a Compose file: paths checked, contents sealed at rest."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping

from apps.blueprints.models import BlueprintVersion, SuppliedFile
from apps.tenancy import encryption
from apps.tenancy.faults import fault

MAX_FILES = 200
MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 4 * 1024 * 1024
MAX_PATH_LENGTH = 400


def normalise_path(path: str) -> str:
    """Return a supplied path in its one relative form; Fault ``blueprint.file_path`` when it leaves its folder."""
    cleaned = posixpath.normpath(path.replace("\\", "/").strip()) if path else ""
    outside = cleaned.startswith(("/", "../")) or cleaned in ("", ".", "..") or ":" in cleaned.split("/")[0]
    if outside or len(cleaned) > MAX_PATH_LENGTH or any(_unfit(character) for character in cleaned):
        raise fault("blueprint.file_path", path=path[:100].encode(errors="replace").decode())
    return cleaned


def _unfit(character: str) -> bool:
    return ord(character) < 32 or "\ud800" <= character <= "\udfff"  # half of a pair is no character


def check_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files under normalised paths; Fault ``blueprint.files_too_large`` beyond the limits."""
    checked = {normalise_path(path): content for path, content in files.items()}
    total = sum(len(content) for content in checked.values())
    if (
        len(checked) > MAX_FILES
        or total > MAX_TOTAL_BYTES
        or any(len(content) > MAX_FILE_BYTES for content in checked.values())
    ):
        raise fault(
            "blueprint.files_too_large",
            count=len(checked),
            size=total,
            max_files=MAX_FILES,
            max_file=MAX_FILE_BYTES,
            max_total=MAX_TOTAL_BYTES,
        )
    return checked


def store(version: BlueprintVersion, files: Mapping[str, bytes]) -> None:
    """Seal and store files with a version."""
    organization = version.blueprint.project.organization
    SuppliedFile.objects.bulk_create(
        SuppliedFile(
            version=version,
            path=path,
            sealed=encryption.seal(organization, _purpose(version, path), content),
            size_bytes=len(content),
        )
        for path, content in sorted(files.items())
    )


def read(version: BlueprintVersion) -> dict[str, bytes]:
    """Return the opened contents of a version's files by path."""
    organization = version.blueprint.project.organization
    return {
        file.path: encryption.open_sealed(organization, _purpose(version, file.path), bytes(file.sealed))
        for file in version.files.order_by("path")
    }


def seal_environment(version: BlueprintVersion, environment: Mapping[str, str]) -> None:
    """Seal the values for interpolation into a version that is about to be saved."""
    if environment:
        organization = version.blueprint.project.organization
        text = json.dumps(dict(environment))
        version.environment_sealed = encryption.seal(organization, environment_purpose(version), text.encode())


def environment_of(version: BlueprintVersion) -> dict[str, str]:
    """Return the opened values for interpolation of a version."""
    if not version.environment_sealed:
        return {}
    organization = version.blueprint.project.organization
    opened = encryption.open_sealed(organization, environment_purpose(version), bytes(version.environment_sealed))
    values: dict[str, str] = json.loads(opened)
    return values


def environment_purpose(version: BlueprintVersion) -> str:
    """Return what a version's values are sealed for: exactly this version."""
    return f"blueprint-environment:{version.id}"


def purpose_of(file: SuppliedFile) -> str:
    """Return what a file is sealed for: its version and its path."""
    return _purpose(file.version, file.path)


def _purpose(version: BlueprintVersion, path: str) -> str:
    return f"blueprint-file:{version.id}:{path}"
