"""Say what each kind of cloud asks for, so that page, API and terminal learn a new kind from one entry.

A kind is a connector (`connectors.registry`) with its words: the flavours it comes in, where it is, what signs in, and
what machines are put on. Forms are made of the entries; a new kind edits no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from connectors import registry

Words = Any
"""A text, now or when it is shown: gettext's lazy ones have no public type."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a kind asks for. ``name``: an attribute of the cloud, or ``options.<key>`` of its connector."""

    name: str
    label: Words
    help: Words = ""
    required: bool = True
    secret: bool = False
    longest: int = 255
    pattern: str = ""
    otherwise: Words = ""  # half a sentence: what is said of a text that the pattern does not match
    example: str = ""

    @property
    def field(self) -> str:
        """Return its name in forms."""
        return self.name.replace(".", "_")

    @property
    def option(self) -> str:
        """Return its key in the connector's options; empty when it is none of them."""
        return self.name.partition(".")[2]

    def why_not(self, text: str) -> Words:
        """Return half a sentence on a text that cannot be taken, or an empty one."""
        if not text:
            return _("is needed") if self.required else ""
        if len(text) > self.longest or not text.isprintable():
            return _("takes at most %(longest)d printable characters") % {"longest": self.longest}
        if self.pattern and not re.fullmatch(self.pattern, text):
            return self.otherwise or _("is not one")
        return ""


_ADDRESS = Ask(
    "address",
    _("Address"),
    _("Host name and port, or the address of the API, for example vcenter.example.com."),
    example="vcenter.example.com",
)
_USER = Ask("username", _("User name at the cloud"), longest=1024)
_PASSWORD = Ask(
    "password",
    _("Password at the cloud"),
    _("It is stored encrypted and can be replaced, but not read."),
    secret=True,
    longest=1024,
)
_MACHINES = (
    Ask("defaults.template", _("Template"), required=False, longest=200),
    Ask("defaults.cluster", _("Cluster"), required=False, longest=200),
    Ask("defaults.datastore", _("Datastore"), required=False, longest=200),
    Ask("defaults.network", _("Network"), required=False, longest=200),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of cloud in words. ``place`` is where it is, ``account`` what signs in; the credential is its last two.

    ``certificate``: its server proves itself by a certificate that people may pin; others are vouched for by the
    system's authorities alone. ``flavours``: name -> (title, one line), the default first.
    """

    name: str
    title: Words
    summary: Words
    flavours: Mapping[str, tuple[Words, Words]] = field(default_factory=dict)
    place: tuple[Ask, ...] = (_ADDRESS,)
    account: tuple[Ask, ...] = (_USER, _PASSWORD)
    machines: tuple[Ask, ...] = _MACHINES
    certificate: bool = True
    sandbox_only: bool = False

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Return all that it asks for."""
        return (*self.place, *self.account, *self.machines)

    @property
    def options(self) -> tuple[Ask, ...]:
        """Return those that are options of the connector."""
        return tuple(ask for ask in self.asks if ask.name.startswith("options."))

    @property
    def needs_address(self) -> bool:
        """Tell whether it can only be reached at an address that is typed."""
        return any(ask.name == "address" and ask.required for ask in self.place)


_FLAVOURS = {
    "private": (_("Private vSphere"), _("A vCenter of your own, in your own rooms.")),
    "ovh": (_("OVHcloud Hosted Private Cloud"), _("A vCenter that OVHcloud runs for you.")),
    "ibm": (_("IBM Cloud for VMware"), _("A vCenter on IBM’s bare metal.")),
    "vmc": (_("VMware Cloud on AWS"), _("A managed vCenter; machines live in its Workloads folder.")),
    "evs": (_("Amazon EVS"), _("A vCenter of your own on Amazon’s Elastic VMware Service.")),
}

_KINDS: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    """Add a kind; its connector must be known to `connectors.registry`."""
    _KINDS[kind.name] = kind


register_kind(
    Kind(
        "vsphere",
        _("vSphere (vCenter)"),
        _("Machines are cloned from templates, on hosts that a vCenter manages."),
        _FLAVOURS,
    )
)
register_kind(
    Kind(
        "aws",
        _("Amazon Web Services"),
        _("Machines are EC2 instances, in a network of their own for each deployment."),
        place=(
            Ask(
                "options.region",
                _("AWS region"),
                _("Where machines are made, for example eu-west-1."),
                longest=40,
                pattern=r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}",
                otherwise=_("is not a region such as eu-west-1"),
                example="eu-west-1",
            ),
            Ask(
                "address",
                _("Endpoint"),
                _("Only when your requests go to another address than Amazon’s own, such as a VPC endpoint."),
                required=False,
            ),
        ),
        account=(
            Ask(
                "options.role_arn",
                _("Role to assume"),
                _("Its ARN, when the key may only take up a role in another account."),
                required=False,
                longest=200,
                pattern=r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+",
                otherwise=_("is not an ARN such as arn:aws:iam::123456789012:role/escale"),
                example="arn:aws:iam::123456789012:role/escale",
            ),
            Ask(
                "options.external_id",
                _("External id"),
                _("What the role’s owner told you to name."),
                required=False,
                longest=1224,
                pattern=r"[\w+=,.@:/-]{2,1224}",
                otherwise=_("takes 2 to 1224 letters, digits and +=,.@:/-"),
            ),
            Ask("username", _("Access key id"), longest=1024, example="AKIA…"),
            Ask(
                "password",
                _("Secret access key"),
                _("It is stored encrypted and can be replaced, but not read."),
                secret=True,
                longest=1024,
            ),
        ),
        certificate=False,
        machines=(
            Ask("defaults.template", _("Image (AMI)"), required=False, longest=200),
            Ask("defaults.cluster", _("Availability zone"), required=False, longest=200),
            Ask("defaults.datastore", _("Volume type"), required=False, longest=200),
            Ask("defaults.network", _("Subnet"), required=False, longest=200),
        ),
    )
)
register_kind(
    Kind(
        "fake",
        _("Fake cloud, for trying things"),
        _("It exists only in a file of the sandbox."),
        {
            name: (title, _("Pretended, in the sandbox alone: no machine of it is real."))
            for name, (title, _summary) in _FLAVOURS.items()
            if name != "evs"
        },
        certificate=False,
        sandbox_only=True,
    )
)


def known() -> list[Kind]:
    """Return the kinds that can be added: those whose connector is there; the fake one only in the sandbox."""
    there = registry.kinds()
    return [kind for kind in _KINDS.values() if kind.name in there and (settings.SANDBOX or not kind.sandbox_only)]


def find(name: str) -> Kind | None:
    """Return a kind by its name, also when it cannot be added any more; None when nobody knows it."""
    return _KINDS.get(name)


def described() -> list[dict[str, Any]]:
    """Return the kinds as plain data, for clients that ask people."""
    return [
        {
            "name": kind.name,
            "title": str(kind.title),
            "summary": str(kind.summary),
            "flavours": [
                {"name": name, "title": str(title), "summary": str(summary)}
                for name, (title, summary) in kind.flavours.items()
            ],
            "certificate": kind.certificate,
            "asks": [
                {
                    "name": ask.name,
                    "label": str(ask.label),
                    "help": str(ask.help),
                    "required": ask.required,
                    "secret": ask.secret,
                    "example": ask.example,
                }
                for ask in kind.asks
            ],
        }
        for kind in known()
    ]
