"""Turn what the vSphere API complains about into the one error that leaves a connector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.base import ConnectorError
from connectors.vsphere.soap import Node, VimFault, ancestry


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fault stands for: our code, whether another try can help, why it happened and what to do now."""

    code: str
    permanent: bool
    why: str
    now: str
    retry_after: float | None = None


def _busy(why: str, retry_after: float = 5.0) -> Meaning:
    return Meaning("cloud.busy", False, why, "it is tried again", retry_after)


# By wire name; a fault that is not listed has the meaning of its nearest listed ancestor.
# Names and ancestors: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/
MEANINGS: dict[str, Meaning] = {
    # Who we are and what we may do
    "InvalidLogin": Meaning(
        "cloud.not_authenticated", True, "the user name or the password is wrong", "correct the cloud's credential"
    ),
    "InvalidLocale": Meaning("cloud.not_authenticated", True, "the locale is refused", "report this"),
    "NotAuthenticated": Meaning("cloud.not_authenticated", False, "the session ended", "it is tried again", 1.0),
    "NoPermission": Meaning(
        "cloud.permission", True, "the cloud's user lacks a privilege", "grant it on the vCenter, then retry"
    ),
    "NoSubjectName": Meaning("cloud.not_authenticated", True, "the user is unknown", "correct the cloud's credential"),
    "RestrictedVersion": Meaning("cloud.permission", True, "the licence forbids it", "use a licensed vCenter"),
    "LicenseRestricted": Meaning("cloud.permission", True, "the licence forbids it", "extend the licence, then retry"),
    "InvalidLicense": Meaning("cloud.permission", True, "the licence has run out", "renew the licence, then retry"),
    "NotEnoughLicenses": Meaning("cloud.permission", True, "licences are used up", "extend the licence, then retry"),
    # What is there and what is not
    "ManagedObjectNotFound": Meaning(
        "cloud.not_found", True, "it was deleted or moved on the vCenter", "plan again, so that the plan sees it"
    ),
    "NotFound": Meaning("cloud.not_found", True, "it does not exist", "plan again, so that the plan sees it"),
    "FileNotFound": Meaning("cloud.not_found", True, "the file is gone", "plan again, so that the plan sees it"),
    "InvalidDatastorePath": Meaning("cloud.invalid", True, "the path on the datastore is wrong", "plan again"),
    "InvalidDatastore": Meaning("cloud.not_found", True, "the datastore is gone or out of reach", "choose another one"),
    "DuplicateName": Meaning(
        "cloud.name_taken", True, "something else has this name already", "rename it or choose another name"
    ),
    "AlreadyExists": Meaning("cloud.name_taken", True, "it exists already", "rename it or choose another name"),
    "FileAlreadyExists": Meaning("cloud.name_taken", True, "a file has this name already", "move that file away"),
    # Room
    "NoDiskSpace": Meaning(
        "cloud.no_space", True, "the datastore is full", "free some space or choose another datastore, then retry"
    ),
    "InsufficientStorageSpace": Meaning("cloud.no_space", True, "the datastore is full", "free some space, then retry"),
    "InsufficientDisks": Meaning("cloud.no_space", True, "vSAN has no room for another copy", "add disks, then retry"),
    "DatastoreNotWritableOnHost": Meaning(
        "cloud.no_space", True, "a host cannot write to the datastore", "mount it for writing, then retry"
    ),
    "FileTooLarge": Meaning("cloud.invalid", True, "the datastore allows no file of this size", "choose another one"),
    "InsufficientResourcesFault": Meaning(
        "cloud.no_space", True, "CPU or memory is used up", "free some or choose another cluster, then retry"
    ),
    "NoCompatibleHost": Meaning(
        "cloud.no_space", True, "no host can take the machine", "choose another cluster or network, then retry"
    ),
    # Wrong requests
    "InvalidArgument": Meaning("cloud.invalid", True, "the vCenter refuses a value", "change it, then plan again"),
    "InvalidRequest": Meaning("cloud.invalid", True, "the vCenter does not understand the request", "report this"),
    "InvalidProperty": Meaning("cloud.invalid", True, "the vCenter lacks a property", "report this with its version"),
    "InvalidType": Meaning("cloud.invalid", True, "the vCenter lacks a type", "report this with its version"),
    "InvalidName": Meaning("cloud.invalid", True, "the name has characters that are not allowed", "choose another one"),
    "InvalidVmConfig": Meaning("cloud.invalid", True, "the machine's settings do not fit", "change them, plan again"),
    "VmConfigFault": Meaning("cloud.invalid", True, "the machine's settings do not fit", "change them, plan again"),
    "CustomizationFault": Meaning("cloud.invalid", True, "the guest cannot be customized", "check the template"),
    "VmToolsUpgradeFault": Meaning("cloud.fault", False, "VMware Tools are being upgraded", "it is tried again", 30.0),
    "NotSupported": Meaning("cloud.invalid", True, "this vCenter or host cannot do it", "choose another cluster"),
    "MethodNotFound": Meaning("cloud.invalid", True, "this vCenter lacks the call", "report this with its version"),
    "NotImplemented": Meaning("cloud.invalid", True, "this vCenter lacks the call", "report this with its version"),
    "MethodDisabled": _busy("another product holds the object (a backup or a migration)", 30.0),
    # Not now
    "TaskInProgress": _busy("another task works on it"),
    "ConcurrentAccess": _busy("somebody changed it at the same moment", 1.0),
    "ResourceInUse": _busy("something still uses it"),
    "ResourceNotAvailable": _busy("something still uses it"),
    "FileLocked": _busy("a file is locked by a host"),
    "CannotAccessFile": _busy("a file is locked by a host, or not reachable"),
    "CannotDeleteFile": _busy("a file is locked by a host"),
    "InvalidState": _busy("it is in another state than expected"),
    "InvalidPowerState": _busy("the power state has changed meanwhile"),
    "ToolsUnavailable": _busy("VMware Tools do not run in the guest"),
    "HostNotConnected": _busy("a host is not connected", 15.0),
    "HostCommunication": _busy("a host does not answer", 15.0),
    "HostConnectFault": _busy("a host does not answer", 15.0),
    "HostInMaintenanceMode": _busy("the host went into maintenance", 15.0),
    "TooManyTasks": _busy("the vCenter has too many tasks", 15.0),
    "OutOfBounds": Meaning("cloud.invalid", True, "a number is outside of what is allowed", "change it, plan again"),
    "Timedout": Meaning("cloud.fault", False, "an operation took too long", "it is tried again", 10.0),
    "RequestCanceled": Meaning("cloud.cancelled", True, "the task was cancelled", "retry the step if it was not you"),
    # The rest
    "SnapshotFault": Meaning("cloud.busy", False, "a snapshot is in the way", "delete the snapshots, then retry", 30.0),
    "FileFault": Meaning("cloud.fault", False, "a file operation failed", "it is tried again; look at the datastore"),
    "MigrationFault": Meaning("cloud.fault", False, "the machine cannot be placed there", "choose another cluster"),
    "VimFault": Meaning("cloud.fault", False, "the vCenter reported a fault", "it is tried again", 5.0),
    "RuntimeFault": Meaning("cloud.fault", False, "the vCenter met an internal error", "it is tried again", 5.0),
    "MethodFault": Meaning("cloud.fault", False, "the vCenter reported a fault", "it is tried again", 5.0),
}

_UNKNOWN = MEANINGS["MethodFault"]


def meaning(kind: str) -> Meaning:
    """Return what a fault type stands for; for types that nobody has heard of: some fault, worth another try."""
    return next((MEANINGS[name] for name in ancestry(kind) if name in MEANINGS), _UNKNOWN)


def is_a(fault: VimFault, kind: str) -> bool:
    """Tell whether a fault is of a type or of one derived from it."""
    return kind in ancestry(fault.type)


def to_error(fault: VimFault, what: str) -> ConnectorError:
    """Explain a fault. ``what`` says what could not be done, as a sentence without its full stop."""
    known = meaning(fault.type)
    why = known.why
    extra = _particulars(fault)
    if extra:
        why = f"{why} ({extra})"
    return ConnectorError(
        known.code,
        f"{what} - {why} - {known.now}",
        permanent=known.permanent,
        retry_after=known.retry_after,
        detail=f"{fault.type}: {fault.message}"[:500],
    )


def from_task(error: Node | None) -> VimFault:
    """Return the fault in a task's ``info.error``."""
    if error is None:
        return VimFault("MethodFault", "the task failed without a reason")
    fault = error.node("fault")
    kind = fault.type if fault is not None else ""
    return VimFault(kind or "MethodFault", error.get("localizedMessage"), fault)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Let only ConnectorErrors out of a block; nothing of the SDK or the protocol is chained into them."""
    try:
        yield
    except VimFault as fault:
        raise to_error(fault, what) from None


def _particulars(fault: VimFault) -> str:
    """Return the detail that helps a person most: the privilege, the property, the name, the file."""
    if fault.detail is not None:
        for path in ("privilegeId", "invalidProperty", "name", "file", "datastore", "property"):
            text = fault.detail.get(path)
            if text:
                return text
    # Servers say "" or the bare type name when they have nothing to add.
    told = fault.message.strip()
    return "" if not told or fault.type in told.replace(" ", "") else told[:200].rstrip(".")
