"""Keys are exchanged while secrets are in use; whatever moment the rotation is killed at, nothing is lost."""

import base64
import os
import signal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.audit.services import record, verify
from apps.clouds import connections, services
from apps.clouds.models import Credential
from apps.tenancy import encryption, rotation
from apps.tenancy.access import System
from apps.tenancy.models import ApiToken, DataKey, Organization


def ring(*versions):
    return ",".join(f"{version}:{base64.b64encode(bytes([version]) * 32).decode()}" for version in versions)


def make_secrets(number):
    """Make organizations with two clouds each; returns what their credentials open to."""
    secrets = {}
    for index in range(number):
        organization = Organization.objects.create(slug=f"org-{index}", name=f"Org {index}")
        for name in ("paris", "oregon"):
            password = f"password {index} {name}"
            cloud = services.register_cloud(
                None, organization, name=name, kind="fake", address="fake.example", username="u", password=password
            )
            secrets[cloud.pk] = password
    return secrets


def opened():
    """Open every credential as a worker would."""
    result = {}
    for row in Credential.objects.select_related("cloud__organization"):
        text = encryption.open_sealed(row.cloud.organization, connections.purpose(row), bytes(row.sealed))
        result[row.cloud_id] = __import__("json").loads(text)["password"]
    return result


def rotate(*options):
    out = StringIO()
    call_command("rotate_keys", *options, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_after_a_rotation_the_old_key_is_not_needed_any_more(settings):
    settings.ESCALE_KEYS = ring(1)
    secrets = make_secrets(2)
    settings.ESCALE_KEYS = ring(2, 1)
    assert opened() == secrets
    assert "wrapped with key version 2: 2" in rotate()
    settings.ESCALE_KEYS = ring(2)
    assert opened() == secrets


@pytest.mark.django_db
def test_the_command_says_what_still_needs_the_old_key(settings, alice):
    settings.ESCALE_KEYS = ring(1)
    from apps.tenancy.services import issue_token

    issue_token(alice.principal, "old", "viewer")
    settings.ESCALE_KEYS = ring(2, 1)
    assert "version 1 is still needed by 0 data keys and by" in rotate()
    assert ApiToken.objects.filter(pepper_version=1).count() >= 1


@pytest.mark.django_db
def test_without_the_old_key_the_rotation_stops_and_names_it(settings):
    settings.ESCALE_KEYS = ring(1)
    secrets = make_secrets(1)
    settings.ESCALE_KEYS = ring(2)
    with pytest.raises(CommandError, match="version 1"):
        rotate()
    settings.ESCALE_KEYS = ring(2, 1)
    assert opened() == secrets


@pytest.mark.django_db
def test_new_data_keys_seal_every_secret_anew(settings):
    secrets = make_secrets(2)
    before = {row.pk: bytes(row.sealed) for row in Credential.objects.all()}
    text = rotate("--data-keys")
    assert "New data keys: 2" in text
    assert "Secrets encrypted anew: 4" in text
    for row in Credential.objects.all():
        assert bytes(row.sealed) != before[row.pk]
        assert encryption.version_of(row.sealed) == 2
    assert opened() == secrets
    assert "encrypted anew: 0" in rotate()


@pytest.mark.django_db
def test_a_credential_that_is_changed_meanwhile_is_not_overwritten(settings, monkeypatch):
    make_secrets(1)
    rotation.begin_reencryption()
    seal = encryption.seal

    def meanwhile(organization, purpose, data):
        if Credential.objects.filter(version=2).count() == 0:
            monkeypatch.setattr(encryption, "seal", seal)
            cloud = Credential.objects.order_by("pk").first().cloud
            services.rotate_credential(None, cloud, "u", "typed meanwhile", try_first=False)
        return seal(organization, purpose, data)

    monkeypatch.setattr(encryption, "seal", meanwhile)
    assert len(list(rotation.reencrypt())) == 1
    assert "typed meanwhile" in opened().values()


@pytest.mark.django_db
def test_the_audit_log_is_sealed_with_the_newest_key_and_stays_whole(settings):
    settings.ESCALE_KEYS = ring(1)
    organization = Organization.objects.create(slug="acme", name="Acme")
    record(System(organization), "thing.change", "thing", "1")
    settings.ESCALE_KEYS = ring(2, 1)
    rotate()
    settings.ESCALE_KEYS = ring(2)
    assert verify(organization) == []


@pytest.mark.django_db
def test_a_forged_head_of_the_audit_log_is_not_made_genuine_by_a_rotation(settings):
    settings.ESCALE_KEYS = ring(1)
    organization = Organization.objects.create(slug="acme", name="Acme")
    record(System(organization), "thing.change", "thing", "1")
    organization.audit_head.refresh_from_db()
    type(organization.audit_head).objects.update(mac="0" * 64)
    settings.ESCALE_KEYS = ring(2, 1)
    rotate()
    assert [item.code for item in verify(organization)] == ["head"]


@pytest.mark.django_db
def test_every_sealed_column_of_the_models_is_known_to_the_rotation():
    from django.apps import apps

    known = {(column.model.lower(), column.field) for column in rotation.sealed_columns()}
    short_lived = {("deployments.fetchgrant", "sealed")}  # gone within hours; their data key stays
    found = {
        (f"{model._meta.label_lower}", field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name.startswith("sealed")
    }
    assert found - short_lived <= known


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_rotation_that_is_killed_at_any_write_goes_on_where_it_was(settings, moment):
    settings.ESCALE_KEYS = ring(1)
    secrets = make_secrets(2)
    settings.ESCALE_KEYS = ring(2, 1)
    kills = 0
    while not _rotates_to_the_end(moment):
        kills += 1
        assert opened() == secrets
        assert kills < 50
    assert kills >= 4
    settings.ESCALE_KEYS = ring(2)
    assert opened() == secrets
    assert not DataKey.objects.exclude(kek_version=2).exists()
    assert {encryption.version_of(row.sealed) for row in Credential.objects.all()} == {2}


def _rotates_to_the_end(moment):
    """Rotate in a child process that is killed by SIGKILL at its first write; tells whether it had none left to do."""
    pid = os.fork()
    if pid == 0:
        try:
            inherited = connection.connection  # stays referenced: closing it would end the parent's session
            connection.connection = None
            connection.ensure_connection()
            begun = DataKey.objects.filter(version=2).count() == Organization.objects.count()
            with connection.execute_wrapper(_dying(moment)):
                call_command("rotate_keys", *([] if begun else ["--data-keys"]), stdout=StringIO())
            os._exit(0 if inherited else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def _dying(moment):
    writes = 0

    def wrapper(execute, sql, params, many, context):
        nonlocal writes
        write = sql.startswith(("UPDATE", "INSERT"))
        writes += write
        # The first write of a run is let through when the kill comes before one, or no run would ever get on.
        if write and moment == "before" and writes == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        result = execute(sql, params, many, context)
        if write and moment == "after" and context["connection"].in_atomic_block is False:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper
