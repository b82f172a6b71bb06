"""GET /v1/metrics and PUT /v1/metrics/{name}: the registry, and what a tenant declares of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from service.model.metric import METRIC_DECLARATION
from tests.support.keys import add_key, bearer
from tests.support.service_process import running_service
from tests.support.wire import refused

LACTATE: dict[str, Any] = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30}
SHOWN = LACTATE | {
    "name": "lactate", "title": "lactate", "topic": "other", "most_per_second": None, "is_whole": False,
    "other_units": [], "loinc": None,
    "healthkit": None, "health_connect": None, "open_mhealth": None, "built_in": False,
}  # fmt: skip


def declared(client: httpx.Client, name: str = "lactate", **changes: Any) -> dict[str, Any]:
    answer = client.put(f"/v1/metrics/{name}", json=LACTATE | changes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def registry(client: httpx.Client, **headers: str) -> dict[str, dict[str, Any]]:
    """The metrics by name, in the order of the answer."""
    answer = client.get("/v1/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    metrics = answer.json()["metrics"]
    found = {metric["name"]: metric for metric in metrics}
    assert len(found) == len(metrics)
    return found


def test_the_built_in_metrics_are_there(client: httpx.Client) -> None:
    metrics = registry(client)
    assert len(metrics) == 44
    assert all(metric["built_in"] for metric in metrics.values())
    assert list(metrics) == sorted(metrics)
    assert (metrics["heart_rate"]["lowest"], metrics["heart_rate"]["highest"]) == (30, 220)
    assert metrics["steps"]["most_per_second"] == 5
    assert [name for name in metrics if metrics[name]["is_whole"]] == [
        "floors",
        "steps",
        "swim_strokes",
        "wheelchair_pushes",
    ]
    (fahrenheit,) = (unit for unit in metrics["body_temperature"]["other_units"] if unit["unit"] == "degF")
    assert fahrenheit == {"unit": "degF", "ucum": "[degF]", "zero": 32, "factor": 5, "divisor": 9}


def test_a_metric_is_declared_and_comes_after_the_built_in_ones(client: httpx.Client) -> None:
    assert declared(client) == SHOWN
    assert declared(client, "acme:strain", title="Strain", topic="wellbeing")["name"] == "acme:strain"
    assert list(registry(client))[44:] == ["acme:strain", "lactate"]
    assert registry(client)["lactate"] == SHOWN


def test_a_metric_is_declared_again(client: httpx.Client, db: psycopg.Connection) -> None:
    declared(client, title="Lactate", topic="blood", loinc="2518-9")
    assert declared(client, title="Lactate", highest=40) == SHOWN | {"title": "Lactate", "highest": 40}
    acts = "SELECT detail FROM core.audit WHERE act = 'set metric' ORDER BY entry"
    before = db.execute(acts).fetchall()
    assert before == [({"metric": "lactate", "lowest": 0, "highest": highest},) for highest in (30, 40)]
    declared(client, title="Lactate", highest=40.0)
    assert db.execute(acts).fetchall() == before


def test_the_fields_of_a_reading_are_no_names_of_metrics(client: httpx.Client) -> None:
    for name in ("user_id", "timestamp", "end", "metrics"):
        (fault,) = refused(client.put(f"/v1/metrics/{name}", json=LACTATE))["errors"]
        assert (fault["at"], fault["problem"]) == ("name", "must be another one: readings have a field of that name")


def test_the_word_for_all_metrics_is_no_name_of_one(client: httpx.Client) -> None:
    (fault,) = refused(client.put("/v1/metrics/all", json=LACTATE))["errors"]
    assert (fault["at"], fault["problem"]) == ("name", "must be another one: questions ask for every metric by it")


@pytest.mark.parametrize(
    ("change", "at", "problem", "value"),
    [
        ({"unit": "mg/dL"}, "unit", "must be mmol/L, as declared; declare another metric for another unit", "mg/dL"),
        ({"kind": "sum"}, "kind", "must be gauge, as declared; declare another metric for another kind", "sum"),
        ({"lowest": 1}, "lowest", "must be at most 0, as declared; bounds only widen", "1"),
        ({"highest": 20}, "highest", "must be at least 30, as declared; bounds only widen", "20"),
        ({"most_per_second": 2}, "most_per_second", "must be null for the kind gauge", "2"),
    ],
)
def test_what_was_declared_stays_valid(
    client: httpx.Client, change: dict[str, Any], at: str, problem: str, value: str
) -> None:
    declared(client)
    answer = client.put("/v1/metrics/lactate", json=LACTATE | change)
    assert refused(answer, 422)["errors"] == [{"at": at, "problem": problem, "value": value}]
    assert registry(client)["lactate"] == SHOWN


@pytest.mark.parametrize(
    ("change", "at", "problem"),
    [
        ({"unit": None}, "unit", "must be a string"),
        ({"unit": "m s"}, "unit", "must match ^[!-~]{1,32}$"),
        ({"unit": "k" * 33}, "unit", "must match ^[!-~]{1,32}$"),
        ({"kind": "category"}, "kind", "must be one of 'gauge', 'sum' or 'latest'"),
        ({"lowest": "0"}, "lowest", "must be a number"),
        ({"lowest": None}, "lowest", "must be a number"),
        ({"lowest": -2e9}, "lowest", "must be between -1000000000 and 1000000000"),
        ({"highest": 2e9}, "highest", "must be between -1000000000 and 1000000000"),
        ({"highest": -1}, "highest", "must be more than lowest, 0"),
        ({"kind": "sum", "lowest": -1}, "lowest", "must be 0 or more, as a sum counts up"),
        ({"kind": "sum", "most_per_second": 0}, "most_per_second", "must be more than 0"),
        ({"kind": "sum", "most_per_second": 2e9}, "most_per_second", "must be between 0 and 1000000000"),
        ({"title": ""}, "title", "must not be empty"),
        ({"title": "x\0"}, "title", "must not contain the character NUL"),
        ({"loinc": "heart"}, "loinc", "must match ^[0-9]{1,7}-[0-9]$"),
        ({"healthkit": "Lactate"}, "healthkit", "is not a known field"),
    ],
)
def test_nonsense_is_named(client: httpx.Client, change: dict[str, Any], at: str, problem: str) -> None:
    (fault,) = refused(client.put("/v1/metrics/lactate", json=LACTATE | change), 422)["errors"]
    assert (fault["at"], fault["problem"]) == (at, problem)
    assert len(registry(client)) == 44


@pytest.mark.parametrize("missing", LACTATE)
def test_what_is_missing_is_named(client: httpx.Client, missing: str) -> None:
    body = {name: value for name, value in LACTATE.items() if name != missing}
    (fault,) = refused(client.put("/v1/metrics/lactate", json=body), 422)["errors"]
    assert fault == {"at": missing, "problem": "is required", "value": None}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Lactate", "must be a lower-case letter"),
        ("blood%20lactate", "must be a lower-case letter"),
        ("a%2Fb", "must be a lower-case letter"),
        ("x" * 64, "must be a lower-case letter"),
        ("%27%3B%20DROP%20TABLE%20core.metric", "must be a lower-case letter"),
        ("heart_rate", "must be another one: this metric is built in"),
    ],
)
def test_a_name_that_cannot_be_taken(client: httpx.Client, name: str, problem: str) -> None:
    (fault,) = refused(client.put(f"/v1/metrics/{name}", json=LACTATE), 422)["errors"]
    assert fault["at"] == "name"
    assert fault["problem"].startswith(problem)


def test_a_tenant_declares_so_many(client: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("UPDATE core.setting SET value = '1' WHERE name = 'own_metrics'")
    try:
        declared(client)
        problem = refused(client.put("/v1/metrics/other", json=LACTATE), 422)
        assert "has 1 metrics of its own" in problem["detail"]
    finally:
        db.execute("UPDATE core.setting SET value = '200' WHERE name = 'own_metrics'")


def test_the_model_knows_the_same_words_as_the_table(db: psycopg.Connection) -> None:
    fields = METRIC_DECLARATION.json_schema()["properties"]
    for constraint, words in (
        ("metric_kind_is_known", fields["kind"]["enum"]),
        ("metric_topic_is_known", fields["topic"]["anyOf"][0]["enum"]),
    ):
        ((definition,),) = db.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [constraint]
        )
        assert re.findall(r"'(\w+)'", definition) == words


@pytest.fixture(scope="module")
def guarded_url(database_url: str) -> Iterator[str]:
    """A service that asks everybody for a key."""
    with running_service(database_url, AUTH="keys") as url:
        yield url


def test_a_key_declares_for_its_tenant(guarded_url: str, db: psycopg.Connection) -> None:
    clinic, lab = (add_key(db, ["read", "admin"], tenant=tenant) for tenant in ("clinic", "lab"))
    with httpx.Client(base_url=guarded_url, timeout=30) as client:
        for key, unit in ((clinic, "mmol/L"), (lab, "mg/dL")):
            answer = client.put("/v1/metrics/lactate", json=LACTATE | {"unit": unit}, headers=bearer(key))
            assert answer.json()["unit"] == unit
        assert registry(client, **bearer(clinic))["lactate"]["unit"] == "mmol/L"
        assert registry(client, **bearer(lab))["lactate"]["unit"] == "mg/dL"
        assert "lactate" not in registry(client, **bearer(add_key(db, ["read"], tenant="other")))
    noted = db.execute("SELECT key_id, tenant_id FROM core.audit WHERE act = 'set metric' ORDER BY entry").fetchall()
    assert noted == [(clinic.split("_")[1], "clinic"), (lab.split("_")[1], "lab")]
