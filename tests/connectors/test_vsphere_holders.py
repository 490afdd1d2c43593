"""Files that a machine needs without having them attached: parents of deltas, and what snapshots keep."""

from __future__ import annotations

from xml.sax.saxutils import escape

from connectors.vsphere import holders
from connectors.vsphere.soap import parse, value

_NAMESPACE = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _backing(name: str, *files: str) -> str:
    parent = _backing("parent", *files[1:]) if files[1:] else ""
    return f"<{name}><fileName>{escape(files[0])}</fileName>{parent}</{name}>"


def _facts(*chain: str, snapshot: bool = False, layout: tuple[str, ...] = ()) -> dict[str, object]:
    disk = f'<VirtualDevice xsi:type="VirtualDisk">{_backing("backing", *chain)}</VirtualDevice>'
    devices = parse(f'<val {_NAMESPACE} xsi:type="ArrayOfVirtualDevice">{disk}</val>'.encode())
    files = "".join(f"<VirtualMachineFileLayoutExFileInfo><name>{name}</name></VirtualMachineFileLayoutExFileInfo>"
                    for name in layout)  # fmt: skip
    laid = parse(f'<val {_NAMESPACE} xsi:type="ArrayOfVirtualMachineFileLayoutExFileInfo">{files}</val>'.encode())
    facts = {"config.hardware.device": value(devices), "layoutEx.file": value(laid)}
    return {**facts, "rootSnapshot": ["snapshot-1"]} if snapshot else facts


def _holds(facts: dict[str, object], path: str) -> bool:
    return bool(holders._hit(holders._files(facts), {holders._canonical(path): path}))


def test_it_knows_the_parents_of_deltas() -> None:
    linked = _facts("[a] clone/clone.vmdk", "[a] base/base-000001.vmdk", "[a] escale-1/data.vmdk")
    assert _holds(linked, "[a] escale-1/data.vmdk")
    assert not _holds(linked, "[a] escale-1/other.vmdk")


def test_it_knows_the_base_of_a_delta_whose_parent_is_not_told() -> None:
    assert _holds(_facts("[a] escale-1/data-000002.vmdk"), "[a] escale-1/data.vmdk")


def test_names_of_files_are_compared_as_datastores_do() -> None:
    assert _holds(_facts("[a]Escale-1/Data.vmdk"), "[a] escale-1/data.vmdk")


def test_it_knows_what_only_a_snapshot_keeps() -> None:
    kept = ("[a] other/other.vmx", "[a] escale-1/data.vmdk")
    assert _holds(_facts("[a] other/other.vmdk", snapshot=True, layout=kept), "[a] escale-1/data.vmdk")


def test_it_does_not_believe_an_old_layout_of_a_machine_without_snapshots() -> None:
    assert not _holds(_facts("[a] other/other.vmdk", layout=("[a] escale-1/data.vmdk",)), "[a] escale-1/data.vmdk")
