"""The log of a process that cannot start: JSON where it is read by programs, text on a terminal, or as was chosen."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

NO_DATABASE = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "LOG_FORMAT")}


def started(**environment: str) -> str:
    """Start the service without a database, and return the one line that it ends with."""
    command = [sys.executable, "-m", "service"]
    ended = subprocess.run(
        command, cwd=ROOT, env=NO_DATABASE | environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    return line


def test_into_a_file_it_is_json() -> None:
    line = json.loads(started())
    assert (line["level"], line["logger"]) == ("ERROR", "hyperpulse")
    assert line["message"].startswith("DATABASE_URL is not set.")


def test_the_format_can_be_chosen() -> None:
    assert " ERROR hyperpulse: DATABASE_URL is not set." in started(LOG_FORMAT="text")
    assert json.loads(started(LOG_FORMAT="xml"))["message"] == "LOG_FORMAT is 'xml'; it must be json or text."


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals to open")
def test_on_a_terminal_it_is_text() -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "service"], cwd=ROOT, env=NO_DATABASE, stderr=theirs):
        os.close(theirs)
        assert b" ERROR hyperpulse: DATABASE_URL is not set." in os.read(ours, 1000)
    os.close(ours)
