"""Names and markers: they lead back to what they stand for, whatever people write in between."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ConnectorError
from connectors.vsphere import markers
from connectors.vsphere.markers import Intent
from connectors.vsphere.notes import Note
from connectors.vsphere.soap import Node, Ref
from engine.plan import Action
from tests.connectors.bench import owner

NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=40)


def options(values: dict[str, str]) -> list[Node]:
    nodes = []
    for key, value in values.items():
        node = Node("OptionValue", "OptionValue", "")
        for name, text in (("key", key), ("value", value)):
            child = Node(name, "", "")
            child.text = text
            node.children.append(child)
        nodes.append(node)
    return nodes


def action(resource: str) -> Action:
    return Action("k", "machine.create", resource, "create", "", "", owner())


@given(NAMES)
def test_a_volume_is_known_by_its_file(name: str) -> None:
    file = markers.volume_file(f"volume:{name}")
    assert file.isascii()
    assert not set(file) & set('/\\[]: "')
    assert markers.volume_key(file) == f"volume:{name}"


@given(NAMES, NAMES)
def test_different_volumes_have_different_files(one: str, other: str) -> None:
    same = markers.volume_file(f"volume:{one}") == markers.volume_file(f"volume:{other}")
    assert same == (one == other)


@given(NAMES)
def test_a_network_is_known_by_its_description(name: str) -> None:
    made = action(f"network:{name}")
    text = markers.describe_network(made, "step", "digest")
    assert markers.read_network(text)["resource"] == f"network:{name}"
    assert markers.read_network(text)["deployment"] == made.owner.deployment_id


@pytest.mark.parametrize("text", ["", "escale {", "escale []", "ours\nescale 5", 'a\nescale {"x": 1} and more'])
def test_other_descriptions_say_nothing(text: str) -> None:
    assert "deployment" not in markers.read_network(text)


def test_a_machine_is_known_by_its_extra_configuration() -> None:
    made = action("machine:host-1")
    intent = Intent("step", 2, 1024, "digest", (("volume:a", "[x] y/a.vmdk", 3),), (2000,), ("net-1",), "needed")
    values = {**markers.marks(made, "step"), "escale.intent": intent.dump(), "escale.hash": "digest", "other": "x"}
    read = markers.read(options(values))
    assert read.belong_to(made.owner, "machine:host-1")
    assert not read.belong_to(owner(), "machine:host-1")
    assert read.intent == intent
    assert (read.step, read.hash) == ("step", "digest")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "5", '{"disks": 5}', '{"step": 1'])
def test_a_broken_intent_is_none(text: str) -> None:
    assert Intent.load(text) is None


def test_identities_follow_from_step_and_resource() -> None:
    one = owner()
    assert markers.instance_uuid("a") == markers.instance_uuid("a") != markers.instance_uuid("b")
    assert markers.bios_uuid(one, "machine:a") == markers.bios_uuid(one, "machine:a")
    assert (
        len(
            {
                markers.bios_uuid(one, "machine:a"),
                markers.bios_uuid(one, "machine:b"),
                markers.bios_uuid(owner(), "machine:a"),
            }
        )
        == 3
    )


def test_short_documents_are_encoded_and_long_ones_compressed() -> None:
    short = markers.guestinfo("userdata", "#cloud-config\n{}")
    assert short["guestinfo.userdata.encoding"] == "base64"
    assert base64.b64decode(short["guestinfo.userdata"]) == b"#cloud-config\n{}"
    long = markers.guestinfo("userdata", "x" * 40_000)
    assert long["guestinfo.userdata.encoding"] == "gzip+base64"
    assert gzip.decompress(base64.b64decode(long["guestinfo.userdata"])) == b"x" * 40_000
    for given_, content in ((short, "#cloud-config\n{}"), (long, "x" * 40_000)):
        assert markers.told(markers.read(options(given_)), "userdata") == content


def test_documents_that_no_guest_could_read_are_refused() -> None:
    import random

    noise = random.Random(1).randbytes(80_000).hex()
    with pytest.raises(ConnectorError) as caught:
        markers.guestinfo("userdata", noise)
    assert (caught.value.code, caught.value.permanent) == ("cloud.invalid", True)


@pytest.mark.parametrize(
    "values",
    [{"guestinfo.userdata": "%%%"}, {}, {"guestinfo.userdata": "AAAA", "guestinfo.userdata.encoding": "gzip+base64"}],
)
def test_documents_that_cannot_be_read_are_empty(values: dict[str, str]) -> None:
    assert markers.told(markers.read(options(values)), "userdata") == ""


def test_handles_survive_the_process_and_stay_small() -> None:
    data: dict[str, Any] = {"detached": [f"volume:{'v' * 40}-{number}" for number in range(15)]}
    note = Note("machine.detach", "detach", "k" * 120, "machine:host-1", owner("n" * 60), Ref("Task", "task-1"),
                Ref("VirtualMachine", "vm-2"), data, 2)  # fmt: skip
    text = note.dump()
    assert len(text) < 2048
    assert Note.load(text) == note


def test_annotations_are_for_people() -> None:
    text = markers.annotation("web-1", owner("shop"))
    assert "shop" in text
    assert "acme" in text
    assert "{" not in text
