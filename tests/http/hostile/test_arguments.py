"""Odd arguments, paths and Accept headers are met calmly."""

import httpx
import pytest

from tests.support.wire import (
    PATIENCE,
    event,
    in_path,
    ingest,
    moment,
    reading,
    refused,
    stays_calm,
    summary,
)

QUERIES = {
    "/metrics": {"user_id": "303", "start_date": moment("00:00:00"), "end_date": moment("23:59:59")},
    "/metrics#tenant": {
        "tenant_id": "tenant_1",
        "bucket_size": "hour",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
    },
    "/metrics/heart-rate": {
        "user_id": "ada",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "device_id": "default",
    },
    "/events": {
        "tenant_id": "tenant_1",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "page": "1",
        "page_size": "100",
    },
    "/v1/users/ada/summary": {"start": moment("00:00:00"), "end": moment("23:59:59"), "device_id": "default"},
    "/v1/users/ada/latest": {"nothing": "x"},
    "/v1/users": {"limit": "10", "cursor": "x"},
    "/v1/users/ada/readings": {
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "device_id": "default",
        "limit": "10",
        "cursor": "x",
    },
    "/v1/events": {
        "tenant_id": "tenant_1",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "limit": "10",
        "cursor": "x",
    },
    "/v1/events/metrics": {
        "tenant_id": "tenant_1",
        "bucket_size": "hour",
        "source": "web",
        "event_type": "click",
        "start": moment("00:00:00"),
        "end": moment("23:59:59"),
        "limit": "10",
        "cursor": "x",
    },
}
ODD_ARGUMENTS = [
    "",
    "+",
    "%20",
    "%00",
    "a%00b",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%",
    "%zz",
    "%u0041",
    "x" * 129,
    "x" * 20_000,
    "%C3%A9" * 1000,
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e400",
    "1.5",
    "9" * 19,
    "9" * 129,
    "9" * 5000,
    "-" + "9" * 5000,
    "-9223372036854775809",
    "%D9%A3%D9%A0%D9%A3",
    "1_000",
    "0x10",
    "[]",
    "{}",
    "null",
    "true",
    "%27;%20DROP%20TABLE%20core.reading;--",
    "%27%20OR%201=1--",
    "%2525s%25n",
    "..%2F..%2Fetc%2Fpasswd",
    "%F0%9F%91%A9%E2%80%8D%E2%9A%95",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00",
    "0001-01-01T00:00:00-14:00",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999-14:00",
    "10000-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2024-01-15T24:00:00Z",
    "2024-01-15T10:00:00+25:00",
    "2024-01-15T10:00:00%2B02:00%2B02:00",
    "now",
    "infinity",
    "-infinity",
    "epoch",
]


@pytest.mark.parametrize("path", QUERIES)
def test_an_odd_argument_is_met_calmly(client: httpx.Client, path: str) -> None:
    client.post("/v1/readings", json=[reading(), reading(user_id=303)])
    client.post("/events", json=event())
    good = {name: value.replace("+", "%2B") for name, value in QUERIES[path].items()}
    for name in good:
        for odd in ODD_ARGUMENTS:
            query = "&".join(f"{key}={value}" for key, value in (good | {name: odd}).items())
            stays_calm(client.get(f"{path.partition('#')[0]}?{query}", timeout=PATIENCE))


@pytest.mark.parametrize("path", QUERIES)
def test_arguments_repeated_missing_and_invented_are_met_calmly(client: httpx.Client, path: str) -> None:
    good = QUERIES[path]
    path = path.partition("#")[0]
    for name, value in good.items():
        stays_calm(client.get(path, params=[*good.items(), (name, value)]))
        stays_calm(client.get(path, params=[*good.items(), (name, "other")]))
        stays_calm(client.get(path, params={key: value for key, value in good.items() if key != name}))
        stays_calm(client.get(path, params={name: value}))
        stays_calm(client.get(path, params={f"{key}[]": value for key, value in good.items()}))
    stays_calm(client.get(path, params=good | {f"x{n}": str(n) for n in range(2000)}))
    for query in ("", "&&&", "=", "=&=", "%00=%00", "&".join(["start"] * 1000), ";", "?", "start", "%ff=%ff"):
        stays_calm(client.get(f"{path}?{query}", timeout=PATIENCE))


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_time_are_met_calmly(client: httpx.Client, edge: str) -> None:
    client.post("/v1/readings", json=reading())
    for path, asked in QUERIES.items():
        names = [name for name in asked if name.startswith(("start", "end"))]
        for name in names:
            alone = {key: value for key, value in asked.items() if key not in names}
            stays_calm(client.get(path.partition("#")[0], params=alone | {name: edge}, timeout=PATIENCE))
        stays_calm(client.get(path.partition("#")[0], params=asked | dict.fromkeys(names, edge), timeout=PATIENCE))


@pytest.mark.parametrize("answer", ["summary", "latest", "readings"])
def test_an_odd_user_in_the_path_is_met_calmly(visitor: httpx.Client, answer: str) -> None:
    for odd in [*ODD_ARGUMENTS, in_path("\x00"), in_path("\r\nX: y"), "%2e%2e", "%2f", "%5c", ";", ":", "@", "*"]:
        stays_calm(visitor.get(f"/v1/users/{odd}/{answer}", timeout=PATIENCE))


def test_an_odd_user_to_erase_is_met_calmly(client: httpx.Client) -> None:
    client.post("/v1/readings", json=reading())
    for odd in [*ODD_ARGUMENTS, in_path("\x00"), in_path("\r\nX: y"), "%2e%2e", "%2f", "%5c", ";", ":", "@", "*"]:
        stays_calm(client.delete(f"/v1/users/{odd}", timeout=PATIENCE))
    assert summary(client)["heart_rate"]["count"] == 1


@pytest.mark.parametrize(
    "odd", [b"\xff", b"\x80/*", b"*" * 5000, b"text/csv;q=" + b"9" * 5000, b"a/b," * 2000, b";q=1"]
)
def test_an_odd_accept_header_is_met_calmly(client: httpx.Client, odd: bytes) -> None:
    client.post("/v1/readings", json=reading())
    stays_calm(client.get("/v1/users/ada/readings", headers={b"accept": odd}, timeout=PATIENCE))


NOT_DIGITS = [
    "",
    "3_03",
    "+303",
    "%2B303",
    "%20303",
    "303%20",
    "%D9%A3%D9%A0%D9%A3",
    "303.0",
    "3e2",
    "0x12f",
    "--3",
    "-",
]


@pytest.mark.parametrize("odd", NOT_DIGITS)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/metrics", "user_id"),
        ("/events", "page"),
        ("/events", "page_size"),
        ("/v1/users", "limit"),
        ("/v1/users/303/readings", "limit"),
        ("/v1/users/303/series", "max_points"),
        ("/v1/events", "limit"),
        ("/v1/events/metrics", "limit"),
    ],
)
def test_a_whole_number_is_digits(visitor: httpx.Client, path: str, name: str, odd: str) -> None:
    """What Python's int takes as well would be answered for another user."""
    needed = "&tenant_id=tenant_1" if "events" in path else "&start=2024-01-15T00:00:00Z&end=2024-01-16T00:00:00Z"
    answer = visitor.get(f"{path}?{name}={odd}{needed if path != '/v1/users' else ''}")
    (fault,) = refused(answer, 422)["errors"]
    assert (fault["at"], fault["problem"]) == (name, "must be a whole number, in digits")


def test_a_whole_number_has_one_plain_form(client: httpx.Client) -> None:
    client.post("/ingest", json=[ingest(303), ingest(-5, steps=1)])
    for asked, steps in (("303", 400), ("0303", 400), ("-5", 1)):
        assert client.get("/metrics", params=QUERIES["/metrics"] | {"user_id": asked}).json()["total_steps"] == steps
