"""What a cloud must prove before it may carry a label: probes, and a canary machine that goes through all of them.

A probe is either *examined* (one call that changes nothing but files of its own) or *acted*: a verb on the canary, by
the same contract as any deployment's. Which probes there are, and which of them a flavour leaves out, is the
connector's to say; what they are called is the portal's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol

from engine.resources import Owner

Level = Literal["deploy", "mobility"]
"""What a probe speaks for. A cloud that may take deployments has passed "deploy"; moves need both."""

FOLDER = "folder:deployment"
NETWORK = "network:canary"
VOLUME = "volume:canary"
MACHINE = "machine:canary"
"""The keys of the canary's parts, as a deployment's resources have theirs."""

EXTRA_VERBS = frozenset({"machine.snapshot", "machine.unsnapshot", "machine.relocate"})
"""Verbs beside the contract's, on a machine that carries the owner's markers. They go through ``start`` and ``poll``.

``machine.snapshot`` makes one snapshot, named after the key. ``machine.unsnapshot`` removes all of the machine's; one
that is gone, or has none, is done. ``machine.relocate`` moves it: ``spec["to"]`` "host" or "datastore",
``spec["from"]`` where it was before, as ``placed`` tells it, so that a second call sees what the first one did.
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to prove. ``verb`` on ``resource`` for what is acted; without one it is examined.

    ``after`` names probes without whose success this one cannot be tried. ``left_out``: why this flavour does not
    offer it; then it is not tried, and does not count against the cloud. ``patience_s``: how long an examination may
    answer "waiting", or how long a machine may take to report its address.
    """

    key: str
    level: Level
    required: bool = True
    verb: str = ""
    resource: str = ""
    after: tuple[str, ...] = ()
    patience_s: float = 60.0
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an examination found.

    ``facts`` may be shown to a partner (versions, names of privileges, figures with their unit in the name);
    ``internals`` may not (addresses, references, names that the customer chose). Neither holds a secret.
    ``waiting``: nothing yet, look again.
    """

    verdict: Literal["passed", "failed", "waiting"]
    message: str = ""
    code: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    internals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Canary:
    """What an examination may know of the run: the canary's owner, and what earlier probes found, by key.

    ``defaults``: the cloud's own, as ``engine.observed.Target.defaults`` has them.
    """

    owner: Owner
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


class Probing(Protocol):
    """What connectors of clouds that can be labelled offer beside the contract's verbs."""

    def examine(self, probe: str, canary: Canary) -> Report:
        """Look at one thing. ConnectorError when the cloud could not be asked; KeyError for an unknown probe."""
        ...


def usual(
    *,
    network_left_out: str = "",
    datastore_left_out: str = "",
    policies_required: bool = False,
    boundary: bool = False,
) -> tuple[Probe, ...]:
    """Return the probes that every virtualised cloud is asked for, with what a flavour leaves out or asks beside."""
    made = ("canary.folder", "canary.volume")
    probes = [
        Probe("api", "deploy"),
        Probe("latency", "deploy", required=False),
        Probe("privileges.deploy", "deploy"),
        Probe("privileges.move", "mobility"),
        Probe("ground", "deploy"),
        Probe("policies", "mobility", required=policies_required),
        Probe("canary.folder", "deploy", verb="folder.create", resource=FOLDER),
        Probe("canary.network", "deploy", verb="network.create", resource=NETWORK, left_out=network_left_out),
        Probe("canary.volume", "deploy", verb="volume.create", resource=VOLUME, after=("ground",)),
        Probe("canary.clone", "deploy", verb="machine.create", resource=MACHINE, after=("ground", *made)),
        Probe("canary.placed", "deploy", after=("canary.clone",)),
        Probe("canary.boot", "deploy", verb="machine.start", resource=MACHINE, after=("canary.clone",)),
        Probe("canary.address", "deploy", verb="machine.ready", resource=MACHINE, after=("canary.boot",),
              patience_s=300.0),
        Probe("events", "deploy", after=("canary.boot",), patience_s=60.0),
        Probe("throughput", "mobility", after=("canary.clone",)),
        Probe("canary.snapshot", "mobility", verb="machine.snapshot", resource=MACHINE, after=("canary.boot",)),
        Probe("canary.unsnapshot", "mobility", verb="machine.unsnapshot", resource=MACHINE, after=("canary.snapshot",)),
        Probe("canary.relocate.host", "mobility", verb="machine.relocate", resource=MACHINE,
              after=("canary.boot", "canary.placed")),
        Probe("canary.stop", "deploy", verb="machine.stop", resource=MACHINE, after=("canary.boot",)),
        Probe("canary.detach", "deploy", verb="machine.detach", resource=MACHINE, after=("canary.stop",)),
        Probe("canary.relocate.datastore", "mobility", verb="machine.relocate", resource=MACHINE,
              after=("canary.placed", "canary.detach"), left_out=datastore_left_out),
    ]  # fmt: skip
    # The last one is the portal's own: it removes the canary, and looks whether anything of it is left.
    probes.append(Probe("canary.destroy", "deploy"))
    if boundary:
        probes.insert(4, Probe("boundary", "deploy", required=False))
    return tuple(probes)


# Dotted names instead of imports, as in the registry of kinds: an SDK loads only where its kind is used.
_CATALOGUES = {
    "vsphere": "connectors.vsphere.probing:of_flavour",
    "fake": "connectors.fake.examining:of_flavour",
}


def of_kind(kind: str, flavour: str) -> tuple[Probe, ...]:
    """Return what clouds of a kind and flavour have to prove; empty when no label is offered for the kind."""
    if kind not in _CATALOGUES:
        return ()
    module, _, function = _CATALOGUES[kind].partition(":")
    found: tuple[Probe, ...] = getattr(import_module(module), function)(flavour)
    return found
