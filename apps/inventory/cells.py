"""Say which columns each kind of the inventory shows, and turn rows into cells for the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

Row = Mapping[str, Any]

KIND_TITLES: Mapping[str, Promise] = {
    "machine": gettext_lazy("Machines"),
    "host": gettext_lazy("Hosts"),
    "cluster": gettext_lazy("Clusters"),
    "pool": gettext_lazy("Resource pools"),
    "datastore": gettext_lazy("Datastores"),
    "network": gettext_lazy("Networks"),
    "template": gettext_lazy("Templates"),
    "tag": gettext_lazy("Tags"),
    "volume": gettext_lazy("Volumes"),
    "vpc": gettext_lazy("VPCs"),
    "firewall": gettext_lazy("Security groups"),
    "balancer": gettext_lazy("Load balancers"),
}
"""Every kind that has a tab, in the order of the tabs."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key, its title, how its cells are drawn, whether a list can be sorted by it.

    ``look``: text, right (numbers), main, cloud, power, flag, names, time, bar.
    """

    key: str
    title: Promise
    look: str = "text"
    sort: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is shown, and for bars how much of what is used."""

    column: Column
    value: Any = ""
    sub: str = ""
    used: float = 0.0
    total: float = 0.0


MACHINE_COLUMNS: Mapping[str, Column] = {
    column.key: column
    for column in (
        Column("name", gettext_lazy("Name"), "main", sort=True),
        Column("power", gettext_lazy("Power"), "power"),
        Column("cloud", gettext_lazy("Cloud"), "cloud"),
        Column("host", gettext_lazy("Host"), sort=True),
        Column("cluster", gettext_lazy("Cluster"), sort=True),
        Column("pool", gettext_lazy("Resource pool")),
        Column("folder", gettext_lazy("Folder")),
        Column("cpus", gettext_lazy("CPU"), "right", sort=True),
        Column("memory_mib", gettext_lazy("Memory"), "right", sort=True),
        Column("disk_gib", gettext_lazy("Disks"), "right", sort=True),
        Column("addresses", gettext_lazy("Addresses"), "names"),
        Column("networks", gettext_lazy("Networks"), "names"),
        Column("datastores", gettext_lazy("Datastores"), "names"),
        Column("tags", gettext_lazy("Tags"), "names"),
        Column("guest", gettext_lazy("Guest system")),
        Column("type", gettext_lazy("Type")),
        Column("tools", gettext_lazy("Tools")),
        Column("snapshots", gettext_lazy("Snapshots"), "right"),
        Column("managed", gettext_lazy("Managed"), "flag"),
        Column("first_seen_at", gettext_lazy("First seen"), "time"),
        Column("changed_at", gettext_lazy("Changed"), "time", sort=True),
    )
}
USUAL_COLUMNS = ("name", "power", "cloud", "host", "cpus", "memory_mib", "disk_gib", "networks", "managed")

_NAME = Column("name", gettext_lazy("Name"), "main", sort=True)
_CLOUD = Column("cloud", gettext_lazy("Cloud"), "cloud")


def _text(key: str) -> Callable[[Row], Mapping[str, Any]]:
    return lambda facts: {"value": facts.get(key) or ""}


def _count(key: str) -> Callable[[Row], Mapping[str, Any]]:
    return lambda facts: {"value": "" if facts.get(key) is None else _number(facts[key])}


def _flag(key: str) -> Callable[[Row], Mapping[str, Any]]:
    return lambda facts: {"value": bool(facts.get(key))}


def _size(key: str, *, mib: bool = False) -> Callable[[Row], Mapping[str, Any]]:
    return lambda facts: {"value": "" if facts.get(key) is None else size(float(facts[key]) / (1024 if mib else 1))}


def _mhz(key: str) -> Callable[[Row], Mapping[str, Any]]:
    return lambda facts: {"value": "" if facts.get(key) is None else _("%(mhz)s MHz") % {"mhz": _number(facts[key])}}


def _cpu(facts: Row) -> Mapping[str, Any]:
    used, total = float(facts.get("cpu_used_mhz") or 0), float(facts.get("cpu_mhz") or 0)
    if not total:
        return {}
    text = _("%(used)s of %(total)s GHz") % {"used": _number(used / 1000), "total": _number(total / 1000)}
    return {"value": text, "used": used, "total": total}


def _memory(facts: Row) -> Mapping[str, Any]:
    used, total = float(facts.get("memory_used_mib") or 0), float(facts.get("memory_mib") or 0)
    if not total:
        return {}
    text = _("%(used)s of %(total)s GiB") % {"used": _number(used / 1024), "total": _number(total / 1024)}
    return {"value": text, "used": used, "total": total}


def _space(facts: Row) -> Mapping[str, Any]:
    total = float(facts.get("capacity_gib") or 0)
    used = max(0.0, total - float(facts.get("free_gib") or 0))
    if not total:
        return {}
    text = _("%(used)s of %(total)s GiB") % {"used": _number(used), "total": _number(total)}
    return {"value": text, "used": used, "total": total}


_Cells = tuple[tuple[Column, Callable[[Row], Mapping[str, Any]]], ...]

_CPU_USED = (Column("cpu", gettext_lazy("CPU used"), "bar"), _cpu)
_MEMORY_USED = (Column("memory", gettext_lazy("Memory used"), "bar"), _memory)
_CLUSTER = (Column("cluster", gettext_lazy("Cluster")), _text("cluster"))
_ZONE = (Column("zone", gettext_lazy("Zone")), _text("zone"))
_STATE = (Column("state", gettext_lazy("State")), _text("state"))
_TYPE = (Column("type", pgettext_lazy("of a thing", "Type")), _text("type"))
_VPC = (Column("vpc", gettext_lazy("VPC")), _text("vpc"))

THING_CELLS: Mapping[str, _Cells] = {
    "host": (
        _CLUSTER, _STATE, (Column("cpus", gettext_lazy("Cores"), "right"), _count("cpus")), _CPU_USED, _MEMORY_USED,
        (Column("model", gettext_lazy("Model")), _text("model")),
        (Column("version", gettext_lazy("Version")), _text("version")),
    ),
    "cluster": (
        (Column("hosts", gettext_lazy("Hosts"), "right"), _count("hosts")),
        (Column("cpus", gettext_lazy("Cores"), "right"), _count("cpus")), _CPU_USED, _MEMORY_USED,
    ),
    "pool": (
        _CLUSTER,
        (Column("cpu_reserved_mhz", gettext_lazy("CPU reserved"), "right"), _mhz("cpu_reserved_mhz")),
        (Column("cpu_limit_mhz", gettext_lazy("CPU limit"), "right"), _mhz("cpu_limit_mhz")),
        (Column("memory_reserved_mib", gettext_lazy("Memory reserved"), "right"),
         _size("memory_reserved_mib", mib=True)),
        (Column("memory_limit_mib", gettext_lazy("Memory limit"), "right"), _size("memory_limit_mib", mib=True)),
    ),
    "datastore": (
        _TYPE, (Column("space", gettext_lazy("Space used"), "bar"), _space),
        (Column("uncommitted_gib", gettext_lazy("Promised to thin disks"), "right"), _size("uncommitted_gib")),
        (Column("hosts", gettext_lazy("Hosts"), "right"), _count("hosts")),
        (Column("accessible", gettext_lazy("Accessible"), "flag"), _flag("accessible")),
    ),
    "network": (
        _TYPE, (Column("vlan", gettext_lazy("VLAN"), "right"), _text("vlan")),
        (Column("switch", gettext_lazy("Switch")), _text("switch")),
        (Column("segment", gettext_lazy("Segment")), _text("segment")),
        (Column("cidr", gettext_lazy("Address range")), _text("cidr")), _VPC,
    ),
    "template": (
        (Column("container_host", gettext_lazy("Can host containers"), "flag"), _flag("container_host")),
        (Column("cpus", gettext_lazy("CPU"), "right"), _count("cpus")),
        (Column("memory_mib", gettext_lazy("Memory"), "right"), _size("memory_mib", mib=True)),
        (Column("disk_gib", gettext_lazy("Disk"), "right"), _size("disk_gib")),
        (Column("guest", gettext_lazy("Guest system")), _text("guest")),
        (Column("folder", gettext_lazy("Folder")), _text("folder")),
    ),
    "tag": ((Column("category", gettext_lazy("Category")), _text("category")),),
    "volume": (
        (Column("size_gib", gettext_lazy("Size"), "right"), _size("size_gib")), _STATE, _TYPE,
        (Column("attached_to", gettext_lazy("Attached to")), _text("attached_to")), _ZONE,
    ),
    "vpc": ((Column("cidr", gettext_lazy("Address range")), _text("cidr")),),
    "firewall": (_VPC, (Column("rules", gettext_lazy("Rules"), "right"), _count("rules"))),
    "balancer": ((Column("address", gettext_lazy("Address")), _text("address")), _STATE, _TYPE, _VPC),
}  # fmt: skip


def machine_columns(names: Sequence[str]) -> list[Column]:
    """Return the columns of the names, the usual ones when there are none; the machine's name is always the first."""
    chosen = [name for name in names if name in MACHINE_COLUMNS and name != "name"] if names else USUAL_COLUMNS[1:]
    return [MACHINE_COLUMNS[name] for name in ("name", *dict.fromkeys(chosen))]


def machine_cells(row: Row, columns: Sequence[Column]) -> list[Cell]:
    """Return the cells of a machine as `showing.Names.machine` gives it."""
    return [_machine_cell(row, column) for column in columns]


def _machine_cell(row: Row, column: Column) -> Cell:
    value = row.get(column.key)
    match column.key:
        case "name":
            return Cell(column, value, sub=str((row.get("addresses") or [""])[0] or row.get("guest") or ""))
        case "memory_mib":
            return Cell(column, size((value or 0) / 1024))
        case "disk_gib":
            return Cell(column, size(value or 0))
        case "cpus" | "snapshots":
            return Cell(column, _number(value or 0))
        case "cloud":
            return Cell(column, value)
    return Cell(column, value if value is not None else "")


def thing_columns(kind: str) -> list[Column]:
    """Return the columns that things of a kind are shown with."""
    return [_NAME, _CLOUD, *(column for column, _cell in THING_CELLS[kind])]


def thing_cells(row: Row) -> list[Cell]:
    """Return the cells of a thing as `showing.Names.thing` gives it."""
    facts = row["facts"]
    own = [Cell(column, **{"value": "", **cell(facts)}) for column, cell in THING_CELLS[row["kind"]]]
    return [Cell(_NAME, row["name"]), Cell(_CLOUD, row["cloud"]), *own]


def size(gib: float) -> str:
    """Return a size in GiB, or in TiB from a thousand of them."""
    if gib >= 10_240:
        return _("%(size)s TiB") % {"size": _number(gib / 1024)}
    return _("%(size)s GiB") % {"size": _number(gib)}


def _number(value: float) -> str:
    places = 0 if abs(value) >= 10 or value == int(value) else 1
    return number_format(round(value, places), decimal_pos=places, use_l10n=True, force_grouping=True)
