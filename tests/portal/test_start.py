"""What the settings check at the start of every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
GOOD = {
    "PATH": os.environ["PATH"],
    "DATABASE_URL": "postgresql://db.example/escale",
    "REDIS_URL": "redis://redis.example/0",
    "SECRET_KEY": "x" * 50,
    "ESCALE_KEYS": "1:" + "A" * 43 + "=",
    "ESCALE_URL": "https://escale.example.com",
    "ESCALE_HOME": "/nonexistent",
}


def check(**changed):
    environ = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=CLONE, env=environ, capture_output=True, text=True, check=False
    )


def test_good_settings_start():
    done = check()
    assert done.returncode == 0, done.stderr


def test_everything_that_is_missing_is_named_without_a_traceback():
    done = check(SECRET_KEY=None, REDIS_URL=None, ESCALE_KEYS=None)
    assert done.returncode != 0
    for name in ("SECRET_KEY", "REDIS_URL", "ESCALE_KEYS"):
        assert f"{name} is not set" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ESCALE_DEBUG": "1"}, "ESCALE_DEBUG is 1"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY has fewer than 50 characters"),
        ({"ESCALE_URL": "escale.example.com"}, "ESCALE_URL is 'escale.example.com' - that is no address of a server"),
        ({"ESCALE_KEYS": "1:not-32-bytes"}, "ESCALE_KEYS, part 1, cannot be used"),
        ({"DATABASE_URL": "mysql://db/escale"}, "only PostgreSQL can keep the journal"),
        ({"ESCALE_OPERATIONS": "lease_s=soon"}, "'lease_s=soon' is no figure"),
    ],
)
def test_what_cannot_be_used_is_said_plainly(changed, said):
    done = check(**changed)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_secrets_from_files_start_as_well(tmp_path):
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ESCALE_KEYS"):
        (tmp_path / name).write_text(GOOD[name] + "\n")
    done = check(
        **{f"{name}_FILE": str(tmp_path / name) for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ESCALE_KEYS")},
        DATABASE_URL=None,
        REDIS_URL=None,
        SECRET_KEY=None,
        ESCALE_KEYS=None,
    )
    assert done.returncode == 0, done.stderr


def test_cookies_travel_by_https_alone_when_the_address_is_https():
    code = (
        "from portal import settings as s;"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0)"
    )

    def flags(url):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=CLONE,
            env={**GOOD, "ESCALE_URL": url},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert flags("https://escale.example.com") == ["True", "True", "True"]
    assert flags("http://127.0.0.1:8000") == ["False", "False", "False"]
