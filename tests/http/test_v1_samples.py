"""POST /v1/readings with any metric of the registry, and what stands in the database afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.keys import add_key, bearer
from tests.support.live_clients import heard, listening
from tests.support.service_process import running_service
from tests.support.wire import moment, reading, refused

LACTATE: dict[str, Any] = {"unit": "mmol/L", "kind": "gauge", "lowest": 0, "highest": 30}


def sample(clock: str = "10:00:00", user_id: str = "ada", **fields: Any) -> dict[str, Any]:
    return {"user_id": user_id, "timestamp": moment(clock)} | fields


def receipt(client: httpx.Client, body: Any, query: str = "", **headers: str) -> dict[str, Any]:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(
        f"/v1/readings{query}", content=content, headers={"Content-Type": "application/json"} | headers
    )
    assert answer.status_code in (200, 422), answer.text
    return dict(answer.json())


def outcomes(client: httpx.Client, body: Any) -> tuple[int, int, int]:
    found = receipt(client, body)
    assert found["rejected"] == 0, found
    return found["inserted"], found["updated"], found["unchanged"]


def stored(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    db.execute("SET timezone = 'UTC'")
    query = "SELECT user_id, device_id, metric, value FROM api.samples ORDER BY user_id, ts, device_id, metric"
    return db.execute(query).fetchall()


def test_any_metric_is_a_field(client: httpx.Client, db: psycopg.Connection) -> None:
    warm = {"value": 98.6, "unit": "degF"}
    body = [sample(spo2=97, body_temperature=warm, heart_rate=60), sample("10:01:00", device_id="ring", hrv_rmssd=40.5)]
    for given in (body, {"readings": body}):
        assert outcomes(client, given) in ((2, 0, 0), (0, 0, 2))
    assert stored(db) == [
        ("ada", "default", "body_temperature", 37.0),
        ("ada", "default", "spo2", 97.0),
        ("ada", "ring", "hrv_rmssd", 40.5),
    ]
    # A reading of samples only is no row among those of the three.
    assert db.execute("SELECT user_id, heart_rate FROM api.readings").fetchall() == [("ada", 60.0)]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-ndjson", "\n".join(json.dumps(sample(spo2=96, body_temperature={"value": 310.15, "unit": "K"}))
                                            for _ in range(1))),
        ("application/x-ndjson", "\n" + json.dumps(sample(spo2=96, body_temperature=37)) + "\n\n"),
        ("text/csv", f"user_id,timestamp,spo2,body_temperature[degF]\nada,{moment()},96,98.6\n"),
        ("text/csv", f"user_id;ts;SpO2[fraction];body_temperature;steps\nada;{moment()};0,96;37,0;\n"),
    ],
)  # fmt: skip
def test_lines_and_columns_carry_any_metric(
    client: httpx.Client, db: psycopg.Connection, media_type: str, body: str
) -> None:
    answer = client.post("/v1/readings", content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["inserted"]) == (200, 1), answer.text
    assert stored(db) == [("ada", "default", "body_temperature", 37.0), ("ada", "default", "spo2", 96.0)]


def test_outcomes_are_of_all_values_of_a_reading(client: httpx.Client, db: psycopg.Connection) -> None:
    assert outcomes(client, sample(spo2=97)) == (1, 0, 0)
    assert outcomes(client, sample(spo2=97)) == (0, 0, 1)
    assert outcomes(client, sample(spo2=98)) == (0, 1, 0)
    assert outcomes(client, sample(spo2=98, heart_rate=60)) == (0, 1, 0), "one is new"
    assert outcomes(client, sample(spo2=98, heart_rate=60)) == (0, 0, 1)
    assert outcomes(client, sample(spo2=98, respiratory_rate=12)) == (0, 1, 0)
    assert outcomes(client, sample(hrv_rmssd=40)) == (1, 0, 0), "all of its values are new"
    assert outcomes(client, sample("11:00:00", spo2=98, heart_rate=60)) == (1, 0, 0)


def test_a_batch_that_repeats_an_identity_counts_as_one_after_the_other(
    client: httpx.Client, db: psycopg.Connection
) -> None:
    one = [
        sample(spo2=97),
        sample(spo2=96),
        sample(spo2=96),
        sample(spo2=96, heart_rate=60),
        sample(heart_rate=60),
        sample(respiratory_rate=12),
    ]
    assert outcomes(client, one) == (2, 2, 2)
    assert [row[2:] for row in stored(db)] == [("respiratory_rate", 12.0), ("spo2", 96.0)]


def test_what_is_wrong_is_named(client: httpx.Client) -> None:
    body = [
        sample(spo2=49),
        sample(body_temperature={"value": 200, "unit": "degF"}),
        sample(body_temperature={"value": 36, "unit": "F"}),
        sample(sp02=97),
        sample(spo2=True),
        sample(spo2=97, end=moment("09:55:00")),
        sample(spo2=None),
    ]
    found = receipt(client, body)
    assert [(fault["at"], fault["problem"]) for fault in found["errors"]] == [
        ("readings[0].spo2", "must be between 50 and 100"),
        ("readings[1].body_temperature", "must be between 30 and 45 Cel"),
        ("readings[2].body_temperature.unit", "must be one of Cel, K, degF, [degF]"),
        ("readings[3].sp02", "is not a metric; spo2 is probably meant"),
        ("readings[4].spo2", "must be a number, or an object with a value and a unit"),
        ("readings[5].end", f"must be after the timestamp, {moment()}"),
        ("readings[6]", "must carry at least one metric, such as heart_rate, steps or calories"),
    ]
    assert found["errors"][1]["value"] == {"value": 200, "unit": "degF"}


def test_invalid_fields_of_any_metric_are_dropped(client: httpx.Client, db: psycopg.Connection) -> None:
    body = [
        sample(spo2=0, respiratory_rate=14, heart_rate=255),
        sample("10:01:00", spo2=0),
        sample("10:02:00", nope=1, steps=1),
    ]
    found = receipt(client, body, "?invalid=drop-field")
    assert (found["inserted"], found["rejected"]) == (1, 2)
    assert found["dropped"] == {"calories": 0, "heart_rate": 1, "spo2": 1, "steps": 0}
    assert stored(db) == [("ada", "default", "respiratory_rate", 14.0)]


def test_hostile_fields_are_refused_within_bounds(client: httpx.Client, db: psycopg.Connection) -> None:
    began = datetime.now(UTC)
    many = [sample(**{f"field_{number}_{index}": 1 for index in range(1000)}) for number in range(10)]
    found = receipt(client, [*many, sample(**{"x" * 500_000: 1}), sample(spo2=97)])
    assert (found["inserted"], found["rejected"], len(found["errors"])) == (1, 11, 61)
    assert max(len(fault["at"]) for fault in found["errors"]) < 150
    deep = '{"user_id": "ada", "timestamp": "' + moment() + '", "spo2": ' + '{"value": ' * 150 + "1" + "}" * 151
    assert receipt(client, deep)["errors"][0]["at"] == "spo2"
    for value in ("1e400", "9" * 400, "-1e-400", "NaN"):
        answer = client.post(
            "/v1/readings", content=f'{{"user_id": "ada", "timestamp": "{moment()}", "spo2": {value}}}'
        )
        refused(answer, 400) if value == "NaN" else None
        assert answer.status_code in (400, 422), value
    names = [metric["name"] for metric in client.get("/v1/metrics").json()["metrics"]]
    highest = {metric["name"]: metric["highest"] for metric in client.get("/v1/metrics").json()["metrics"]}
    rows = [
        sample(f"12:{number // 60:02}:{number % 60:02}", **{name: highest[name] for name in names})
        for number in range(300)
    ]
    assert outcomes(client, rows) == (300, 0, 0)
    assert len(stored(db)) == 300 * (len(names) - 3) + 1
    assert (datetime.now(UTC) - began).total_seconds() < 60


def test_metrics_are_of_a_tenant(db: psycopg.Connection, database_url: str) -> None:
    admin = bearer(add_key(db, ["admin", "ingest", "read"], "lab"))
    other = bearer(add_key(db, ["ingest"], "clinic"))
    with running_service(database_url) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert client.put("/v1/metrics/lactate", json=LACTATE, headers=admin).status_code == 200
        assert receipt(client, sample(lactate=2), **admin)["inserted"] == 1
        (fault,) = receipt(client, sample(lactate=2), **other)["errors"]
        assert (fault["at"], fault["problem"]) == ("lactate", "is not a metric, see GET /v1/metrics")
        # A name that a tenant chose is not shown to others.
        assert receipt(client, sample(lactate=99), **admin)["rejected"] == 1
        assert "lactate" not in client.get("/v1/system", headers=admin).text


def test_a_metric_that_is_declared_is_taken_by_every_process(db: psycopg.Connection, database_url: str) -> None:
    with running_service(database_url, WORKERS="2") as url:

        def ask(body: Any) -> dict[str, Any]:
            with httpx.Client(base_url=url, timeout=30) as one:  # a connection of its own, to either process
                return receipt(one, body)

        for number in range(12):
            assert ask(sample(f"10:{number:02}:00", spo2=97))["inserted"] == 1
        for highest in (30, 40):
            assert httpx.put(f"{url}/v1/metrics/lactate", json=LACTATE | {"highest": highest}).status_code == 200
            for number in range(12):
                assert ask(sample(f"11:{highest}:{number:02}", lactate=highest))["inserted"] == 1


def test_live_clients_hear_of_samples(client: httpx.Client, base_url: str) -> None:
    outcomes(client, reading(user_id="ada"))
    with listening(base_url, "/v1/live?user_id=ada") as socket:
        assert heard(socket)["type"] == "state"
        outcomes(client, sample("10:01:00", spo2=97))
        assert heard(socket)["user_id"] == "ada"


def test_readings_with_samples_keep_their_place_beside_others(client: httpx.Client, db: psycopg.Connection) -> None:
    body = [sample(f"10:{number // 60:02}:{number % 60:02}", heart_rate=60 + number % 9) for number in range(500)]
    mixed = [one | ({"spo2": 97} if index % 3 == 0 else {}) for index, one in enumerate(body)]
    assert outcomes(client, mixed) == (500, 0, 0)
    assert outcomes(client, body) == (0, 0, 500)
    assert len(stored(db)) == 167


def test_new_samples_and_known_ones_come_to_the_same(client: httpx.Client, db: psycopg.Connection) -> None:
    """New ones are copied, known ones are merged: the outcomes and what is stored do not tell which way it was."""
    first = [sample(f"10:00:{number:02}", spo2=90 + number % 10, hrv_rmssd=40) for number in range(30)]
    second = [sample(f"10:00:{number:02}", spo2=91, hrv_rmssd=40) for number in range(20, 50)]
    assert outcomes(client, first) == (30, 0, 0)
    assert outcomes(client, second) == (20, 9, 1)
    assert outcomes(client, second) == (0, 0, 30)
    assert outcomes(client, [sample(f"11:00:{number:02}", spo2=91) for number in range(30)]) == (30, 0, 0)
    assert outcomes(client, [sample("12:00:00", spo2=91), sample("12:00:00", spo2=92)]) == (1, 1, 0)
    assert len(stored(db)) == 2 * 50 + 30 + 1
    assert db.execute("SELECT count(*) FROM core.sample_series").fetchone() == (2,)
    assert client.delete("/v1/users/ada").json()["samples"] == 131
    for _ in range(2):  # the series of the user that was erased are registered again
        outcomes(client, [sample(f"10:00:{number:02}", spo2=97) for number in range(30)])
        assert db.execute("SELECT count(*) FROM core.sample_series").fetchone() == (1,)


@pytest.mark.parametrize("with_a_reading", [False, True])
def test_new_samples_are_in_every_answer(client: httpx.Client, db: psycopg.Connection, with_a_reading: bool) -> None:
    """Rollups do not hide late ones, and take in those of the present: both are stored by COPY."""
    wide = {"heart_rate": 60} if with_a_reading else {}
    late = [sample(f"1{hour}:00:00", hydration=amount, **wide) for hour, amount in ((0, 100), (1, 20))]
    for one in late:
        assert outcomes(client, one) == (1, 0, 0)
        db.execute("CALL api.refresh()")
    assert outcomes(client, sample("10:05:00", hydration=3, **wide)) == (1, 0, 0)
    assert total(client) == 123
    at = (datetime.now(UTC) - timedelta(minutes=30)).replace(microsecond=0)
    for amount in (4000, 800):
        assert outcomes(client, {"user_id": "ada", "timestamp": at.isoformat(), "hydration": amount, **wide}) == (
            (1, 0, 0) if amount == 4000 else (0, 1, 0)
        )
    assert total(client) == 923
    # Noted once, for the horizon that passes it.
    noted = db.execute("SELECT count(*) FROM core.sample_day WHERE day = time_bucket('1 day', %s::timestamptz)", [at])
    assert noted.fetchone() == (1,)
    db.execute("CALL api.refresh()")
    assert total(client) == 923
    assert db.execute("SELECT * FROM api.verify('2020-01-01Z', 'infinity') WHERE problem IS NOT NULL").fetchall() == []


def total(client: httpx.Client) -> float:
    range_ = {"start": "2020-01-01T00:00:00Z", "end": "2040-01-01T00:00:00Z"}
    found = client.get("/v1/users/ada/summary", params=range_ | {"metrics": "hydration"})
    return float(found.json()["metrics"]["hydration"]["total"])
