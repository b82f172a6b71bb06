"""`make run`: what it starts and says, how it stops, and how it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts import embedded
from tests.support.embedded_data import copy_data
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.processes import Started, started, wait_until_gone

READING = {
    "user_id": 303,
    "timestamp": "2025-01-15T10:00:00Z",
    "heart_rate": 88,
    "steps": 400,
    "calories": 15.2,
}


@pytest.fixture(scope="module")
def data(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that tests of this module share, one after the other, so that none has to create it."""
    data = tmp_path_factory.mktemp("data")
    copy_data(migrated, data)
    return data


def beside_others(data: Path) -> dict[str, str]:
    """Return what a person would set to have an instance beside another one."""
    return {"DATA": str(data), "PORT": str(free_port()), "DB_PORT": str(free_port()), "DATABASE_URL": ""}


@pytest.fixture
def environment(data: Path) -> dict[str, str]:
    return beside_others(data)


@pytest.fixture
def run(environment: dict[str, str]) -> Iterator[Started]:
    """An instance that is ready, to be stopped."""
    with started(["make", "run"], **environment) as command:
        command.wait_for("Ctrl-C")
        yield command


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, dict[str, str]]]:
    """An instance that has created its database, and what was set for it."""
    environment = beside_others(tmp_path_factory.mktemp("created"))
    with started(["make", "run"], **environment) as command:
        command.wait_for("Ctrl-C", 180)  # where others have the processors, too
        yield command, environment


def url(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['PORT']}"


def test_it_says_what_it_started_and_where(first: tuple[Started, dict[str, str]]) -> None:
    command, environment = first
    said = "\n".join(command.lines)
    for promised in (
        f"{url(environment)}/",
        f"{url(environment)}/docs",
        environment["DATA"],
        f"PGPASSFILE={environment['DATA']}/pgpass psql postgresql://postgres@127.0.0.1:{environment['DB_PORT']}/postgres",
        "not for production",
    ):
        assert promised in said
    assert httpx.get(f"{url(environment)}/").status_code == 200
    password_file = embedded.password_file(Path(environment["DATA"]))
    with psycopg.connect(embedded.address(int(environment["DB_PORT"])), passfile=password_file) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_password_of_the_database_stays_in_its_file(first: tuple[Started, dict[str, str]], tmp_path: Path) -> None:
    command, environment = first
    data = Path(environment["DATA"])
    password = (data / "pgpass").read_text().splitlines()[0].rsplit(":", 1)[1]
    assert [pid for pid in command.descendants() if password in Path(f"/proc/{pid}/cmdline").read_text()] == []
    assert password not in "\n".join(command.lines)
    shown = tmp_path / "psql"
    shown.write_text('#!/bin/sh\necho "$@"; cat "$PGPASSFILE"; echo "$PGREQUIREAUTH"\n')
    shown.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, **environment, "PATH": path}
    done = subprocess.run(["make", "-s", "psql"], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60)
    arguments, *lines = done.stdout.splitlines()
    assert password not in arguments
    assert f"127.0.0.1:*:*:postgres:{password}" in lines
    assert lines[-1] == "scram-sha-256"


def test_the_same_directory_cannot_be_served_twice(first: tuple[Started, dict[str, str]]) -> None:
    _, environment = first
    refusal(beside_others(Path(environment["DATA"])), "is in use by process", environment["DATA"])


def test_ctrl_c_stops_everything_and_a_second_start_is_quick_and_finds_the_data(environment: dict[str, str]) -> None:
    with started(["make", "run"], **environment) as first:
        first.wait_for("Ctrl-C")
        assert httpx.post(f"{url(environment)}/ingest", json=READING).status_code == 200
        children = first.descendants()
        assert len(children) >= 3
        assert first.interrupt() < 3
        assert wait_until_gone(list(children), seconds=0.5) == []
    began = time.monotonic()
    with started(["make", "run"], **environment) as second:
        second.wait_for("Ctrl-C")
        seconds = time.monotonic() - began
        range_ = {"start": READING["timestamp"], "end": READING["timestamp"]}
        answer = httpx.get(f"{url(environment)}/metrics", params={"user_id": 303, **range_})
    assert answer.json() == {"avg_heart_rate": 88.0, "total_steps": 400, "total_calories": 15.2}
    assert seconds < 15, "the target is 5 s on a machine that does nothing else"


def test_sigterm_stops_everything_too(run: Started) -> None:
    children = run.descendants()
    run.process.terminate()
    run.process.wait(3)
    assert wait_until_gone(list(children), seconds=0.5) == []


def test_nothing_is_left_when_the_watcher_is_killed(run: Started) -> None:
    children = run.descendants()
    os.kill(run.descendant("scripts.run") if "scripts.run" in str(children) else run.process.pid, signal.SIGKILL)
    assert wait_until_gone(list(children)) == []


def test_a_port_in_use_is_named(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["PORT"]))):
        refusal(environment, f"Port {environment['PORT']}", "make run PORT=")
    with socket.create_server(("127.0.0.1", int(environment["DB_PORT"]))):
        refusal(environment, f"Port {environment['DB_PORT']}", "DB_PORT")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_named(environment: dict[str, str], port: str) -> None:
    refusal({**environment, "PORT": port}, f"PORT is '{port}'")


def test_a_database_that_does_not_answer_is_named(environment: dict[str, str]) -> None:
    address = f"postgresql://someone:secret@127.0.0.1:{free_port()}/somewhere"
    assert "secret" not in refusal({**environment, "DATABASE_URL": address}, "cannot be reached", "DATABASE_URL")


def test_a_directory_that_cannot_be_made_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refusal({**environment, "DATA": str(tmp_path / "file" / "data")}, "file")


def refusal(environment: dict[str, str], *parts: str) -> str:
    """Run, expect one sentence with those parts and a status that is not 0; return what was said."""
    with started(["make", "run"], **environment) as command:
        said = command.output()
        assert command.process.returncode != 0
    sentences = [line for line in said.splitlines() if line.startswith("hyperpulse: ")]
    assert len(sentences) == 1, said
    assert all(part in sentences[0] for part in parts), said
    assert "Traceback" not in said
    return said
