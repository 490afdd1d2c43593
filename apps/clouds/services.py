"""Write clouds and their credentials: one transaction each, for administrators, audited, no secret in sight."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.clouds import addresses, checking, connections, kinds, sharing
from apps.clouds.models import Cloud, Credential
from apps.clouds.reading import capacity, find_cloud, refresh, store_health, target, test_connection, unwell
from apps.tenancy import encryption
from apps.tenancy.access import Actor, Principal, System, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Organization, Role
from apps.tenancy.redaction import redact_text, remember_secret
from connectors.base import ConnectorError, Health

__all__ = [
    "capacity",
    "find_cloud",
    "refresh",
    "register_cloud",
    "register_use",
    "remove_cloud",
    "rotate_credential",
    "target",
    "test_connection",
    "update_cloud",
    "used_by",
]

Use = Callable[[Cloud], list[str]]

_uses: list[Use] = []


def register_use(names_of: Use) -> None:
    """Let an app above say what still needs a cloud: `names_of(cloud)` returns the names, empty when nothing does."""
    if names_of not in _uses:
        _uses.append(names_of)


def register_cloud(
    who: Actor | None,
    organization: Organization | None = None,
    *,
    name: str,
    kind: str,
    address: str,
    username: str,
    password: str,
    flavour: str = "",
    thumbprint: str = "",
    ca_pem: str = "",
    region: str = "",
    defaults: Mapping[str, Any] | None = None,
    prices: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    title: str = "",
    latitude: float | None = None,
    longitude: float | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Cloud:
    """Add a cloud with its credential to the actor's organization; `who` None: the portal itself does.

    Nothing is connected: call `test_connection` or `refresh` next. Faults: `forbidden`, `invalid`,
    `cloud.address_refused`, `cloud.name_in_use`.
    """
    who = _admin(who, organization)
    organization = who.organization
    flavour = flavour or checking.flavours(kind)[0]
    problems = checking.Problems()
    checking.check_identity(problems, name, kind, flavour)
    checking.check_credential(problems, username, password)
    cloud = Cloud(organization=organization, name=name, kind=kind, flavour=flavour, address=address.strip())
    cloud.title = checking.check_text(problems, "title", title, 120)
    cloud.region = checking.check_text(problems, "region", region, 80)
    cloud.thumbprint = checking.thumbprint(problems, thumbprint)
    cloud.ca_pem = checking.ca_pem(problems, ca_pem)
    cloud.options = checking.options(problems, dict(options or {}), kind)
    cloud.defaults = checking.defaults(problems, dict(defaults or {}))
    cloud.prices = checking.prices(problems, prices)
    cloud.limits = checking.limits(problems, limits)
    cloud.latitude = checking.coordinate(problems, "latitude", latitude, 90)
    cloud.longitude = checking.coordinate(problems, "longitude", longitude, 180)
    checking.place(problems, cloud)
    _check_address(problems, cloud)
    problems.raise_if_any()
    _check_endpoints(cloud.address, cloud.options)
    with transaction.atomic():
        # One at a time for an organization: a cloud that it was given must keep its name.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if name in sharing.taken_names(organization):
            raise fault("cloud.name_in_use", name=name)
        try:
            with transaction.atomic():
                cloud.save(force_insert=True)
        except IntegrityError:
            raise fault("cloud.name_in_use", name=name) from None
        _seal(Credential(cloud=cloud), username, password).save(force_insert=True)
        record(who, "cloud.create", "cloud", cloud.pk, name, {"kind": kind, "flavour": flavour, "address": address})
    return cloud


_CHECKS: Mapping[str, Callable[[checking.Problems, Any], Any]] = {
    "title": lambda problems, value: checking.check_text(problems, "title", value, 120),
    "region": lambda problems, value: checking.check_text(problems, "region", value, 80),
    "thumbprint": checking.thumbprint,
    "ca_pem": checking.ca_pem,
    "defaults": checking.defaults,
    "prices": checking.prices,
    "limits": checking.limits,
    "latitude": lambda problems, value: checking.coordinate(problems, "latitude", value, 90),
    "longitude": lambda problems, value: checking.coordinate(problems, "longitude", value, 180),
    "address": lambda problems, value: str(value).strip(),
    "enabled": lambda problems, value: bool(value),
    "flavour": lambda problems, value: str(value),
}


def update_cloud(
    who: Actor | None,
    cloud: Cloud,
    *,
    username: str | None = None,
    password: str | None = None,
    **changes: Any,
) -> Cloud:
    """Change what an administrator may say of a cloud, prices and limits among it, and the credential.

    `kind` may be named but not changed. The stored password is never sent to an address that it was not entered for:
    a new address needs both again. Faults: `forbidden`, `invalid`, `cloud.address_refused`,
    `cloud.credential_needed`. TypeError: another attribute.
    """
    who = _admin(who, cloud.organization)
    problems = checking.Problems()
    if "kind" in changes and changes.pop("kind") != cloud.kind:
        problems.add("kind", _("cannot be changed - register the cloud anew under another name"))
    projects = changes.pop("projects", None)
    if unknown := set(changes) - set(_CHECKS) - {"options"}:
        raise TypeError(f"a cloud's {', '.join(sorted(unknown))} cannot be changed")
    values = {name: _CHECKS[name](problems, value) for name, value in changes.items() if name != "options"}
    if "options" in changes:
        values["options"] = checking.options(problems, changes["options"], cloud.kind)
    if "flavour" in values:
        checking.check_identity(problems, cloud.name, cloud.kind, values["flavour"])
    if username is not None or password is not None:
        checking.check_credential(problems, username or "", password or "")
    _check_place(problems, cloud, values)
    if projects is not None:
        values["own_projects"] = sharing.own_projects(problems, cloud, projects)
    problems.raise_if_any()
    _check_endpoints(values.get("address", ""), values.get("options", {}))
    with transaction.atomic():
        cloud = _locked(cloud)
        changed = {name: value for name, value in values.items() if getattr(cloud, name) != value}
        moved = "options" in changed and _endpoints(changed["options"]) != _endpoints(cloud.options)
        if ("address" in changed or moved) and not password:
            raise fault("cloud.credential_needed")
        if "own_projects" in changed:
            sharing.refuse_if_shut_out(cloud, changed["own_projects"])
        for name, value in changed.items():
            setattr(cloud, name, value)
        cloud.save(update_fields=list(changed))
        if password:
            _replace_credential(cloud, username or "", password)
            store_health(cloud, None, None)  # it was about the old credential
        told = {**changed, "credential": bool(password)}
        if "own_projects" in told:
            told["own_projects"] = [str(key) for key in told["own_projects"]]
        record(who, "cloud.update", "cloud", cloud.pk, cloud.name, told)
    return cloud


def rotate_credential(
    who: Actor | None, cloud: Cloud, username: str, password: str, *, try_first: bool = True
) -> Credential:
    """Exchange the credential while work goes on: each process takes the new one at its next call.

    The new one is tried first; a cloud that refuses it leaves the old one in place (fault
    `cloud.not_authenticated`). A cloud that cannot be reached does not hinder: whoever rotates after a leak must be
    able to. Other faults: `forbidden`, `invalid`.
    """
    who = _admin(who, cloud.organization)
    problems = checking.Problems()
    checking.check_credential(problems, username, password)
    problems.raise_if_any()
    health = _try(cloud, username, password) if try_first else None
    with transaction.atomic():
        locked = _locked(cloud)
        credential = _replace_credential(locked, username, password)
        # What the trial found is how the cloud is now; what the old credential met is not.
        store_health(locked, health, None)
        cloud.health, cloud.health_at = locked.health, locked.health_at
        record(who, "credential.rotate", "cloud", cloud.pk, cloud.name, {"version": credential.version})
    connections.drop(cloud.pk)
    return credential


def remove_cloud(who: Actor | None, cloud: Cloud) -> None:
    """Remove a cloud and forget its credential; fault `cloud.in_use` while anything lives on it.

    The row stays for the history of what once ran there; its name is free again.
    """
    who = _admin(who, cloud.organization)
    with transaction.atomic():
        cloud = _locked(cloud)
        names = used_by(cloud)
        if names:
            shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            raise fault("cloud.in_use", count=len(names), cloud=cloud.name, names=shown, extra={"used_by": names[:100]})
        Credential.objects.filter(cloud=cloud).delete()
        cloud.removed_at, cloud.enabled = timezone.now(), False
        cloud.save(update_fields=["removed_at", "enabled"])
        record(who, "cloud.remove", "cloud", cloud.pk, cloud.name)
    connections.drop(cloud.pk)


def used_by(cloud: Cloud) -> list[str]:
    """Return the names of what still needs a cloud, sorted."""
    return sorted(name for names_of in _uses for name in names_of(cloud))


def _check_address(problems: checking.Problems, cloud: Cloud) -> None:
    kind = kinds.find(cloud.kind)
    if not cloud.address and (kind is None or kind.needs_address):
        problems.add("address", _("is needed"))


def _endpoints(options: Mapping[str, Any]) -> list[str]:
    """Return the addresses that options name: `endpoint_url` for all services, `endpoint_urls` by service."""
    by_service = options.get("endpoint_urls")
    named = [*(by_service.values() if isinstance(by_service, dict) else []), options.get("endpoint_url")]
    return [str(each) for each in named if each]


def _check_endpoints(address: str, options: Mapping[str, Any]) -> None:
    for each in (address, *_endpoints(options)):
        if each:
            addresses.check(each)


def _check_place(problems: checking.Problems, cloud: Cloud, values: dict[str, Any]) -> None:
    """Check what will stand together; a well-known region sets a pin where there is none."""
    changed = Cloud(kind=cloud.kind, region=cloud.region, options=cloud.options, address=cloud.address)
    changed.latitude, changed.longitude = cloud.latitude, cloud.longitude
    for name in values.keys() & {"region", "options", "address", "latitude", "longitude"}:
        setattr(changed, name, values[name])
    moved = values.get("region", cloud.region) != cloud.region
    if moved and (changed.latitude, changed.longitude) == (cloud.latitude, cloud.longitude):
        changed.latitude = changed.longitude = None  # they are of the old place: look the new one up
    checking.place(problems, changed)
    if values.keys() & {"region", "options", "latitude", "longitude"}:
        values["latitude"], values["longitude"] = changed.latitude, changed.longitude
    _check_address(problems, changed)


def _admin(who: Actor | None, organization: Organization | None) -> Actor:
    if who is None:
        if organization is None:
            raise TypeError("without an actor, the organization must be named")
        return System(organization)
    if organization is not None and who.organization.pk != organization.pk:
        raise fault("not_found")
    if isinstance(who, Principal):
        require(who, Role.ADMIN)
    return who


def _locked(cloud: Cloud) -> Cloud:
    found = Cloud.objects.present().select_for_update(of=("self",)).select_related("organization")
    row = found.filter(pk=cloud.pk).first()
    if row is None:
        raise fault("cloud.unknown", name=cloud.name)
    return row


def _replace_credential(cloud: Cloud, username: str, password: str) -> Credential:
    credential = Credential.objects.select_for_update().get(cloud=cloud)
    credential.cloud = cloud
    credential.version += 1
    _seal(credential, username, password).save()
    return credential


def _seal(credential: Credential, username: str, password: str) -> Credential:
    remember_secret(password)
    text = json.dumps({"username": username, "password": password})
    credential.sealed = encryption.seal(credential.cloud.organization, connections.purpose(credential), text.encode())
    return credential


def _try(cloud: Cloud, username: str, password: str) -> Health:
    try:
        with connections.connected_once(cloud, username=username, password=password) as connector:
            health = connector.probe()
            code, message = connections.code_of(health), health.summary
    except ConnectorError as error:
        health, code, message = unwell(error), error.code, error.message
    if code == "cloud.not_authenticated":
        raise Fault(code, detail=redact_text(message), status=422)
    return health
