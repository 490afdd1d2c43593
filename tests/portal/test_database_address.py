import pytest

from portal.database import database_from_url
from portal.env import SettingsError


def test_it_takes_an_address_apart():
    database = database_from_url("postgresql://alice:p%40ss@db.example:5433/escale?sslmode=verify-full")
    assert database["USER"] == "alice"
    assert database["PASSWORD"] == "p@ss"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "5433", "escale")
    assert database["OPTIONS"]["sslmode"] == "verify-full"


def test_a_socket_folder_comes_as_the_host_option():
    database = database_from_url("postgresql://alice@/escale?host=/run/postgresql")
    assert database["HOST"] == "/run/postgresql"
    assert "host" not in database["OPTIONS"]


def test_a_pool_is_bounded():
    assert database_from_url("postgresql://db/escale", pool_max=7)["OPTIONS"]["pool"]["max_size"] == 7
    assert "pool" not in database_from_url("postgresql://db/escale")["OPTIONS"]


@pytest.mark.parametrize("url", ["mysql://db/escale", "sqlite:///file", "escale"])
def test_it_refuses_everything_but_postgresql(url):
    with pytest.raises(SettingsError, match="only PostgreSQL can keep the journal"):
        database_from_url(url)


def test_it_refuses_an_address_without_a_database():
    with pytest.raises(SettingsError, match="names no database"):
        database_from_url("postgresql://db:5432/")
