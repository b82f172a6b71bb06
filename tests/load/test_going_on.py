"""Imports that were interrupted, and services that are busy or away."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.load.__main__ import main
from tests.load.readings import ALL, HEADER, Load, reading, rejects_of, row, state_of
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.stand_in import StandIn, in_turn


def test_an_interrupted_import_goes_on_where_it_was(
    load: Load, base_url: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "long.csv.gz"
    count = 5000
    text = HEADER + "".join(row(number, heart_rate=10 if number == 0 else 70) for number in range(count))
    path.write_bytes(gzip.compress(text.encode()))
    state = path.with_name("long.csv.gz.state")
    command = [sys.executable, "-m", "scripts.load", "--url", base_url, "--batch", "1", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 30
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, complaint = running.communicate(timeout=20)
    assert running.returncode == 130, complaint
    reached = state_of(path)["files"][str(path)]["line"]
    assert 1 < reached < count
    assert f"Acknowledged up to line {reached:,} of {path}" in complaint
    # A reject of a chunk that was not acknowledged is not written twice.
    with path.with_name("long.csv.gz.rejects").open("a") as rejects:
        rejects.write("half a li")
    status, said, _ = load(path)
    assert status == 1
    assert f"This run: {count + 1 - reached:,} readings" in said
    kept = state_of(path)["files"][str(path)]
    assert (kept["readings"], kept["rejected"], kept["line"]) == (count, 1, count + 1)
    assert kept["inserted"] + kept["unchanged"] == count - 1
    assert kept["unchanged"] <= 1
    assert [reject["line"] for reject in rejects_of(path)] == [2]
    assert len(db.execute(ALL).fetchall()) == count - 1


def test_a_state_of_another_import_is_refused(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text(reading(1))
    state = path.with_name("a.ndjson.state")
    for text, words in (
        ("{}", "is no state of an import"),
        ('{"url":"http://x","rejects_bytes":0,"files":{}}', "http://x"),
    ):
        state.write_text(text)
        status, _, complaint = load(path)
        assert (status, words in complaint) == (2, True), complaint


def test_a_busy_or_broken_service_is_asked_again(
    stand_in: StandIn, address: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stand_in.troubles = in_turn(["503", "429", "lose", "drop", None, "503"])
    path = tmp_path / "a.ndjson"
    path.write_text("".join(reading(number) for number in range(10)))
    began = time.monotonic()
    assert main(["--url", address, "--no-progress", "--batch", "4", str(path)]) == 0
    assert time.monotonic() - began > 0.6  # as Retry-After says, three times 0.2 s
    assert "10 readings: 10 inserted" in capsys.readouterr().out
    assert [len(post) for post in stand_in.posts] == [4, 4, 4, 4, 4, 4, 4, 2]


def test_a_service_that_stays_away_ends_the_import_and_it_can_go_on(
    stand_in: StandIn, address: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stand_in.troubles = in_turn([None, *["503"] * 100])
    path = tmp_path / "a.ndjson"
    path.write_text("".join(reading(number) for number in range(10)))
    arguments = ["--url", address, "--no-progress", "--batch", "4", "--patience", "300ms", str(path)]
    assert main(arguments) == 3
    assert "busy or away for 0.3 s" in capsys.readouterr().err
    stand_in.troubles = in_turn([])
    assert main(arguments) == 0
    assert len(stand_in.held) == 10


def test_no_service_is_said_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("scripts.load.run.GREETING_SECONDS", 0.1)
    path = tmp_path / "a.ndjson"
    path.write_text(reading(1))
    assert main(["--url", f"http://127.0.0.1:{free_port()}", str(path)]) == 3
    assert "No service answers at" in capsys.readouterr().err
