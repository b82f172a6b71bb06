"""What lines may hold: any metric, intervals, quoted names, and what the service exports."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest

from scripts.load.__main__ import main
from tests.load.readings import NOON, Load, reading, rejects_of, stored
from tests.support.ports import free_port


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
