"""The command line: its options, and one sentence for invalid ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.simulate.options import duration, parse

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_those_of_the_earlier_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYPERPULSE_URL", raising=False)
    options = parse([])
    assert options.users == ("101", "202")
    assert options.every == 8
    assert options.path == "/ingest"
    assert options.batch == 1
    assert options.duration is None
    assert options.url == "http://127.0.0.1:8000"


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERPULSE_URL", "http://127.0.0.1:9000/")
    assert parse([]).url == "http://127.0.0.1:9000"
    assert parse(["--url", "http://127.0.0.1:9001"]).url == "http://127.0.0.1:9001"


def test_users_and_devices() -> None:
    assert parse(["--users", "3"]).users == ("101", "202", "303")
    assert parse(["--users", "42,"]).users == ("42",)
    assert parse(["--users", "7, 9"]).users == ("7", "9")
    assert parse(["--users", "007,"]).path == "/v1/readings"
    assert parse(["--users", "anna,ben"]).path == "/v1/readings"
    assert parse(["--devices", "3"]).devices == ("device_a", "device_b", "phone")
    assert parse(["--devices", "1"]).path == "/ingest"
    assert parse(["--devices", "watch,phone"]).path == "/v1/readings"
    assert parse(["--path", "v1"]).path == "/v1/readings"


def test_a_rate_is_shared_by_all_devices() -> None:
    assert parse(["--users", "10", "--devices", "2", "--rate", "5"]).every == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("8", 8),
        ("8s", 8),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("10m", 600),
        ("1h30m", 5400),
        ("7d", 604800),
        ("1w", 604800),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--every 8x", "'8x' is not a duration such as 8s, 10m or 7d"),
        ("--every 1h30", "'1h30' is not a duration such as 8s, 10m or 7d"),
        ("--every 10m5x", "'10m5x' is not a duration such as 8s, 10m or 7d"),
        ("--every 0", "must be between 1ms and 1h, but is '0'"),
        ("--users 0", "must be a whole number from 1 to 100000, but is '0'"),
        ("--users ,", "names no user"),
        ("--users 7,7", "names a user twice: '7,7'"),
        ("--devices 21", "must be a whole number from 1 to 20, but is '21'"),
        ("--late 7", "must be a share from 0 to 1, such as 0.05 or 5%, but is '7'"),
        ("--late nan", "must be a share from 0 to 1, such as 0.05 or 5%, but is 'nan'"),
        ("--duplicates 101%", "must be a share from 0 to 1, such as 0.05 or 5%, but is '101%'"),
        ("--rate nan", "must be readings per second, more than 0, but is 'nan'"),
        ("--rate 5000", "--rate asks each device for more than 1000 readings per second; add users or devices"),
        ("--rate 1 --every 1s", "argument --every: not allowed with argument --rate"),
        ("--url ftp://x", "must be a URL such as http://127.0.0.1:8000, but is 'ftp://x'"),
        ("--url http://x:port", "must be a URL such as http://127.0.0.1:8000, but is 'http://x:port'"),
        ("--path ingest --devices 2", "POST /ingest carries no device, so --devices goes with --path v1"),
        ("--path ingest --users anna,", "POST /ingest takes integer user ids only, so 'anna' goes with --path v1"),
        ("--duration 0", "--duration 0 sends nothing unless --history is given"),
        ("--burst 100ms --burst-size 1000", "more than one reading per device and millisecond of --burst"),
        ("--batch 0", "must be a whole number from 1 to 10000, but is '0'"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_errors_are_one_sentence(arguments: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_help_lists_the_options() -> None:
    command = [sys.executable, "-m", "scripts.simulate", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for option in ("--users", "--history", "--late", "--conflicts", "--burst", "--no-check", "exit status"):
        assert option in done.stdout
