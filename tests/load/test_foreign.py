"""Files of other systems, loaded: what is stored, what is said, and how a load goes on after a break."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from scripts.load import foreign, run
from scripts.load.__main__ import main
from scripts.load.options import parse
from tests.support.files import FILES, content
from tests.support.paths import ROOT

HEAD = '<HealthData locale="en_GB">\n'

Load = Callable[..., tuple[int, str, str]]


def record(minute: int, value: Any = 61) -> str:
    """Write a record of Apple Health."""
    moment = f"2025-01-15 08:{minute:02}:00 +0100"
    return (
        '<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" '
        f'startDate="{moment}" endDate="{moment}" value="{value}"/>\n'
    )


@pytest.fixture
def load(client: httpx.Client, base_url: str, capsys: pytest.CaptureFixture[str]) -> Load:
    """Load for ada; return the exit status and the output of both streams."""

    def load(*arguments: object) -> tuple[int, str, str]:
        status = main(["--url", base_url, "--no-progress", "--user", "ada", "--format", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return load


def beats(db: psycopg.Connection) -> list[float]:
    query = "SELECT heart_rate FROM api.readings WHERE user_id = 'ada' AND heart_rate IS NOT NULL ORDER BY ts"
    return [value for (value,) in db.execute(query).fetchall()]


def test_a_file_is_loaded_and_what_is_left_out_is_said(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text(HEAD + "".join(record(minute, 60 + minute) for minute in range(10)) + "<Workout/></HealthData>")
    status, said, _ = load("apple-health", path)
    assert status == 0, said
    assert "1 file, 10 readings: 10 inserted, 0 updated, 0 unchanged, 0 rejected." in said
    assert "Skipped: 1 Workout is a workout; its records are taken by themselves." in said
    assert beats(db) == [60 + minute for minute in range(10)]
    assert "10 readings: 10 inserted" in load("apple-health", path)[1]  # finished: nothing is sent again


def test_a_clock_is_asked_for_and_taken(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "resting_heart_rate-2025-01-15.json"
    path.write_bytes(content(f"fitbit/{path.name}"))
    status, _, complained = load("auto", path)
    assert (status, "tz is needed for this format" in complained) == (2, True)
    assert load("fitbit", path, "--tz", "Europe/Berlin", "--restart")[0] == 0
    at = db.execute("SELECT ts::text FROM api.samples WHERE user_id = 'ada'").fetchall()
    assert at == [("2025-01-14 23:00:00+00",)]


def test_bad_records_are_named_and_the_others_are_stored(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text(HEAD + record(0) + record(1, "fast") + record(2, 900) + record(3) + "</HealthData>")
    status, _, _ = load("apple-health", path)
    assert (status, beats(db)) == (1, [61, 61])
    rejects = [json.loads(line) for line in (tmp_path / "export.xml.rejects").read_text().splitlines()]
    assert [(one["line"], one["problems"][0]["problem"]) for one in rejects] == [
        (2, "has no number in value"),
        (3, "must be between 30 and 220"),
    ]


def test_a_damaged_file_is_loaded_up_to_the_damage(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text(HEAD + record(0) + record(1) + "<Rec")
    status, _, complained = load("apple-health", path)
    assert (status, beats(db)) == (2, [61, 61])
    assert "line 4: is no XML: unclosed token. What stands before is stored." in complained


def test_a_load_goes_on_behind_what_is_acknowledged(
    load: Load, db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "export.xml"
    path.write_text(HEAD + "".join(record(minute, 60 + minute) for minute in range(50)) + "</HealthData>")
    sent: list[int] = []
    note = run.Import.note

    def interrupted(self: run.Import, work: run.Work, chunk: Any, *rest: Any) -> None:
        note(self, work, chunk, *rest)
        sent.append(chunk.count)
        if len(sent) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(run.Import, "note", interrupted)
    status, _, complained = load("apple-health", path, "--batch", 10)
    assert (status, beats(db)) == (130, [60 + minute for minute in range(30)])
    assert "Acknowledged up to record 30" in complained
    monkeypatch.setattr(run.Import, "note", note)
    status, said, _ = load("apple-health", path, "--batch", 10)
    assert status == 0
    assert "50 readings: 50 inserted, 0 updated, 0 unchanged, 0 rejected." in said
    assert "This run: 20 readings" in said
    assert len(beats(db)) == 50


def test_a_dry_run_sends_nothing(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "export.xml"
    path.write_text(HEAD + record(0) + record(1, 900) + "</HealthData>")
    status, said, _ = load("apple-health", path, "--dry-run")
    assert (status, beats(db)) == (1, [])
    assert "1 reading to send, 1 rejected." in said


def test_a_directory_is_no_file(load: Load, tmp_path: Path) -> None:
    assert "is a directory" in load("apple-health", tmp_path)[2]


@pytest.mark.parametrize(
    "arguments", [["--format", "auto", "x"], ["--user", "ada", "x"], ["--tz", "UTC", "x"], ["--format", "apple", "x"]]
)
def test_options_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)


def test_make_names_a_person_only_where_it_is_given() -> None:
    def command(*arguments: str) -> str:
        done = subprocess.run(
            ["make", "--dry-run", "load", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={"USER": "root", "PATH": "/usr/bin:/bin"},
            check=True,
        )
        return done.stdout.splitlines()[-1]

    assert command("FILE=export.zip", "FORMAT=apple-health", "USER=ada").endswith(
        "-m scripts.load --format 'apple-health' --user 'ada'  'export.zip'"
    )
    assert "--user" not in command("FILE=export.zip", "FORMAT=apple-health")
    assert command("ARGS=january.csv").split()[-1] == "january.csv"


def test_files_of_other_systems_are_named_once(tmp_path: Path) -> None:
    path = FILES / "apple-health" / "export.xml"
    assert foreign.foreign_files((path, path)) == [path]
