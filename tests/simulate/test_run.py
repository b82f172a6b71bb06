"""Whole runs against a stand-in on a real socket: restarts, lost answers, wrong answers, signals."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.stand_in import StandIn, listener, serving

ROOT = Path(__file__).resolve().parents[2]
TROUBLED = "--duplicates 20% --conflicts 20% --late 20% --late-by 1s --burst 700ms --burst-size 60"


def command(url: str, arguments: str) -> list[str]:
    return [sys.executable, "-m", "scripts.simulate", "--url", url, *arguments.split()]


def simulate(url: str, arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(url, arguments), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def simulating(url: str, arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(url, arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_posts(stand_in: StandIn, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(stand_in.posts) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.mark.parametrize(
    "arguments",
    [
        "--users 3 --every 100ms",
        "--users 3 --every 100ms --path v1 --batch 20",
        "--users anna,202 --devices device_a,device_b,phone,watch,ring --every 100ms --batch 7",
        "--users 2 --devices watch,phone --every 100ms --history 2d --history-every 10m --history-batch 50",
        "--users 2 --every 200ms --history 30m --history-every 5s --duration 0",
    ],
)
def test_everything_is_equal(stand_in: StandIn, arguments: str) -> None:
    arguments = arguments if "--duration" in arguments else arguments + " --duration 1s"
    with serving(stand_in) as url:
        done = simulate(url, f"{arguments} {TROUBLED}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every answer is equal to what was sent, to the last digit" in done.stdout
    assert "errors: none" in done.stdout


def test_by_default_single_objects_with_an_integer_go_to_ingest(stand_in: StandIn) -> None:
    with serving(stand_in) as url:
        done = simulate(url, "--every 250ms --duration 1s")
    assert done.returncode == 0, done.stdout
    assert set(stand_in.paths) == {"/ingest"}
    assert {len(items) for items in stand_in.posts} == {1}
    items = [items[0] for items in stand_in.posts]
    assert {item["user_id"] for item in items} == {101, 202}
    assert all(set(item) == {"user_id", "timestamp", "heart_rate", "steps", "calories"} for item in items)
    assert 6 <= len(items) <= 8


def test_nothing_is_lost_when_answers_get_lost(stand_in: StandIn) -> None:
    draw = random.Random(1)
    kinds = ["503", "429", "drop", "lose", None, None, None, None, None]
    troubles = [draw.choice(kinds) for _ in range(100_000)]
    stand_in.troubles = lambda number: troubles[number]
    with serving(stand_in) as url:
        done = simulate(url, f"--users 3 --devices 2 --every 200ms --duration 1s {TROUBLED}")
    assert done.returncode == 0, done.stdout
    assert "connection lost" in done.stdout


def test_nothing_is_lost_when_the_service_restarts(stand_in: StandIn) -> None:
    with listener() as unused:
        port = unused.getsockname()[1]
    with simulating(f"http://127.0.0.1:{port}", f"--users 5 --every 50ms --duration 2s {TROUBLED}") as process:
        for posts in (50, 150, 0):
            with serving(stand_in, port):
                wait_for_posts(stand_in, posts)
                if not posts:
                    output = process.communicate(timeout=30)[0]
        assert process.returncode == 0, output
    assert "errors: none" in output
    assert "every answer is equal" in output


def test_a_wrong_value_is_found_and_shown(stand_in: StandIn) -> None:
    honest = stand_in.take
    spoilt: list[str] = []

    def take(item: dict[str, float]) -> None:
        if not spoilt and item["user_id"] == 202:
            spoilt.append(str(item["timestamp"]))
            item = {**item, "steps": item["steps"] + 2}
        honest(item)

    stand_in.take = take  # type: ignore[method-assign]
    with serving(stand_in) as url:
        done = simulate(url, "--every 200ms --duration 1s")
    assert done.returncode == 1
    assert "2 values differ" in done.stdout
    assert "2 too many" in done.stdout
    assert "202" in done.stdout


def test_a_failure_inside_the_service_is_an_error_even_when_mended(stand_in: StandIn) -> None:
    stand_in.troubles = lambda number: "500" if number == 1 else None
    with serving(stand_in) as url:
        done = simulate(url, "--every 200ms --duration 1s")
    assert done.returncode == 1
    assert "errors: 1 HTTP 500" in done.stdout
    assert "every answer is equal" in done.stdout


def test_an_unknown_outcome_is_told(stand_in: StandIn) -> None:
    stand_in.troubles = lambda number: "drop" if number >= 4 else None
    with serving(stand_in) as url:
        done = simulate(url, "--every 200ms --duration 1s --patience 300ms")
    assert done.returncode == 1
    assert "unknown outcome" in done.stdout
    assert "users are left out" in done.stdout


def test_data_of_others_is_told(stand_in: StandIn) -> None:
    with serving(stand_in) as url:
        assert simulate(url, "--history 10m --duration 0").returncode == 0
        again = simulate(url, "--history 10m --every 200ms --duration 500ms")
    assert again.returncode == 0, again.stdout
    assert "readings already that this run did not send: the past of 2 users cannot be checked" in again.stdout
    assert "every answer is equal" in again.stdout


def test_quiet_says_nothing_when_all_is_well(stand_in: StandIn) -> None:
    with serving(stand_in) as url:
        done = simulate(url, "--every 200ms --duration 500ms --quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_service_that_does_not_come_is_one_sentence() -> None:
    with listener() as unused:
        port = unused.getsockname()[1]
    done = simulate(f"http://127.0.0.1:{port}", "--wait 1500ms")
    assert done.returncode == 1
    assert done.stdout == (
        f"Waiting for http://127.0.0.1:{port} to be ready …\n"
        f"http://127.0.0.1:{port} was not ready within 1.5 s: it does not answer.\n"
    )


def test_the_first_interrupt_ends_the_run_and_still_checks(stand_in: StandIn) -> None:
    with serving(stand_in) as url, simulating(url, "--every 100ms") as process:
        wait_for_posts(stand_in, 10)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=10)[0]
        assert process.returncode == 0, output
    assert "Ctrl-C again stops at once" in output
    assert "every answer is equal" in output


def test_the_second_interrupt_stops_at_once(stand_in: StandIn) -> None:
    with serving(stand_in) as url, simulating(url, "--every 100ms") as process:
        wait_for_posts(stand_in, 5)
        stand_in.troubles = lambda number: "503"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=5)[0]
        assert process.returncode == 130
    assert "Stopped; not checked." in output


@pytest.mark.parametrize("away", [False, True])
def test_a_termination_ends_the_run_at_once(stand_in: StandIn, away: bool) -> None:
    with serving(stand_in) as url, simulating(url, "--every 50ms --history 30d") as process:
        wait_for_posts(stand_in, 5)
        if away:
            stand_in.troubles = lambda number: "503"
            time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=5)[0]
        assert time.monotonic() - began < 3  # under a second, unless the machine is busy
        assert process.returncode == 0
    assert "Stopped; not checked." in output


def test_no_check_asks_nothing(stand_in: StandIn) -> None:
    with serving(stand_in) as url:
        done = simulate(url, "--every 200ms --duration 500ms --no-check")
    assert done.returncode == 0
    assert "Check" not in done.stdout


def test_progress_on_a_terminal(stand_in: StandIn) -> None:
    """On a terminal there is a board with a bar; read through a pseudo-terminal."""
    parent, child = os.openpty()
    shown = io.BytesIO()

    def read() -> None:
        while True:
            try:
                shown.write(os.read(parent, 65536))
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    with serving(stand_in) as url:
        arguments = command(url, "--every 100ms --history 1d --history-batch 50 --duration 1s")
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        done = subprocess.run(arguments, cwd=ROOT, stdout=child, env=environment, timeout=60, check=False)
    os.close(child)
    reader.join(5)
    os.close(parent)
    text = shown.getvalue().decode()
    assert done.returncode == 0, text
    for words in ("sending the past", "sending live", "p99", "retries", "history", "every answer is equal"):
        assert words in text
