"""What is stored of samples, and what writers and listeners hear of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.samples.given import ask, at, new_tenant, sample, stored
from tests.support.database import listen
from tests.support.samples import series, summary, write_samples


def test_outcomes_say_what_was_new_and_what_changed(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    assert write_samples(db, tenant, [sample(), sample("body_weight"), sample(device="ring")]) == ([1, 2, 3], [])
    again = [sample(), sample("body_weight", value=70.5), sample(minutes=1), sample(device="ring", value=0.5)]
    assert write_samples(db, tenant, again) == ([3], [2, 4])
    assert write_samples(db, tenant, again) == ([], [])
    assert stored(db, tenant) == [
        ("ada", "ring", "spo2", "%", at(0), 0.5),
        ("ada", "watch", "body_weight", "kg", at(0), 70.5),
        ("ada", "watch", "spo2", "%", at(0), 97),
        ("ada", "watch", "spo2", "%", at(1), 97),
    ]


def test_outcomes_are_the_same_over_many_chunks(db: psycopg.Connection[Any]) -> None:
    """Where the upsert finds what is unchanged."""
    tenant = new_tenant(db)
    batch = [sample(minutes=-n * 28 * 1440) for n in range(60)]
    assert write_samples(db, tenant, batch) == (list(range(1, 61)), [])
    batch[7] = batch[7]._replace(value=50)
    assert write_samples(db, tenant, batch) == ([], [8])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e9 + 1, -1e10])
def test_no_number_is_refused(db: psycopg.Connection[Any], value: float) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sample_value_is_finite"):
        write_samples(db, new_tenant(db), [sample(value=value)])


@pytest.mark.parametrize("metric", ["heart_rate", "steps", "calories"])
def test_the_metrics_of_readings_are_no_samples(db: psycopg.Connection[Any], metric: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="samples_are_of_no_metric_of_readings"):
        write_samples(db, new_tenant(db), [sample(metric)])


def test_listeners_are_notified_of_what_changed(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    listen(db)
    write_samples(db, tenant, [sample(), sample(minutes=1)])
    assert len(list(db.notifies(timeout=5, stop_after=1))) == 1
    write_samples(db, tenant, [sample(), sample(minutes=1)])
    assert list(db.notifies(timeout=0.2)) == []
    write_samples(db, tenant, [sample(minutes=2)])
    write_samples(db, tenant, [sample(metric, minutes=3) for metric in ("spo2", "hrv_sdnn", "respiratory_rate")])
    one, many = (len(each.payload.partition(":")[2]) for each in db.notifies(timeout=5, stop_after=2))
    assert one == many, "a moment is announced once, however many metrics it has"
    db.execute("UNLISTEN *")


def test_sums_are_exact_in_any_order(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    for user, values in (("ada", [0.1, 1e6, 0.2, -0.0, 0.3]), ("bob", [0.3, 0.2, 1e6, 0.1, 0])):
        write_samples(db, tenant, [sample("hydration", n, value, user=user) for n, value in enumerate(values)])
    totals = [summary(db, tenant, ask("hydration", user=user))[0][7] for user in ("ada", "bob")]
    assert totals == [1_000_000.6] * 2


def test_a_sum_may_be_larger_than_64_bits_of_millionths(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample("hydration", n / 300, 1e9) for n in range(10_000)])
    assert summary(db, tenant, ask("hydration"))[0][7] == 1e13
    assert series(db, tenant, ask("hydration"))[0][8] == 1e13
