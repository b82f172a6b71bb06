"""Questions about samples: names of metrics, users, devices, buckets and zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.sql.samples.given import ask, at, new_tenant, sample
from tests.support.moments import HOUR, micros, moment
from tests.support.samples import SUMMARY, latest, series, summary, write_samples
from tests.support.sql_client import insert as insert_readings
from tests.support.sql_client import last_seen, seen
from tests.support.stored import Item


def test_the_metrics_of_readings_are_answered_as_everywhere(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    insert_readings(db, [Item(tenant, "ada", "watch", at(n), 60 + n, 10 if n else None, None) for n in range(3)])
    write_samples(db, tenant, [sample()])
    heart = ("heart_rate", "/min", "gauge", 3, 61, 60, 62, None, None)
    steps = ("steps", "{steps}", "sum", None, None, None, None, 20, None)
    spo2 = ("spo2", "%", "gauge", 1, 97, 97, 97, None, None)
    calories = ("calories", "kcal", "sum", 0, None, None, None, None, None)
    for refreshed in (False, True):
        if refreshed:
            db.execute("CALL api.refresh()")
        everything = summary(db, tenant, ask("spo2", "steps", "heart_rate", "calories"))
        assert everything == [
            *((*found, None, None) for found in (heart, steps, calories)),
            (*spo2, at(0), at(0)),
        ]
        assert series(db, tenant, ask("spo2", "steps", "heart_rate", "calories")) == [
            (at(0), *heart, "watch", "1h"),
            (at(0), *steps, None, "1h"),
            (at(0), *spo2, "watch", "1h"),
        ]
    assert series(db, tenant, ask("steps", bucket="raw")) == [
        (at(n), "steps", "{steps}", "sum", 1, None, None, None, 10, None, "watch", "raw") for n in (1, 2)
    ]


def test_many_series_are_answered_again_and_again(db: psycopg.Connection[Any]) -> None:
    """TimescaleDB 2.29.2 has a plan for many series, chosen at the sixth question of a session, that fails."""
    tenant = new_tenant(db)
    names = [name for (name,) in db.execute("SELECT name FROM api.metrics WHERE name > 't' OR name < 'c' LIMIT 10")]
    devices = [f"device {number}" for number in range(50)]
    write_samples(db, tenant, [sample(name, device=device) for name in names for device in devices])
    db.execute("ANALYZE core.sample_series")
    for _ in range(8):
        assert [found[3] for found in summary(db, tenant, ask(*names))] == [1] * len(names)


def test_without_names_all_metrics_of_the_range_are_answered(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    insert_readings(db, [Item(tenant, "ada", "watch", at(0), None, 5, None)])
    write_samples(db, tenant, [sample(), sample("strain"), sample("body_weight", 100)])
    question = [tenant, "ada", moment(at(-60)), moment(at(60)), None, None]
    assert [found[0] for found in db.execute(SUMMARY, question)] == ["steps", "spo2", "strain"]
    assert db.execute(SUMMARY, [*question[:5], "unknown"]).fetchall() == []
    assert db.execute(SUMMARY, [tenant, "nobody", *question[2:]]).fetchall() == []
    assert db.execute(SUMMARY, [tenant, "ada", None, None, None, None]).fetchall() == [], "without a range"


def test_a_user_or_device_that_is_unknown_has_nothing(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample()])
    nothing = ("spo2", "%", "gauge", 0, *[None] * 7)
    for asked in (ask("spo2", user="nobody"), ask("spo2", device="unknown")):
        assert summary(db, tenant, asked) == [nothing]
        assert series(db, tenant, asked) == []
    assert latest(db, tenant, "nobody") == []
    assert latest(db, "nobody", "ada") == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("heartrate", "Did you mean heart_rate? "),
        ("SPO2", "Did you mean spo2? "),
        ("body weight", "Did you mean body_weight? "),
        ("strian", "Did you mean strain? "),
        ("xyzzy", ""),
        ("x" * 10_000, ""),
        ("", ""),
    ],
)
def test_an_unknown_metric_is_an_error_that_suggests_one(db: psycopg.Connection[Any], name: str, hint: str) -> None:
    tenant = new_tenant(db)
    for ask_for in (summary, series):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
            ask_for(db, tenant, ask("spo2", name))
        said = caught.value.diag
        assert (said.message_primary, said.column_name) == (f"metrics has {name}", "metrics")
        assert said.message_hint == hint + "The view api.metrics has those that are known."


def test_a_metric_of_another_tenant_is_unknown(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="metrics has strain"):
        summary(db, "another", ask("strain"))


def test_an_unknown_bucket_or_zone_is_an_error(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="bucket is 2h"):
        series(db, "default", ask("spo2", bucket="2h"))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="tz is Mars"):
        series(db, "default", ask("spo2")._replace(tz="Mars"))


def test_who_has_only_samples_is_seen(db: psycopg.Connection[Any]) -> None:
    """Those after now, from a clock that is ahead, count neither there nor as the latest."""
    tenant = new_tenant(db)
    ahead = micros(datetime.now(UTC)) + HOUR
    insert_readings(db, [Item(tenant, user, "watch", at(5), 60, None, None) for user in ("bob", "carol")])
    write_samples(db, tenant, [sample(), sample()._replace(ts=ahead, value=90), sample(minutes=9, user="bob")])
    write_samples(db, tenant, [sample(user="dan")._replace(ts=ahead), sample(user="carol")])
    for refreshed in (False, True):
        if refreshed:
            db.execute("CALL api.refresh()")
        expected = [("ada", at(0)), ("bob", at(9)), ("carol", at(5)), ("dan", None)]
        assert seen(db, tenant) == last_seen(db, tenant) == expected
    assert latest(db, tenant, "ada") == [("spo2", "%", 97, at(0), "watch")]
    assert latest(db, tenant, "dan") == []
