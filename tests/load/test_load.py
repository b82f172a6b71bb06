"""Imports of whole files: what is stored, and what is said of lines that are not."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import psycopg
import zstandard

from tests.load.readings import ALL, HEADER, NOON, SIX, Load, reading, rejects_of, row, stored, total


def test_what_csv_says_is_stored(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "january.csv"
    lines = [
        "\ufeffts,user_id,steps,heart_rate,calories,device_id",
        "2025-01-15 12:00:00+00,42,,71.5,,",
        '2025-01-15T13:00:00+01:00,"a ""b"", c",3,,0,phone',
        "",
        "2025-01-15T12:00:01Z,zoë,3,60,1e2,phone",
    ]
    path.write_text("\r\n".join(lines), encoding="utf-8")
    status, said, _ = load("--complete", path)
    assert status == 0, said
    assert "1 file, 3 readings: 3 inserted, 0 updated, 0 unchanged, 0 rejected." in said
    assert db.execute(ALL).fetchall() == [
        ("42", "default", NOON, 71.5, None, None),
        ('a "b", c', "phone", NOON, None, 3, 0.0),
        ("zoë", "phone", NOON + timedelta(seconds=1), 60.0, 3, 100.0),
    ]


def test_a_directory_is_imported_whatever_its_compression(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deeper").mkdir(parents=True)
    (data / "a.csv").write_text(HEADER + row(1) + row(2))
    (data / "b.ndjson.gz").write_bytes(gzip.compress(reading(3).encode()) + gzip.compress(reading(4).encode()))
    frames = [zstandard.compress(reading(number).encode()) for number in range(5, 105)]
    (data / "deeper" / "c.jsonl.zst").write_bytes(b"".join(frames))
    (data / "notes.txt").write_text("not data")
    status, said, _ = load(data, "--batch", 7)
    assert (status, said.splitlines()[:2]) == (
        0,
        [
            f"Skipped, not named .csv, .ndjson or .jsonl, perhaps with .gz or .zst, in any case: {data}/notes.txt.",
            "3 files, 104 readings: 104 inserted, 0 updated, 0 unchanged, 0 rejected.",
        ],
    )
    assert len(db.execute(ALL).fetchall()) == 104


def test_later_lines_win(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "twice.ndjson"
    path.write_text("".join(reading(1, heart_rate=beats) for beats in range(60, 80)))
    status, said, _ = load(path, "--batch", 3)
    assert status == 0
    assert "20 readings: 1 inserted, 19 updated" in said
    assert [stored[3] for stored in db.execute(ALL).fetchall()] == [79.0]


def test_every_rejected_line_is_named(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "mixed.ndjson"
    lines = [reading(number, heart_rate=900 if number % 2 else 70) for number in range(600)]
    lines[10] = "{broken\n"
    lines[20] = "[1]\n"
    lines[30] = '{"user_id": "x", "heart_rate": NaN}\n'
    lines[40] = '{"user_id": "' + "x" * 70_000 + '"}\n'
    lines[50] = "\n"
    path.write_text("".join(lines))
    status, said, _ = load(path)
    assert status == 1
    assert "599 readings: 295 inserted, 0 updated, 0 unchanged, 304 rejected." in said
    rejects = rejects_of(path)
    assert [reject["line"] for reject in rejects] == sorted(
        [number + 1 for number in range(600) if number % 2] + [11, 21, 31, 41]
    )
    assert rejects[0] == {
        "file": str(path),
        "line": 2,
        "problems": [{"at": "heart_rate", "problem": "must be between 30 and 220", "value": 900}],
        "text": lines[1].rstrip(),
    }
    assert f"{path}:2: heart_rate must be between 30 and 220 (it is 900)" in said
    assert len(db.execute(ALL).fetchall()) == 295


def test_a_dry_run_names_the_same_lines_and_sends_nothing(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(HEADER + row(1) + row(2, heart_rate="fast") + "one,two\n" + row(3, user="") + row(4))
    status, dry, _ = load("--dry-run", path)
    assert status == 1
    assert "1 file: 2 readings to send, 3 rejected." in dry
    assert db.execute(ALL).fetchall() == []
    assert [file.name for file in tmp_path.iterdir()] == ["mixed.csv"]
    status, wet, _ = load(path)
    assert status == 1
    assert dry.splitlines()[:3] == wet.splitlines()[:3]


def test_what_cannot_be_read_is_said_in_a_sentence(load: Load, tmp_path: Path) -> None:
    whole = reading(1).encode() * 1000
    contents = {
        "missing.csv": None,
        "readings.xls": b"",
        "empty.csv": b"",
        "header.csv": b"who,when\n1,2\n",
        "cut.ndjson.gz": gzip.compress(whole)[:-9],
        "not.ndjson.gz": whole,
        "cut.ndjson.zst": zstandard.compress(whole)[:-9],
        "not.ndjson.zst": whole,
    }
    for name, content in contents.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        status, _, complaint = load(path)
        assert status == 2, name
        assert complaint.startswith("load: "), name
        assert name in complaint
        assert complaint.count("\n") == 1, complaint


def test_what_is_no_csv_ends_the_import_behind_what_was_sent(
    load: Load, db: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "broken.csv"
    good, broken = f"user_id,timestamp,steps\na,{SIX}0:00Z,1\n", f'"a"b,{SIX}1:00Z,2\n'
    path.write_text(good + broken)
    status, _, complaint = load(path)
    assert (status, total(db)) == (2, [1])
    assert f"{path}: This is not CSV at line 3" in complaint
    path.write_text(good + broken.replace('"', ""))
    assert load(path)[0] == 2  # its beginning has changed
    assert load(path, "--restart")[0] == 0
    assert total(db) == [1, 2]


def test_files_are_known_by_their_names_in_any_case(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "JANUARY.CSV").write_text(HEADER + row(1))
    (data / "February.Csv.GZ").write_bytes(gzip.compress((HEADER + row(2)).encode()))
    (data / "MARCH.NDJSON.ZST").write_bytes(zstandard.compress(reading(3).encode()))
    for number in range(9):
        (data / f"notes{number}.txt").write_text("")
    (data / "elsewhere").symlink_to(tmp_path)
    status, said, _ = load(data)
    assert (status, len(stored(db))) == (0, 3)
    assert "Skipped, not named" in said
    assert f"{data}/elsewhere, {data}/notes0.txt" in said
    assert "and 5 more." in said
