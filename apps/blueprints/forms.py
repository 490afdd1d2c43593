"""Read a drawing from a form: pasted or uploaded text, files beside it, values for its variables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.blueprints import files as supplied
from apps.blueprints.models import BlueprintVersion
from apps.tenancy.catalogue import declare
from apps.tenancy.faults import fault
from engine import compose

MAX_TEXT_BYTES = compose.DEFAULT_LIMITS.max_bytes

declare(
    "compose.upload_too_large",
    413,
    _("The Compose file is too large"),
    _("At most {limit_kib} KiB are read."),
    _("Split the file, or move long texts into files beside it."),
)
declare(
    "blueprint.environment_line",
    422,
    _("The values for variables cannot be read"),
    _("Line {number} is not of the form NAME=value: “{line}”."),
    _("Correct the line, or leave it out."),
)
declare(
    "compose.upload_not_text",
    422,
    _("The Compose file is not text"),
    _("The byte at position {position} is not UTF-8."),
    _("Save the file as UTF-8 and upload it again."),
)


class DrawingForm(forms.Form):
    """What stands around the text of a drawing; the text itself has an editor of its own."""

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Letters, digits, dots, hyphens and underscores. Deployments take it over unless told otherwise."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "input"}),
        help_text=_("What it is for, for those who find it in the list."),
    )


class VersionForm(forms.Form):
    """What is said about a new version."""

    message = forms.CharField(
        label=_("What has changed"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"class": "input"}),
        help_text=_("One line for the list of versions."),
    )


@dataclass
class Drawing:
    """Hold what a form says of a drawing: Compose text, files by path, values by name."""

    text: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    environment_text: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def read_drawing(request: HttpRequest, previous: BlueprintVersion | None = None) -> Drawing:
    """Return the drawing that a form holds; faults for paths, sizes and values that cannot be used.

    An uploaded Compose file takes the place of the text. Browsers send line ends as CR LF: they become LF again.
    Of the previous version's files those stay whose path is named by `keep`.
    """
    drawing = Drawing(text=request.POST.get("compose", "").replace("\r\n", "\n"))
    uploaded = request.FILES.get("compose_file")
    if uploaded is not None:
        drawing.text = _decode(uploaded.read(MAX_TEXT_BYTES + 1))
    drawing.kept = request.POST.getlist("keep")
    if previous is not None and drawing.kept:
        drawing.files = {path: content for path, content in supplied.read(previous).items() if path in drawing.kept}
    drawing.files |= _uploads(request)
    drawing.environment_text = request.POST.get("environment", "").replace("\r\n", "\n")
    drawing.environment = read_environment(drawing.environment_text)
    return drawing


def _decode(content: bytes) -> str:
    if len(content) > MAX_TEXT_BYTES:
        raise fault("compose.upload_too_large", limit_kib=MAX_TEXT_BYTES // 1024)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise fault("compose.upload_not_text", position=error.start) from None


def _uploads(request: HttpRequest) -> dict[str, bytes]:
    uploads = request.FILES.getlist("files")
    paths = request.POST.getlist("file_path")
    if len(paths) != len(uploads):  # without a script only the names are known
        paths = [upload.name or "" for upload in uploads]
    total = sum(upload.size or 0 for upload in uploads)
    if len(uploads) > supplied.MAX_FILES or total > supplied.MAX_TOTAL_BYTES:
        supplied.check_files({str(number): b"" for number in range(supplied.MAX_FILES + 1)})
    return supplied.check_files({path: upload.read() for path, upload in zip(paths, uploads, strict=True)})


def read_environment(text: str) -> dict[str, str]:
    """Return the values of lines NAME=value: each as it stands, or a JSON string where quotes stand around it."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        name, equals, value = line.partition("=")
        name = name.strip()
        if not line.strip() or name.startswith("#"):
            continue
        if not equals or not name or any(character.isspace() for character in name):
            raise fault("blueprint.environment_line", number=number, line=line[:80])
        values[name] = _unquoted(value)
    return values


def environment_text(environment: Mapping[str, str]) -> str:
    """Return values as lines that `read_environment` reads back."""
    return "\n".join(f"{name}={_quoted(value)}" for name, value in environment.items())


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        with contextlib.suppress(ValueError):
            return str(json.loads(value))
    return value


def _quoted(value: str) -> str:
    unclear = value.startswith('"') or "\n" in value or "\r" in value
    return json.dumps(value) if unclear else value
