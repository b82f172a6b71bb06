"""Files that grow while and after they are imported, wherever they are cut."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.load.__main__ import main
from scripts.load.chunks import chunks
from scripts.load.formats import start_of
from scripts.load.lines import opened
from tests.load.readings import ALL, HEADER, SIX, Load, append, row, state_of, stored, total
from tests.support import csv_files
from tests.support.stand_in import StandIn


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
