"""Where we differ from the reference on purpose: one table, and a proof for each row that the difference is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine.compose import DEFAULT_LIMITS, ComposeError, Limits, load, to_json
from tests.engine.compose.reference import Answer, ask_reference, fresh_folder

BOMB = "x-a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"x-{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcd", "bcde", strict=True)
)


@dataclass(frozen=True)
class Difference:
    """Describe one difference: what is loaded, who accepts it, and why we do not follow.

    `ours` is the code with which we refuse, or a part of what we print. `reference` is a part of what the reference
    prints or of its complaint.
    """

    name: str
    why: str
    text: str
    ours: str
    reference: str
    we_accept: bool = False
    reference_accepts: bool = True
    disk: Mapping[str, str] = field(default_factory=dict)  # files beside the Compose file that we are not given
    process: Mapping[str, str] = field(default_factory=dict)  # variables of the process that we are not given
    name_given: bool = True
    limits: Limits = DEFAULT_LIMITS


WEB = "services: {web: {image: x}}\n"

DIFFERENCES = [
    # --- untrusted files cost a bounded amount ---
    Difference(
        name="alias bombs",
        why="A few hundred bytes of nested aliases would grow to gigabytes; the reference has no bound.",
        text=BOMB + WEB,
        limits=replace(DEFAULT_LIMITS, max_alias_nodes=10_000),
        ours="compose.limit.expansion",
        reference='"name": "project"',
    ),
    Difference(
        name="extends bombs",
        why="Each `extends` copies what it extends; a large base that many services extend grows without bound.",
        text="services:\n  base: {image: x, labels: [a, b, c, d]}\n"
        + "".join(f"  s{n}: {{extends: base}}\n" for n in range(20)),
        limits=replace(DEFAULT_LIMITS, max_alias_nodes=100),
        ours="compose.limit.expansion",
        reference='"s19"',
    ),
    Difference(
        name="large files",
        why="A drawing that a person made is small; a megabyte of YAML is refused before it is read.",
        text=WEB + "# " + "padding " * 140_000,
        ours="compose.limit.bytes",
        reference='"web"',
    ),
    Difference(
        name="many values",
        why="The number of values bounds time and memory, whatever their size.",
        text="x-a: [" + "1, " * 1000 + "]\n" + WEB,
        limits=replace(DEFAULT_LIMITS, max_nodes=500),
        ours="compose.limit.nodes",
        reference='"web"',
    ),
    Difference(
        name="many documents",
        why="Each document is merged over all before it and checked with them: the cost is their square.",
        text=WEB + "---\nx-a: 1\n" * 20,
        ours="compose.limit.documents",
        reference='"x-a": 1',
    ),
    Difference(
        name="many aliases",
        why="Each alias costs a copy.",
        text="x-a: &a 1\nx-b: [" + "*a, " * 50 + "]\n" + WEB,
        limits=replace(DEFAULT_LIMITS, max_aliases=10),
        ours="compose.limit.aliases",
        reference='"web"',
    ),
    Difference(
        name="deep nesting",
        why="What walks the file later may recurse; nobody writes a hundred levels.",
        text="x-a: " + "[" * 120 + "]" * 120 + "\n" + WEB,
        ours="compose.limit.depth",
        reference='"web"',
    ),
    Difference(
        name="many ports",
        why="`1-65535` is nine bytes and sixty-five thousand entries; one such range passes, many do not.",
        text='services: {web: {image: x, ports: ["1000-1100"]}}\n',
        limits=replace(DEFAULT_LIMITS, max_ports=100),
        ours="compose.limit.ports",
        reference='"target": 1100',
    ),
    Difference(
        name="long chains of extends",
        why="Each level recurses; fifty are more than anybody can follow.",
        text="services:\n  s0: {image: x}\n"
        + "".join(f"  s{n}: {{extends: s{n - 1}, labels: [l{n}]}}\n" for n in range(60, 0, -1)),
        ours="compose.limit.extends",
        reference='"s60"',
    ),
    Difference(
        name="deeply nested defaults of variables",
        why="Each level recurses; forty are more than anybody can read.",
        text="x-a: " + "${A:-" * 60 + "end" + "}" * 60 + "\n" + WEB,
        ours="compose.limit.interpolation",
        reference='"x-a": "end"',
    ),
    Difference(
        name="variables that grow the file",
        why="A variable that is used often multiplies its length.",
        text="x-a: $PWD$PWD$PWD\nx-b: " + "${NOPE:-aaaaaaaaaa}" * 20 + "\n" + WEB,
        limits=replace(DEFAULT_LIMITS, max_interpolated_bytes=100),
        ours="compose.limit.interpolation",
        reference='"x-b": "aaaaaaaaaa',
    ),
    # --- the server's disk and environment are nobody's business ---
    Difference(
        name="environment files on the disk",
        why="The server's disk holds other people's files; only what was supplied is read.",
        text="services: {web: {image: x, env_file: secret.env}}\n",
        disk={"secret.env": "PASSWORD=hunter2\n"},
        ours="compose.file.missing",
        reference="hunter2",
    ),
    Difference(
        name="label files on the disk",
        why="As above.",
        text="services: {web: {image: x, label_file: web.labels}}\n",
        disk={"web.labels": "label=seen\n"},
        ours="compose.file.missing",
        reference='"label": "seen"',
    ),
    Difference(
        name="extended files on the disk",
        why="As above.",
        text="services: {web: {extends: {file: base.yaml, service: web}}}\n",
        disk={"base.yaml": WEB},
        ours="compose.file.missing",
        reference='"web"',
    ),
    Difference(
        name="included files on the disk",
        why="As above.",
        text="include: [more.yaml]\n" + WEB,
        disk={"more.yaml": "services: {more: {image: x}}\n"},
        ours="compose.file.missing",
        reference='"more"',
    ),
    Difference(
        name=".env on the disk",
        why="As above; a supplied `.env` counts.",
        text='services: {web: {image: "x:$TAG"}}\n',
        disk={".env": "TAG=seen\n"},
        we_accept=True,
        ours='"image": "x:"',
        reference='"image": "x:seen"',
    ),
    Difference(
        name="variables of the process",
        why="The server's environment holds its own secrets; only what was supplied is seen.",
        text='services: {web: {image: "x:$TAG"}}\n',
        process={"TAG": "seen"},
        we_accept=True,
        ours='"image": "x:"',
        reference='"image": "x:seen"',
    ),
    Difference(
        name="the folder's name",
        why="There is no folder; the caller gives the name, or the file does.",
        text=WEB,
        name_given=False,
        ours="compose.name.missing",
        reference='"name": "project"',
    ),
    Difference(
        name="texts with the character NUL",
        why="Nothing downstream can hold one: no argument of a program, no file name, no database.",
        text='services: {web: {image: x, labels: {a: "b\\0c"}}}\n',
        ours="compose.text.nul",
        reference='"a": "b\\u0000c"',
    ),
    # --- what the reference gets wrong ---
    Difference(
        name="labels whose name starts with x-",
        why="The reference takes entries of labels, variables and options for extensions and replaces them with a"
        " `#extensions` entry; to us a label is a label.",
        text="services: {web: {image: x, labels: {x-team: a, other: b}}}\n",
        we_accept=True,
        ours='"x-team": "a"',
        reference='"#extensions": "map[x-team:a]"',
    ),
    Difference(
        name="networks whose name starts with x-",
        why="For the same reason the reference cannot connect a service to such a network.",
        text="services: {web: {image: x, networks: {x-net: }}}\nnetworks: {x-net: }\n",
        we_accept=True,
        ours='"x-net": null',
        reference="undefined network #extensions",
        reference_accepts=False,
    ),
    Difference(
        name="SSH keys with a path",
        why="The reference writes them as invalid JSON and fails; we print the short form.",
        text='services: {web: {build: {context: ., ssh: ["default=/key"]}}}\n',
        we_accept=True,
        ours='"default=/key"',
        reference="SSHKey",
        reference_accepts=False,
    ),
    Difference(
        name="pid without a value",
        why="The schema allows it, the reference crashes on it.",
        text="services: {web: {image: x, pid: }}\n",
        we_accept=True,
        ours='"image": "x"',
        reference="panic",
        reference_accepts=False,
    ),
    Difference(
        name="the directive of YAML 1.2",
        why="Compose files are YAML 1.2, so a file may say so.",
        text="%YAML 1.2\n---\n" + WEB,
        we_accept=True,
        ours='"web"',
        reference="incompatible YAML document",
        reference_accepts=False,
    ),
    Difference(
        name="escaped slashes",
        why="YAML 1.2 allows them, and JSON, which is YAML, is often written with them.",
        text='services: {web: {image: "a\\/b"}}\n',
        we_accept=True,
        ours='"image": "a/b"',
        reference="unknown escape character",
        reference_accepts=False,
    ),
    Difference(
        name="one alias below keys that share a beginning",
        why="The reference takes `com` and `com.example` for a node and its child, and sees a cycle.",
        text="x-a: &a seen\nservices: {web: {image: x, labels: {com: *a, com.example: *a}}}\n",
        we_accept=True,
        ours='"com.example": "seen"',
        reference="cycle detected",
        reference_accepts=False,
    ),
    Difference(
        name="home folders in files that are included or extended",
        why="The server has no home for the author; `~` stays unless HOME is supplied.",
        text="include: [more.yaml]\nservices: {web: {image: x}}\n",
        we_accept=True,
        ours='"source": "~/data"',
        reference='"source": "/home/alice/data"',
        disk={"more.yaml": 'services: {more: {image: x, volumes: ["~/data:/data"]}}\n'},
    ),
]


def our_answer(row: Difference, folder: Path) -> Answer:
    # The last row is the only one whose files we are given: the difference is elsewhere.
    files: dict[str, Any] = dict(row.disk) if row.name.startswith("home folders") else {}
    try:
        project = load(row.text, name=folder.name if row.name_given else None, files=files, limits=row.limits)
    except ComposeError as refused:
        return Answer("", " ".join(finding.code for finding in refused.findings if finding.severity == "error"))
    return Answer(to_json(project), "")


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_a_deliberate_difference_is_real(row: Difference, tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path)
    (folder / "compose.yaml").write_text(row.text)
    for path, content in row.disk.items():
        (folder / path).write_text(content)
    reference = ask_reference(folder, environment=row.process)
    ours = our_answer(row, folder)

    assert reference.accepted == row.reference_accepts, reference.error
    assert row.reference in (reference.output if row.reference_accepts else reference.error)
    assert ours.accepted == row.we_accept, ours.error
    if row.we_accept:
        assert row.ours in ours.output
    else:
        assert row.ours == ours.error
    assert row.why
    assert ours != reference


def test_a_reset_in_a_chain_of_extends_counts_whatever_the_order(tmp_path: Path) -> None:
    """The reference forgets it when it happens to look at the extending service first: Go's maps have no order."""
    text = 'services:\n  a: {extends: b}\n  b: {extends: c, ports: !reset []}\n  c: {image: x, ports: ["80:80"]}\n'
    folder = fresh_folder(tmp_path)
    (folder / "compose.yaml").write_text(text)
    ours = load(text, name="project").services()
    assert "ports" not in ours["a"]
    assert "ports" not in ours["b"]
    answers = set()
    for _ in range(40):
        answers.add("ports" in ask_reference(folder).config["services"]["a"])
        if len(answers) == 2:
            return
    pytest.fail("the reference gave the same answer every time: this is no difference any more")
