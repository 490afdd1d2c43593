"""Where a mistake can be mended without knowing what the author meant, the finding says how - and that mends it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.utils import translation

from apps.blueprints import checking

MISTAKES = {
    "a key that is misspelt": ("services: {web: {image: nginx, portz: ['80:80']}}", "Rename “portz” to “ports”"),
    "an obsolete version": ("version: '3'\nservices: {web: {image: nginx}}", "Remove “version”"),
    "a volume that is not defined": (
        "services: {web: {image: nginx, volumes: ['data:/data']}}",
        "Define the volume “data”",
    ),
    "a volume that is not defined beside others": (
        "services: {web: {image: nginx, volumes: ['data:/data']}}\nvolumes: {other: }",
        "Define the volume “data”",
    ),
    "a network that is not defined": ("services: {web: {image: nginx, networks: [back]}}", "Define the network “back”"),
    "a secret that is not defined": (
        "services: {web: {image: nginx, secrets: [key]}}",
        "Define the secret “key” from a file",
    ),
    "a config that is not defined": (
        "services: {web: {image: nginx, configs: [key]}}",
        "Define the config “key” from a file",
    ),
    "a secret of a build that is not defined": (
        "services: {web: {build: {context: ., secrets: [key]}}}",
        "Define the secret “key” from a file",
    ),
    "a machine that is not drawn": (
        "services: {web: {image: nginx, x-escale: {machine: front}}}",
        "Draw the machine “front”",
    ),
    "a machine that is misspelt": (
        "services: {web: {image: nginx, x-escale: {machine: frnot}}}\nx-escale: {machines: {front: {cpus: 1}}}",
        "Use “front”",
    ),
    "a region that is not drawn": (
        "services: {web: {image: nginx, x-escale: {region: paris}}}",
        "Draw the region “paris”",
    ),
    "a region of a machine that is not drawn": (
        "services: {web: {image: nginx}}\nx-escale: {machines: {front: {region: paris}}}",
        "Draw the region “paris”",
    ),
    "a key of ours that is misspelt": (
        "services: {web: {image: nginx, x-escale: {isolatoin: machine}}}",
        "Rename “isolatoin” to “isolation”",
    ),
}


def made(text: str, edits: list[dict[str, Any]]) -> str:
    """Make the edits in plain data, as the designer makes them in the text."""
    root = yaml.safe_load(text)
    for edit in edits:
        node, (*way, last) = root, edit["path"]
        for part in way:
            if isinstance(node, dict) and node.get(part) is None:
                node[part] = {}
            node = node[part]
        if edit["op"] == "set":
            node[last] = edit["value"]
        else:
            value = node.pop(last)
            if edit["op"] == "rename":
                node[edit["value"]] = value
    return yaml.safe_dump(root)


@pytest.mark.parametrize(("text", "title"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_fix_mends_what_its_finding_says(text: str, title: str) -> None:
    with translation.override("en"):
        findings = checking.look_through(text)
        (finding,) = findings
        assert finding["fix"][0]["title"] == title
        for fix in finding["fix"]:
            assert checking.look_through(made(text, fix["edits"])) == []


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: nginx, qqqqqq: 1}}",
        "services: {web: {}}",
        "services: {web: {image: nginx, depends_on: [db]}}",
        "services: [",
        "services: {web: {image: nginx, networks: {'a b': }}}",
    ],
)
def test_where_nobody_can_know_what_was_meant_there_is_no_fix(text: str) -> None:
    findings = checking.look_through(text)
    assert findings
    assert all("fix" not in finding for finding in findings if finding["code"] != "compose.reference.network")


def test_a_machine_whose_name_could_not_stand_is_not_offered() -> None:
    (finding,) = checking.look_through("services: {web: {image: nginx, x-escale: {machine: 'Front End'}}}")
    assert (finding["code"], finding.get("fix")) == ("realise.machine_unknown", None)


def test_markup_in_names_comes_through_as_text() -> None:
    text = 'services: {web: {image: nginx, secrets: ["<script>alert(1)</script>"]}}'
    (finding,) = checking.look_through(text)
    assert finding["fix"][0]["edits"][0]["path"] == ("secrets", "<script>alert(1)</script>")


def test_titles_are_in_the_callers_language() -> None:
    with translation.override("fr"):
        (finding,) = checking.look_through("version: '3'\nservices: {web: {image: nginx}}")
    assert finding["fix"][0]["title"] == "Retirer «\N{NO-BREAK SPACE}version\N{NO-BREAK SPACE}»"
