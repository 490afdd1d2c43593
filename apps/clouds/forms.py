"""Read what an administrator types about a cloud; services check it again.

The fields of a kind come from what it asks for (`apps.clouds.kinds`): a new kind needs no form and no template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from apps.clouds import checking, places
from apps.clouds.kinds import Ask, Kind
from apps.clouds.limits import KINDS as LIMITED
from apps.clouds.models import Cloud
from apps.clouds.showing import LIMIT_NAMES
from apps.tenancy.forms import dress
from engine.pricing import RATES

_CREDENTIAL = {"autocomplete": "off", "spellcheck": "false"}
_TRUST = ("thumbprint", "ca_pem")


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

    def __init__(self, kind: Kind | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for ask in kind.account if kind is not None else ():
            if ask.name in self.fields:
                self.fields[ask.name].label = ask.label  # as the kind calls it
        dress(self)


class _Rate(forms.DecimalField):
    """Take an amount of money as people of the page's language write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, min_value=0, max_digits=15, decimal_places=6, localize=True, **options)


class _Degrees(forms.FloatField):
    """Take degrees north or east."""

    def __init__(self, largest: int, **options: Any) -> None:
        super().__init__(required=False, min_value=-largest, max_value=largest, localize=True, **options)
        self.widget.attrs["inputmode"] = "decimal"


class _CloudForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=120, required=False, help_text=_("As people read it."))
    region = forms.CharField(
        label=_("Place"),
        max_length=80,
        required=False,
        help_text=_("A town of the list is found on the map by itself."),
        widget=forms.TextInput(attrs={"list": "places"}),
    )
    latitude = _Degrees(90, label=_("Latitude"), help_text=_("Degrees north."))
    longitude = _Degrees(180, label=_("Longitude"), help_text=_("Degrees east."))
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
    PLACES = places.PLACES

    def __init__(self, kind: Kind, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        if not kind.certificate:
            for name in _TRUST:
                del self.fields[name]
        else:
            self.fields["ca_pem"].widget.wide = True  # type: ignore[attr-defined]
        for ask in self.asks():
            self.fields[ask.field] = _field_of(ask, needed=self.needs(ask))
        for name, label in LIMIT_NAMES.items():
            self.fields[f"limit_{name}"] = forms.IntegerField(
                label=label, required=False, min_value=0, max_value=1_000_000_000
            )
        dress(self)

    def asks(self) -> tuple[Ask, ...]:
        """Return what the kind asks for in this form."""
        return self.kind.asks

    def needs(self, ask: Ask) -> bool:
        """Tell whether something must be typed."""
        return ask.required

    # What the template draws

    @property
    def place(self) -> list[BoundField]:
        """Return the fields that say where the cloud is."""
        return self._bound(ask.field for ask in self.kind.place)

    @property
    def trust(self) -> list[BoundField]:
        """Return the fields that say how it proves what it is."""
        return self._bound(name for name in _TRUST if name in self.fields)

    @property
    def account(self) -> list[BoundField]:
        """Return the fields that say what signs in."""
        return self._bound(ask.field for ask in self.kind.account)

    @property
    def machines(self) -> list[BoundField]:
        """Return the fields that say what machines are made from and put on."""
        return self._bound(ask.field for ask in self.kind.machines)

    @property
    def limits(self) -> list[BoundField]:
        """Return the fields of limits."""
        return self._bound(f"limit_{name}" for name in LIMITED)

    @property
    def prices(self) -> list[BoundField]:
        """Return the fields of prices."""
        return self._bound(self.PRICES)

    def _bound(self, names: Iterable[str]) -> list[BoundField]:
        return [self[name] for name in names if name in self.fields]

    # What services are given

    def values(self, known: Cloud | None = None) -> dict[str, Any]:
        """Return everything but the credential; what this form does not ask for stays as it is."""
        typed = self.cleaned_data
        values = {name: typed[name] for name in ("title", "region", "latitude", "longitude", "address", *_TRUST)
                  if name in typed}  # fmt: skip
        values.setdefault("address", known.address if known is not None else "")
        if "flavour" in typed:
            values["flavour"] = typed["flavour"]
        values["options"] = self._gathered("options", known.options if known is not None else {})
        values["defaults"] = self._gathered("defaults", known.defaults if known is not None else {})
        values["limits"] = {name: typed[f"limit_{name}"] for name in LIMITED if typed[f"limit_{name}"] is not None}
        values["prices"] = {
            name: format(typed[name], "f") if isinstance(typed[name], Decimal) else typed[name]
            for name in self.PRICES
            if typed[name] not in (None, "")
        }
        return values

    def _gathered(self, group: str, known: Mapping[str, Any]) -> dict[str, Any]:
        asked = {ask.option: self.cleaned_data[ask.field] for ask in self.asks() if ask.name.startswith(f"{group}.")}
        return {**known, **asked}

    def field_of(self, param: str) -> str:
        """Return the field that a fault's parameter speaks of: `prices.currency`, `limits.cpus`, `options.region`."""
        group, _dot, name = param.partition(".")
        candidates = (param, f"limit_{name}" if group == "limits" else name, param.replace(".", "_"))
        return next((each for each in candidates if each in self.fields), param)


class CloudForm(_CloudForm):
    """Ask for a new cloud of a kind, with its credential."""

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        help_text=_("Lower-case letters, digits and hyphens. The command line calls it by this name."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )

    def values(self, known: Cloud | None = None) -> dict[str, Any]:
        """Return everything, the credential too."""
        typed = self.cleaned_data
        own = {"name": typed["name"], "kind": self.kind.name}
        return {**super().values(known), **own, "username": typed["username"], "password": typed["password"]}


class CloudChangeForm(_CloudForm):
    """Ask for changes; a new address asks for the credential again."""

    def __init__(self, kind: Kind, *args: Any, **kwargs: Any) -> None:
        super().__init__(kind, *args, **kwargs)
        if kind.flavours:
            self.fields["flavour"] = forms.ChoiceField(
                label=_("Whose it is"), choices=[(name, title) for name, (title, _line) in kind.flavours.items()]
            )
        self.fields["password"].help_text = _(
            "Only needed when the address changes: the stored one is not sent to another address."
        )
        dress(self)

    def needs(self, ask: Ask) -> bool:
        """Ask for the credential only when it must be given again."""
        return ask.required and ask.name not in ("username", "password")

    @classmethod
    def of(cls, kind: Kind, cloud: Cloud) -> CloudChangeForm:
        """Return the form filled with what is known."""
        known: dict[str, Any] = {
            name: getattr(cloud, name)
            for name in ("title", "flavour", "region", "latitude", "longitude", "address", *_TRUST)
        }
        known |= {name: cloud.prices.get(name, "") for name in ("currency", "note")}
        known |= {name: Decimal(cloud.prices[name]) for name in RATES if name in cloud.prices}
        known |= {f"limit_{name}": cloud.limits.get(name) for name in LIMITED}
        for ask in kind.asks:
            if ask.option:
                group = cloud.options if ask.name.startswith("options.") else cloud.defaults
                known[ask.field] = group.get(ask.option, "")
        return cls(kind, initial=known)


class ShareForm(forms.Form):
    """Ask whom to offer a cloud."""

    organization = forms.CharField(
        label=_("Organization"),
        max_length=63,
        help_text=_("Its short name, which its administrators can tell you."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    project = forms.CharField(
        label=_("Project"),
        max_length=63,
        required=False,
        help_text=_("Short name of one project of theirs. Empty: all their projects."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


def _field_of(ask: Ask, *, needed: bool) -> forms.Field:
    attributes: dict[str, Any] = {**_CREDENTIAL, "autocapitalize": "off"}
    if ask.example:
        attributes["placeholder"] = ask.example
    widget: forms.Widget = forms.TextInput(attrs=attributes)
    if ask.secret:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    strip = not ask.secret and ask.name != "username"
    return forms.CharField(
        label=ask.label, help_text=ask.help, required=needed, max_length=ask.longest, strip=strip, widget=widget
    )


def checked_flavour(kind: Kind, text: str) -> str:
    """Return a flavour of a kind: the one that is named, or the first."""
    return text if text in kind.flavours else checking.flavours(kind.name)[0]
