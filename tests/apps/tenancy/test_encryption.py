import base64

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.tenancy import encryption, keys
from apps.tenancy.faults import Fault
from apps.tenancy.models import DataKey, Organization

pytestmark = pytest.mark.django_db

SECRET = b"the password of a vCenter"


def ring(*versions):
    return ",".join(f"{version}:{base64.b64encode(bytes([version]) * 32).decode()}" for version in versions)


@pytest.fixture
def acme():
    return Organization.objects.create(slug="acme", name="Acme")


def code_of(call):
    with pytest.raises(Fault) as caught:
        call()
    return caught.value.code


def test_what_was_sealed_opens_for_the_same_row(acme):
    blob = encryption.seal(acme, "cloud-credential:1", SECRET)
    assert SECRET not in blob
    assert encryption.open_sealed(acme, "cloud-credential:1", blob) == SECRET


def test_the_same_secret_is_never_sealed_the_same_way_twice(acme):
    assert encryption.seal(acme, "row", SECRET) != encryption.seal(acme, "row", SECRET)


def test_it_does_not_open_in_another_row(acme):
    blob = encryption.seal(acme, "row:1", SECRET)
    assert code_of(lambda: encryption.open_sealed(acme, "row:2", blob)) == "encryption.tampered"


def test_it_does_not_open_for_another_organization_even_with_the_same_data_key(acme):
    other = Organization.objects.create(slug="other", name="Other")
    blob = encryption.seal(acme, "row", SECRET)
    encryption.seal(other, "row", SECRET)
    assert code_of(lambda: encryption.open_sealed(other, "row", blob)) == "encryption.tampered"
    # Somebody who writes tables copies the wrapped key: it was wrapped for its organization, too.
    row = DataKey.objects.get(organization=acme)
    DataKey.objects.filter(organization=other).update(wrapped=row.wrapped)
    assert code_of(lambda: encryption.open_sealed(other, "row", blob)) == "encryption.tampered"


def test_every_changed_byte_is_noticed(acme):
    blob = encryption.seal(acme, "row", b"x")
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        assert code_of(lambda blob=bytes(changed): encryption.open_sealed(acme, "row", blob)) == "encryption.tampered"
    for length in (0, 1, 5, 16, len(blob) - 1):
        assert code_of(lambda n=length: encryption.open_sealed(acme, "row", blob[:n])) == "encryption.tampered"


def test_the_key_of_sessions_plays_no_part(acme, settings):
    blob = encryption.seal(acme, "row", SECRET)
    settings.SECRET_KEY = "another one, as after a leak"
    assert encryption.open_sealed(acme, "row", blob) == SECRET


def test_a_missing_key_is_named_by_its_version(acme, settings):
    settings.ESCALE_KEYS = ring(1)
    blob = encryption.seal(acme, "row", SECRET)
    settings.ESCALE_KEYS = ring(2)
    with pytest.raises(Fault) as caught:
        encryption.open_sealed(acme, "row", blob)
    assert caught.value.code == "encryption.key_missing"
    assert "version 1" in caught.value.detail
    assert "rotate_keys" in caught.value.hint


def test_another_key_under_the_same_version_does_not_open_it(acme, settings):
    settings.ESCALE_KEYS = ring(1)
    blob = encryption.seal(acme, "row", SECRET)
    settings.ESCALE_KEYS = "1:" + base64.b64encode(b"\x09" * 32).decode()
    assert code_of(lambda: encryption.open_sealed(acme, "row", blob)) == "encryption.tampered"


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:", "1:c2hvcnQ=", "x:" + "A" * 43 + "=", "1:not base64!", ring(1) + "," + ring(1), "99999:" + "A" * 43],
)
def test_keys_that_cannot_be_used_are_refused_without_being_shown(text):
    with pytest.raises(ImproperlyConfigured) as caught:
        keys.parse(text)
    assert "A" * 43 not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_neither_keys_nor_data_keys_show_in_a_repr(acme, settings):
    settings.ESCALE_KEYS = ring(1)
    shown = repr(keys.keyring()) + repr(encryption._current(acme))
    assert "\\x01\\x01" not in shown
    assert shown == "<Keyring versions [1]><data key 1>"
