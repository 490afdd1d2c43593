"""What probes are called, what they prove, and why anybody needs that: in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Wording:
    """Describe a probe to people."""

    title: Text
    proves: Text = ""
    needed: Text = ""


_WORDS = {
    "api": Wording(
        _("API version and clock"),
        _("The API is one that is spoken here, and its clock agrees with ours."),
        _("Every call; one-time links and certificates depend on the time."),
    ),
    "latency": Wording(
        _("Answer times"),
        _("How long the cheapest call takes, at the median and for one in twenty."),
        _("Pages and steps wait for the cloud this long, again and again."),
    ),
    "privileges.deploy": Wording(
        _("Privileges for deployments"),
        _("Each privilege that a deployment's verbs use is held where it is used."),
        _("A missing one fails a deployment in the middle."),
    ),
    "privileges.move": Wording(
        _("Privileges for moves"),
        _("Each privilege that moving machines uses is held where it is used."),
        _("A missing one fails a move in the middle."),
    ),
    "boundary": Wording(
        _("The provider's own part is closed"),
        _("The account may put nothing into the provider's management pools."),
        _("What the portal cannot touch it cannot break."),
    ),
    "ground": Wording(
        _("Ground to stand on"),
        _("There are hosts in service, a datastore, a network and a template for container hosts."),
        _("A deployment's machines are cloned from the template and stand on these."),
    ),
    "policies": Wording(
        _("Storage policies"),
        _("The policy service answers and lists its policies; vSAN's default is there where vSAN is promised."),
        _("A moved disk keeps, or is given, its policy."),
    ),
    "canary.folder": Wording(
        _("A folder is made"), _("A folder can be made below the customer's own."), _("Each deployment has its folder.")
    ),
    "canary.network": Wording(
        _("A network is made"),
        _("A port group can be made and found by its marker."),
        _("Drawings with networks of their own have them made."),
    ),
    "canary.volume": Wording(
        _("A data disk is made"),
        _("A disk can be made by itself on a datastore."),
        _("Data outlives the machine that it is attached to."),
    ),
    "canary.clone": Wording(
        _("A machine is cloned"),
        _("The template becomes a machine with size, cards, disk, markers and user-data."),
        _("Every machine of a deployment is made so."),
    ),
    "canary.placed": Wording(
        _("It lies where it was put"),
        _("Cluster, resource pool, datastore and folder are those that customers of this provider may use."),
        _("Placement is kept, and the provider's own part stays free."),
    ),
    "canary.boot": Wording(
        _("It is powered on"), _("The machine can be started."), _("Deployments start what they make.")
    ),
    "canary.address": Wording(
        _("Its guest reports an address"),
        _("The guest boots, its tools run, and its network gives it an address."),
        _("A deployment is up once its machines are reached."),
    ),
    "events": Wording(
        _("Event stream"),
        _("The cloud tells of the canary's making and start in time."),
        _("Changes that others make are noticed by events."),
    ),
    "throughput": Wording(
        _("Throughput"),
        _("A file goes up to a datastore and comes back the same, at a measured rate."),
        _("Moves and backups copy disks this way."),
    ),
    "canary.snapshot": Wording(
        _("A snapshot is made"),
        _("A running machine's disks can be held still."),
        _("A move copies from a snapshot while the machine runs."),
    ),
    "canary.unsnapshot": Wording(
        _("The snapshot is removed"),
        _("A snapshot can be let go of, and its disks are joined."),
        _("No move may leave one behind."),
    ),
    "canary.relocate.host": Wording(
        _("It moves to another host, running"),
        _("A running machine can be moved to another host of its cluster."),
        _("Hosts can be emptied without a stop."),
    ),
    "canary.stop": Wording(
        _("It is shut down"),
        _("The guest can be asked to stop, and stops."),
        _("Changes that need a stop, and removal."),
    ),
    "canary.detach": Wording(
        _("Its data disk is detached"),
        _("A data disk can be taken off and stays as it is."),
        _("Replacing or deleting a machine keeps its data."),
    ),
    "canary.relocate.datastore": Wording(
        _("It moves to another datastore"),
        _("A machine's disks can be moved to another datastore."),
        _("Datastores can be emptied, and machines brought to the storage that they need."),
    ),
    "canary.destroy": Wording(
        _("Everything is removed"),
        _("Machine, disk, network and folder can be deleted; a listing shows that nothing is left."),
        _("Destroying a deployment leaves no trace."),
    ),
}


def wording(probe: str) -> Wording:
    """Return the words for a probe; a kind that brings its own is shown by its key."""
    return _WORDS.get(probe) or Wording(probe)
