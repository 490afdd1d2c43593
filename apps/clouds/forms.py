"""Read what an administrator types about a cloud; services check it again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.clouds import checking
from apps.clouds.models import Cloud
from apps.tenancy.forms import dress
from apps.tenancy.templatetags.ui import FLAVOURS
from engine.pricing import RATES

_CREDENTIAL = {"autocomplete": "off", "spellcheck": "false"}


class CredentialForm(forms.Form):
    """Ask for the user name and password at the cloud; they are never shown again."""

    username = forms.CharField(label=_("User name at the cloud"), max_length=1_024, strip=False,
                               widget=forms.TextInput(attrs=_CREDENTIAL))  # fmt: skip
    password = forms.CharField(
        label=_("Password at the cloud"),
        max_length=1_024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("It is stored encrypted and can be replaced, but not read."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


class _Place(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=120, required=False, help_text=_("As people read it."))
    flavour = forms.ChoiceField(label=_("Whose it is"))
    region = forms.CharField(label=_("Region"), max_length=80, required=False)
    address = forms.CharField(
        label=_("Address"),
        max_length=255,
        help_text=_("Host name and port, or the address of the API, for example vcenter.example.com."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    thumbprint = forms.CharField(
        label=_("Certificate fingerprint"),
        max_length=200,
        required=False,
        help_text=_("SHA-256. It pins the certificate, which then needs no authority."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "input mono"}),
    )
    ca_pem = forms.CharField(
        label=_("Certificate authority"),
        required=False,
        help_text=_("PEM. Without this and a fingerprint, the system’s authorities decide."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "textarea mono"}),
    )

    template = forms.CharField(label=_("Template"), max_length=200, required=False)
    cluster = forms.CharField(label=_("Cluster"), max_length=200, required=False)
    datastore = forms.CharField(label=_("Datastore"), max_length=200, required=False)
    network = forms.CharField(label=_("Network"), max_length=200, required=False)

    DEFAULTS = ("template", "cluster", "datastore", "network")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        flavours = dict.fromkeys(flavour for kind in checking.kinds() for flavour in checking.flavours(kind))
        self.fields["flavour"].choices = [  # type: ignore[attr-defined]
            (name, str(FLAVOURS.get(name, name)).capitalize() if name == "private" else FLAVOURS.get(name, name))
            for name in flavours
        ]
        self.fields["ca_pem"].widget.wide = True  # type: ignore[attr-defined]
        dress(self)

    def defaults(self, known: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the defaults with what was typed; what this form does not ask for stays as it is."""
        return {**(known or {}), **{name: self.cleaned_data[name] for name in self.DEFAULTS}}


class _Rate(forms.DecimalField):
    """Take an amount of money as people of the page's language write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, min_value=0, max_digits=15, decimal_places=6, localize=True, **options)


class CloudForm(_Place):
    """Ask for a new cloud."""

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        help_text=_("Lower-case letters, digits and hyphens. The command line calls it by this name."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )
    kind = forms.ChoiceField(label=_("Kind"))

    field_order = ["name", "title", "kind", "flavour", "region", "address", "thumbprint", "ca_pem"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {"vsphere": _("vSphere (vCenter)"), "fake": _("Fake cloud, for trying things")}
        self.fields["kind"].choices = [(kind, names.get(kind, kind)) for kind in checking.kinds()]  # type: ignore[attr-defined]
        dress(self)


class CloudChangeForm(_Place):
    """Ask for changes; a new address asks for the credential again."""

    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        required=False,
        help_text=_("Three letters, such as EUR. Empty: plans show no price."),
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "spellcheck": "false"}),
    )
    cpu_month = _Rate(label=_("One CPU for a month"))
    memory_gib_month = _Rate(label=_("One GiB of memory for a month"))
    disk_gib_month = _Rate(label=_("One GiB of disk for a month"))
    note = forms.CharField(
        label=_("Note on the prices"), max_length=200, required=False, help_text=_("It is shown beside each price.")
    )

    PRICES = ("currency", *RATES, "note")

    username = forms.CharField(label=_("User name at the cloud"), max_length=1_024, required=False, strip=False,
                               widget=forms.TextInput(attrs=_CREDENTIAL))  # fmt: skip
    password = forms.CharField(
        label=_("Password at the cloud"),
        max_length=1_024,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Only needed when the address changes: the stored one is not sent to another address."),
    )

    @classmethod
    def of(cls, cloud: Cloud) -> CloudChangeForm:
        """Return the form filled with what is known."""
        known = {
            name: getattr(cloud, name) for name in ("title", "flavour", "region", "address", "thumbprint", "ca_pem")
        }
        prices = {name: cloud.prices.get(name, "") for name in ("currency", "note")}
        prices |= {name: Decimal(cloud.prices[name]) for name in RATES if name in cloud.prices}
        return cls(initial={**known, **prices, **{name: cloud.defaults.get(name, "") for name in cls.DEFAULTS}})

    def prices(self) -> dict[str, Any]:
        """Return the price list that was typed; empty when all of it was left empty."""
        typed = {name: self.cleaned_data[name] for name in self.PRICES}
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in typed.items()
            if value not in (None, "")
        }
