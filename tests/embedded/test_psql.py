"""psql, the way a person uses it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.embedded import EmbeddedServer

pytestmark = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not on PATH")


def psql(server: EmbeddedServer, *commands: str, text: str = "") -> str:
    arguments = [part for command in commands for part in ("-c", command)]
    result = subprocess.run(
        ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", server.url, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_describe_and_copy(shared_server: EmbeddedServer) -> None:
    try:
        said = psql(
            shared_server,
            "CREATE TABLE by_hand (k int PRIMARY KEY, v text)",
            "\\copy by_hand from stdin csv",
            "\\d by_hand",
            "\\copy by_hand to stdout csv",
            "\\dx timescaledb",
            text='1,"a b"\n2,c\n',
        )
    finally:
        psql(shared_server, "DROP TABLE by_hand")
    assert "COPY 2" in said
    assert "k|integer||not null|" in said
    assert "1,a b\n2,c\n" in said
    assert "timescaledb|2." in said


def test_a_script_with_transactions(shared_server: EmbeddedServer) -> None:
    script = (
        "BEGIN;\nCREATE TABLE by_script (k int);\n\\copy by_script from stdin\n1\n2\n\\.\n"
        "SELECT count(*) FROM by_script;\nROLLBACK;\n"
    )
    result = subprocess.run(
        ["psql", "-X", "-A", "-t", "-f", "-", shared_server.url],
        input=script,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "2" in result.stdout.splitlines()
    assert result.stderr == ""
