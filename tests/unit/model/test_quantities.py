"""Values of any metric: units, bounds, and what is said of what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pytest
from pydantic import ValidationError

from service.model.fields import Bounds
from service.model.reading import READING, to_row
from service.model.registry import metric_of, named_elsewhere
from service.model.validation_errors import fault
from tests.support.metrics import REGISTRY

BOUNDS = Bounds(datetime(1900, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), REGISTRY)
AT = {"user_id": "ada", "timestamp": "2025-01-15T10:00:00Z"}
SHAPE = "must be a number, or an object with a value and a unit"


def samples(**fields: Any) -> Any:
    return to_row(READING.validate_python(AT | fields, context=BOUNDS)).samples


def faults(**fields: Any) -> list[tuple[str, str, Any]]:
    with pytest.raises(ValidationError) as caught:
        READING.validate_python(AT | fields, context=BOUNDS)
    found = [fault(details) for details in caught.value.errors()]
    return [(one["at"], one["problem"], one["value"]) for one in found]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"spo2": 97}, ((9, 97.0),)),
        ({"spo2": {"value": 97, "unit": "%"}}, ((9, 97.0),)),
        ({"spo2": {"value": 0.97, "unit": "fraction"}}, ((9, 97.0),)),
        ({"body_temperature": {"value": 98.6, "unit": "degF"}}, ((14, 37.0),)),
        ({"body_temperature": {"value": 113, "unit": "[degF]"}, "spo2": 50}, ((14, 45.0), (9, 50.0))),
        ({"lactate": 0, "spo2": None}, ((1001, 0.0),)),
        ({"steps": 1, "spo2": None, "end": None}, None),
    ],
)
def test_values_are_stored_in_the_unit_of_the_metric(sent: dict[str, Any], stored: Any) -> None:
    assert samples(**sent) == stored


def test_the_three_are_taken_in_units_too() -> None:
    row = to_row(
        READING.validate_python(
            AT
            | {
                "heart_rate": {"value": 60, "unit": "/min"},
                "steps": {"value": 7, "unit": "{steps}"},
                "calories": {"value": 4.184, "unit": "kJ"},
            },
            context=BOUNDS,
        )
    )
    assert (row.heart_rate, row.steps, row.calories, row.samples) == (60.0, 7, 1.0, None)


@pytest.mark.parametrize(
    ("sent", "at", "problem"),
    [
        ({"spo2": 49}, "spo2", "must be between 50 and 100"),
        ({"spo2": 100.00000000000001}, "spo2", "must be between 50 and 100"),
        ({"lactate": 31}, "lactate", "must be between 0 and 30.5"),
        ({"spo2": float("inf")}, "spo2", "must be between 50 and 100"),
        ({"spo2": float("nan")}, "spo2", "must be between 50 and 100"),
        ({"body_temperature": {"value": 200, "unit": "degF"}}, "body_temperature", "must be between 30 and 45 Cel"),
        ({"body_temperature": {"value": 46, "unit": "Cel"}}, "body_temperature", "must be between 30 and 45"),
        ({"calories": {"value": 1e9, "unit": "kJ"}}, "calories", "must be between 0 and 10000"),
        ({"spo2": True}, "spo2", SHAPE),
        ({"spo2": "97"}, "spo2", SHAPE),
        ({"spo2": [97]}, "spo2", SHAPE),
        ({"spo2": {"value": 97}}, "spo2", SHAPE),
        ({"spo2": {"value": 97, "unit": "%", "more": 1}}, "spo2", SHAPE),
        ({"sp02": 97}, "sp02", "is not a metric; spo2 is probably meant"),
        ({"OxygenSaturation": 97}, "OxygenSaturation", "is not a metric; spo2 is probably meant"),
        ({"userid": 97}, "userid", "is not a metric; user_id is probably meant"),
        ({"qqq": 97}, "qqq", "is not a metric, see GET /v1/metrics"),
        ({"endd": "2025-01-15T10:05:00Z"}, "endd", "is not a metric; end is probably meant"),
        ({"heart_rate": 5}, "heart_rate", "must be between 30 and 220"),
    ],
)
def test_what_is_refused_is_shown_as_it_was_sent(sent: dict[str, Any], at: str, problem: str) -> None:
    found = faults(**sent, steps=1)
    assert [one[:2] for one in found] == [(at, problem)]
    (value,) = sent.values()
    shown = "a number too large to repeat" if isinstance(value, float) and not isfinite(value) else value
    assert found[0][2] == shown


@pytest.mark.parametrize(
    ("sent", "at", "problem", "value"),
    [
        ({"spo2": {"value": "97", "unit": "%"}}, "spo2.value", "must be a number", "97"),
        ({"spo2": {"value": True, "unit": "%"}}, "spo2.value", "must be a number", True),
        ({"spo2": {"value": 97, "unit": "pct"}}, "spo2.unit", "must be one of %, fraction", "pct"),
        ({"spo2": {"value": 97, "unit": {}}}, "spo2.unit", "must be one of %, fraction", {}),
        ({"steps": {"value": 97, "unit": "m"}}, "steps.unit", "must be {steps}", "m"),
    ],
)
def test_a_part_that_is_wrong_is_named(sent: dict[str, Any], at: str, problem: str, value: Any) -> None:
    assert faults(**sent, calories=1) == [(at, problem, value)]


def test_all_that_is_wrong_is_said_the_usual_fields_first() -> None:
    found = faults(nope=1, spo2=1, heart_rate={"value": 1, "unit": "/min"}, timestamp="never")
    assert [at for at, _, _ in found] == ["timestamp", "heart_rate", "nope", "spo2"]
    assert found[1][2] == {"value": 1, "unit": "/min"}


def test_of_very_many_unknown_fields_some_are_named() -> None:
    found = faults(**{f"field {number}": 1 for number in range(10_000)}, **{"x" * 100_000: 1})
    assert len(found) == 6
    assert found[-1][:2] == ("", "has 9996 more fields that are no metrics")
    ((at, _, _),) = faults(**{"x" * 100_000: 1})
    assert len(at) == 101


def test_something_must_be_measured() -> None:
    for fields in ({}, {"spo2": None}, {"heart_rate": None, "lactate": None}):
        assert faults(**fields)[0][1] == "must carry at least one metric, such as heart_rate, steps or calories"


def test_a_metric_of_the_database_is_read() -> None:
    row = {
        "metric_key": 14, "name": "body_temperature", "unit": "Cel", "lowest": 30.0, "highest": 45.0, "built_in": True,
        "kind": "gauge", "most_per_second": None,
        "other_units": [{"unit": "K", "ucum": "K", "zero": 273.15, "factor": 1, "divisor": 1}],
        "healthkit": "BodyTemperature", "health_connect": "Both", "open_mhealth": None,
    }  # fmt: skip
    assert metric_of(row).in_its_unit(310.15, "K") == 37.0
    assert not metric_of(row).is_sum
    steps = metric_of(row | {"kind": "sum", "most_per_second": 5.0, "is_whole": True})
    assert (steps.is_sum, steps.most_per_second, steps.is_whole) == (True, 5.0, True)
    assert named_elsewhere([row, row | {"name": "other", "healthkit": None}]) == {"bodytemperature": "body_temperature"}
