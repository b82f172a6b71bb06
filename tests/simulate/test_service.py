"""The simulator against the real service: the answers equal what was sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
TROUBLED = "--duplicates 10% --conflicts 10% --late 10% --late-by 1s --burst 700ms --burst-size 100"


def simulate(url: str, arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.simulate", "--url", url, *arguments.split()]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        "--users 3 --every 200ms",
        "--users 3 --every 200ms --batch 10 --history 2h --history-every 10s",
        "--users 4 --devices device_a,device_b,phone,watch --every 200ms --history 2d --history-every 6m",
    ],
)
def test_the_final_check_is_equal_to_the_last_digit(client: httpx.Client, base_url: str, arguments: str) -> None:
    done = simulate(base_url, f"--duration 1500ms {arguments} {TROUBLED}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every answer is equal to what was sent, to the last digit" in done.stdout
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "arguments", ["--walks 10m", "--walks 1m --late 30%", "--walks 15m --late 30% --concurrency 1"]
)
def test_steps_of_a_phone_and_a_watch_are_those_that_were_walked(
    client: httpx.Client, base_url: str, arguments: str
) -> None:
    done = simulate(base_url, f"--users 2 --history 3d {arguments}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of the steps that were walked" in done.stdout


def test_walks_that_are_stored_already_are_not_sent_again(client: httpx.Client, base_url: str) -> None:
    assert simulate(base_url, "--users 1 --history 1d --walks 10m").returncode == 0
    again = simulate(base_url, "--users 1 --history 1d --walks 10m")
    assert (again.returncode, "are stored already" in again.stdout) == (1, True)
