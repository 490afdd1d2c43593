import socket
import stat
import subprocess

import pytest

from launcher.home import Home, HomeError, port_is_free, read_env


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.open()
    return made


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_and_its_secrets_are_for_the_owner_alone(home):
    home.secrets()
    assert mode(home.folder) == 0o700
    assert mode(home.folder / "secrets.json") == 0o600


def test_secrets_are_made_once(home):
    assert home.secrets() == Home(home.folder).secrets()


def test_two_homes_have_different_secrets(home, tmp_path):
    other = Home(tmp_path / "other")
    other.open()
    assert set(home.secrets().values()).isdisjoint(other.secrets().values())


def test_scripts_source_the_address_and_the_token(home):
    home.write_sandbox_env("http://127.0.0.1:8000", "escale_abc_$dollar'quote")
    assert mode(home.sandbox_env) == 0o600
    script = f". {home.sandbox_env}; sh -c 'echo $ESCALE_URL $ESCALE_TOKEN'"
    assert (
        subprocess.check_output(["sh", "-c", script], text=True) == "http://127.0.0.1:8000 escale_abc_$dollar'quote\n"
    )
    assert home.token() == "escale_abc_$dollar'quote"
    assert read_env(home.sandbox_env)["ESCALE_URL"] == "http://127.0.0.1:8000"


def test_a_chosen_port_is_remembered(home):
    assert home.port("redis", 0, "REDIS_PORT") == Home(home.folder).port("redis", 0, "REDIS_PORT")


def test_a_remembered_port_that_is_taken_is_replaced(home):
    first = home.port("redis", 0, "REDIS_PORT")
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", first))
        squatter.listen()
        assert home.port("redis", 0, "REDIS_PORT") != first


def test_a_wanted_port_that_is_taken_is_an_error_that_names_the_fix(home):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        assert not port_is_free(taken)
        with pytest.raises(HomeError, match=rf"Port {taken} is taken .* PORT=0 for any free one"):
            home.port("web", taken, "PORT")


def test_one_folder_serves_one_launcher(home):
    home.take()
    with pytest.raises(HomeError, match="already runs from .* ESCALE_HOME=/another/folder PORT=0"):
        Home(home.folder).take()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match="cannot be used .* choose another one by ESCALE_HOME"):
        Home(tmp_path / "file" / "home").open()


def test_passwords_are_kept_until_they_were_shown(home):
    people = [{"username": "admin", "password": "made now", "role": "Admin"}]
    home.keep_until_shown(people)
    assert Home(home.folder).not_yet_shown() == people
    assert mode(home.run / "not-yet-shown.json") == 0o600
    home.keep_until_shown([])
    assert Home(home.folder).not_yet_shown() == []
    assert not (home.run / "not-yet-shown.json").exists()
