"""Adapters name metrics as the registry does: each is there, and what the registry calls them elsewhere agrees."""

from __future__ import annotations

import psycopg

from service.imports import health_auto_export, health_connect, healthkit


def test_types_of_healthkit_are_the_metrics_that_the_registry_says(db: psycopg.Connection) -> None:
    rows = db.execute("SELECT healthkit, name, kind FROM api.metrics WHERE healthkit IS NOT NULL").fetchall()
    for healthkit_type, name, kind in rows:
        if healthkit_type == "HeartbeatSeries":  # which no export has
            continue
        known = healthkit.SUMS if kind == "sum" else healthkit.LEVELS
        assert known.get(healthkit_type) == name


def test_types_of_health_connect_are_the_metrics_that_the_registry_says(db: psycopg.Connection) -> None:
    rows = db.execute("SELECT health_connect, name, kind FROM api.metrics WHERE health_connect IS NOT NULL").fetchall()
    for record_type, name, kind in rows:
        if record_type == "SkinTemperature":  # a series of differences from a baseline
            continue
        known = health_connect.RECORDS[record_type]
        assert name in known.fields
        assert known.is_sum == (kind == "sum")


def test_every_metric_of_an_adapter_is_in_the_registry(db: psycopg.Connection) -> None:
    kinds = dict(db.execute("SELECT name, kind FROM core.metric WHERE tenant_key IS NULL").fetchall())
    for sums, levels in (
        (healthkit.SUMS, healthkit.LEVELS),
        (health_auto_export.SUMS, health_auto_export.LEVELS),
    ):
        assert {kinds[name] for name in sums.values()} == {"sum"}
        assert "sum" not in {kinds[name] for name in levels.values()}


def test_what_is_counted_in_whole_numbers_is_what_the_registry_says(db: psycopg.Connection) -> None:
    whole = {name for (name,) in db.execute("SELECT name FROM core.metric WHERE tenant_key IS NULL AND is_whole")}
    assert whole & {*healthkit.SUMS.values(), *health_auto_export.SUMS.values()} == healthkit.WHOLE
