"""Look at a vCenter with eyes of our own: nothing of the connectors is used, so that they cannot hide a mistake."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl


@dataclass(frozen=True)
class Listing:
    """Everything that a deployment could leave behind, by names and ids that survive a comparison."""

    machines: frozenset[str]
    folders: frozenset[str]
    networks: frozenset[str]
    files: frozenset[str]


class VCenter:
    """One simulated or real vCenter, read by the property collector."""

    def __init__(self, address: str, username: str, password: str) -> None:
        host, _, port = address.removeprefix("https://").rstrip("/").removesuffix("/sdk").partition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback, and only read from
        self.service = SmartConnect(host=host, port=int(port or 443), user=username, pwd=password, sslContext=context)
        self.content = self.service.RetrieveContent()

    def close(self) -> None:
        Disconnect(self.service)

    def rows(self, kind: Any, *paths: str) -> list[tuple[Any, dict[str, Any]]]:
        """Return every object of a kind with the properties asked for."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            spec = vmodl.query.PropertyCollector
            asked = spec.FilterSpec(
                objectSet=[
                    spec.ObjectSpec(
                        obj=view,
                        skip=True,
                        selectSet=[spec.TraversalSpec(name="all", type=type(view), path="view", skip=False)],
                    )
                ],
                propSet=[spec.PropertySpec(type=kind, pathSet=list(paths), all=False)],
            )
            collector, found = self.content.propertyCollector, []
            page = collector.RetrievePropertiesEx([asked], spec.RetrieveOptions(maxObjects=100))
            while page is not None:
                found += [(row.obj, {p.name: p.val for p in row.propSet or ()}) for row in page.objects]
                page = collector.ContinueRetrievePropertiesEx(page.token) if page.token else None
            return found
        finally:
            view.DestroyView()

    def machines_of(self, deployment_id: str) -> dict[str, dict[str, str]]:
        """Return the extra configuration of the machines that carry a deployment's id, by machine name."""
        found = {}
        for _, row in self.rows(vim.VirtualMachine, "name", "config.extraConfig"):
            options = {option.key: str(option.value) for option in row.get("config.extraConfig") or ()}
            if deployment_id in options.values():
                found[str(row["name"])] = options
        return found

    def configs(self, deployments: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Return deployment -> name of each of its machines, which must run -> cloud-config."""
        found: dict[str, dict[str, dict[str, Any]]] = {deployment: {} for deployment in deployments}
        for _, row in self.rows(vim.VirtualMachine, "name", "config.extraConfig", "runtime.powerState"):
            options = {option.key: str(option.value) for option in row.get("config.extraConfig") or ()}
            deployment = next((value for value in options.values() if value in found), None)
            if deployment is not None:
                assert str(row["runtime.powerState"]) == "poweredOn", row["name"]
                found[deployment][str(row["name"])] = user_data(options)
        return found

    def powers_of(self, names: set[str]) -> dict[str, str]:
        rows = self.rows(vim.VirtualMachine, "name", "runtime.powerState")
        return {str(row["name"]): str(row["runtime.powerState"]) for _, row in rows if row["name"] in names}

    def listing(self) -> Listing:
        """Return what exists: machines by instance UUID, folders, networks, and the files on every datastore."""
        machines = self.rows(vim.VirtualMachine, "name", "config.instanceUuid")
        folders = self.rows(vim.Folder, "name", "parent")
        networks = self.rows(vim.Network, "name")
        return Listing(
            frozenset(f"{row['name']} {row.get('config.instanceUuid')}" for _, row in machines),
            frozenset(f"{folder._moId} {row['name']}" for folder, row in folders),
            frozenset(f"{network._moId} {row['name']}" for network, row in networks),
            frozenset(self._files()),
        )

    def _files(self) -> list[str]:
        found: list[str] = []
        for _, row in self.rows(vim.Datastore, "name", "browser", "summary.accessible"):
            if not row.get("summary.accessible", True):
                continue
            spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*"])
            task = row["browser"].SearchDatastoreSubFolders_Task(f"[{row['name']}]", spec)
            for folder in self._result(task):
                found += [f"{folder.folderPath}/{file.path}" for file in folder.file or ()]
        return found

    def _result(self, task: Any) -> Any:
        spec = vmodl.query.PropertyCollector
        asked = spec.FilterSpec(
            objectSet=[spec.ObjectSpec(obj=task)],
            propSet=[spec.PropertySpec(type=vim.Task, pathSet=["info.state", "info.result"], all=False)],
        )
        for _ in range(200):
            page = self.content.propertyCollector.RetrievePropertiesEx([asked], spec.RetrieveOptions())
            row = {p.name: p.val for p in page.objects[0].propSet}
            if row["info.state"] == "success":
                return row.get("info.result") or []
            assert row["info.state"] != "error", "the datastore cannot be searched"
        raise AssertionError("the datastore search does not end")


def user_data(options: dict[str, str]) -> dict[str, Any]:
    """Return the cloud-config of a machine as data, from its ``guestinfo``."""
    return dict(yaml.load(decoded(options, "guestinfo.userdata"), Loader=yaml.CSafeLoader))


def decoded(options: dict[str, str], key: str) -> str:
    """Return a guestinfo value in clear, whatever encoding it says it has."""
    raw, encoding = options[key], options.get(f"{key}.encoding", "")
    if encoding in ("base64", "b64"):
        return base64.b64decode(raw).decode()
    if encoding in ("gzip+base64", "gz+b64"):
        return gzip.decompress(base64.b64decode(raw)).decode()
    return raw


def compose_of(cloud_config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the Compose file that a machine runs, out of its user-data."""
    for item in cloud_config["write_files"]:
        if item["path"].endswith(("compose.yaml", "compose.yml", "compose.json")):
            content = item["content"]
            if item.get("encoding") in ("b64", "base64"):
                content = base64.b64decode(content).decode()
            return dict(yaml.safe_load(content))
    raise AssertionError(f"no Compose file in {json.dumps([item['path'] for item in cloud_config['write_files']])}")
