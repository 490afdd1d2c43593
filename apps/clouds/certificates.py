"""Show the certificate that an address presents, so that people can compare and pin it; nothing is trusted by it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.clouds import addresses, kinds
from apps.clouds.models import Cloud
from apps.tenancy.access import Principal
from apps.tenancy.faults import Fault, fault
from connectors import addressing
from connectors.base import ConnectorError
from engine.findings import Finding

TIMEOUT_S = 8.0
LOOKS = 20
"""How often an organization may look in a window: enough for people, too few to scan a network with."""
WINDOW_S = 60
LOOKED_AT_FOR = timedelta(hours=6)
SOON_DAYS = 30


def presented(principal: Principal, address: str) -> dict[str, Any]:
    """Return what the server at an address shows: {address, host, port, subject, issuer, names, valid_from, …}.

    ``sha256`` is what can be pinned, ``trusted`` whether the system's authorities vouch for it and its name. Nothing
    but the greeting of TLS is sent. Faults: `throttled`, `cloud.address_refused`, `cloud.no_certificate`.
    """
    _count(principal)
    endpoint = addresses.check(address)
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        shown = addressing.shown_certificate(endpoint.host, endpoint.port, TIMEOUT_S, addresses.policy())
        trusted = addressing.is_vouched_for(endpoint.host, endpoint.port, TIMEOUT_S, addresses.policy())
    except ConnectorError as error:
        raise fault("cloud.address_refused", address=where, reason=error.detail or error.message) from None
    except ssl.SSLError:
        reason = _("%(where)s answered, but speaks no TLS that the portal knows") % {"where": where}
        raise fault("cloud.no_certificate", reason=reason) from None
    except OSError:
        reason = _("Nothing answers at %(where)s") % {"where": where}
        raise fault("cloud.no_certificate", reason=reason) from None
    try:
        certificate = x509.load_der_x509_certificate(shown)
        return {"address": address.strip(), "host": endpoint.host, "port": endpoint.port, "trusted": trusted,
                **facts(certificate)}  # fmt: skip
    except (ValueError, x509.UnsupportedGeneralNameType):
        reason = _("The certificate of %(where)s cannot be read") % {"where": where}
        raise fault("cloud.no_certificate", reason=reason) from None


def facts(certificate: x509.Certificate) -> dict[str, Any]:
    """Return a certificate as plain data."""
    shown = certificate.public_bytes(Encoding.DER)
    until = certificate.not_valid_after_utc
    return {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "self_signed": certificate.subject == certificate.issuer,
        "names": _names(certificate),
        "valid_from": certificate.not_valid_before_utc,
        "valid_until": until,
        "days_left": days_left(until),
        "sha256": hashlib.sha256(shown).hexdigest(),
    }


def known_facts(cloud: Cloud, *, anew: bool) -> dict[str, Any] | None:
    """Return what health tells of a cloud's certificate; what was seen within some hours is not looked at again.

    {subject, issuer, sha256, valid_from, valid_until, days_left, looked_at}, moments as texts; None when there is none
    to see.
    """
    kind = kinds.find(cloud.kind)
    if kind is None or not kind.certificate or not cloud.address:
        return None
    before = ((cloud.health or {}).get("facts") or {}).get("certificate")
    if isinstance(before, dict) and not anew and _is_recent(before):
        return {**before, "days_left": days_left(datetime.fromisoformat(before["valid_until"]))}
    try:
        endpoint = addresses.parse(cloud.address)
        shown = addressing.shown_certificate(endpoint.host, endpoint.port, TIMEOUT_S, addresses.policy())
        found = facts(x509.load_der_x509_certificate(shown))
    except (ConnectorError, Fault, OSError, ValueError, x509.UnsupportedGeneralNameType):
        return before if isinstance(before, dict) else None
    kept = {name: found[name] for name in ("subject", "issuer", "sha256", "days_left")}
    moments = {name: found[name].isoformat() for name in ("valid_from", "valid_until")}
    return {**kept, **moments, "looked_at": timezone.now().isoformat()}


def expiry(found: Mapping[str, Any] | None) -> Finding | None:
    """Return what is to be said of a certificate that ends soon, or has ended."""
    if not found or found["days_left"] >= SOON_DAYS:
        return None
    until = datetime.fromisoformat(found["valid_until"]).date().isoformat()
    if found["days_left"] < 0:
        text = _("The cloud's certificate has expired on %(date)s - calls may be refused - renew it on the cloud")
    else:
        text = _("The cloud's certificate expires on %(date)s - then calls will be refused - renew it before")
    return Finding("cloud.certificate_expiring", "warning", text % {"date": until})


def _is_recent(before: Mapping[str, Any]) -> bool:
    try:
        return timezone.now() - datetime.fromisoformat(before["looked_at"]) < LOOKED_AT_FOR
    except (KeyError, ValueError, TypeError):
        return False


def days_left(until: datetime) -> int:
    """Return how many days a certificate is still valid; negative when it has expired."""
    return (until - timezone.now()).days


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (str(common[0].value) if common else name.rfc4514_string())[:200]


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value)[:200] for name in extension.value][:50]


def _count(principal: Principal) -> None:
    key = f"clouds:looks:{principal.organization.pk}"
    try:
        cache.add(key, 0, WINDOW_S)
        looks = cache.incr(key)
    except Exception:  # the cache may be away: administrators can still work
        return
    if looks > LOOKS:
        raise fault("throttled", wait_s=WINDOW_S, retry_after_s=WINDOW_S)
