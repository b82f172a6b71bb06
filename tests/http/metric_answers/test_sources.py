"""`sources` of summaries and series: which resolutions answered, of readings and of other metrics."""

from __future__ import annotations

import httpx
import psycopg

from tests.http.metric_answers import DEFAULT, ask, sample
from tests.support.moments import HOUR
from tests.support.samples import write_samples


def test_sources_are_those_of_readings_and_of_samples(filled: httpx.Client, db: psycopg.Connection) -> None:
    buckets = ("1d", "1h", "15m", "5m", "raw")

    def sources(**metrics: str) -> list[list[str]]:
        """Of a summary, and of a series by each bucket."""
        series = [ask(filled, "series", bucket=bucket, **metrics)["sources"] for bucket in buckets]
        return [ask(filled, "summary", **metrics)["sources"], *series]

    assert all("raw" in of_each for of_each in sources(metrics="spo2"))
    db.execute("CALL api.refresh()")
    rolled = [["1d"], ["1d"], ["1h"], ["15m"], ["raw"], ["raw"]]
    assert sources() == sources(metrics="spo2") == sources(metrics="all") == rolled
    # Since then rollups answer for readings, and no more for the samples of an hour.
    write_samples(db, DEFAULT, [sample("spo2", 99.5, 2 * HOUR)])
    whole_day = [["15m", "1d", "raw"]] * 2
    assert sources(metrics="spo2") == [*whole_day, ["1h", "raw"], ["15m", "raw"], ["raw"], ["raw"]]
    assert sources() == sources(metrics="steps,hydration") == rolled


def test_sources_say_where_a_daily_total_of_another_metric_counts(filled: httpx.Client) -> None:
    days = {"start": "2024-01-16T00:00:00Z", "end": "2024-01-18T00:00:00Z"}
    total = {"timestamp": days["start"], "end": "2024-01-17T00:00:00Z", "daily_total": True, "distance": 4321}
    assert filled.post("/v1/readings", json={"user_id": "ada", **total}).json()["inserted"] == 1
    for what, bucket in [("summary", {}), ("series", {"bucket": "1d"}), ("series", {"bucket": "1w"})]:
        assert ask(filled, what, metrics="distance", **days, **bucket)["sources"] == ["1d", "daily_total"]
    # Where it does not lie in the bucket as a whole, or is not asked for.
    there = {"bucket": "1d", "tz": "Europe/Berlin", "metrics": "spo2,distance", "fill": "null"}
    assert "daily_total" not in ask(filled, "series", **days, **there)["sources"]
    assert ask(filled, "summary", **days, metrics="distance", device_id="default")["sources"] == ["1d", "daily_total"]
    assert "daily_total" not in ask(filled, "series", **days, bucket="1d", metrics="spo2")["sources"]
