"""The simulator against the real service: the answers equal what was sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
TROUBLED = "--duplicates 10% --conflicts 10% --late 10% --late-by 2s --burst 1s --burst-size 200"


@pytest.mark.parametrize(
    "arguments",
    [
        "--users 3 --every 200ms",
        "--users 3 --every 200ms --batch 10 --history 2h --history-every 10s",
        "--users 4 --devices device_a,device_b,phone,watch --every 200ms --history 2d --history-every 2m",
    ],
)
def test_the_final_check_is_equal_to_the_last_digit(client: httpx.Client, base_url: str, arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.simulate", "--url", base_url, *f"--duration 3s {arguments} {TROUBLED}".split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every answer is equal to what was sent, to the last digit" in done.stdout
    assert client.get("/health").status_code == 200
