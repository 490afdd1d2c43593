from pathlib import Path

import pytest

from portal.env import VARIABLES, SettingsError, Variable, load

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

COUNT = Variable("COUNT", "integer", "How many.", default=3, minimum=1)
KEY = Variable("KEY", "secret", "Opens the door. Keep it.", required=True)
MODE = Variable("MODE", "text", "Which way.", default="fast", choices=("fast", "slow"))


def test_it_gives_defaults_for_what_is_unset():
    values = load({"KEY": "open sesame"}, [COUNT, KEY, MODE])
    assert (values["COUNT"], values["MODE"], values["KEY"]) == (3, "fast", "open sesame")


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("false", False), ("no", False)]
)
def test_it_reads_switches_as_people_write_them(text, value):
    assert load({"SWITCH": text}, [Variable("SWITCH", "boolean", "On or off.")])["SWITCH"] is value


def test_it_reads_lists_by_commas():
    hosts = Variable("HOSTS", "list", "Names.")
    assert load({"HOSTS": "a.example, b.example,"}, [hosts])["HOSTS"] == ["a.example", "b.example"]
    assert load({}, [hosts])["HOSTS"] == []


def test_it_names_every_problem_at_once():
    with pytest.raises(SettingsError) as caught:
        load({"COUNT": "none", "MODE": "sideways"}, [COUNT, KEY, MODE])
    text = str(caught.value)
    assert "COUNT is 'none' - that is not a whole number" in text
    assert "MODE is 'sideways' - that is not one of fast, slow" in text
    assert "KEY is not set - Opens the door - set it" in text
    assert len(caught.value.problems) == 3


def test_it_refuses_numbers_below_the_smallest():
    with pytest.raises(SettingsError, match="below the smallest value allowed, 1"):
        load({"COUNT": "0", "KEY": "k"}, [COUNT, KEY])


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("from the file\n")
    assert load({"KEY_FILE": str(tmp_path / "key")}, [KEY])["KEY"] == "from the file"


def test_a_secret_given_twice_is_refused(tmp_path):
    (tmp_path / "key").write_text("one")
    with pytest.raises(SettingsError, match="KEY and KEY_FILE are both set"):
        load({"KEY": "two", "KEY_FILE": str(tmp_path / "key")}, [KEY])


def test_a_missing_secret_file_is_named():
    with pytest.raises(SettingsError, match=r"KEY_FILE is '/nowhere/key' - it cannot be read"):
        load({"KEY_FILE": "/nowhere/key"}, [KEY])


def test_an_error_never_shows_a_secret():
    number = Variable("NUMBER", "secret", "A secret.", choices=("right",))
    with pytest.raises(SettingsError) as caught:
        load({"NUMBER": "hunter2"}, [number])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_every_setting_is_documented(variable):
    document = DOCUMENT.read_text(encoding="utf-8")
    assert f"| `{variable.name}` |" in document, f"describe {variable.name} in docs/settings.md (`make settings-doc`)"


def test_the_document_says_what_the_declarations_say():
    from portal.env import document

    assert document() in DOCUMENT.read_text(encoding="utf-8"), "run `make docs`, which writes the tables again"
