"""Check what an administrator types about a cloud, before any of it is stored."""

from __future__ import annotations

import ipaddress
import json
import re
from decimal import Decimal
from typing import Any

from cryptography import x509
from django.utils.translation import gettext as _

from apps.clouds import kinds as registered
from apps.clouds import limits as bounds
from apps.clouds import places
from apps.tenancy.faults import fault
from engine.pricing import RATES

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = {"certificate", "kinds", "new", "offers"}
LARGEST_JSON_BYTES = 16_384
LARGEST_PEM_BYTES = 131_072
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TEXTS = {"template", "cluster", "datastore", "network"}
_NUMBERS = {"machine_cpus", "machine_memory_mib", "max_machine_cpus", "max_machine_memory_mib", "volume_size_gib"}
_CHOICES = {"isolation": ("shared", "machine"), "container_engine": ("docker", "podman")}


_EXAMPLE = '{"currency": "EUR", "cpu_month": "9.50", "memory_gib_month": "4", "disk_gib_month": "0.08"}'


class Problems:
    """Gather every field that cannot be used, so that all are told at once."""

    def __init__(self) -> None:
        self.params: list[dict[str, str]] = []

    def add(self, name: str, reason: str) -> None:
        """Note one field and why."""
        self.params.append({"name": name, "reason": reason, "code": "invalid"})

    def raise_if_any(self) -> None:
        """Raise the fault `invalid` with all of them."""
        if self.params:
            raise fault("invalid", count=len(self.params), params=self.params)


def kinds() -> list[str]:
    """Return the kinds that can be registered; the fake cloud writes files, so only the sandbox has it."""
    return [kind.name for kind in registered.known()]


def flavours(kind: str) -> tuple[str, ...]:
    """Return the flavours of a kind, the default first; one empty text when it has none."""
    found = registered.find(kind)
    return tuple(found.flavours) if found is not None and found.flavours else ("",)


def check_identity(problems: Problems, name: str, kind: str, flavour: str) -> None:
    """Check what cannot be changed later."""
    if name in RESERVED:
        problems.add("name", _("is a word of the portal’s own addresses - choose another"))
    elif not NAME.fullmatch(name):
        problems.add("name", _("takes 1 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends"))
    if kind not in kinds():
        problems.add("kind", _("is not one of %(kinds)s") % {"kinds": ", ".join(kinds())})
    elif flavour not in flavours(kind):
        problems.add("flavour", _("is not one of %(flavours)s") % {"flavours": ", ".join(flavours(kind)) or "-"})


def check_text(problems: Problems, field: str, text: str, longest: int) -> str:
    """Return a one-line text without spaces around it."""
    text = text.strip()
    if len(text) > longest or (text and not text.isprintable()):
        problems.add(field, _("takes at most %(longest)d printable characters") % {"longest": longest})
    return text


def check_credential(problems: Problems, username: str, password: str) -> None:
    """Check that there is something to sign in with."""
    for field, text in (("username", username), ("password", password)):
        if not text or len(text) > 1_024 or "\x00" in text:
            problems.add(field, _("takes 1 to 1024 characters"))


def thumbprint(problems: Problems, text: str) -> str:
    """Return a SHA-256 fingerprint as 64 lower-case hexadecimal digits; empty when none is given."""
    plain = re.sub(r"[:\s-]", "", text).lower()
    if not plain or re.fullmatch(r"[0-9a-f]{64}", plain):
        return plain
    if re.fullmatch(r"[0-9a-f]{40}", plain):
        problems.add("thumbprint", _("is a SHA-1 fingerprint, which can be forged - give the SHA-256 one"))
    else:
        problems.add("thumbprint", _("is not a SHA-256 fingerprint of 64 hexadecimal digits"))
    return ""


def ca_pem(problems: Problems, text: str) -> str:
    """Return a bundle of CA certificates in PEM form; empty when none is given."""
    text = text.strip()
    if not text:
        return ""
    try:
        if len(text) > LARGEST_PEM_BYTES or "PRIVATE KEY" in text:
            raise ValueError("too large, or it holds a private key")
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        problems.add("ca_pem", _("is not a bundle of certificates in PEM form (and nothing else)"))
        return ""
    return text + "\n"


def options(problems: Problems, value: Any, kind: str = "") -> dict[str, Any]:
    """Return the connector's options: a JSON object, not too large; what the kind asks for is as it asks for it."""
    if not _is_small_object(value):
        problems.add("options", _("is not a JSON object of at most 16 KiB"))
        return {}
    kept = dict(value)
    found = registered.find(kind)
    for ask in found.options if found is not None else ():
        given = kept.get(ask.option, "")
        if not isinstance(given, str):
            problems.add(ask.name, _("is not a text"))
            continue
        given = given.strip()
        reason = str(ask.why_not(given))
        if reason:
            problems.add(ask.name, reason)
        elif given:
            kept[ask.option] = given
        else:
            kept.pop(ask.option, None)
    return kept


def limits(problems: Problems, value: Any) -> dict[str, int]:
    """Return {machines, cpus, memory_gib, disk_gib} as whole numbers; what is empty or absent is not limited."""
    if value in (None, ""):
        return {}
    if not isinstance(value, dict) or not _is_small_object(value):
        problems.add("limits", _("is not a JSON object such as %(example)s") % {"example": '{"machines": 40}'})
        return {}
    for key in sorted(set(map(str, value)) - set(bounds.KINDS)):
        problems.add(f"limits.{key}"[:200], _("is not one of %(choices)s") % {"choices": ", ".join(bounds.KINDS)})
    kept: dict[str, int] = {}
    for key in bounds.KINDS:
        given = value.get(key)
        if given in (None, ""):
            continue
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 1_000_000_000:
            kept[key] = given
        else:
            problems.add(f"limits.{key}", _("is not a whole number from 0"))
    return kept


def coordinate(problems: Problems, field: str, value: Any, largest: float) -> float | None:
    """Return degrees, at most `largest` on either side; None when there are none."""
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not abs(float(value)) <= largest:
        problems.add(field, _("is not a number of degrees from -%(largest)d to %(largest)d") % {"largest": largest})
        return None
    return round(float(value), 4)


def place(problems: Problems, cloud: Any) -> None:
    """Check that a cloud has both coordinates or none; a well-known region gives those that nobody typed."""
    if cloud.latitude is None and cloud.longitude is None:
        found = places.find(cloud.region) or places.find(str(cloud.options.get("region", "")))
        if found is not None:
            cloud.latitude, cloud.longitude = found.latitude, found.longitude
    if (cloud.latitude is None) != (cloud.longitude is None):
        problems.add("latitude" if cloud.latitude is None else "longitude", _("is needed beside the other one"))


def defaults(problems: Problems, value: Any) -> dict[str, Any]:
    """Return what `engine.observed.Target.defaults` may hold; empty values are left out."""
    if not _is_small_object(value):
        problems.add("defaults", _("is not a JSON object of at most 16 KiB"))
        return {}
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if item in (None, ""):
            continue
        reason = _why_not(key, item)
        if reason:
            problems.add(f"defaults.{key}"[:200], reason)
        else:
            kept[key] = item
    return kept


def prices(problems: Problems, value: Any) -> dict[str, str]:
    """Return a price list for `engine.pricing`, its rates as decimal texts; empty for none.

    {currency, cpu_month, memory_gib_month, disk_gib_month} and perhaps a `note`; all or nothing, so that what nobody
    has priced is never taken to be free.
    """
    if value is None or value == {}:
        return {}
    if not isinstance(value, dict) or not _is_small_object(value):
        problems.add("prices", _("is not a JSON object such as %(example)s") % {"example": _EXAMPLE})
        return {}
    kept: dict[str, str] = {}
    for key in sorted(set(map(str, value)) - {"currency", "note", *RATES}):
        problems.add(f"prices.{key}"[:200], _("is not a price that a cloud has"))
    currency = value.get("currency")
    if isinstance(currency, str) and _CURRENCY.fullmatch(currency.strip().upper()):
        kept["currency"] = currency.strip().upper()
    else:
        problems.add("prices.currency", _("is needed with prices - type the three letters of a currency, such as EUR"))
    for key in RATES:
        rate = _rate(value.get(key))
        if rate is None:
            problems.add(
                f"prices.{key}",
                _("is needed with prices - type an amount from 0 with at most 6 decimals; 0 for what costs nothing"),
            )
        else:
            kept[key] = rate
    note = value.get("note", "")
    if not isinstance(note, str) or len(note) > 200 or (note and not note.isprintable()):
        problems.add("prices.note", _("takes at most %(longest)d printable characters") % {"longest": 200})
    elif note.strip():
        kept["note"] = note.strip()
    return kept


def _rate(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value.strip() if isinstance(value, str) else format(Decimal(str(value)), "f")
    if not _RATE.fullmatch(text):
        return None
    return format(Decimal(text).normalize(), "f")


def _why_not(key: str, item: Any) -> str:
    if key in _TEXTS:
        return "" if isinstance(item, str) and len(item) <= 200 and item.isprintable() else _("is not a name")
    if key in _NUMBERS:
        good = isinstance(item, int) and not isinstance(item, bool) and 1 <= item <= 10_000_000
        return "" if good else _("is not a positive whole number")
    if key in _CHOICES:
        return "" if item in _CHOICES[key] else _("is not one of %(choices)s") % {"choices": ", ".join(_CHOICES[key])}
    if key == "spot":
        return "" if isinstance(item, bool) else _("is neither true nor false")
    if key == "open_to":
        return "" if _are_ranges(item) else _("is not a list of IPv4 address ranges such as 203.0.113.0/24")
    if key == "private_supernet":
        try:
            network = ipaddress.ip_network(item)
        except (ValueError, TypeError):
            return _("is not a network such as 10.96.0.0/16")
        return "" if network.is_private else _("is not a private network")
    return _("is not a default that a cloud has")


def _are_ranges(item: Any) -> bool:
    if not isinstance(item, list) or not 0 < len(item) <= 50:
        return False
    try:
        return all(isinstance(text, str) and ipaddress.IPv4Network(text) for text in item)
    except ValueError:
        return False


def _is_small_object(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    try:
        return len(json.dumps(value)) <= LARGEST_JSON_BYTES and "\\u0000" not in json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
