import contextlib
import json
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit.models import Entry, Head
from apps.audit.services import anchor, gathered, record, verify
from apps.tenancy.access import System
from apps.tenancy.models import Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return Organization.objects.create(slug="acme", name="Acme")


@pytest.fixture
def chain(acme):
    for number in range(1, 7):
        record(System(acme), "thing.change", "thing", number, f"thing {number}", {"number": number, "ratio": 0.1})
    return acme


def as_intruder(sql, *values):
    """Write past the triggers, as somebody with the rights of the table's owner can."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        for table in ("audit_entry", "audit_head"):
            cursor.execute(f"alter table {table} disable trigger user")
        cursor.execute(sql, values)
        for table in ("audit_entry", "audit_head"):
            cursor.execute(f"alter table {table} enable trigger user")


@contextlib.contextmanager
def undone():
    """Do what follows in a transaction that something later in it breaks."""
    with contextlib.suppress(LookupError), transaction.atomic():
        yield
        raise LookupError


def codes(organization, known=None):
    return [item.code for item in verify(organization, known)]


def test_an_untouched_chain_is_whole(chain):
    assert codes(chain) == []
    assert codes(Organization.objects.create(slug="empty", name="Empty")) == []


def test_an_edited_entry_is_found(chain):
    as_intruder('update audit_entry set data = \'{"number": 3, "ratio": "0.2"}\' where sequence = 3')
    assert codes(chain) == ["edited"]


@pytest.mark.parametrize("column", ["actor", "action", "object_type", "object_id", "object_name"])
def test_an_edit_of_any_column_is_found(chain, column):
    as_intruder(f"update audit_entry set {column} = 'x' where sequence = 2")
    assert codes(chain) == ["edited"]


def test_an_edit_with_its_hash_made_right_breaks_the_next_link(chain):
    from apps.audit.chain import entry_hash

    entry = Entry.objects.get(sequence=3)
    entry.actor = "mallory"
    as_intruder("update audit_entry set actor = 'mallory', hash = %s where sequence = 3", entry_hash(entry))
    assert codes(chain) == ["reordered"]


def test_a_deleted_entry_is_found(chain):
    as_intruder("delete from audit_entry where sequence = 4")
    assert codes(chain) == ["missing"]


def test_swapped_entries_are_found(chain):
    as_intruder("update audit_entry set sequence = 99 where sequence = 2")
    as_intruder("update audit_entry set sequence = 2 where sequence = 3")
    as_intruder("update audit_entry set sequence = 3 where sequence = 99")
    assert "reordered" in codes(chain)


def test_entries_cut_off_at_the_end_are_found(chain):
    as_intruder("delete from audit_entry where sequence > 4")
    assert codes(chain) == ["truncated"]


def test_a_chain_written_anew_from_the_middle_on_breaks_at_the_head(chain):
    from apps.audit.chain import entry_hash

    previous = Entry.objects.get(sequence=3).previous_hash
    for entry in Entry.objects.filter(sequence__gte=3):
        entry.actor, entry.previous_hash = "mallory", previous
        previous = entry_hash(entry)
        as_intruder(
            "update audit_entry set actor = 'mallory', previous_hash = %s, hash = %s where sequence = %s",
            entry.previous_hash,
            previous,
            entry.sequence,
        )
    assert codes(chain) == ["head"]
    # The intruder cannot make up a head either: its seal is keyed from outside the database.
    as_intruder("update audit_head set hash = %s", previous)
    assert codes(chain) == ["head"]


def test_a_chain_set_back_with_its_head_is_found_by_an_anchor_kept_elsewhere(chain):
    old = Head.objects.values("sequence", "hash", "key_version", "mac").get()
    record(System(chain), "cloud.remove", "cloud", "1", "paris")
    kept = anchor(chain)
    as_intruder("delete from audit_entry where sequence = 7")
    as_intruder(
        "update audit_head set sequence = %s, hash = %s, key_version = %s, mac = %s",
        *(old[name] for name in ("sequence", "hash", "key_version", "mac")),
    )
    assert codes(chain) == []
    assert codes(chain, kept) == ["truncated"]
    record(System(chain), "something.else", "thing", "1")
    assert codes(chain, kept) == ["anchor"]


def test_the_database_refuses_to_change_or_delete_entries(chain):
    for change in (
        lambda: Entry.objects.filter(sequence=1).update(actor="mallory"),
        lambda: Entry.objects.filter(sequence=1).delete(),
        lambda: Head.objects.update(sequence=1),
        lambda: Head.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only|only moves forward"), transaction.atomic():
            change()
    assert codes(chain) == []


def test_what_json_columns_rewrite_does_not_break_the_chain(acme):
    awkward = {"float": 1e20, "one": 1.0, "nul": "a\x00b", "half": "\ud800", 7: {"big": 2**70}, "é": ["ü", None, True]}
    record(System(acme), "thing.change", "thing", "1", "näme\x00", awkward)
    assert codes(acme) == []


def test_chains_of_organizations_do_not_touch(chain):
    other = Organization.objects.create(slug="other", name="Other")
    assert record(System(other), "thing.change", "thing", "1").sequence == 1
    assert codes(other) == codes(chain) == []


def test_what_was_rolled_back_leaves_no_entry_and_no_gap(acme):
    record(System(acme), "first", "thing", "1")
    with undone():
        record(System(acme), "second", "thing", "2")
    record(System(acme), "third", "thing", "3")
    assert list(Entry.objects.values_list("sequence", "action")) == [(1, "first"), (2, "third")]
    assert codes(acme) == []


def test_secrets_do_not_enter_the_log(acme):
    from apps.tenancy.redaction import remember_secret

    remember_secret("opened-by-this-process")
    entry = record(
        System(acme),
        "cloud.create",
        "cloud",
        "1",
        "named opened-by-this-process",
        {
            "password": "hunter22",
            "nested": {"apiKey": "k", "list": [{"client_secret": "s"}]},
            "text": "it said opened-by-this-process and escale_abcdefghijkl_" + "A" * 43,
            "token_count": 3,
        },
    )
    entry.refresh_from_db()
    text = json.dumps(entry.data) + entry.object_name
    for secret in ("hunter22", '"k"', '"s"', "opened-by", "escale_abc"):
        assert secret not in text
    assert entry.data["token_count"] == 3


def test_the_command_proves_chains_and_writes_anchors(chain, tmp_path, capsys):
    file = tmp_path / "anchors.json"
    call_command("audit_verify", write_anchors=file)
    assert "acme: whole, 6 entries" in capsys.readouterr().out
    call_command("audit_verify", anchors=file)
    as_intruder("delete from audit_entry where sequence = 6")
    with pytest.raises(CommandError, match="do not hold"):
        call_command("audit_verify", anchors=file)
    assert "truncated" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_entries_appended_at_the_same_time_form_one_chain():
    organization = Organization.objects.create(slug="acme", name="Acme")
    failures = []

    def append():
        try:
            for _ in range(10):
                record(System(organization), "thing.change", "thing", "1")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert list(Entry.objects.values_list("sequence", flat=True)) == list(range(1, 41))
    assert codes(organization) == []


@pytest.mark.django_db(transaction=True)
def test_slow_work_after_an_entry_keeps_nobody_waiting_when_entries_are_gathered():
    organization = Organization.objects.create(slug="acme", name="Acme")
    done = []

    def other():
        try:
            record(System(organization), "quick", "thing", "2")
            done.append(True)
        finally:
            connection.close()

    with transaction.atomic(), gathered():
        record(System(organization), "slow", "thing", "1")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        assert done == [True]
    assert list(Entry.objects.values_list("sequence", "action")) == [(1, "quick"), (2, "slow")]
    assert codes(organization) == []


def test_gathered_entries_vanish_with_the_exception_that_passes(acme):
    with contextlib.suppress(LookupError), transaction.atomic(), gathered():
        record(System(acme), "first", "thing", "1")
        raise LookupError
    assert not Entry.objects.exists()
    with gathered(), gathered():
        record(System(acme), "inner", "thing", "1")
    assert Entry.objects.get().sequence == 1
