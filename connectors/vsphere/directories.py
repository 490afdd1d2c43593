"""A deployment's directory on each datastore that holds disks of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors.vsphere import faults, markers, properties, specs
from connectors.vsphere.cloud import Cloud
from connectors.vsphere.estate import Datastore
from connectors.vsphere.faults import is_a
from connectors.vsphere.soap import Node, Ref, VimFault
from engine.resources import Owner


def usable(cloud: Cloud) -> list[Datastore]:
    """Return the datastores that can be searched."""
    return [datastore for datastore in cloud.estate().datastores if datastore.usable and datastore.browser]


def existing(cloud: Cloud, owner: Owner, datastores: Sequence[Datastore]) -> list[Datastore]:
    """Return the datastores on which a deployment has its directory."""
    found = search(cloud, owner, datastores, specs.file_search())
    return [datastore for datastore in datastores if datastore.ref in found]


def remove_empty(cloud: Cloud, owner: Owner) -> None:
    """Remove a deployment's directories that hold nothing.

    The API deletes directories only with all that is in them, so this is for the end of a deployment, when nothing
    makes disks any more: ``folder.delete`` comes after all that could.
    """
    found = search(cloud, owner, usable(cloud), specs.file_search())
    by_ref = {datastore.ref: datastore for datastore in cloud.estate().datastores}
    tasks = [_remove(cloud, owner, by_ref[ref]) for ref, files in found.items() if not files]
    cloud.wait([task for task in tasks if task is not None])


def search(cloud: Cloud, owner: Owner, datastores: Sequence[Datastore], spec: Any) -> dict[Ref, list[Node]]:
    """List the deployment's directory on several datastores at once; without one a datastore is absent."""
    begun: dict[Ref, Datastore] = {}
    for datastore in datastores:
        if datastore.browser is not None:
            path = f"[{datastore.name}] {markers.volume_directory(owner)}"
            task = cloud.session.read(datastore.browser, "SearchDatastore_Task", datastorePath=path, searchSpec=spec)[
                0
            ].ref()
            assert task is not None
            begun[task] = datastore
    listed: dict[Ref, list[Node]] = {}
    for task, end in cloud.wait(list(begun)).items():
        if end.fault is not None:
            if is_a(end.fault, "FileNotFound"):
                continue
            raise faults.to_error(end.fault, f"The datastore {begun[task].name} could not be searched")
        listed[begun[task].ref] = list(end.result.all("file")) if isinstance(end.result, Node) else []
    return listed


def make(cloud: Cloud, owner: Owner, datastore: Datastore) -> None:
    """Make a deployment's directory; one that exists is made already."""
    name = markers.volume_directory(owner)
    try:
        if datastore.namespaced:
            # vSAN has no directories at its top, only namespace objects that show as such.
            manager = cloud.session.manager("datastoreNamespaceManager")
            cloud.session.act(manager, "CreateDirectory", datastore=datastore.ref, displayName=name)
        else:
            cloud.session.act(
                cloud.session.manager("fileManager"),
                "MakeDirectory",
                name=f"[{datastore.name}] {name}",
                datacenter=cloud.estate().datacenter,
                createParentDirectories=False,
            )
    except VimFault as fault:
        if not is_a(fault, "FileAlreadyExists"):
            raise


def _remove(cloud: Cloud, owner: Owner, datastore: Datastore) -> Ref | None:
    """Begin to remove a directory; faults are passed over, since an empty one that stays is harmless."""
    datacenter = cloud.estate().datacenter
    if datastore.namespaced:
        with suppress(VimFault, LookupError):
            path = _namespace_path(cloud, owner, datastore)
            cloud.session.act(
                cloud.session.manager("datastoreNamespaceManager"),
                "DeleteDirectory",
                datacenter=datacenter,
                datastorePath=path,
            )
            return None
    name = f"[{datastore.name}] {markers.volume_directory(owner)}"
    with suppress(VimFault):
        return cloud.session.act_task(
            cloud.session.manager("fileManager"), "DeleteDatastoreFile_Task", name=name, datacenter=datacenter
        )
    return None


def _namespace_path(cloud: Cloud, owner: Owner, datastore: Datastore) -> str:
    """Return the path by which a namespace object is deleted: below the datastore's URL, by its own id.

    LookupError when there is none of our name.
    """
    assert datastore.browser is not None
    facts = properties.of_object(cloud.session, datastore.ref, ["summary.url"]) or {}
    url = str(facts["summary.url"]).removeprefix("ds://").rstrip("/")
    task = cloud.session.read(
        datastore.browser,
        "SearchDatastore_Task",
        datastorePath=f"[{datastore.name}]",
        searchSpec=specs.file_search(),
    )[0].ref()
    assert task is not None
    result = cloud.wait([task])[task].result
    for file in result.all("file") if isinstance(result, Node) else ():
        if file.get("friendlyName") == markers.volume_directory(owner) and file.get("path"):
            return f"{url}/{file.get('path')}"
    raise LookupError(markers.volume_directory(owner))
