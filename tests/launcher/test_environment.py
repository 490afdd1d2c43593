from pathlib import Path

import pytest

from launcher.environment import complete_for_manage, of_a_child, of_the_portal
from launcher.home import Home

SECRETS = {"secret_key": "made secret key", "escale_keys": "1:made"}


def made(given, *, sandbox=True, **changed):
    facts = {
        "database_url": "postgresql://embedded", "redis_url": "redis://embedded", "url": "http://127.0.0.1:8000",
        "machine_url": "https://127.0.0.1:8443", "machine_ca": Path("/home/ca.pem"), **changed,
    }  # fmt: skip
    return of_the_portal(given, SECRETS, sandbox=sandbox, **facts)


def test_the_sandbox_makes_its_own_keys():
    settings = made({})
    assert settings["SECRET_KEY"] == "made secret key"
    assert settings["ESCALE_KEYS"] == "1:made"
    assert settings["ESCALE_SANDBOX"] == "1"


def test_without_the_sandbox_nothing_is_made_up():
    settings = made({}, sandbox=False)
    assert "SECRET_KEY" not in settings
    assert "ESCALE_KEYS" not in settings
    assert settings["ESCALE_SANDBOX"] == "0"


@pytest.mark.parametrize("given", ["SECRET_KEY", "SECRET_KEY_FILE"])
def test_what_the_operator_gives_is_left_alone(given):
    assert "SECRET_KEY" not in made({given: "the operator's"})


def test_servers_that_were_not_started_are_not_named():
    settings = made({"DATABASE_URL": "postgresql://real"}, database_url="", redis_url="redis://embedded")
    assert "DATABASE_URL" not in settings
    assert settings["REDIS_URL"] == "redis://embedded"


def test_the_address_of_another_copy_in_the_shell_does_not_become_ours():
    assert made({"ESCALE_URL": "http://127.0.0.1:9999"})["ESCALE_URL"] == "http://127.0.0.1:8000"
    assert "ESCALE_URL" not in made({"ESCALE_URL": "https://escale.example.com"})
    assert "ESCALE_URL" not in made({"ESCALE_URL": "http://127.0.0.1:9999"}, sandbox=False)


def test_an_empty_variable_does_not_hide_its_file():
    child = of_a_child({"SECRET_KEY": "", "SECRET_KEY_FILE": "/run/key"}, {})
    assert "SECRET_KEY" not in child
    assert child["SECRET_KEY_FILE"] == "/run/key"


def test_a_command_by_hand_uses_what_was_started(tmp_path):
    home = Home(tmp_path)
    home.open()
    home.write_runtime_env({"DATABASE_URL": "postgresql://running", "SECRET_KEY": "it's one"})
    environ = {"ESCALE_HOME": str(tmp_path)}
    complete_for_manage(environ, ["shell"])
    assert environ["DATABASE_URL"] == "postgresql://running"
    assert environ["SECRET_KEY"] == "it's one"


def test_where_nothing_was_started_only_commands_that_read_the_code_work(tmp_path):
    environ = {"ESCALE_HOME": str(tmp_path / "none")}
    complete_for_manage(environ, ["migrate"])
    assert "DATABASE_URL" not in environ
    complete_for_manage(environ, ["makemigrations"])
    assert "DATABASE_URL" in environ


def test_a_given_database_is_never_mixed_with_the_sandbox(tmp_path):
    home = Home(tmp_path)
    home.open()
    home.write_runtime_env({"DATABASE_URL": "postgresql://running", "ESCALE_SANDBOX": "1"})
    environ = {"ESCALE_HOME": str(tmp_path), "DATABASE_URL": "postgresql://real"}
    complete_for_manage(environ, ["migrate"])
    assert environ == {"ESCALE_HOME": str(tmp_path), "DATABASE_URL": "postgresql://real"}
