"""Join the change fragments into the changelog at a release."""

from __future__ import annotations

import datetime
from pathlib import Path

from launcher.places import CLONE
from launcher.terminal import complain, say

KINDS = {"added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed", "security": "Security"}
HEAD = "# Changes\n\nWhat is not released yet stands in `changes/`, one fragment a change.\n"


def release(version: str, folder: Path = CLONE / "changes", changelog: Path = CLONE / "CHANGELOG.md") -> int:
    """Move every fragment below a heading for the version, by kind; returns the exit code.

    A fragment of an unknown kind stops everything before anything is written.
    """
    fragments = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    unknown = [path.name for path in fragments if _kind(path) not in KINDS]
    if unknown:
        complain(
            f"{', '.join(unknown)} is of no known kind - name it <short-name>.<kind>.md, one of {', '.join(KINDS)}."
        )
        return 1
    if not fragments:
        complain(f"There is no fragment in {folder} - nothing has changed that anybody can notice.")
        return 1
    lines = [f"## {version} ({datetime.date.today().isoformat()})", ""]
    for kind, title in KINDS.items():
        texts = [" ".join(path.read_text(encoding="utf-8").split()) for path in fragments if _kind(path) == kind]
        if texts:
            lines += [f"### {title}", "", *(f"- {text}" for text in texts), ""]
    before = changelog.read_text(encoding="utf-8").removeprefix(HEAD).strip("\n") if changelog.exists() else ""
    changelog.write_text(HEAD + "\n" + "\n".join(lines) + (f"\n{before}\n" if before else ""), encoding="utf-8")
    for path in fragments:
        path.unlink()
    say(f"{len(fragments)} fragments are in {changelog.name} now.")
    return 0


def _kind(path: Path) -> str:
    return path.name.removesuffix(".md").rpartition(".")[2]
