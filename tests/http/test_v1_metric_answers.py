"""`metrics=` of answers about a user: any metric beside heart rate, steps and calories, against brute force."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from pydantic import TypeAdapter

from service.answers.metrics_asked import NAME, UNITS
from service.answers.schemas.readings import ReadingsAfterDocument
from service.answers.schemas.series import SeriesDocument, SummaryDocument
from service.answers.schemas.users import LatestDocument
from service.model.timestamps import format_timestamp, parse_timestamp
from tests.support.keys import add_key, bearer
from tests.support.reference_model import DAY, HOUR, MINUTE, SECOND, auto_bucket, bucket_start, micro, micros, moment
from tests.support.samples import Sample, write_samples
from tests.support.service_process import running_service
from tests.support.wire import in_path, reading, refused, strict_json
from tests.support.wire import moment as said_moment

DEFAULT = "default"
# In the order of the registry.
KINDS = {"spo2": "gauge", "body_weight": "latest", "distance": "sum", "hydration": "sum", "strain": "gauge"}
KIND_UNITS = {"spo2": "%", "body_weight": "kg", "distance": "m", "hydration": "mL", "strain": "{score}"}
DEVICES = ["device_a", "phone", "watch"]
WHOLE_DAY = {"start": said_moment("00:00:00"), "end": "2024-01-16T00:00:00Z"}
TEN = micros(moment(0)) + 19_737 * DAY + 10 * HOUR  # 2024-01-15T10:00:00Z


def ask(client: httpx.Client, what: str, user: str = "ada", **asked: Any) -> dict[str, Any]:
    params = asked if what == "latest" else WHOLE_DAY | asked
    answer = client.get(f"/v1/users/{in_path(user)}/{what}", params=params)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def sample(metric: str = "spo2", value: float = 97.0, at: int = 0, device: str = "watch", user: str = "ada") -> Sample:
    return Sample(user, device, metric, TEN + at, value)


@pytest.fixture
def filled(client: httpx.Client, db: psycopg.Connection) -> httpx.Client:
    """A reading, and samples of three kinds in the same quarter and one in another."""
    client.post("/v1/readings", json=reading(device_id="watch", heart_rate=75, steps=40))
    write_samples(
        db,
        DEFAULT,
        [
            sample("spo2", 96.5),
            sample("spo2", 98.5, 5 * MINUTE),
            sample("distance", 120.25, 2 * MINUTE),
            sample("distance", 30.0, 40 * MINUTE, "phone"),
            sample("body_weight", 71.5, HOUR),
            sample("body_weight", 71.2, 2 * HOUR),
        ],
    )
    return client


# Shapes -----------------------------------------------------------------------------------------------------


def test_a_summary_has_the_figures_of_each_kind(filled: httpx.Client) -> None:
    plain = ask(filled, "summary")
    answer = ask(filled, "summary", metrics="distance,spo2,body_weight,hydration,steps,heart_rate,calories")
    assert list(answer) == [*plain, "metrics"]
    metrics = answer.pop("metrics")
    assert list(metrics.items()) == [
        ("heart_rate", {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "unit": "/min"}),
        ("steps", {"total": 40, "unit": "{steps}"}),
        ("calories", None),
        ("spo2", {"count": 2, "avg": 97.5, "min": 96.5, "max": 98.5, "unit": "%"}),
        ("body_weight", {"last": 71.2, "timestamp": said_moment("12:00:00"), "unit": "kg"}),
        ("distance", {"total": 150.25, "unit": "m"}),
        ("hydration", None),
    ]
    assert list(metrics["spo2"]) == ["count", "avg", "min", "max", "unit"]
    assert answer == plain | {"last": said_moment("12:00:00")}


def test_all_are_those_that_were_measured_in_the_range(filled: httpx.Client) -> None:
    assert list(ask(filled, "summary", metrics="all")["metrics"]) == [
        *("heart_rate", "steps", "spo2", "body_weight", "distance")
    ]
    after_ten = {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    answer = ask(filled, "summary", metrics="all", **after_ten)
    assert answer["metrics"] == {"distance": {"total": 30.0, "unit": "m"}}


def test_a_range_with_a_sample_that_is_asked_for_is_no_404(filled: httpx.Client) -> None:
    after_ten = {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    url = "/v1/users/ada/summary"
    refused(filled.get(url, params=after_ten), 404)
    refused(filled.get(url, params=after_ten | {"metrics": "spo2,steps"}), 404)
    refused(filled.get(url, params=after_ten | {"metrics": "steps"}), 404)
    answer = ask(filled, "summary", metrics="distance,spo2", **after_ten)
    assert answer["metrics"] == {"spo2": None, "distance": {"total": 30.0, "unit": "m"}}
    assert (answer["heart_rate"], answer["steps"], answer["calories"]) == (None, None, None)
    assert (answer["first"], answer["last"]) == (said_moment("10:40:00"), said_moment("10:40:00"))
    assert "raw" in answer["sources"]


def test_points_have_the_metrics_with_a_value_in_the_bucket(filled: httpx.Client) -> None:
    answer = ask(filled, "series", bucket="15m", metrics="all")
    assert answer["points"] == [
        {
            "t": said_moment("10:00:00"),
            "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "device_id": "watch"},
            "steps": 40,
            "calories": None,
            "metrics": {
                "heart_rate": {"count": 1, "avg": 75.0, "min": 75.0, "max": 75.0, "unit": "/min", "device_id": "watch"},
                "steps": {"total": 40, "unit": "{steps}", "device_id": None},
                "spo2": {"count": 2, "avg": 97.5, "min": 96.5, "max": 98.5, "unit": "%", "device_id": "watch"},
                "distance": {"total": 120.25, "unit": "m", "device_id": "watch"},
            },
        },
        {
            "t": said_moment("10:30:00"),
            "heart_rate": None,
            "steps": None,
            "calories": None,
            "metrics": {"distance": {"total": 30.0, "unit": "m", "device_id": "phone"}},
        },
        *(
            {
                "t": said_moment(clock),
                "heart_rate": None,
                "steps": None,
                "calories": None,
                "metrics": {"body_weight": {"last": last, "unit": "kg", "device_id": "watch"}},
            }
            for clock, last in [("11:00:00", 71.5), ("12:00:00", 71.2)]
        ),
    ]
    assert (answer["bucket"], answer["sources"][-1]) == ("15m", "raw")


def test_samples_are_raw_where_rollups_answer_for_readings(filled: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("CALL api.refresh()")
    for what, bucket in [("summary", {}), ("series", {"bucket": "1h"})]:
        sources = ask(filled, what, **bucket)["sources"]
        assert sources
        assert "raw" not in sources
        assert ask(filled, what, metrics="spo2", **bucket)["sources"] == [*sources, "raw"]
        assert ask(filled, what, metrics="steps,hydration", **bucket)["sources"] == sources


def test_buckets_without_a_value_are_filled(filled: httpx.Client) -> None:
    hour = {"start": said_moment("10:00:00"), "end": said_moment("11:00:00"), "bucket": "15m", "fill": "null"}
    points = ask(filled, "series", metrics="distance", **hour)["points"]
    assert [(point["t"], list(point["metrics"])) for point in points] == [
        (said_moment("10:00:00"), ["distance"]),
        (said_moment("10:15:00"), []),
        (said_moment("10:30:00"), ["distance"]),
        (said_moment("10:45:00"), []),
    ]


def test_a_raw_point_is_a_moment_and_a_device(filled: httpx.Client, db: psycopg.Connection) -> None:
    write_samples(db, DEFAULT, [sample("spo2", 90.0, device="phone")])
    points = ask(filled, "series", bucket="raw", metrics="spo2,steps", end=said_moment("10:01:00"))["points"]
    assert [(point["steps"], point["metrics"]) for point in points] == [
        (None, {"spo2": {"count": 1, "avg": 90.0, "min": 90.0, "max": 90.0, "unit": "%", "device_id": "phone"}}),
        (
            40,
            {
                "steps": {"total": 40, "unit": "{steps}", "device_id": "watch"},
                "spo2": {"count": 1, "avg": 96.5, "min": 96.5, "max": 96.5, "unit": "%", "device_id": "watch"},
            },
        ),
    ]


def test_latest_values_have_their_units(filled: httpx.Client) -> None:
    plain = ask(filled, "latest")
    answer = ask(filled, "latest", metrics="body_weight,hydration,steps,calories")
    assert list(answer.pop("metrics").items()) == [
        ("steps", plain["steps"] | {"unit": "{steps}"}),
        ("calories", None),
        ("body_weight", {"value": 71.2, "timestamp": said_moment("12:00:00"), "device_id": "watch", "unit": "kg"}),
        ("hydration", None),
    ]
    assert answer == plain | {"last_seen": said_moment("12:00:00")}
    assert list(ask(filled, "latest", metrics="all")["metrics"]) == [
        *("heart_rate", "steps", "spo2", "body_weight", "distance")
    ]
    assert ask(filled, "latest", metrics="steps") == plain | {
        "metrics": {"steps": plain["steps"] | {"unit": "{steps}"}}
    }


def test_who_has_samples_only_has_latest_values_when_they_are_asked_for(
    client: httpx.Client, db: psycopg.Connection
) -> None:
    write_samples(db, DEFAULT, [sample(user="bob")])
    for params in ({}, {"metrics": "steps"}, {"metrics": "hydration"}):
        refused(client.get("/v1/users/bob/latest", params=params), 404)
    answer = ask(client, "latest", "bob", metrics="spo2")
    assert (answer["last_seen"], answer["steps"]) == (said_moment("10:00:00"), None)
    assert answer["metrics"]["spo2"]["value"] == 97.0


def test_a_metric_called_ahead_is_no_reading_that_lies_ahead(client: httpx.Client, db: psycopg.Connection) -> None:
    db.execute("SELECT api.set_metric('default', 'ahead', 'm', 'gauge', 0, 10)")
    write_samples(db, DEFAULT, [sample("ahead", 3.0)])
    answer = ask(client, "latest", metrics="ahead")
    assert "ahead" not in answer
    assert answer["metrics"]["ahead"]["value"] == 3.0


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("summary", SummaryDocument),
        ("series", SeriesDocument),
        ("latest", LatestDocument),
        ("readings", ReadingsAfterDocument),
    ],
)
@pytest.mark.parametrize("names", ["all", "heart_rate,steps,calories", "spo2,body_weight,distance,hydration"])
def test_answers_have_the_documented_shape(filled: httpx.Client, what: str, shape: Any, names: str) -> None:
    """Nothing is in them that the OpenAPI document does not name, and nothing is missing."""
    answer = ask(filled, what, metrics=names)
    assert TypeAdapter(shape).validate_python(answer) == answer
    (described,) = (
        parameter
        for parameter in filled.get("/openapi.json").json()["paths"][f"/v1/users/{{user_id}}/{what}"]["get"][
            "parameters"
        ]
        if parameter["name"] == "metrics"
    )
    pattern = described["schema"]["pattern"]
    assert re.search(pattern, names)
    assert not any(re.search(pattern, bad) for bad in ("", "spo2,", "SpO2", ",".join(["a"] * 101), "a" * 128))


# Readings ---------------------------------------------------------------------------------------------------


def stream(client: httpx.Client, media_type: str, **asked: Any) -> str:
    answer = client.get("/v1/users/ada/readings", params=WHOLE_DAY | asked, headers={"Accept": media_type})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == media_type
    return answer.text


def test_an_item_is_a_moment_and_a_device(filled: httpx.Client) -> None:
    answer = ask(filled, "readings", metrics="spo2,steps,distance", end=said_moment("10:45:00"))
    assert answer["readings"] == [
        {
            "timestamp": said_moment(clock),
            "device_id": device,
            "heart_rate": heart_rate,
            "steps": steps,
            "calories": None,
            "metrics": metrics,
        }
        for clock, device, heart_rate, steps, metrics in [
            ("10:00:00", "watch", 75.0, 40, {"steps": 40, "spo2": 96.5}),
            ("10:02:00", "watch", None, None, {"distance": 120.25}),
            ("10:05:00", "watch", None, None, {"spo2": 98.5}),
            ("10:40:00", "phone", None, None, {"distance": 30.0}),
        ]
    ]
    assert list(answer["readings"][0]["metrics"]) == ["steps", "spo2"]
    # A reading without any of the metrics stays, and so does its shape where none is asked for.
    (found,) = ask(filled, "readings", metrics="calories")["readings"]
    assert found["metrics"] == {}
    (plain,) = ask(filled, "readings")["readings"]
    assert found == plain | {"metrics": {}}


def test_a_range_with_samples_only_has_readings_where_they_are_asked_for(filled: httpx.Client) -> None:
    later = WHOLE_DAY | {"start": said_moment("10:30:00"), "end": said_moment("10:50:00")}
    for names in ("spo2", "steps"):
        refused(filled.get("/v1/users/ada/readings", params=later | {"metrics": names}), 404)
    assert ask(filled, "readings", **later, metrics="all")["readings"][0]["metrics"] == {"distance": 30.0}


def test_csv_has_a_column_of_each_metric(filled: httpx.Client) -> None:
    fields = "user_id,device_id,timestamp,heart_rate,steps,calories"
    until = {"end": said_moment("10:45:00")}
    assert stream(filled, "text/csv", metrics="spo2,hydration,steps,distance", **until) == (
        f"{fields},spo2,hydration,distance\n"
        "ada,watch,2024-01-15T10:00:00Z,75,40,,96.5,,\n"
        "ada,watch,2024-01-15T10:02:00Z,,,,,,120.25\n"
        "ada,watch,2024-01-15T10:05:00Z,,,,98.5,,\n"
        "ada,phone,2024-01-15T10:40:00Z,,,,,,30\n"
    )
    assert stream(filled, "text/csv", metrics="all", **until).startswith(f"{fields},spo2,body_weight,distance\n")
    assert stream(filled, "text/csv", metrics="steps") == stream(filled, "text/csv")


def test_ndjson_has_the_metrics_of_an_item(filled: httpx.Client) -> None:
    said = stream(filled, "application/x-ndjson", metrics="steps,spo2", end=said_moment("10:05:00"))
    assert said == (
        '{"user_id":"ada","device_id":"watch","timestamp":"2024-01-15T10:00:00Z","heart_rate":75,"steps":40,'
        '"calories":null,"metrics":{"steps":40,"spo2":96.5}}\n'
    )


def test_streams_go_on_over_pages(client: httpx.Client, db: psycopg.Connection) -> None:
    """More than two pages of 5000, of names that CSV quotes, with several devices at each moment."""
    devices = ['a "quoted", one', "b\nbroken", "c"]
    samples = [
        sample(metric, float(50 + n % 50), n * SECOND, device)
        for n in range(3500)
        for device in devices
        for metric in ("spo2", "distance")[: 1 + n % 2]
    ]
    write_samples(db, DEFAULT, samples)
    expected: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for one in samples:
        expected[format_timestamp(moment(one.ts)), one.device][one.metric] = one.value
    lines = [strict_json(line) for line in stream(client, "application/x-ndjson", metrics="all").splitlines()]
    found = [((line["timestamp"], line["device_id"]), line["metrics"]) for line in lines]
    assert found == list(expected.items())
    header, *rows = csv.reader(io.StringIO(stream(client, "text/csv", metrics="all"), newline=""))
    assert header[6:] == ["spo2", "distance"]
    assert [((row[2], row[1]), [value and float(value) for value in row[6:]]) for row in rows] == [
        (key, [values["spo2"], values.get("distance", "")]) for key, values in expected.items()
    ]


# Names ------------------------------------------------------------------------------------------------------

HOSTILE = [
    ("", "must be names of metrics with commas between them, or all"),
    (",", "must be names of metrics with commas between them, or all"),
    ("spo2,", "must be names of metrics with commas between them, or all"),
    ("spo2,,steps", "must be names of metrics with commas between them, or all"),
    ("sp\0o2", "must not contain the character NUL"),
    (",".join(f"metric_{n}" for n in range(101)), "must have at most 100 names"),
    ("x" * 128, "must have names of at most 127 characters"),
    ("x" * 60_000, "must have names of at most 127 characters"),
    ("sp02", "has a name that is not known; spo2 is probably meant"),
    ("spo2,hart_rate", "has a name that is not known; heart_rate is probably meant"),
    ("SpO2", "has a name that is not known; spo2 is probably meant"),
    (" spo2", "has a name that is not known; spo2 is probably meant"),
    ("all,spo2", "has a name that is not known; "),
    ("x" * 127, "has a name that is not known; GET /v1/metrics lists those that are"),
    ("null", "has a name that is not known; "),
    ("{spo2}", "has a name that is not known; "),
    ("spo2;DROP TABLE core.sample", "has a name that is not known; "),
    ("'; SELECT 1; --", "has a name that is not known; "),
    ("%s", "has a name that is not known; "),
    ("日本語", "has a name that is not known; GET /v1/metrics lists those that are"),
    ("spo2\n", "has a name that is not known; "),
    ("\ud83d".encode("utf-8", "surrogatepass"), "has a name that is not known; "),
    ("ahead", "has a name that is not known; "),
]  # fmt: skip


@pytest.mark.parametrize("what", ["summary", "series", "latest", "readings"])
@pytest.mark.parametrize(("names", "problem"), HOSTILE, ids=[repr(names)[:20] for names, _ in HOSTILE])
@pytest.mark.parametrize("user", ["ada", "nobody"])
def test_bad_names_are_refused(client: httpx.Client, user: str, what: str, names: Any, problem: str) -> None:
    client.post("/v1/readings", json=reading())
    (fault,) = refused(client.get(f"/v1/users/{user}/{what}", params={"metrics": names}), 422)["errors"]
    assert fault["at"] == "metrics"
    assert fault["problem"].startswith(problem), fault
    assert len(fault["value"]) <= 201


@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
def test_bad_names_are_refused_before_a_stream_begins(client: httpx.Client, media_type: str) -> None:
    client.post("/v1/readings", json=reading())
    params = WHOLE_DAY | {"metrics": "spo2,sp02"}
    answer = client.get("/v1/users/ada/readings", params=params, headers={"Accept": media_type})
    assert refused(answer, 422)["errors"][0]["value"] == "sp02"


def test_names_twice_count_once_and_a_hundred_are_taken(filled: httpx.Client, db: psycopg.Connection) -> None:
    once = ask(filled, "summary", metrics="spo2,steps")
    assert ask(filled, "summary", metrics="steps,spo2,spo2,steps,spo2") == once
    assert ask(filled, "summary", metrics=",".join(["spo2", "steps"] * 500)) == once
    own = [f"own_{n}" for n in range(100)]
    for name in own:
        db.execute("SELECT api.set_metric('default', %s, 'm', 'gauge', 0, 10)", [name])
    assert ask(filled, "summary", metrics=",".join(own))["metrics"] == dict.fromkeys(own)
    twice = filled.get("/v1/users/ada/summary", params=[("metrics", "spo2"), ("metrics", "steps")])
    assert refused(twice, 422)["errors"][0]["problem"] == "is given 2 times"


def test_the_pattern_of_names_is_that_of_the_registry(db: psycopg.Connection) -> None:
    (found,) = db.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'metric_name_is_a_word'"
    ).fetchone() or ("",)
    assert f"'^{NAME}$'" in found
    units = dict(db.execute("SELECT name, unit FROM core.metric WHERE metric_key <= 3 ORDER BY metric_key").fetchall())
    assert list(UNITS.items()) == list(units.items())


def test_a_metric_of_another_tenant_is_not_known(database_url: str, db: psycopg.Connection) -> None:
    """Of two tenants with a metric of one name, each sees its own, with its unit and its values."""
    for tenant, unit, value in [("tenant_1", "mmol/L", 2.5), ("tenant_2", "mg/dL", 45.0)]:
        db.execute("SELECT api.set_metric(%s, 'lactate', %s, 'gauge', 0, 100)", [tenant, unit])
        write_samples(db, tenant, [sample("lactate", value)])
    db.execute("SELECT api.set_metric('tenant_2', 'secret', 'm', 'gauge', 0, 100)")
    write_samples(db, "tenant_2", [sample("secret", 7.0)])
    key = add_key(db, ["read"], tenant="tenant_1")
    with running_service(database_url) as url, httpx.Client(base_url=url, headers=bearer(key)) as client:
        for names in ("lactate", "all"):
            found = ask(client, "summary", metrics=names)["metrics"]
            assert found == {"lactate": {"count": 1, "avg": 2.5, "min": 2.5, "max": 2.5, "unit": "mmol/L"}}
            (point,) = ask(client, "series", metrics=names)["points"]
            assert (list(point["metrics"]), point["metrics"]["lactate"]["avg"]) == (["lactate"], 2.5)
            found = ask(client, "latest", metrics=names)["metrics"]
            assert [(name, said["value"], said["unit"]) for name, said in found.items()] == [("lactate", 2.5, "mmol/L")]
            (found,) = ask(client, "readings", metrics=names)["readings"]
            assert found["metrics"] == {"lactate": 2.5}
        for what in ("summary", "series", "latest", "readings"):
            answer = client.get(f"/v1/users/ada/{what}", params={"metrics": "secret"})
            (fault,) = refused(answer, 422)["errors"]
            assert "secret" not in fault["problem"]


# Brute force ------------------------------------------------------------------------------------------------


class History(NamedTuple):
    """What was sent of a user: samples, and the rank of each device."""

    samples: dict[tuple[str, str, int], float]  # by metric, device and moment
    ranks: dict[str, Any]

    def of(self, metric: str, start: int, end: int, device: str | None) -> list[Sample]:
        return [
            Sample("ada", whose, name, ts, value)
            for (name, whose, ts), value in sorted(self.samples.items(), key=lambda item: item[0][2])
            if name == metric and start <= ts < end and device in (None, whose)
        ]

    def counted(self, metric: str, start: int, end: int, device: str | None) -> list[Sample]:
        """Keep the samples of the best device of each minute."""
        minutes = defaultdict(list)
        for one in self.of(metric, start, end, device):
            minutes[one.ts // MINUTE].append(one)
        kept: list[Sample] = []
        for minute in minutes.values():
            best = min((one.device for one in minute), key=self.ranks.__getitem__)
            kept += [one for one in minute if one.device == best]
        return kept


def figures(metric: str, found: Sequence[Sample]) -> dict[str, Any] | None:
    """Aggregate samples exactly: whole millionths, and one division."""
    if not found:
        return None
    values, unit = [one.value for one in found], {"unit": KIND_UNITS[metric]}
    total = sum(map(micro, values))
    match KINDS[metric]:
        case "gauge":
            mean = total / (len(values) * 10**6)
            return {"count": len(values), "avg": mean, "min": min(values), "max": max(values)} | unit
        case "sum":
            return {"total": total / 10**6} | unit
    last = max(found, key=lambda one: one.ts)
    return {"last": last.value, "timestamp": format_timestamp(moment(last.ts))} | unit


def random_history(random: Random, client: httpx.Client, db: psycopg.Connection) -> History:
    """Send readings and samples that crowd into few minutes of some days, some of them at the same moments."""
    db.execute("SELECT api.set_metric('default', 'strain', '{score}', 'gauge', -1000, 1000)")
    hours = [random.randrange(-40, 40) * HOUR for _ in range(5)]

    def some_moment() -> int:
        return (
            TEN + random.choice(hours) + random.choice([0, 1, 59 * SECOND + 999_999, MINUTE, 7 * MINUTE, 15 * MINUTE])
        )

    fields = [{"heart_rate": 75}, {"steps": 9, "calories": 1.5}]
    most = random.choice([0, 25])
    readings = {(random.choice(DEVICES), some_moment()): random.choice(fields) for _ in range(most)}
    if readings:
        said = [
            {"user_id": "ada", "device_id": device, "timestamp": format_timestamp(moment(ts))} | more
            for (device, ts), more in readings.items()
        ]
        assert client.post("/v1/readings", json=said).json()["inserted"] == len(said)
    samples: dict[tuple[str, str, int], float] = {}
    for _ in range(120):
        at = random.choice([some_moment(), *(ts for _, ts in readings)])
        value = random.choice([random.randrange(-900_000, 900_000) / 1000, float(random.randrange(5))])
        samples[random.choice(list(KINDS)), random.choice(DEVICES), at] = value
    write_samples(
        db, DEFAULT, [Sample("ada", device, metric, ts, value) for (metric, device, ts), value in samples.items()]
    )
    for device in random.sample(DEVICES, 1):
        db.execute("SELECT api.set_device('default', %s, NULL, %s)", [device, random.choice([1, 5])])
    ranks = db.execute("SELECT device_id, ARRAY[priority, device_key] FROM core.device").fetchall()
    if random.random() < 0.5:
        db.execute("CALL api.refresh()")
    return History(samples, dict(ranks))


class Asked(NamedTuple):
    """A question about metrics."""

    start: int
    end: int
    names: list[str]  # none for all
    device: str | None

    @property
    def params(self) -> dict[str, Any]:
        range_ = {name: format_timestamp(moment(ts)) for name, ts in (("start", self.start), ("end", self.end))}
        return range_ | ({"device_id": self.device} if self.device else {})

    @property
    def metrics(self) -> dict[str, str]:
        return {"metrics": ",".join(self.names) or "all"}

    @property
    def others(self) -> list[str]:
        return [name for name in KINDS if name in self.names or not self.names]


def questions(random: Random) -> Iterator[Asked]:
    for _ in range(6):
        start, end = sorted(TEN + random.randrange(-45 * HOUR, 45 * HOUR, MINUTE) for _ in range(2))
        if random.random() < 0.4:
            start, end = TEN - 90 * DAY, TEN + 30 * DAY
        names = random.choice([[], random.choices([*KINDS, "steps", "calories", "heart_rate"], k=3)])
        yield Asked(start, end, names, random.choice([None, None, *DEVICES]))


def of_readings(asked: Asked, plain: dict[str, Any], is_point: bool = False, device: Any = None) -> dict[str, Any]:
    """Say in the words of metrics what the fields of a summary, or of a point, say."""
    found = {}
    for name in UNITS:
        if asked.names and name not in asked.names:
            continue
        said = plain[name]
        if name != "heart_rate" and said is not None:
            said = {"total": said, "device_id": device} if is_point else {"total": said}
        if said is not None or (asked.names and not is_point):
            found[name] = said and {**said, "unit": UNITS[name]}
    return found


def nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | dict.fromkeys(UNITS)


def check_summary(client: httpx.Client, history: History, asked: Asked) -> None:
    counted = {name: history.counted(name, *asked[:2], asked.device) for name in asked.others}
    plain = client.get("/v1/users/ada/summary", params=asked.params)
    answer = client.get("/v1/users/ada/summary", params=asked.params | asked.metrics)
    moments = [format_timestamp(moment(one.ts)) for found in counted.values() for one in found]
    if plain.status_code == 404 and not moments:
        refused(answer, 404)
        return
    fields = plain.json() if plain.status_code == 200 else nothing({})
    said = answer.json()
    expected = of_readings(asked, fields) | {name: figures(name, found) for name, found in counted.items()}
    if not asked.names:
        expected = {name: found for name, found in expected.items() if found is not None}
    assert said["metrics"] == expected
    assert {name: said[name] for name in UNITS} == {name: fields[name] for name in UNITS}
    moments += [fields[edge] for edge in ("first", "last") if edge in fields]
    ordered = sorted(moments, key=lambda text: text.replace("Z", "").ljust(26, "0") if "." in text else text[:-1] + ".")
    assert (said["first"], said["last"]) == (ordered[0], ordered[-1])


def check_series(client: httpx.Client, history: History, asked: Asked, random: Random) -> None:
    bucket = random.choice(["auto", "raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"])
    tz, most = random.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu"]), random.choice([10, 1000])
    params = asked.params | {"bucket": bucket, "tz": tz, "max_points": most}
    plain = client.get("/v1/users/ada/series", params=params).json()
    said = client.get("/v1/users/ada/series", params=params | asked.metrics).json()
    used = auto_bucket(asked.start, asked.end, most) if bucket == "auto" else bucket
    assert said["bucket"] == plain["bucket"] == used
    buckets: dict[tuple[str, str], dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for name in asked.others:
        for one in (history.of if used == "raw" else history.counted)(name, *asked[:2], asked.device):
            start = one.ts if used == "raw" else bucket_start(one.ts // MINUTE * MINUTE, used, tz)
            whose = one.device if used == "raw" else ""
            buckets[format_timestamp(moment(start)), whose][name].append(one)
    expected = []
    for (t, _), found in buckets.items():
        metrics = {}
        for name in asked.others:
            if name in found:
                devices = {one.device for one in found[name]}
                metrics[name] = figures(name, found[name]) | {"device_id": devices.pop() if len(devices) == 1 else None}
                metrics[name].pop("timestamp", None)
        expected.append((t, metrics))
    shown = [
        (point["t"], {name: one for name, one in point["metrics"].items() if name in KINDS}) for point in said["points"]
    ]
    assert sorted((one for one in shown if one[1]), key=repr) == sorted(expected, key=repr)
    assert [t for t, _ in shown] == sorted((t for t, _ in shown), key=lambda t: t[:-1] + ("" if "." in t else "."))
    assert len({*[t for t, _ in shown]}) == len(shown) or used == "raw"
    kept = [{name: value for name, value in point.items() if name != "metrics"} for point in said["points"]]
    assert [point for point in sorted(kept, key=repr) if point != nothing(point)] == sorted(plain["points"], key=repr)
    for point in said["points"]:
        metrics = {name: one for name, one in point["metrics"].items() if name in UNITS}
        devices = {one["device_id"] for one in metrics.values()}
        device = devices.pop() if used == "raw" and devices else None
        assert metrics == of_readings(asked, point, True, device)


def check_latest(client: httpx.Client, history: History, asked: Asked) -> None:
    plain = client.get("/v1/users/ada/latest")
    answer = client.get("/v1/users/ada/latest", params=asked.metrics)
    expected: dict[str, Any] = {}
    for name in asked.others:
        found = history.of(name, 0, TEN + 1000 * DAY, None)
        last = min(found, key=lambda one: (-one.ts, history.ranks[one.device]), default=None)
        if last is not None:
            at = format_timestamp(moment(last.ts))
            expected[name] = {"value": last.value, "timestamp": at, "device_id": last.device, "unit": KIND_UNITS[name]}
        elif asked.names:
            expected[name] = None
    if plain.status_code == 404 and not any(expected.values()):
        refused(answer, 404)
        return
    said = answer.json()
    assert {name: one for name, one in said["metrics"].items() if name in KINDS} == expected
    fields = plain.json() if plain.status_code == 200 else nothing({})
    assert {name: said[name] for name in UNITS} == {name: fields[name] for name in UNITS}


def check_readings(client: httpx.Client, history: History, asked: Asked, random: Random) -> None:
    url, most = "/v1/users/ada/readings", random.choice([1, 2, 7, 1000])
    plain = client.get(url, params=asked.params | {"limit": 1000})
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for one in plain.json().get("readings", ()):
        expected[one["timestamp"], one["device_id"]] = one | {"metrics": of_fields(asked, one)}
    for name in asked.others:
        for one in history.of(name, *asked[:2], asked.device):
            key = format_timestamp(moment(one.ts)), one.device
            empty = {"timestamp": key[0], "device_id": key[1], **dict.fromkeys(UNITS), "metrics": {}}
            expected.setdefault(key, empty)["metrics"][name] = one.value
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        answer = client.get(url, params=asked.params | asked.metrics | {"limit": most} | cursor)
        if not expected:
            refused(answer, 404)
            return
        page = answer.json()
        assert len(page["readings"]) == most or page["next_cursor"] is None
        found += page["readings"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    order = [(parse_timestamp(one["timestamp"]), one["device_id"]) for one in found]
    assert order == sorted(order)
    assert {(one["timestamp"], one["device_id"]): one for one in found} == expected
    assert len(found) == len(expected)


def of_fields(asked: Asked, fields: dict[str, Any]) -> dict[str, float]:
    """Return the values of the metrics of readings that are asked for."""
    wanted = [name for name in UNITS if name in asked.names or not asked.names]
    return {name: fields[name] for name in wanted if fields[name] is not None}


@pytest.mark.parametrize("seed", range(12))
def test_answers_are_those_of_brute_force(client: httpx.Client, db: psycopg.Connection, seed: int) -> None:
    random = Random(seed)
    history = random_history(random, client, db)
    for asked in questions(random):
        check_summary(client, history, asked)
        check_series(client, history, asked, random)
        check_latest(client, history, asked)
        check_readings(client, history, asked, random)
