"""The registry of metrics: the built-in ones, their units, and what a tenant may declare and change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import psycopg
import pytest

from service.model.limits import RANGES
from service.model.reading import METRICS
from tests.support.paths import ROOT

Row = tuple[Any, ...]
DECLARE = """
    SELECT api.set_metric(%(tenant)s, %(name)s, %(unit)s, %(kind)s, %(lowest)s, %(highest)s, %(rate)s,
                          %(title)s, %(topic)s, %(loinc)s)
"""
LACTATE: dict[str, Any] = {
    "tenant": "clinic", "name": "lactate", "unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30, "rate": None,
    "title": "Lactate", "topic": "blood", "loinc": "2518-9",
}  # fmt: skip
PUFFS = LACTATE | {"name": "acme:puffs", "unit": "{count}", "kind": "sum", "highest": 100, "rate": 2, "loinc": None}
KEPT = "SELECT unit, kind, lowest, highest, most_per_second, title, topic, loinc FROM core.metric WHERE tenant_key > 0"


def declare(db: psycopg.Connection, **changes: Any) -> None:
    db.execute(DECLARE, LACTATE | changes)


@contextmanager
def refused(column: str, value: object, hint: str) -> Iterator[None]:
    """Expect a refusal that names an argument, its value, and what it must be."""
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        yield
    said = caught.value.diag
    assert (said.column_name, said.message_primary) == (column, f"{column} is {value}")
    assert said.message_hint is not None
    assert hint in said.message_hint


# What is built in -------------------------------------------------------------------------------------------


def test_the_metrics_of_readings_have_the_same_bounds_everywhere(db: psycopg.Connection) -> None:
    """In the model, in the constraints of the table, and in the registry, where they come first."""
    first = db.execute(
        "SELECT name, lowest, highest FROM core.metric WHERE metric_key <= 3 ORDER BY metric_key"
    ).fetchall()
    assert [name for name, _, _ in first] == ["heart_rate", "steps", "calories"]
    assert {name for name, _, _ in first} == METRICS
    for name, lowest, highest in first:
        constraint = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s"
        ((definition,),) = db.execute(constraint, [f"{name}_in_range"]).fetchall()
        bounds = re.findall(rf"{name} ([<>]=) \(?(\d+)", definition)
        assert bounds == [(">=", f"{lowest:g}"), ("<=", f"{highest:.0f}")]
        assert RANGES[name] == (lowest, highest)


def test_keys_of_built_in_metrics_never_change(db: psycopg.Connection) -> None:
    keys = dict(db.execute("SELECT name, metric_key FROM core.metric WHERE tenant_key IS NULL").fetchall())
    assert sorted(keys.values()) == list(range(1, 45))
    some = {
        "resting_heart_rate": 4,
        "spo2": 9,
        "bp_diastolic": 12,
        "body_weight": 17,
        "distance": 28,
        "oura:readiness": 44,
    }
    assert keys.items() >= some.items()


def test_sums_of_time_fit_their_interval(db: psycopg.Connection) -> None:
    minutes = "SELECT most_per_second * 3600, highest FROM core.metric WHERE unit = 'min' AND tenant_key IS NULL"
    assert db.execute(minutes).fetchall() == [(60, 25 * 60)] * 3


@pytest.mark.parametrize(
    ("metric", "value", "unit", "converted"),
    [
        ("blood_glucose", "5.5", "mmol/L", "99.0858"),
        ("body_temperature", "98.6", "degF", "37"),
        ("body_temperature", "310.15", "K", "37"),
        ("body_weight", "150", "lb", "68.0388555"),
        ("body_weight", "11", "st", "69.85322498"),
        ("body_weight", "70500", "g", "70.5"),
        ("body_height", "1.83", "m", "183"),
        ("body_height", "72", "in", "182.88"),
        ("body_height", "6", "ft", "182.88"),
        ("waist", "850", "mm", "85"),
        ("distance", "26.2", "mi", "42164.8128"),
        ("distance_swimming", "100", "yd", "91.44"),
        ("elevation_gain", "29029", "ft", "8848.0392"),
        ("calories", "418.4", "kJ", "100"),
        ("energy_intake", "8368000", "J", "2000"),
        ("exercise_time", "1.5", "h", "90"),
        ("stand_time", "90", "s", "1.5"),
        ("hrv_sdnn", "0.05", "s", "50"),
        ("spo2", "0.97", "fraction", "97"),
        ("speed", "36", "km/h", "10"),
        ("speed", "60", "mi/h", "26.8224"),
        ("power", "0.25", "kW", "250"),
        ("hydration", "1.5", "L", "1500"),
        ("hydration", "16", "fl_oz", "473.176473"),
    ],
)
def test_a_unit_is_converted_exactly(
    db: psycopg.Connection, metric: str, value: str, unit: str, converted: str
) -> None:
    scale = "SELECT zero, factor, divisor FROM core.metric_unit JOIN core.metric AS m USING (metric_key)"
    ((zero, factor, divisor),) = db.execute(
        f"{scale} WHERE m.name = %s AND metric_unit.unit = %s".encode(), [metric, unit]
    )
    assert (Fraction(value) - Fraction(zero)) * Fraction(factor) / Fraction(divisor) == Fraction(converted)


def test_every_other_unit_gives_valid_values(db: psycopg.Connection) -> None:
    """None is that of the metric itself, and the bounds lie where the unit can say them."""
    rows = db.execute(
        "SELECT name, unit, lowest, highest, other_units FROM api.metrics WHERE other_units <> '[]'"
    ).fetchall()
    assert len(rows) > 20
    for name, unit, lowest, highest, others in rows:
        assert unit not in {other["unit"] for other in others}, name
        for other in others:
            for bound in lowest, highest:
                said = bound * other["divisor"] / other["factor"] + other["zero"]
                assert (said - other["zero"]) * other["factor"] / other["divisor"] == pytest.approx(bound)


def test_the_document_lists_what_is_built_in(db: psycopg.Connection) -> None:
    """The tables of docs/metrics.md are the registry."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    cells = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line[:3] == "| `"
    ]
    metrics = db.execute("""
        SELECT '`' || name || '`', unit, kind, format('%s to %s', lowest, highest), topic,
               loinc, healthkit, health_connect, open_mhealth
          FROM core.metric WHERE tenant_key IS NULL ORDER BY metric_key
    """).fetchall()
    assert [row for row in cells if len(row) == 9] == [tuple(cell or "" for cell in row) for row in metrics]
    units = db.execute("""
        SELECT '`' || u.unit || '`', u.ucum, m.unit, u.zero, u.factor, u.divisor
          FROM core.metric_unit AS u JOIN core.metric AS m USING (metric_key) GROUP BY 1, 2, 3, 4, 5, 6
    """).fetchall()
    assert sorted(row[:6] for row in cells if len(row) == 7) == sorted(tuple(map(str, row)) for row in units)


# What a tenant declares -------------------------------------------------------------------------------------


def test_a_metric_is_declared_and_shown(db: psycopg.Connection) -> None:
    declare(db)
    asked = "SELECT * FROM api.metrics WHERE tenant_id = 'clinic'"
    assert db.execute(asked).fetchall() == [
        ("clinic", "lactate", "Lactate", "blood", "gauge", "mmol/L", 0, 30, None, False, [], "2518-9", None, None, None)
    ]
    assert db.execute("SELECT metric_key > 1000 FROM core.metric WHERE name = 'lactate'").fetchone() == (True,)


def test_what_is_left_out_is_the_default(db: psycopg.Connection) -> None:
    db.execute("SELECT api.set_metric('clinic', 'lactate', 'mmol/L', 'gauge', 0, 30)")
    assert db.execute(KEPT).fetchall() == [("mmol/L", "gauge", 0, 30, None, "lactate", "other", None)]


def test_tenants_declare_the_same_name_apart(db: psycopg.Connection) -> None:
    declare(db)
    declare(db, tenant="lab", unit="mg/dL", kind="latest")
    shown = db.execute("SELECT tenant_id, unit FROM api.metrics WHERE name = 'lactate' ORDER BY 1").fetchall()
    assert shown == [("clinic", "mmol/L"), ("lab", "mg/dL")]


def test_bounds_widen_and_words_change(db: psycopg.Connection) -> None:
    declare(db, **PUFFS)
    changed = PUFFS | {"title": "Puffs", "topic": "respiration", "highest": 200}
    declare(db, **changed | {"loinc": "1-8", "rate": 3})
    declare(db, **changed | {"rate": None})
    assert db.execute(KEPT).fetchall() == [("{count}", "sum", 0, 200, None, "Puffs", "respiration", None)]


@pytest.mark.parametrize(
    ("column", "change", "hint"),
    [
        ("unit", {"unit": "L"}, "must be {count}, as declared; declare another metric"),
        ("kind", {"kind": "gauge", "rate": None}, "must be sum, as declared; declare another metric"),
        ("lowest", {"lowest": 1}, "must be at most 0, as declared; bounds only widen"),
        ("highest", {"highest": 99}, "must be at least 100, as declared; bounds only widen"),
        ("most_per_second", {"rate": 1}, "must be null or at least 2, as declared; bounds only widen"),
    ],
)
def test_what_is_stored_stays_valid(db: psycopg.Connection, column: str, change: dict[str, Any], hint: str) -> None:
    declare(db, **PUFFS)
    before = db.execute(KEPT).fetchall()
    with refused(column, next(iter(change.values())), hint):
        declare(db, **PUFFS | change)
    assert db.execute(KEPT).fetchall() == before


def test_a_rate_that_was_dropped_does_not_come_back(db: psycopg.Connection) -> None:
    declare(db, **PUFFS | {"rate": None})
    with refused("most_per_second", 5, "must be null, as declared"):
        declare(db, **PUFFS | {"rate": 5})


@pytest.mark.parametrize(
    ("column", "change", "hint"),
    [
        *(
            ("name", {"name": name}, "must be a lower-case letter")
            for name in (
                "",
                "Lactate",
                "1st",
                "a-b",
                "a:b:c",
                ":b",
                "a:",
                "lactate\n",
                "a" * 64,
                "laktät",
                "acme:Strain",
            )
        ),
        *(("name", {"name": name}, "this metric is built in") for name in ("steps", "spo2", "garmin:stress")),
        ("highest", {"lowest": 30}, "must be more than lowest, 30"),
        ("lowest", {"kind": "sum", "lowest": -1}, "must be 0 or more"),
        ("most_per_second", {"rate": 1}, "must be null for the kind gauge"),
    ],
)
def test_what_makes_no_sense_is_refused(db: psycopg.Connection, column: str, change: dict[str, Any], hint: str) -> None:
    value = LACTATE["highest"] if column == "highest" else list(change.values())[-1]
    with refused(column, value, hint):
        declare(db, **change)
    assert db.execute("SELECT count(*) FROM core.metric WHERE tenant_key > 0").fetchone() == (0,)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"kind": "category"}, "metric_kind_is_known"),
        ({"topic": "moon"}, "metric_topic_is_known"),
        ({"unit": "m s"}, "metric_unit_is_a_code"),
        ({"unit": ""}, "metric_unit_is_a_code"),
        ({"title": ""}, "metric_title_has_1_to_128_characters"),
        ({"loinc": "x"}, "metric_loinc_is_a_code"),
        ({"highest": 2e9}, "metric_bounds_are_a_range"),
        ({"highest": "NaN"}, "metric_bounds_are_a_range"),
        ({"lowest": "-infinity"}, "metric_bounds_are_a_range"),
        ({"kind": "sum", "rate": 0}, "metric_rate_is_positive"),
        ({"kind": "sum", "rate": "NaN"}, "metric_rate_is_positive"),
    ],
)
def test_the_table_holds_no_nonsense(db: psycopg.Connection, change: dict[str, Any], constraint: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        declare(db, **change)
    assert caught.value.diag.constraint_name == constraint


def test_a_tenant_declares_so_many(db: psycopg.Connection) -> None:
    db.execute("UPDATE core.setting SET value = '3' WHERE name = 'own_metrics'")
    try:
        for number in range(3):
            declare(db, name=f"m{number}")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="the tenant has 3 metrics of its own") as caught:
            declare(db, name="m3")
        assert "own_metrics" in str(caught.value.diag.message_hint)
        declare(db, name="m2", highest=40)
        declare(db, name="m3", tenant="lab")
        db.execute("UPDATE core.setting SET value = NULL WHERE name = 'own_metrics'")
        declare(db, name="m3")
    finally:
        db.execute("UPDATE core.setting SET value = '200' WHERE name = 'own_metrics'")


def test_what_changes_nothing_is_free(db: psycopg.Connection) -> None:
    """It is not noted, and the row is not written again."""
    declare(db)
    before = db.execute(
        "SELECT m.xmin::text, (SELECT count(*) FROM core.audit) FROM core.metric AS m WHERE name = 'lactate'"
    )
    written = before.fetchall()
    declare(db)
    after = db.execute(
        "SELECT m.xmin::text, (SELECT count(*) FROM core.audit) FROM core.metric AS m WHERE name = 'lactate'"
    )
    assert after.fetchall() == written


@pytest.mark.native  # the embedded database runs one transaction at a time
def test_what_changes_nothing_waits_for_nobody(db: psycopg.Connection, database_url: str) -> None:
    declare(db)
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE core.metric IN SHARE ROW EXCLUSIVE MODE")
        holder.execute("LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE")
        db.execute("SET lock_timeout = '1s'")
        try:
            declare(db)
            assert db.execute("SELECT count(*) FROM api.metrics").fetchone() == (45,)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                declare(db, highest=40)
        finally:
            db.execute("RESET lock_timeout")


@pytest.mark.native
def test_two_at_once_stay_within_what_a_tenant_may_declare(db: psycopg.Connection, database_url: str) -> None:
    declare(db, name="first")  # registers the tenant, which takes a lock of its own
    db.execute("UPDATE core.setting SET value = '2' WHERE name = 'own_metrics'")
    try:
        with psycopg.connect(database_url) as one, psycopg.connect(database_url) as two:
            declare(one)
            two.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                declare(two, name="second")
            two.rollback()
            one.commit()
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                declare(two, name="second")
    finally:
        db.execute("UPDATE core.setting SET value = '200' WHERE name = 'own_metrics'")
