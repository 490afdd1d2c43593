"""Rotate keys while the portal runs; stop and start it anywhere, kill it anywhere: it goes on where it was.

Two depths. Re-wrapping exchanges only what the data keys are wrapped with: enough when a key of ESCALE_KEYS is
replaced. Re-encrypting besides gives every organization a new data key and seals every stored secret anew with it:
for when a data key may have leaked.

Every step is one conditional UPDATE on the old value, so a secret that is changed meanwhile is never overwritten.
Apps that store sealed values say so with `register_sealed` in their `AppConfig.ready()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps as django_apps
from django.db.models import Max

from apps.tenancy import encryption
from apps.tenancy.keys import keyring
from apps.tenancy.models import ApiToken, DataKey, Organization


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """Describe a column of sealed values: which rows an organization has, and each one's purpose."""

    model: str  # "clouds.Credential"
    field: str
    organization_path: str  # "cloud__organization"
    purpose: Callable[[Any], str]


_columns: dict[tuple[str, str], SealedColumn] = {}
_followers: list[Callable[[], int]] = []


def register_sealed(model: str, field: str, organization_path: str, purpose: Callable[[Any], str]) -> None:
    """Declare a column of sealed values, so that re-encryption reaches it. Empty values are left alone."""
    _columns[(model, field)] = SealedColumn(model, field, organization_path, purpose)


def register_follower(follow: Callable[[], int]) -> None:
    """Declare something else that is keyed by ESCALE_KEYS: `follow()` renews it and returns how much it renewed."""
    if follow not in _followers:
        _followers.append(follow)


def sealed_columns() -> list[SealedColumn]:
    """Return the declared columns."""
    return list(_columns.values())


def rewrap() -> Iterator[DataKey]:
    """Wrap every data key with the newest key; yield each one after its commit."""
    newest = keyring().newest
    for row in DataKey.objects.exclude(kek_version=newest).order_by("pk").iterator(chunk_size=100):
        wrapped = encryption.wrap(row.organization_id, row.version, newest, encryption.unwrap(row))
        same = DataKey.objects.filter(pk=row.pk, kek_version=row.kek_version)
        if same.update(kek_version=newest, wrapped=wrapped):
            yield row


def follow() -> int:
    """Renew what else depends on the newest key; return how much."""
    return sum(renew() for renew in _followers)


def begin_reencryption() -> int:
    """Give every organization that has secrets a new data key; return how many."""
    made = 0
    # The longest unchanged first, so that runs that are killed early still reach everybody in the end.
    waiting = Organization.objects.filter(data_keys__isnull=False).annotate(last=Max("data_keys__created_at"))
    for organization in waiting.order_by("last", "pk"):
        latest = DataKey.objects.filter(organization=organization).aggregate(Max("version"))["version__max"]
        encryption.add_data_key(organization, latest + 1)
        made += 1
    return made


def reencrypt() -> Iterator[tuple[SealedColumn, Any]]:
    """Seal with its organization's newest data key whatever an older one sealed; yield each row after its commit."""
    for organization in Organization.objects.filter(data_keys__isnull=False).distinct():
        newest = DataKey.objects.filter(organization=organization).aggregate(Max("version"))["version__max"]
        for column in _columns.values():
            yield from _reencrypt_column(organization, column, newest)


def _reencrypt_column(organization: Organization, column: SealedColumn, newest: int) -> Iterator[tuple[Any, Any]]:
    rows = django_apps.get_model(column.model)._default_manager.filter(**{column.organization_path: organization})
    for row in rows.order_by("pk").iterator(chunk_size=100):
        old = bytes(getattr(row, column.field) or b"")
        if not old or encryption.version_of(old) >= newest:
            continue
        purpose = column.purpose(row)
        fresh = encryption.seal(organization, purpose, encryption.open_sealed(organization, purpose, old))
        if type(row)._default_manager.filter(pk=row.pk, **{column.field: old}).update(**{column.field: fresh}):
            yield column, row


def still_needed() -> dict[int, dict[str, int]]:
    """Return, for each version of ESCALE_KEYS in use, how many data keys and API tokens still need it."""
    counts: dict[int, dict[str, int]] = {}
    for version in DataKey.objects.values_list("kek_version", flat=True):
        counts.setdefault(version, {"data_keys": 0, "tokens": 0})["data_keys"] += 1
    live = ApiToken.objects.filter(revoked_at__isnull=True)
    for version in live.values_list("pepper_version", flat=True).iterator():
        counts.setdefault(version, {"data_keys": 0, "tokens": 0})["tokens"] += 1
    return counts
