"""`python -m scripts.keys`, and the service that refuses to be reached without a key."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from tests.support.paths import ROOT
from tests.support.ports import free_port


def run(module: str, database_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def keys(database_url: str, *arguments: str) -> str:
    """Run the command; return what it prints on standard output."""
    ended = run("scripts.keys", database_url, *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_key_is_made_listed_rotated_and_revoked(db: psycopg.Connection, database_url: str) -> None:
    text = keys(
        database_url, "create", "--tenant", "clinic", "--scope", "ingest", "--scope", "read", "--name", "gateway"
    )
    key_id, secret = text.split("_")[1:]
    listed = keys(database_url, "list")
    assert all(word in listed for word in (key_id, "clinic", "ingest,read", "gateway", "valid"))
    assert secret not in listed
    replacement = keys(database_url, "rotate", key_id, "--grace", "0s").split("_")[1]
    keys(database_url, "revoke", replacement)
    lines = {line.split()[0]: line for line in keys(database_url, "list").splitlines()}
    assert ("expired" in lines[key_id], "revoked" in lines[replacement]) == (True, True)
    stored = db.execute("SELECT k::text FROM core.access_key AS k").fetchall()
    assert not [row for (row,) in stored if secret in row]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["revoke", "0123456789ab"], "There is no key '0123456789ab'"),
        (["rotate", "0123456789ab"], "There is no key '0123456789ab' in force"),
        (["create", "--tenant", "clinic", "--scope", "operate"], "leave out --tenant"),
        (["create", "--scope", "read", "--valid-for", "soon"], "an interval is written like 90d"),
        (["create", "--scope", "read", "--name", "x" * 129], "access_key_name_has_1_to_128_characters"),
        (["create"], "--scope"),
        (["create", "--scope", "write"], "invalid choice: 'write'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    db: psycopg.Connection, database_url: str, arguments: list[str], said: str
) -> None:
    ended = run("scripts.keys", database_url, *arguments)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert db.execute("SELECT count(*) FROM core.access_key").fetchone() == (0,)


def test_a_database_that_is_away_is_named() -> None:
    ended = run("scripts.keys", f"postgresql://postgres@127.0.0.1:{free_port()}/postgres", "list")
    assert (ended.returncode, "cannot be reached" in ended.stderr) == (1, True)


def test_the_service_does_not_listen_for_other_machines_without_a_key(
    db: psycopg.Connection, database_url: str
) -> None:
    ended = run("service", database_url, HOST="0.0.0.0", PORT=str(free_port()))
    assert ended.returncode == 2
    assert "make keys ARGS='create" in ended.stderr


@pytest.mark.parametrize(("name", "value"), [("AUTH", "no"), ("MAX_KEY_FAILURES", "0")])
def test_a_bad_setting_is_named(database_url: str, name: str, value: str) -> None:
    ended = run("service", database_url, **{name: value})
    assert ended.returncode == 2
    assert f"{name} is '{value}'" in ended.stderr
