"""Write the page on the ledger and on ``x-escale`` from the tables that decide; docs/ledger.md is this text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.realise.extension import SCHEMAS
from engine.realise.verdicts import TABLE

_INTRO = """\
# The ledger: how a drawing fares on container machines

<!-- Generated from engine/realise by tests/engine/test_ledger_document.py; ESCALE_UPDATE_GOLDEN=1 writes it anew. -->

A drawing is a Compose file. On a cloud that boots machines, its services run as containers inside virtual machines,
each with a container engine. Not everything that Compose can say means the same there, so every key of the drawing
gets a line in the *ledger*: **honoured**, **approximated** (works, but not quite like on one computer; the line
says how) or **dropped** (has no effect; the line says what to do instead). Nothing is lost in silence: a key
without a verdict below fails the tests.

## From services to machines

- **Size.** A container is reckoned with what `x-escale`, its reservations, its limits or the defaults say, in this
  order. A machine has the sum of its containers plus 512 MiB, in steps of 512 MiB, within the bounds of the cloud
  and of `x-escale: {machine: ...}`. A service that no machine can hold is an error.
- **Packing.** `isolation: shared` fills machines; `machine` gives each replica a machine of its own. What is placed
  stays where it is when the drawing changes, as long as it fits. Replicas that publish the same fixed port get
  different machines.
- **Together.** Services that share a named volume (a disk is on one machine at a time), `network_mode`, `ipc` or
  `pid: service:...`, `volumes_from`, a hard `affinity`, and, where it fits, `service_completed_successfully`, stand
  on one machine. A finding says why.
- **Apart.** `anti_affinity` keeps containers on different machines (`hard`), or does where there is a choice
  (`soft`). The machines then want different hosts, too.
- **Where.** The cluster with the most free memory that has room for all machines, and the datastore with the most
  free space that its hosts reach. Every candidate that was not chosen is listed with the reason.

## Machines that are drawn

- `x-escale: {machines: ...}` declares machines by name. A service names its machine by `x-escale: {machine: front}`
  and stands on it, and on no other; what is tied to it (see *Together*) follows it there. A service that names none
  is packed as above, and never onto a drawn machine.
- A machine has the size that it declares, or else what its containers need within the bounds. One that is too small
  for its services is an error.
- `count` makes a pool: like machines `workers-1`, `workers-2`, ..., over which replicas are spread as evenly as
  possible. Replicas that need a machine each (a fixed port, a hard `anti_affinity` of the service with itself, its own
  `placement: SPREAD` or `isolation: machine`) must not outnumber the pool. Raising or lowering `count` moves only what
  it must.
- A machine that no service names is a plain virtual machine, cloned from its template: cloud-init sets its host name,
  and nothing is installed. It is ready when its guest tells an address, or when it has run for two minutes without.
  A host whose last service is drawn elsewhere becomes plain by being made anew, since its containers would go on
  running.
- Volumes are attached where their services stand, and move along. Services that share a volume, or are tied
  otherwise, and name different machines are an error.

## Regions

`x-escale: {regions: ...}` divides a drawing into parts for different clouds. A plan for one region makes that region's
services and machines, with the networks, volumes, configs and secrets that they use. What leads to another region is
in the ledger: `depends_on`, `links`, `network_mode: service:...` and the like have no effect across regions; a shared
network or volume is one of its own in each region. Without a region, a drawing whose regions name different clouds is
planned over all of them; where they name none, it is planned whole for the one cloud, with a warning.

## Several clouds

`x-escale: {place: ...}` names the cloud of a service, a drawn machine or the whole drawing. Each cloud's part is made
as above. A service reaches one on another cloud by its name, on published ports alone; what containers share within a
machine, and volumes, are refused over a border. [across.md](across.md) tells all of it.

## Networks and names

A network whose services all stand on one machine is a bridge there. A network that spans machines becomes a port
group of its own (or, where the cloud cannot make one, uses the existing network) with a private subnet, carved from
the cloud's `private_supernet` (10.96.0.0/12) by a hash, or from the network's `ipam` or `x-escale: {subnet}`. Each
machine has a fixed address in it. Containers reach each other there by name: the name leads to the machine, which
publishes the service's **declared** ports (`expose`, the targets of `ports`) on its private address alone. A port
that is only seen in the settings of a caller (`db:5432`) is published too, with a remark. Names of services that
share a machine are the engine's own.

In a network of more than 50 services only those know each other across machines that name each other: by
`depends_on`, `links`, in `environment` or `command`, or by `x-escale: {uses: [...]}`.

`depends_on` across machines orders the start of the machines, and the dependant's machine waits until the declared
port accepts connections, for ten minutes at most. Machines that wait for each other in a round start together.

## Clouds that sell sizes and share no network (AWS)

The same drawing, with these differences; each has its line in the ledger.

- **Ground.** A deployment gets an address range of its own (a VPC) out of the cloud's `private_supernet`, a /20, or
  a larger one where it needs more, for its life. All machines have their first card in a public subnet of it, by
  DHCP, and so a public address; networks that span machines are subnets that only their members reach. A subnet that
  is drawn (`ipam`, `x-escale: {subnet}`) is kept, and the range follows it; a second one that does not fit into the
  same /16 is made elsewhere (approximated). The first four addresses and the last of each subnet are Amazon's.
  `external` networks and `x-escale: {network, vlan}` are dropped: no network is shared between deployments.
- **Zone.** All of it stands in one availability zone (`cluster`), since subnets and volumes do. Two zones in one
  drawing are an error.
- **Ports.** Nothing reaches a machine from outside but the published ports, which its firewall (a security group)
  lets in from anywhere, or from the cloud's `open_to`. A port that is bound to another address than all of them is
  not opened, nor is one of the engine's choice. IPv6 and other protocols than TCP and UDP are not opened. With
  `network_mode: host` the declared ports are opened (`ports`, `expose`), and no others.
- **Balancers.** A service that publishes fixed ports from several machines gets a balancer, one address for all of
  them; the machines' own addresses keep working. A published range is not balanced.
- **Sizes.** A machine is the smallest size on sale that has the CPUs, the memory and the network cards; it stays as
  long as that holds it, though a new size would fit better by now. Many networks on one machine make it larger; none
  that fits is an error. What it has more than was asked for, its containers may use.
- **Spot.** `spot` of a drawn machine, of `x-escale: {machine: ...}` or of the cloud's defaults, in this order. Where
  a cloud sells no such machines, it is dropped. Changing it replaces the machine.
- **Quotas.** What the cloud still allows is compared with what is new before anything is made (`placement.quota`).
- **User-data** holds 16 KiB, compressed, and the agent with its certificate takes about 11 of them: large files
  belong into an image.

## Volumes and files

- A **named volume** is a data disk. It outlives its machine, can grow, and never shrinks. It is mounted on the
  machine at `/var/lib/escale/volumes/<name>`, and containers see the folder `_data` in it: when the disk is away,
  so is the folder, and nothing is written to the system disk in its place. An empty volume is filled from the
  image, as Compose does.
- **Which disk is which.** A blank disk is found by its SCSI unit, which the plan fixes for life (`/dev/sd*` names
  depend on the order in which the kernel finds disks; by-path names depend on the slot of the controller); on EC2, by
  the device name that it was attached as, which its NVMe controller tells. It is
  formatted with a file system whose UUID is known to the plan, and is found by that UUID from then on, wherever it
  is attached. Only disks at paravirtual controllers count as blank ones. A disk that is not blank is never
  formatted, and one with another file system is never mounted: the machine says so in its journal and starts no
  container. cloud-init's own `fs_setup` is not used: without a partition it formats again whenever the instance id
  changes, and every update changes it.
- A disk that has grown is noticed within five minutes, without a restart.
- **Files and folders** that were supplied beside the drawing are copied to the machine. Absolute paths are the
  machine's own. What was not supplied is left out.
- All of a machine's files together must fit into its user-data: a guestinfo value holds 64 KiB, compressed.

## Secrets

The content of a secret is neither in the plan nor in the user-data. The machine fetches it once, by POST over
HTTPS, with a token that is good for one use, for an hour, and for the machine whose identity it tells in
`X-Escale-Machine`: the BIOS UUID (taken from the DMI serial number, since `product_uuid` has its first half swapped
on newer virtual hardware), or on EC2 the instance id. The answer is JSON, `{path: base64}`. The files stand below
`/var/lib/escale/secrets`, which only root may enter, so that a restart needs no second fetch; a file has mode 0444
unless the service asks for another, since containers need not run as root. A secret that was not supplied is an empty
file, with a warning. Contents that change reach a machine with its next update.

Values in `environment` are part of the drawing, and stand in the user-data.

## Updates

A machine's containers change with its user-data: it is stopped, updated and started, and cloud-init applies the new
files, since the instance id is new. EC2's never is: there the agent takes the files from the user-data at each boot.
Compose then makes only those containers anew that changed. More CPUs or memory take the same way. Another template,
cluster or network card replaces the machine: data disks move over, the system disk goes.

What somebody changed on the cloud, and the drawing did not, is kept and told: sizes, a larger disk, a machine that
was switched off. What is missing is made again; a volume that is missing comes back blank, with a warning. A
removed volume is loss of data, and needs a separate yes. A machine with a disk that the drawing never made, or with
snapshots, is neither replaced nor deleted: the plan says which one, and is blocked until somebody has taken it
away.
"""


def ledger_document() -> str:
    """Return the page."""
    lines = [_INTRO, "## x-escale", ""]
    for place, title in (
        ("project", "At the top of the drawing"),
        ("service", "In a service"),
        ("volume", "In a volume"),
        ("network", "In a network"),
    ):
        lines += [f"### {title}", "", "| Key | Values | Meaning |", "| --- | --- | --- |"]
        lines += [f"| `{key}` | {values} | {meaning} |" for key, values, meaning in _rows(SCHEMAS[place])]  # type: ignore[index]
        lines.append("")
    lines += [
        "An unknown key or a wrong value is an error with its line; it never has a silent effect.",
        "",
        "## Verdicts",
        "",
        "`*` stands for a name. A key speaks for all below it, unless the table has lines there.",
        "",
        "| Key | Verdict | Why | Unless |",
        "| --- | --- | --- | --- |",
    ]
    for key, rule in TABLE.items():
        name = key.replace(".[].", "[].")
        lines.append(f"| `{name}` | {rule.verdict} | {_cell(rule.reason)} | {_cell(rule.depends)} |")
    return "\n".join(lines) + "\n"


def _rows(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for key, schema in properties.items():
        yield f"{prefix}{key}", _values(schema), _cell(schema.get("description", ""))
        if key == "canvas":
            continue  # the designer's own
        if schema.get("properties"):
            yield from _rows(schema["properties"], f"{prefix}{key}.")
        each = schema.get("items")
        if isinstance(each, Mapping) and each.get("properties"):
            yield from _rows(each["properties"], f"{prefix}{key}[].")
        named = schema.get("additionalProperties")
        if named:
            yield from _rows(named["properties"], f"{prefix}{key}.*.")


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "else" in schema and "properties" in schema["then"]:
        return "name of a cloud, or `{cloud: ..., label: ...}`"
    if "else" in schema:
        return "`{services: [...], mode: hard\\|soft}`, or a list"
    if "pattern" in schema and "integer" in schema["type"]:
        return "size, such as `20GiB`"
    kind = schema.get("type")
    if isinstance(kind, list) and "object" in kind:
        return "map"
    if kind == "array":
        items = schema["items"]
        if items.get("type") == "object":
            return "list of maps"
        return "list of services" if "minItems" in schema else "list"
    if kind == "object":
        return "map"
    if kind == "integer":
        return f"{schema['minimum']}-{schema['maximum']}" if "maximum" in schema else f"number from {schema['minimum']}"
    return {"string": "text", "number": "number", "boolean": "`true`, `false`"}.get(str(kind), "anything")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
