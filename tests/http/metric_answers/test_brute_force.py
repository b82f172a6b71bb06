"""Any answer with metrics, against brute force in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from service.answers.metrics_asked import UNITS
from service.model.timestamps import format_timestamp, parse_timestamp
from tests.http.metric_answers import DEFAULT, TEN
from tests.support.answers import micro
from tests.support.moments import DAY, HOUR, MINUTE, SECOND, auto_bucket, bucket_start, moment
from tests.support.samples import Sample, write_samples
from tests.support.wire import refused

# In the order of the registry.
KINDS = {"spo2": "gauge", "body_weight": "latest", "distance": "sum", "hydration": "sum", "strain": "gauge"}
KIND_UNITS = {"spo2": "%", "body_weight": "kg", "distance": "m", "hydration": "mL", "strain": "{score}"}
DEVICES = ["device_a", "phone", "watch"]


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
