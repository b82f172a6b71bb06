"""Prometheus, where this machine has it, and what deploy/ gives it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.ports import free_port

FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "rules.yml"
SCRAPE_SECONDS = 4  # more than the service waits for the database


def program(name: str) -> str | None:
    """Return prometheus or promtool, of PROMETHEUS_BIN or of the PATH."""
    return shutil.which(name, path=os.environ.get("PROMETHEUS_BIN") or os.environ.get("PATH"))


needs_promtool = pytest.mark.skipif(program("promtool") is None, reason="needs promtool: install prometheus")
needs_prometheus = pytest.mark.skipif(program("prometheus") is None, reason="needs prometheus")


def rules() -> list[dict[str, Any]]:
    """Return the alerts."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Alerts(NamedTuple):
    """The alerts of a running Prometheus."""

    url: str

    def firing(self) -> set[tuple[str, str]]:
        """Return the name and the instance of each alert that fires; "" where it is of no single instance."""
        found = httpx.get(f"{self.url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            for alert in found
            if alert["state"] == "firing"
        }

    def scrapes(self, target: str) -> float:
        """Return how many scrapes of a target there are."""
        asked = {"query": f'count_over_time(up{{instance="{target}"}}[1h])'}
        found = httpx.get(f"{self.url}/api/v1/query", params=asked, timeout=10).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def wait_for_scrapes(self, target: str, number: int = 2) -> None:
        """Wait until a target is scraped so often again, so that what it says now is known."""
        wanted, deadline = self.scrapes(target) + number, time.monotonic() + 60
        while self.scrapes(target) < wanted:
            assert time.monotonic() < deadline, f"{target} is not scraped"
            time.sleep(0.2)

    def wait_for(self, alert: str, instance: str = "", seconds: float = 40) -> None:
        """Wait until an alert fires."""
        deadline = time.monotonic() + seconds
        while (alert, instance) not in self.firing():
            assert time.monotonic() < deadline, f"{alert} of {instance!r} does not fire: {self.firing()}"
            time.sleep(0.2)


@contextmanager
def running_prometheus(
    folder: Path,
    targets: Mapping[str, Mapping[str, str]],
    rules_file: Path = RULES,
    metrics_path: str = "/prometheus",
    scrape_seconds: int = SCRAPE_SECONDS,
) -> Iterator[Alerts]:
    """Run Prometheus on what is scraped, by job and name; a fault need not last as long as the rules ask for."""
    found = program("prometheus")
    assert found is not None
    (folder / "rules.yml").write_text(re.sub(r"for: \d+m", "for: 1s", rules_file.read_text(encoding="utf-8")))
    config = {
        "global": {
            "scrape_interval": f"{scrape_seconds}s",
            "scrape_timeout": f"{scrape_seconds}s",
            "evaluation_interval": "1s",
        },
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": [
            {
                "job_name": job,
                "metrics_path": metrics_path,
                "static_configs": [
                    {"targets": [address], "labels": {"instance": name}} for name, address in services.items()
                ],
            }
            for job, services in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            found,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
    )
    alerts = Alerts(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, "prometheus ended"
            assert time.monotonic() < deadline, "prometheus is not ready"
            try:
                if httpx.get(f"{alerts.url}/-/ready", timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield alerts
    finally:
        process.terminate()
        process.wait(20)
