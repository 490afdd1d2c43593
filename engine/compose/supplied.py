"""Hold the files that the caller supplied; the loader knows no others."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from engine.compose.model import Limits
from engine.compose.report import Refusal
from engine.compose.shortforms import clean_path


class SuppliedFiles:
    """Find supplied files by the relative path that a Compose file uses."""

    def __init__(self, files: Mapping[str, str | bytes] | None, limits: Limits) -> None:
        self.contents: dict[str, bytes] = {}
        total = 0
        for path, content in (files or {}).items():
            data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
            total += len(data)
            if total > limits.max_total_bytes:
                raise Refusal(
                    "compose.limit.files",
                    f"The supplied files have more than {limits.max_total_bytes:,} bytes together - they are kept in"
                    " memory - supply fewer or smaller ones.",
                )
            self.contents[clean_path(posixpath.normpath(path.replace("\\", "/")))] = data
        self._limits = limits

    def __contains__(self, path: str) -> bool:
        return path == "/dev/null" or clean_path(path) in self.contents

    def read(self, path: str) -> bytes | None:
        """Give the content of a file, or None when it was not supplied."""
        return b"" if path == "/dev/null" else self.contents.get(clean_path(path))

    def read_text(self, path: str, what: str) -> str:
        """Give the content of a small text file; raises `Refusal` when it is missing, too large or no text."""
        data = self.read(path)
        if data is None:
            raise Refusal(
                "compose.file.missing",
                f"{what} `{path}` was not supplied - the server reads nothing from its own disk - upload it together"
                " with the Compose file.",
            )
        if len(data) > self._limits.max_bytes:
            raise Refusal(
                "compose.limit.bytes",
                f"{what} `{path}` has more than {self._limits.max_bytes:,} bytes - it is refused - make it smaller.",
            )
        if b"\0" in data:
            raise Refusal(
                "compose.text.nul", f"{what} `{path}` holds the character NUL - it is no text - save it as UTF-8 text."
            )
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Refusal(
                "compose.yaml.encoding", f"{what} `{path}` is not valid UTF-8 - save it as UTF-8 text."
            ) from None
