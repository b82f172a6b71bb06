"""The importer, against the real service, and against one that misbehaves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.load.__main__ import main
from scripts.load.chunks import chunks
from scripts.load.formats import start_of
from scripts.load.lines import opened
from tests.support import csv_files
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.stand_in import StandIn, in_turn, serving

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
HEADER = "user_id,device_id,timestamp,heart_rate,steps,calories\n"
ALL = b"SELECT user_id, device_id, ts, heart_rate, steps, calories FROM api.readings ORDER BY 1, 2, 3"


def row(number: int, user: str = "ada", heart_rate: object = 70) -> str:
    """Return a line of CSV."""
    return f"{user},watch,{(NOON + timedelta(seconds=number)).isoformat()},{heart_rate},{number},1.5\n"


def reading(number: int, user: str = "ada", **changes: object) -> str:
    """Return a line of NDJSON."""
    moment = (NOON + timedelta(seconds=number)).isoformat()
    return json.dumps({"user_id": user, "timestamp": moment, "heart_rate": 70.5} | changes) + "\n"


def rejects_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_name(f"{path.name}.rejects").read_text().splitlines()]


def state_of(path: Path) -> Any:
    return json.loads(path.with_name(f"{path.name}.state").read_text())


Load = Callable[..., tuple[int, str, str]]


@pytest.fixture
def load(client: httpx.Client, base_url: str, capsys: pytest.CaptureFixture[str]) -> Load:
    """Import into an empty service; return the exit status and the output of both streams."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main(["--url", base_url, "--no-progress", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def address(stand_in: StandIn) -> Iterator[str]:
    with serving(stand_in) as url:
        yield url


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


def test_a_file_that_grew_is_read_on_and_one_that_changed_is_refused(
    load: Load, db: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "growing.csv"
    path.write_text(HEADER + row(1))
    assert load(path)[0] == 0
    with path.open("a") as more:
        more.write(row(2))
    status, said, _ = load(path)
    assert (status, "This run: 1 reading " in said) == (0, True)
    assert "1 file, 2 readings: 2 inserted" in said
    path.write_text(HEADER + row(3) + row(4))
    status, _, complaint = load(path)
    assert status == 2
    assert f"{path} has changed since its import began; --restart imports it again." in complaint
    assert load(path, "--restart")[0] == 0
    assert len(db.execute(ALL).fetchall()) == 4


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


def test_a_line_is_found_again_from_any_line_on(tmp_path: Path) -> None:
    from scripts.load.lines import lines, opened

    plain = io.BytesIO()
    for number in range(50):
        plain.write(b"x" * (number * 7) + (b"\r\n" if number % 3 else b"\n"))
    plain.write(b"no end")
    for name, content in (
        ("a.csv", plain.getvalue()),
        ("a.csv.gz", gzip.compress(plain.getvalue())),
        ("a.csv.zst", zstandard.compress(plain.getvalue())),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with opened(path) as source:
            every = list(lines(source, 0, 0))
        assert [line.is_finished for line in every] == [True] * 50 + [False]
        for index in (0, 1, 25, 49, 50):
            with opened(path) as source:
                assert list(lines(source, every[index].number, every[index].end)) == every[index + 1 :]


# Files that grow ----------------------------------------------------------------------------------------------

SIX = "2025-01-14T06:0"


def stored(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT user_id, ts, steps FROM api.readings ORDER BY 1, 2").fetchall()


def total(db: psycopg.Connection) -> list[int]:
    return [steps for _, _, steps in stored(db)]


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as more:
        more.write(text)


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_an_unfinished_last_line_waits(load: Load, db: psycopg.Connection, tmp_path: Path, break_: str) -> None:
    path = tmp_path / "grows.csv"
    append(path, f"user_id,timestamp,steps\nlr,{SIX}0:00Z,1\nlr,{SIX}1:00Z,2".replace("\n", break_))
    status, said, _ = load(path)
    assert status == 0
    assert f"{path}:3: has no end and waits until the file grows; --complete says" in said
    assert total(db) == [1]
    assert load(path)[0] == 0
    assert total(db) == [1]
    append(path, f"5\nlr,{SIX}2:00Z,7\n".replace("\n", break_))
    status, said, _ = load(path)
    assert (status, total(db)) == (0, [1, 25, 7])
    assert "1 file, 3 readings: 3 inserted, 0 updated, 0 unchanged, 0 rejected." in said
    assert state_of(path)["files"][str(path)]["line"] == 4


def test_a_complete_file_has_no_unfinished_line_and_may_grow_all_the_same(
    load: Load, db: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "grows.csv"
    append(path, f"user_id,timestamp,steps\nlr,{SIX}0:00Z,1\nlr,{SIX}1:00Z,2")
    assert load(path)[0] == 0
    assert load("--complete", path)[0] == 0
    assert total(db) == [1, 2]
    status, said, _ = load("--complete", path)
    assert (status, "This run: 0 readings" in said) == (0, True)
    append(path, f"5\nlr,{SIX}2:00Z,7\n")
    assert load(path)[0] == 0
    assert total(db) == [1, 25, 7]


def test_an_unfinished_line_that_an_earlier_release_sent_is_read_again(
    load: Load, db: psycopg.Connection, tmp_path: Path
) -> None:
    for name, pack in (("plain.csv", bytes), ("packed.csv.gz", gzip.compress)):
        path = tmp_path / name
        text = f"user_id,timestamp,steps\n{name},{SIX}0:00Z,1\n{name},{SIX}1:00Z,2"
        path.write_bytes(pack(text.encode()))
        assert load("--complete", path)[0] == 0
        state = state_of(path)
        kept = state["files"][str(path)]
        del kept["is_behind_an_end"]
        kept |= {"line": 3, "offset": len(text)}
        path.with_name(f"{name}.state").write_text(json.dumps(state))
        with path.open("ab") as more:
            more.write(pack(f"5\n{name},{SIX}2:00Z,7\n".encode()))
        kept["start_sha256"], kept["start_bytes"] = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
        assert load(path)[0] == 0
        assert [steps for user, _, steps in stored(db) if user == name] == [1, 25, 7]
        assert state_of(path)["files"][str(path)]["line"] == 4


def test_a_file_that_grows_byte_by_byte_is_loaded_right(
    stand_in: StandIn, address: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "grows.csv"
    text = f'\ufeffUser_ID;ts;steps\r\n"é\r\n;";{SIX}0:00Z;10\r\n\r\nlr;{SIX}1:00Z;25\r\n'.encode()
    for length in range(1, len(text) + 1):
        path.write_bytes(text[:length])
        assert main(["--url", address, "--no-progress", str(path)]) == 0, capsys.readouterr()
    assert [item["steps"] for post in stand_in.posts for item in post] == [10, 25]
    assert [item["user_id"] for post in stand_in.posts for item in post] == ["é\r\n;", "lr"]
    kept = state_of(path)["files"][str(path)]
    assert (kept["readings"], kept["inserted"], kept["line"]) == (2, 2, 5)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(csv_files.readings, csv_files.columns, csv_files.dialects, csv_files.spelled, st.data())
def test_what_python_writes_is_read_back_wherever_it_was_cut(
    tmp_path: Path, items: list[dict[str, Any]], order: list[str], dialect: dict[str, Any], spell: Any, data: Any
) -> None:
    body = csv_files.written(items, order, dialect, spell)
    cuts = data.draw(st.lists(st.integers(1, len(body)), max_size=3).map(sorted))
    path = tmp_path / "cut.csv"
    found: list[Any] = []
    at: tuple[int, int] | None = None
    for length in [*cuts, len(body)]:
        path.write_bytes(body[:length])
        start = start_of(path, complete=False)
        if start is None:
            continue
        line, offset = max(at or (0, 0), (start.number, start.offset), key=lambda place: place[1])
        with opened(path) as source:
            for chunk in chunks(source, start.read, line, offset, 2, complete=False):
                found += [json.loads(item.json) for item in chunk.items]
                assert not chunk.malformed
                line, offset = chunk.number, chunk.offset
        at = line, offset
    assert [(one["user_id"], one["device_id"], one["heart_rate"], one.get("steps")) for one in found] == [
        (item["user_id"], item["device_id"], item["heart_rate"], item["steps"]) for item in items
    ]
    assert at is not None
    assert at[0] == len(io.StringIO(body.decode(), newline="").readlines())


# What is in them ----------------------------------------------------------------------------------------------


def test_any_metric_is_a_column(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text(
        f"user_id,timestamp,spo2,body_temperature[degF]\nada,{NOON.isoformat()},97,98.6\nada,{NOON.isoformat()},7,\n"
    )
    assert load("--dry-run", path)[:2] == (
        1,
        f"{path}:3: spo2 must be between 50 and 100 (it is 7)\n1 file: 1 reading to send, 1 rejected.\n",
    )
    status, out, _ = load(path)
    assert (status, "2 readings: 1 inserted, 0 updated, 0 unchanged, 1 rejected" in out) == (1, True)
    rows = db.execute("SELECT metric, value FROM api.samples ORDER BY metric").fetchall()
    assert rows == [("body_temperature", 37.0), ("spo2", 97.0)]
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("user_id,timestamp,sp02\n")
    status, _, err = load(wrong)
    assert (status, "sp02" in err) == (2, True)


def test_intervals_are_loaded(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    at, later = NOON.isoformat(), (NOON + timedelta(minutes=10)).isoformat()
    path = tmp_path / "walks.csv"
    path.write_text(
        f"user_id,ts,end,steps,heart_rate,worn\nada,{at},{later},720,,True\nada,{later},,5,61,\nada,{at},{at},1,,\n"
    )
    lines = tmp_path / "walks.ndjson"
    lines.write_text(json.dumps({"user_id": "bob", "timestamp": at, "end": later, "metrics": {"distance": 500}}) + "\n")
    wrong = f"{path}:4: end must be after the timestamp, {NOON:%Y-%m-%dT%H:%M:%SZ} (it is "
    for arguments in (["--dry-run", path], [path]):
        status, out, _ = load(*arguments)
        assert (status, wrong in out) == (1, True), out
    status, out, _ = load(lines)
    assert (status, "1 inserted" in out) == (0, True)
    found = db.execute("SELECT user_id, metric, value, ends_at - ts FROM api.intervals ORDER BY 1").fetchall()
    ten = timedelta(minutes=10)
    assert found == [("ada", "steps", 720.0, ten), ("bob", "distance", 500.0, ten)]
    assert db.execute("SELECT count(*) FROM api.worn_windows").fetchone() == (1,)
    assert db.execute("SELECT steps, heart_rate FROM api.readings").fetchall() == [(5, 61.0)]


def test_without_the_service_further_metrics_are_not_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text(f"user_id,timestamp,spo2\nada,{NOON.isoformat()},97\n")
    assert main(["--url", f"http://127.0.0.1:{free_port()}", "--dry-run", str(path)]) == 3
    assert "no service at http://127.0.0.1" in capsys.readouterr().err


def test_a_quoted_name_may_hold_an_end_of_a_line(load: Load, db: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv"
    path.write_text('user_id,timestamp,steps\n"q\nnl",2025-01-01T10:00:00Z,1\n"q\nnl",2025-01-01T10:00:01Z,many\n')
    status, said, _ = load(path)
    assert status == 1
    assert [user for user, _, _ in stored(db)] == ["q\nnl"]
    assert f"{path}:4: steps must be a whole number" in said
    assert rejects_of(path)[0]["text"] == '"q\nnl",2025-01-01T10:00:01Z,many'


def test_what_the_service_exports_is_loaded(load: Load, client: httpx.Client, tmp_path: Path) -> None:
    said = json.loads(reading(1, 'a;"b",\r\nc', steps=3, device_id=" watch\t"))
    assert client.post("/v1/readings", json=said).status_code == 200
    asked = {"start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
    user = f"/v1/users/{quote(said['user_id'], safe='')}"
    exported = client.get(f"{user}/readings", params=asked, headers={"accept": "text/csv"})
    path = tmp_path / "exported.csv"
    path.write_bytes(exported.content)
    status, said, _ = load(path)
    assert (status, "1 reading: 0 inserted, 0 updated, 1 unchanged" in said) == (0, True), said


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
