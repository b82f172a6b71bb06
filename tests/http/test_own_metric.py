"""A metric that a tenant declares goes the whole way without a restart: into every door, and out of every answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.service_process import running_service
from tests.support.wire import DAY, moment, refused, strict_json

LACTATE = {
    "unit": "mmol/L",
    "kind": "gauge",
    "lowest": 0,
    "highest": 30,
    "title": "Lactate",
    "topic": "blood",
    "loinc": "2518-9",
}
WHOLE_DAY = {"start": moment("00:00:00"), "end": "2024-01-16T00:00:00Z"}
UNIT = {"unit": "mmol/L", "device_id": "meter"}
VALUES = {"10:00:00": 1.25, "10:05:00": 2.5, "11:00:00": 6.25}


@pytest.fixture
def fresh(database_url: str, db: psycopg.Connection) -> Iterator[httpx.Client]:
    """A service of its own: one keeps what it knows of a metric, which is only ever deleted between tests."""
    with running_service(database_url) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def declared(fresh: httpx.Client) -> httpx.Client:
    """The service, once it knows the metric, which it has refused until then."""
    sent = {"user_id": "ada", "timestamp": moment(), "device_id": "meter", "lactate": 1.25}
    answer = fresh.post("/v1/readings", json=sent)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["problem"] == "is not a metric, see GET /v1/metrics"
    refused(fresh.get("/v1/users/ada/series", params=WHOLE_DAY | {"metrics": "lactate"}), 422)
    answer = fresh.put("/v1/metrics/lactate", json=LACTATE)
    assert answer.status_code == 200, answer.text
    return fresh


@pytest.fixture
def filled(declared: httpx.Client) -> httpx.Client:
    """Its values, of which JSON brings the first two, one of them with its unit, and CSV the third."""
    first, second, third = VALUES
    body = [
        {"user_id": "ada", "timestamp": moment(first), "device_id": "meter", "lactate": VALUES[first]},
        {
            "user_id": "ada",
            "timestamp": moment(second),
            "device_id": "meter",
            "lactate": {"value": VALUES[second], "unit": "mmol/L"},
        },
    ]
    table = f"user_id,timestamp,device_id,lactate[mmol/L]\nada,{moment(third)},meter,{VALUES[third]}\n"
    for answer, inserted in (
        (declared.post("/v1/readings", json=body), 2),
        (declared.post("/v1/readings", content=table, headers={"Content-Type": "text/csv"}), 1),
    ):
        assert (answer.status_code, answer.json()["inserted"]) == (200, inserted), answer.text
    return declared


def asked(client: httpx.Client, what: str, **more: str) -> dict[str, Any]:
    params = more if what == "latest" else WHOLE_DAY | more
    answer = client.get(f"/v1/users/ada/{what}", params={"metrics": "lactate"} | params)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def answers_of(client: httpx.Client) -> dict[str, Any]:
    """Return what each answer says of the metric."""
    return {
        "summary": asked(client, "summary")["metrics"],
        "hours": {one["t"]: one["metrics"] for one in asked(client, "series", bucket="1h")["points"]},
        "days": {one["t"]: one["metrics"] for one in asked(client, "series", bucket="1d")["points"]},
        "latest": asked(client, "latest")["metrics"],
        "readings": {one["timestamp"]: one["metrics"] for one in asked(client, "readings")["readings"]},
    }


def figures(*values: float) -> dict[str, Any]:
    """Return the figures of values, as a summary has them."""
    mean = sum(values) / len(values)
    return {"count": len(values), "avg": mean, "min": min(values), "max": max(values), "unit": "mmol/L"}


def point(*values: float) -> dict[str, Any]:
    """Return what a series has of the values of a bucket."""
    return {"lactate": figures(*values) | {"device_id": "meter"}}


def test_a_value_out_of_its_bounds_is_refused(declared: httpx.Client) -> None:
    sent = {"user_id": "ada", "timestamp": moment(), "lactate": 30.5}
    problem = declared.post("/v1/readings", json=sent).json()
    assert [(error["at"], error["problem"]) for error in problem["errors"]] == [
        ("lactate", "must be between 0 and 30"),
    ]


def test_every_answer_has_it_before_and_after_a_refresh(filled: httpx.Client, db: psycopg.Connection) -> None:
    first, second, third = VALUES.values()
    answers = answers_of(filled)
    assert answers == {
        "summary": {"lactate": figures(first, second, third)},
        "hours": {moment("10:00:00"): point(first, second), moment("11:00:00"): point(third)},
        "days": {moment("00:00:00"): point(first, second, third)},
        "latest": {"lactate": {"value": third, "timestamp": moment("11:00:00"), **UNIT}},
        "readings": {moment(clock): {"lactate": value} for clock, value in VALUES.items()},
    }
    db.execute("CALL api.refresh()")
    assert answers_of(filled) == answers


def test_sql_has_it(filled: httpx.Client, db: psycopg.Connection) -> None:
    stored = """SELECT tenant_id, device_id, metric, unit, ts::text, value FROM api.samples
                 WHERE user_id = 'ada' ORDER BY ts"""
    assert db.execute(stored).fetchall() == [
        ("default", "meter", "lactate", "mmol/L", f"{DAY} {clock}+00", value) for clock, value in VALUES.items()
    ]
    summary = f"""SELECT metric, unit, kind, count, avg, min, max, first_ts::text, last_ts::text
                   FROM api.metric_summary('default', 'ada', '{DAY}', '2024-01-16')"""
    wanted = ("lactate", "mmol/L", "gauge", 3, pytest.approx(10 / 3), 1.25, 6.25)
    bounds = (f"{DAY} 10:00:00+00", f"{DAY} 11:00:00+00")
    for _ in range(2):
        assert db.execute(summary.encode()).fetchall() == [(*wanted, *bounds)]
        db.execute("CALL api.refresh()")


def test_views_by_bucket_have_it(filled: httpx.Client, db: psycopg.Connection) -> None:
    buckets = {
        "metrics_15m": [("10:00:00", 2, 1.25, 2.5), ("11:00:00", 1, 6.25, 6.25)],
        "metrics_1h": [("10:00:00", 2, 1.25, 2.5), ("11:00:00", 1, 6.25, 6.25)],
        "metrics_1d": [("00:00:00", 3, 1.25, 6.25)],
    }
    for _ in range(2):
        for view, rows in buckets.items():
            query = f"""SELECT metric, unit, kind, sole_device, bucket::text, count, min, max FROM api.{view}
                         WHERE tenant_id = 'default' AND user_id = 'ada' ORDER BY bucket"""
            what = ("lactate", "mmol/L", "gauge", "meter")
            assert db.execute(query.encode()).fetchall() == [
                (*what, f"{DAY} {clock}+00", *figures) for clock, *figures in rows
            ]
        db.execute("CALL api.refresh()")


def test_downloads_and_the_export_have_it(filled: httpx.Client) -> None:
    lines = [json.loads(line) for line in filled.get("/v1/users/ada/export").text.splitlines()]
    assert [line for line in lines if line["kind"] == "sample"] == [
        {"kind": "sample", "timestamp": moment(clock), "metric": "lactate", "value": value, **UNIT}
        for clock, value in VALUES.items()
    ]
    table = filled.get(
        "/v1/users/ada/readings", params=WHOLE_DAY | {"metrics": "all"}, headers={"Accept": "text/csv"}
    ).text.splitlines()
    assert table[0] == "user_id,device_id,timestamp,heart_rate,steps,calories,lactate"
    assert [line.rsplit(",", 1)[1] for line in table[1:]] == ["1.25", "2.5", "6.25"]


def test_it_is_gone_with_the_user_and_stays_declared(filled: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("CALL api.refresh()")
    receipt = filled.delete("/v1/users/ada").json()
    assert (receipt["samples"], receipt["names"]) == (3, 1)
    for what in "summary", "latest":
        params = {"metrics": "lactate"} | ({} if what == "latest" else WHOLE_DAY)
        refused(filled.get(f"/v1/users/ada/{what}", params=params), 404)
    assert asked(filled, "series", bucket="1h")["points"] == []
    refused(filled.get("/v1/users/ada/export"), 404)
    for view in "samples", "metrics_15m", "metrics_1h", "metrics_1d":
        assert db.execute(f"SELECT count(*) FROM api.{view}".encode()).fetchone() == (0,), view
    assert "lactate" in {metric["name"] for metric in filled.get("/v1/metrics").json()["metrics"]}
    answer = filled.post("/v1/readings", json={"user_id": "ada", "timestamp": moment(), "lactate": 3})
    assert answer.json()["inserted"] == 1
    assert asked(filled, "summary")["metrics"]["lactate"]["count"] == 1


@pytest.mark.parametrize("known", [True, False], ids=["a value is sent again", "a value is new"])
@pytest.mark.parametrize("with_its_values", [True, False])
def test_a_metric_that_is_deleted_by_hand_is_refused_after_one_answer_and_may_be_declared_again(
    filled: httpx.Client, db: psycopg.Connection, with_its_values: bool, known: bool
) -> None:
    def send(clock: str) -> httpx.Response:
        """Send a value, and another reading beside it."""
        sent = {"user_id": "ada", "timestamp": moment(clock), "device_id": "meter", "lactate": 9.5}
        return filled.post("/v1/readings", json=[sent, {"user_id": "bob", "timestamp": moment(clock), "steps": 1}])

    assert send("10:06:00").json()["inserted"] == 2
    with db.transaction():
        if with_its_values:
            for table in ("sample", "sample_series"):
                db.execute(f"DELETE FROM core.{table} WHERE metric_key > 1000".encode())
        db.execute("DELETE FROM core.metric WHERE metric_key > 1000")
        db.execute("UPDATE core.names_version SET version = version + 1")
    values = db.execute("SELECT count(*) FROM core.sample").fetchone()
    clock = "10:06:00" if known else "10:07:00"
    refusal = refused(send(clock), 503)
    assert refusal["detail"] == "A metric of these readings is declared no more; send them again."
    again = send(clock).json()
    assert (again["received"], again["rejected"]) == (2, 1)
    assert (again["errors"][0]["at"], again["errors"][0]["problem"]) == (
        "readings[0].lactate",
        "is not a metric, see GET /v1/metrics",
    )
    assert db.execute("SELECT count(*) FROM core.sample").fetchone() == values
    assert filled.put("/v1/metrics/lactate", json=LACTATE).status_code == 200
    assert send("10:08:00").json()["inserted"] == 2
    answer = filled.get("/v1/users/ada/series", params=WHOLE_DAY | {"metrics": "lactate", "bucket": "raw"}).json()
    assert [point["t"] for point in answer["points"] if "lactate" in point["metrics"]] == [moment("10:08:00")]
