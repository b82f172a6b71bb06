"""Any small history, written through any mixture of paths, is answered as a model of ten lines answers it.

The model works on the decimal numbers that the JSON says, in exact fractions; an average or a sum is the double
nearest to the exact result. The database is not emptied between examples, so each one has a user of its own.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import unhurried
from tests.support.wire import DAY, post, reading, strict_json

DEVICES = [
    "device_a",
    "device_b",
    "default",
    "phone",
    "tablet",
]  # in the order of their priority, then registration
METRICS = ["heart_rate", "steps", "calories"]
SECOND = 1_000_000
BASE = 10 * 3600 * SECOND  # the history happens in the minutes after ten o'clock
users = count(1)


Key = tuple[str, int]  # device, microseconds of the day
Values = dict[str, Decimal]


# The model --------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What the service must know about one user."""

    readings: dict[Key, Values] = field(default_factory=dict)

    def write(self, item: dict[str, Any]) -> str:
        """Apply one reading and tell which count of the receipt it goes to."""
        if item.get("broken"):
            return "rejected"
        key = (item.get("device_id", "default"), item["at"])
        carried = {name: Decimal(str(item[name])) for name in METRICS if name in item}
        before = self.readings.get(key)
        after = (before or {}) | carried
        self.readings[key] = after
        if before is None:
            return "inserted"
        return "unchanged" if before == after else "updated"

    def receipt(self, items: list[dict[str, Any]]) -> dict[str, int]:
        counts = dict.fromkeys(("inserted", "updated", "unchanged", "rejected"), 0)
        for item in items:
            counts[self.write(item)] += 1
        return {"received": len(items)} | counts

    def within(self, start: int, end: int, device: str | None = None) -> dict[Key, Values]:
        """Find the readings with start <= t < end, of one device if it is named."""
        return {
            key: values for key, values in self.readings.items() if start <= key[1] < end and device in (None, key[0])
        }

    def winners(
        self, metric: str, start: int, end: int, device: str | None = None
    ) -> dict[int, tuple[str, list[Fraction]]]:
        """Find for each minute the best device that reported this metric in it, and its values."""
        minutes: dict[int, dict[str, list[Fraction]]] = {}
        for (name, at), values in self.within(start, end, device).items():
            if metric in values:
                minutes.setdefault(at // (60 * SECOND), {}).setdefault(name, []).append(Fraction(values[metric]))
        best = {minute: min(found, key=DEVICES.index) for minute, found in minutes.items()}
        return {minute: (best[minute], minutes[minute][best[minute]]) for minute in sorted(minutes)}

    def values(self, metric: str, start: int, end: int, device: str | None = None) -> list[Fraction]:
        return [value for _, found in self.winners(metric, start, end, device).values() for value in found]


def average(values: list[Fraction]) -> float:
    return float(sum(values) / len(values))


def clock(at: int) -> str:
    seconds, fraction = divmod(at, SECOND)
    whole = f"{DAY}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{whole}.{fraction:06}".rstrip("0").rstrip(".") + "Z" if fraction else whole + "Z"


# Histories --------------------------------------------------------------------------------------------------

moments = st.builds(
    lambda second, fraction: BASE + second * SECOND + fraction,
    st.integers(0, 150),
    st.sampled_from([0, 0, 0, 1, 500_000, 999_999]),
)


def decimals(least: int, most: int) -> st.SearchStrategy[float]:
    """Numbers with up to six decimals: the shortest text of each is the number meant."""
    return (
        st.builds(
            lambda whole, places: float(Decimal(whole).scaleb(-places)),
            st.integers(least * 10**6, most * 10**6),
            st.just(6),
        )
        | st.builds(float, st.integers(least, most))
        | st.integers(least * 10, most * 10).map(lambda n: n / 10)
    )


metrics = st.fixed_dictionaries(
    {},
    optional={
        "heart_rate": decimals(30, 220),
        "steps": st.integers(0, 100_000),
        "calories": decimals(0, 10_000),
    },
).filter(bool)
places = st.fixed_dictionaries({"at": moments, "device_id": st.sampled_from(DEVICES)})
good = st.builds(lambda place, values: place | values, places, metrics)
broken = st.builds(lambda item: item | {"heart_rate": 900, "broken": True}, good)
complete = st.fixed_dictionaries(
    {
        "at": moments,
        "heart_rate": decimals(30, 220),
        "steps": st.integers(0, 100_000),
        "calories": decimals(0, 10_000),
    }
)
beats = st.fixed_dictionaries({"at": moments, "device_id": st.sampled_from(DEVICES), "heart_rate": decimals(30, 220)})
bad_beats = beats.map(lambda item: item | {"heart_rate": 900, "broken": True})

requests = st.one_of(
    st.tuples(st.just("object"), st.lists(good, min_size=1, max_size=1)),
    st.tuples(st.just("array"), st.lists(good | good | good | broken, min_size=1, max_size=8)),
    st.tuples(st.just("readings"), st.lists(good | good | good | broken, min_size=1, max_size=8)),
    st.tuples(st.just("atomic"), st.lists(good | good | good | good | broken, min_size=1, max_size=4)),
    st.tuples(st.just("ingest"), st.lists(complete, min_size=1, max_size=5)),
    st.tuples(st.just("beat"), st.lists(beats | beats | bad_beats, min_size=1, max_size=1)),
    st.tuples(st.just("batch"), st.lists(beats | beats | beats | bad_beats, min_size=1, max_size=8)),
)
histories = st.lists(requests, min_size=1, max_size=6)
edges = st.one_of(
    moments,
    st.integers(-1, 4).map(lambda minute: BASE + minute * 60 * SECOND),
    st.sampled_from([BASE - 3600 * SECOND, BASE + 3600 * SECOND]),
)
ranges = st.lists(st.tuples(edges, edges).map(sorted), min_size=1, max_size=4)


def wire_form(user: int, item: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in item.items() if name not in ("at", "broken")}
    return {"user_id": user, "timestamp": clock(item["at"])} | fields


def sends(client: httpx.Client, model: Model, user: int, how: str, items: list[dict[str, Any]]) -> None:
    """Write by one of the paths, and check the answer against what the model makes of it."""
    said = [wire_form(user, item) for item in items]
    rejected = sum(1 for item in items if item.get("broken"))
    if how == "atomic" and rejected:
        assert client.post("/v1/readings", params={"atomic": "true"}, json=said).status_code == 422
        return
    told = model.receipt(items)
    if how == "ingest":
        body = said if len(said) > 1 else said[0]
        assert post(client, "/ingest", body) == {"message": "Data received", "ingested": len(said)}
    elif how == "beat":
        answer = client.post("/metrics/heart-rate", json=said[0])
        assert answer.status_code == (400 if rejected else 202)
    elif how == "batch":
        answer = client.post("/metrics/heart-rate/batch", json={"readings": said})
        assert answer.status_code == (400 if rejected == len(said) else 202)
        if answer.status_code == 202:
            body = answer.json()
            assert (body["accepted"], body["rejected"], body["total"]) == (
                len(said) - rejected,
                rejected,
                len(said),
            )
    else:
        body = {"object": said[0], "readings": {"readings": said}}.get(how, said)
        asked = {"atomic": "true"} if how == "atomic" else {}
        answer = client.post("/v1/readings", params=asked, json=body)
        assert answer.status_code == (422 if rejected == len(said) else 200), answer.text
        if answer.status_code == 200:
            assert {name: answer.json()[name] for name in told} == told, (said, answer.text)


@pytest.fixture
def registered(client: httpx.Client) -> httpx.Client:
    """Register all devices, in the order of the model, and hand on the client."""
    for device in DEVICES:
        post(client, "/v1/readings", reading(user_id="first", device_id=device))
    return client


# The properties ---------------------------------------------------------------------------------------------


@given(history=histories, spans=ranges)
@settings(unhurried, max_examples=80)
def test_every_answer_equals_the_model(registered: httpx.Client, history: Any, spans: Any) -> None:
    client, model, user = registered, Model(), next(users)
    for how, items in history:
        sends(client, model, user, how, items)
    for start, end in spans:
        metrics_agree(client, model, user, start, end)
        heart_rates_agree(client, model, user, start, end, None)
        heart_rates_agree(client, model, user, start, end, "device_b")
        summaries_agree(client, model, user, start, end, None)
        summaries_agree(client, model, user, start, end, "default")


def metrics_agree(client: httpx.Client, model: Model, user: int, start: int, end: int) -> None:
    """GET /metrics, whose range includes its end."""
    asked = {"user_id": str(user), "start_date": clock(start), "end_date": clock(end)}
    answer = client.get("/metrics", params=asked)
    if not model.within(start, end + 1):
        assert answer.status_code == 404
        return
    assert answer.status_code == 200, answer.text
    told = strict_json(answer.text)
    assert list(told) == ["avg_heart_rate", "total_steps", "total_calories"]
    rates, steps, calories = (model.values(metric, start, end + 1) for metric in METRICS)
    if rates:
        assert told["avg_heart_rate"] == average(rates)
    if steps:
        assert told["total_steps"] == sum(steps)
    if calories:
        assert told["total_calories"] == float(sum(calories))
    for name, values in zip(told, (rates, steps, calories), strict=True):
        assert values or not told[name], "nothing was measured, so nothing or zero is told"


def heart_rates_agree(client: httpx.Client, model: Model, user: int, start: int, end: int, device: str | None) -> None:
    """GET /metrics/heart-rate, whose range includes its end."""
    asked = {"user_id": str(user), "start": clock(start), "end": clock(end)} | ({"device_id": device} if device else {})
    answer = client.get("/metrics/heart-rate", params=asked)
    winners = model.winners("heart_rate", start, end + 1, device)
    if not winners:
        assert answer.status_code == 404
        return
    assert answer.status_code == 200, answer.text
    expected = [
        {"timestamp": clock(minute * 60 * SECOND), "heart_rate": average(values), "device_id": name}
        for minute, (name, values) in winners.items()
    ]
    assert strict_json(answer.text) == {"user_id": str(user), "data": expected, "count": len(expected)}


def summaries_agree(client: httpx.Client, model: Model, user: int, start: int, end: int, device: str | None) -> None:
    """GET /v1/users/{user_id}/summary, whose range excludes its end."""
    asked = {"start": clock(start), "end": clock(end)} | ({"device_id": device} if device else {})
    answer = client.get(f"/v1/users/{user}/summary", params=asked)
    seen = model.within(start, end, device)
    if not seen:
        assert answer.status_code == 404
        return
    assert answer.status_code == 200, answer.text
    told = strict_json(answer.text)
    rates, steps, calories = (model.values(metric, start, end, device) for metric in METRICS)
    rate = (
        {"count": len(rates), "avg": average(rates), "min": float(min(rates)), "max": float(max(rates))}
        if rates
        else None
    )
    assert told["heart_rate"] == rate
    assert told["steps"] == (sum(steps) if steps else None)
    assert told["calories"] == (float(sum(calories)) if calories else None)
    assert (told["user_id"], told["start"], told["end"]) == (str(user), clock(start), clock(end))
    if len({name for name, _ in seen}) == 1:  # among several devices the contract does not say whose first counts
        times = [at for _, at in seen]
        assert (told["first"], told["last"]) == (clock(min(times)), clock(max(times)))


@given(values=st.lists(st.tuples(decimals(30, 220), decimals(0, 10_000)), min_size=1, max_size=40))
@settings(unhurried, max_examples=40)
def test_averages_and_sums_are_the_nearest_double(registered: httpx.Client, values: list[tuple[float, float]]) -> None:
    client, model, user = registered, Model(), next(users)
    items = [
        {"at": BASE + n * SECOND, "heart_rate": rate, "steps": n, "calories": kcal}
        for n, (rate, kcal) in enumerate(values)
    ]
    sends(client, model, user, "ingest", items)
    metrics_agree(client, model, user, BASE, BASE + 60 * SECOND)
    heart_rates_agree(client, model, user, BASE, BASE + 60 * SECOND, None)
    summaries_agree(client, model, user, BASE, BASE + 60 * SECOND, None)


ids = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=128)


@given(user_id=ids, device_id=ids)
@settings(unhurried, max_examples=40)
def test_any_text_is_a_user_and_a_device(registered: httpx.Client, user_id: str, device_id: str) -> None:
    """What is accepted can be asked for; what is refused is refused as invalid."""
    answer = registered.post("/v1/readings", json=reading(user_id=user_id, device_id=device_id, steps=1))
    assert answer.status_code in (200, 422), answer.text
    asked = {"user_id": user_id, "device_id": device_id, "start": clock(BASE), "end": clock(BASE)}
    registered.post("/metrics/heart-rate", json=reading(user_id=user_id, device_id=device_id, heart_rate=75))
    found = registered.get("/metrics/heart-rate", params=asked)
    assert found.status_code == (200 if answer.status_code == 200 else 404), found.text
    if found.status_code == 200:
        told = strict_json(found.text)
        assert (told["user_id"], told["data"][0]["device_id"]) == (user_id, device_id)


@given(
    batches=st.lists(
        st.tuples(st.sampled_from(["single", "bulk", "v1"]), st.lists(st.integers(0, 12), min_size=1, max_size=10)),
        min_size=1,
        max_size=5,
    )
)
@settings(unhurried, max_examples=30)
def test_an_event_is_counted_once_and_its_first_content_stays(registered: httpx.Client, batches: Any) -> None:
    client, tenant, first = registered, f"tenant_{next(users)}", {}
    for turn, (how, numbers) in enumerate(batches):
        events = [
            {
                "event_id": f"evt_{number:02}",
                "tenant_id": tenant,
                "source": "web",
                "event_type": "click",
                "timestamp": clock(BASE + number % 4 * SECOND),
                "payload": {"turn": turn, "place": place},
            }
            for place, number in enumerate(numbers)
        ]
        known = [event["event_id"] in first or first.update({event["event_id"]: event}) is not None for event in events]
        if how == "single":
            told = [client.post("/events", json=event).status_code for event in events]
            assert told == [200 if old else 201 for old in known]
        elif how == "bulk":
            told = post(client, "/events/bulk", {"events": events})
            assert told == {
                "status": "ok",
                "received": len(events),
                "created": known.count(False),
                "duplicates": known.count(True),
            }
        else:
            told = client.post("/v1/events", json={"events": events})
            assert told.status_code in (200, 201), told.text
    listed = client.get("/events", params={"tenant_id": tenant}).json()
    expected = sorted(first.values(), key=lambda event: (event["timestamp"], event["event_id"]))
    assert listed["total"] == len(expected)
    assert [{name: said[name] for name in expected[0]} for said in listed["events"]] == expected
    counted = client.get("/metrics", params={"tenant_id": tenant, "bucket_size": "day"}).json()["metrics"]
    assert [row["count"] for row in counted] == [len(expected)]
