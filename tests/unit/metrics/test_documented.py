"""Every metric is in docs/observing.md, and alerts and dashboards use no others."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import chain

import pytest

from service.metrics.counters import RequestKey
from service.metrics.families import Scrape
from service.metrics.worker_stats import WorkerStats
from tests.support.paths import ROOT
from tests.support.prometheus import rules

DOCUMENT = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
STATS = WorkerStats(
    [(RequestKey("GET", "/health", 200), [1] * 14, 1.0)],
    {"readings": {"inserted": 1}},
    [("steps", "is wrong", 1, datetime.now(UTC))],
    {"pool_available": 1, "pool_size": 2, "pool_max": 3},
    reads={"primary": 1},
    replicas={"one:5432": (True, 0.5)},
)
TASK = {"task": "refresh", "runner": "host:1", "runs": 3, "failures": 1, "seen": 1.5e9, "failed": 1.5e9, "took": 0.25}
DATABASE = {
    **dict.fromkeys(
        ("lag", "stale_days", "stale_event_days", "last_refresh", "checked_at", "checked_buckets", "drift"), 1.0
    ),
    "runs": [TASK],
    "jobs": [{"job": "refresh", "runs": 1, "failures": 1}],
}


def families() -> dict[str, tuple[str, list[str]]]:
    """Return the type and the labels of every metric, by the name that it is documented with."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            sorted({*chain.from_iterable(sample.labels for sample in family.samples)} - {"le"}),
        )
        for family in Scrape(STATS, DATABASE).collect()
    }


def names() -> set[str]:
    """Return the names of all samples."""
    return {name.removesuffix("_total") + suffix for name, (kind, _) in families().items() for suffix in SUFFIXES[kind]}


def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(hyperpulse_\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", DOCUMENT, re.MULTILINE)
    assert {name: (kind, sorted(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == families()


def test_alerts_use_metrics_that_there_are() -> None:
    used = {name for rule in rules() for name in re.findall(r"hyperpulse_\w+", rule["expr"])}
    assert used
    assert used <= names()


def test_every_alert_has_a_section_with_what_to_do() -> None:
    sections = dict(re.findall(r"^### (Hyperpulse\w+)\n\n(.*?)(?=^### |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE))
    assert list(sections) == [rule["alert"] for rule in rules()]
    for rule in rules():
        text = sections[rule["alert"]]
        assert text.startswith(f"*{rule['labels']['severity']}*: "), rule["alert"]
        assert "\n1. " in text, rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/observing.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_use_metrics_and_sources_that_there_are(path: object) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    sources = (ROOT / "deploy/grafana/provisioning/datasources/hyperpulse.yml").read_text(encoding="utf-8")
    assert board["uid"].startswith("hyperpulse-")
    for panel in board["panels"]:
        assert f"uid: {panel['datasource']['uid']}\n" in sources
        assert f"type: {panel['datasource']['type']}\n" in sources
        for target in panel["targets"]:
            assert {*re.findall(r"hyperpulse_\w+", target.get("expr", ""))} <= names(), panel["title"]
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len({*places}) == len(places)


def test_every_metric_is_on_a_dashboard() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DASHBOARDS)
    shown = {*re.findall(r"hyperpulse_\w+", text)}
    assert {name for name in families() if not any(seen.startswith(name) for seen in shown)} == set()
