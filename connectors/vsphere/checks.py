"""What an action would stumble over, found before anything is begun; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base import ConnectorError
from connectors.vsphere import folders, machine, markers, networks, placement
from connectors.vsphere.cloud import Cloud
from engine.findings import Finding
from engine.plan import Action


def check(cloud: Cloud, action: Action) -> list[Finding]:
    """Return findings for what is missing, full or taken."""
    checks = {"machine.create": _machine, "network.create": _network, "volume.create": _volume,
              "folder.create": _folder}  # fmt: skip
    chosen = checks.get(action.verb)
    return [] if chosen is None else list(chosen(cloud, action))


def _error(error: ConnectorError, severity: str = "error") -> Finding:
    return Finding(error.code, "error" if severity == "error" else "warning", error.message)


def _folder(cloud: Cloud, action: Action) -> Iterator[Finding]:
    try:
        folders.base(cloud)
    except ConnectorError as error:
        yield _error(error)


def _network(cloud: Cloud, action: Action) -> Iterator[Finding]:
    name = str(action.spec["name"])
    try:
        if not action.spec.get("managed"):
            cloud.surveyor.network(name)
            return
        networks.switch(cloud)
    except ConnectorError as error:
        yield _error(error)
    for network in cloud.estate().networks:
        if network.name == name:
            marks = markers.read_network(network.description)
            if marks.get("deployment") != action.owner.deployment_id:
                message = (
                    f"There is a network {name!r} already, which this deployment did not make - rename one of them"
                )
                yield Finding("cloud.name_taken", "error", message)


def _volume(cloud: Cloud, action: Action) -> Iterator[Finding]:
    wanted = action.spec.get("datastore")
    size = int(action.spec["size_gib"]) * 2**30
    try:
        cloud.estate(1.0)
        candidates = [cloud.surveyor.datastore(wanted)] if wanted else placement.offered(cloud)
    except ConnectorError as error:
        yield _error(error)
        return
    if not any(datastore.free >= size for datastore in candidates):
        most = max((datastore.free for datastore in candidates), default=0) / 2**30
        message = (
            f"There is no room for {action.resource} ({action.spec['size_gib']} GiB) - at most {most:.1f} GiB are left "
            "- free some space, or choose another datastore"
        )
        yield Finding("cloud.no_space", "error", message)


def _machine(cloud: Cloud, action: Action) -> Iterator[Finding]:
    spec = action.spec
    try:
        cloud.surveyor.template(str(spec["template"]))
    except ConnectorError as error:
        yield _error(error)
    try:
        if spec.get("cluster"):
            cluster = cloud.surveyor.cluster(str(spec["cluster"]))
            placement.pool(cloud, cluster)
            if not cluster.hosts:
                message = f"No host of {cluster.name} is connected and out of maintenance - choose another cluster"
                yield Finding("cloud.no_space", "error", message)
            elif all(host.memory_mib < int(spec["memory_mib"]) for host in cluster.hosts):
                message = f"No host of {cluster.name} has {spec['memory_mib']} MiB of memory - choose another cluster"
                yield Finding("cloud.no_space", "error", message)
    except ConnectorError as error:
        yield _error(error)
    try:
        if spec.get("datastore"):
            cloud.surveyor.datastore(str(spec["datastore"]))
    except ConnectorError as error:
        yield _error(error)
    for found in machine.of_resource(cloud, action.owner, action.resource):
        message = (
            f"The machine of {action.resource} exists already, as {found.name}, outside of the deployment's folder or "
            "newer than the plan - plan again, or move it back"
        )
        yield Finding("cloud.name_taken", "warning", message)
