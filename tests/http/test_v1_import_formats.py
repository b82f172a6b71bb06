"""POST /v1/import/auto of the files written by hand: each is recognized, and stored as a person counts it."""

from __future__ import annotations

from typing import NamedTuple

import httpx
import psycopg
import pytest

from tests.support.files import content, database
from tests.support.fit_files import activity, monitoring


class Expected(NamedTuple):
    """What a file holds: its readings, those of them that are refused, and amounts over intervals in all."""

    received: int
    rejected: int
    totals: dict[str, float]
    latest: dict[str, float]


FILES = {
    "line-protocol": (
        content("line-protocol/watch.lp"),
        Expected(9, 1, {}, {"spo2": 97.5, "body_temperature": 37, "body_weight": 72.5}),
    ),
    "open-mhealth": (
        content("open-mhealth/data-points.json"),
        Expected(
            14,
            0,
            {"steps": 6000, "calories": 800, "distance": 9977.9328},
            {
                "body_height": 180,
                "body_weight": 72.5747792,
                "body_temperature": 325 / 9,
                "blood_glucose": 99.0858,
                "bp_systolic": 125,
                "bp_diastolic": 60,
                "spo2": 95,
                "respiratory_rate": 12,
            },
        ),
    ),
    "fhir": (
        content("fhir/bundle.json"),
        Expected(
            12,
            1,
            {"steps": 700, "active_energy": 25},
            {
                "bp_systolic": 107,
                "bp_diastolic": 60,
                "body_weight": 83.91458845,
                "body_temperature": 36.5,
                "spo2": 95,
                "blood_glucose": 113.49828,
            },
        ),
    ),
    "gadgetbridge": (
        database(content("gadgetbridge/database.sql").decode()),
        Expected(
            21,
            0,
            {"steps": 250 + 30, "distance": 180, "active_energy": 9},
            {
                "spo2": 96,
                "garmin:stress": 25,
                "hrv_rmssd": 48,
                "respiratory_rate": 13.5,
                "resting_heart_rate": 54,
                "body_weight": 72.5,
            },
        ),
    ),
    "garmin-fit": (
        activity() + monitoring(),
        Expected(
            9 + 13,
            0,
            {"steps": 1200, "distance": 12 + 1100, "distance_cycling": 2000, "active_energy": 115, "calories": 3},
            {
                "cadence": 81,
                "speed": 3,
                "power": 215,
                "resting_heart_rate": 49,
                "garmin:stress": 25,
                "spo2": 96,
                "respiratory_rate": 13.5,
                "hrv_rmssd": 48.5,
            },
        ),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognized_and_stored(client: httpx.Client, db: psycopg.Connection, name: str) -> None:
    body, expected = FILES[name]
    asked = {"user_id": "ada", "tz": "Europe/Berlin"}
    answer = client.post("/v1/import/auto", params=asked, content=body)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["format"], document["damage"]) == (name, None)
    assert (document["received"], document["rejected"]) == (expected.received, expected.rejected), document["errors"]
    totals = "SELECT metric, sum(value) FROM api.intervals WHERE user_id = 'ada' GROUP BY metric"
    assert dict(db.execute(totals).fetchall()) == pytest.approx(expected.totals)
    latest = "SELECT DISTINCT ON (metric) metric, value FROM api.samples WHERE user_id = 'ada' ORDER BY metric, ts DESC"
    assert dict(db.execute(latest).fetchall()) == pytest.approx(expected.latest)
    again = client.post("/v1/import/auto", params=asked, content=body).json()
    assert (again["inserted"], again["updated"]) == (0, 0)
