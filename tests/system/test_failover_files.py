"""deploy/failover, as far as it can be checked without hosts: `python -m scripts.bench failover` runs it on three."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.prometheus import needs_promtool, program

FOLDER = ROOT / "deploy" / "failover"
DOCUMENT = (ROOT / "docs" / "failover.md").read_text(encoding="utf-8")


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


@needs_promtool
@pytest.mark.parametrize("command", [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]])
def test_rules(command: list[str]) -> None:
    promtool = program("promtool")
    assert promtool is not None
    done = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_test_and_its_section() -> None:
    alerts = {rule["alert"]: rule for group in read("rules.yml")["groups"] for rule in group["rules"]}
    tested = {case["alertname"] for test in read("rules.test.yml")["tests"] for case in test["alert_rule_test"]}
    assert tested == set(alerts)
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook"] == f"docs/failover.md#{name.lower()}"
        assert f"### {name}\n" in DOCUMENT


def test_patroni_loses_nothing_and_keeps_its_own_rules() -> None:
    dcs = read("patroni.yml")["bootstrap"]["dcs"]
    assert dcs["synchronous_mode"] is True
    assert dcs["synchronous_mode_strict"] is True
    assert dcs["ttl"] >= dcs["loop_wait"] + 2 * dcs["retry_timeout"]


@pytest.mark.parametrize("name", ["debian.sh", "start.sh"])
def test_scripts_are_ones(name: str) -> None:
    subprocess.run(["sh", "-n", str(FOLDER / name)], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_scripts_have_no_known_mistake() -> None:
    scripts = [*ROOT.glob("deploy/**/*.sh"), *ROOT.glob("docker/*.sh")]
    done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")
@pytest.mark.parametrize("path", ["deploy/failover/docker-compose.yml", "docker-compose.yml"])
def test_compose_accepts_the_containers(path: str) -> None:
    done = subprocess.run(
        ["docker-compose", "-f", path, "--profile", "*", "config", "-q"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_containers_name_all_hosts_and_ask_for_the_primary() -> None:
    services = read("docker-compose.yml")["services"]
    hosts = {name for name in services if name.startswith("db")}
    for name in ("migrate", "refresher", "service"):
        address = services[name]["environment"]["DATABASE_URL"]
        assert {part.partition(":")[0] for part in address.partition("@")[2].partition("/")[0].split(",")} == hosts
        assert address.endswith("?target_session_attrs=read-write")
    for name in hosts:
        own = services[name]["environment"]
        assert (own["PATRONI_NAME"], own["PATRONI_RESTAPI_CONNECT_ADDRESS"]) == (name, f"{name}:8008")
        assert own["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == f"{name}:5432"


@contextmanager
def checking(data: Path) -> Iterator[None]:
    """Run disk_check.py, with little patience."""
    command = [sys.executable, str(FOLDER / "disk_check.py"), str(data), "--seconds", "0.2", "--every", "0.01"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


def test_a_server_whose_disk_stands_still_is_killed_with_its_children(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    script = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        (data / "postmaster.pid").write_text(f"{server.pid}\n{data}\n")
        written = tmp_path / "disk_check"
        with checking(data):
            while not written.exists() or not written.read_text():
                time.sleep(0.01)
            assert server.poll() is None
            # To open a pipe that is read by none takes until it is, as to write to a disk that stands still.
            pipe = tmp_path / "pipe"
            os.mkfifo(pipe)
            pipe.rename(written)
            assert server.wait(20) == -9
            while (stat := Path(f"/proc/{child}/stat")).exists() and stat.read_text().rpartition(")")[2].split()[
                0
            ] != "Z":
                time.sleep(0.01)
            os.close(os.open(written, os.O_RDONLY | os.O_NONBLOCK))  # the disk is back, and the check ends
