"""POST /v1/import/{format}: what a file becomes, through the pipeline of readings, and the receipt of it."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.support.files import content, packed
from tests.support.service_process import running_service
from tests.support.wire import PATIENCE, refused

EXPORT = content("apple-health/export.xml")
QUANTITY = "HKQuantityTypeIdentifier"
HEAD = b'<HealthData locale="en_GB">\n'


def record(kind: str = "HeartRate", clock: str = "08:00:00", value: Any = 61, unit: str = "count/min") -> bytes:
    """Write a record of an export."""
    moment = f"2025-01-15 {clock} +0100"
    return (
        f'<Record type="{QUANTITY}{kind}" sourceName="Watch" unit="{unit}" startDate="{moment}" endDate="{moment}" '
        f'value="{value}"/>\n'
    ).encode()


def send(client: httpx.Client, body: Any, format_name: str = "apple-health", **given: Any) -> httpx.Response:
    headers = given.pop("headers", {})
    return client.post(f"/v1/import/{format_name}", params={"user_id": "ada"} | given, content=body, headers=headers)


def receipt(client: httpx.Client, body: Any, format_name: str = "apple-health", **given: Any) -> dict[str, Any]:
    answer = send(client, body, format_name, **given)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def outcomes(document: dict[str, Any]) -> tuple[int, ...]:
    return tuple(document[name] for name in ("received", "inserted", "updated", "unchanged", "rejected"))


def stored(db: psycopg.Connection) -> dict[str, float]:
    query = "SELECT metric, value FROM api.samples WHERE user_id = 'ada' ORDER BY ts"
    return dict(db.execute(query).fetchall())


def counted(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Return the intervals that are stored."""
    db.execute("SET timezone = 'UTC'")
    query = """SELECT metric, device_id, ts::text, ends_at::text, value FROM api.intervals
                WHERE user_id = 'ada' ORDER BY metric, ts"""
    return db.execute(query).fetchall()


def test_what_a_file_holds_is_stored_in_the_units_of_the_registry(client: httpx.Client, db: psycopg.Connection) -> None:
    document = receipt(client, EXPORT)
    assert (document["format"], document["damage"], document["errors"]) == ("apple-health", None, [])
    assert outcomes(document) == (17, 16, 0, 1, 0)  # a blood pressure stands there twice
    assert stored(db) == {
        "body_height": pytest.approx(175.26),
        "body_weight": pytest.approx(68.0388555),
        "spo2": 97.0,
        "body_temperature": 37.0,
        "blood_glucose": pytest.approx(90.078),
        "floors": 2.0,
        "vo2max": 41.2,
        "hrv_sdnn": 48.5,
        "bp_systolic": 121.0,
        "bp_diastolic": 79.0,
    }
    query = (
        "SELECT device_id, ts::text, heart_rate, steps FROM api.readings WHERE user_id = 'ada' ORDER BY ts, device_id"
    )
    db.execute("SET timezone = 'UTC'")
    assert db.execute(query).fetchall() == [
        ("Apple Watch", "2025-01-15 07:00:00+00", 61.0, None),
        ("Apple Watch", "2025-01-15 07:05:00+00", 63.5, None),
    ]
    assert counted(db) == [
        ("active_energy", "Apple Watch", "2025-01-15 07:10:00+00", "2025-01-15 07:11:00+00", 5.0),
        ("distance", "iPhone", "2025-01-15 07:00:00+00", "2025-01-15 07:10:00+00", 450.0),
        ("steps", "iPhone", "2025-01-15 07:00:00+00", "2025-01-15 07:10:00+00", 600.0),
        ("steps", "Apple Watch", "2025-01-15 07:10:00+00", "2025-01-15 07:11:00+00", 70.0),
    ]


def test_each_kind_is_accounted_for(client: httpx.Client) -> None:
    document = receipt(client, EXPORT)
    kinds = {one.pop("kind"): one for one in document["kinds"]}
    assert kinds[f"{QUANTITY}HeartRate"] == {"inserted": 2, "updated": 0, "unchanged": 0, "rejected": 0}
    assert sum(one["inserted"] for one in kinds.values()) == 16
    assert {"kind": "HKCategoryTypeIdentifierSleepAnalysis", "reason": "has no metric", "count": 2} in document[
        "skipped"
    ]
    assert sum(one["count"] for one in document["skipped"]) == 5


def test_the_same_file_again_changes_nothing(client: httpx.Client) -> None:
    receipt(client, EXPORT)
    again = receipt(client, EXPORT)
    assert outcomes(again) == (17, 0, 0, 17, 0)
    assert all(one["unchanged"] and not one["inserted"] for one in again["kinds"])


@pytest.mark.parametrize("format_name", ["apple-health", "auto"])
def test_an_archive_is_read_as_it_is(client: httpx.Client, format_name: str) -> None:
    body = packed(**{"apple_health_export__export.xml": HEAD + record() + b"</HealthData>"})
    assert outcomes(receipt(client, body, format_name)) == (1, 1, 0, 0, 0)


def test_a_compressed_body_is_taken(client: httpx.Client) -> None:
    body = gzip.compress(HEAD + record() + b"</HealthData>")
    assert outcomes(receipt(client, body, headers={"Content-Encoding": "gzip"})) == (1, 1, 0, 0, 0)


def test_what_is_good_of_a_damaged_file_is_stored(client: httpx.Client) -> None:
    body = HEAD + record() + record(clock="08:01:00", value="fast") + record(clock="08:02:00", value=900)
    document = receipt(client, body + record(clock="08:03:00") + b"<Rec")
    assert outcomes(document) == (4, 2, 0, 0, 2)
    assert [error["at"] for error in document["errors"]] == ["line 3", "line 4.heart_rate"]
    assert document["errors"][1]["problem"] == "must be between 30 and 220"
    assert document["damage"] == {"at": "line 6", "problem": "is no XML: unclosed token"}
    assert document["kinds"] == [
        {"kind": f"{QUANTITY}HeartRate", "inserted": 2, "updated": 0, "unchanged": 0, "rejected": 2}
    ]


def test_many_records_are_stored_in_pieces_and_counted_each(client: httpx.Client) -> None:
    def body() -> Iterator[bytes]:
        yield HEAD
        for number in range(20_000):
            clock = f"{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
            yield record(clock=clock, value=60 + number % 100) if number % 1000 else record(clock=clock, value=1)
            if number % 3 == 0:
                yield record("RespiratoryRate", clock, 15)
        yield b"</HealthData>"

    document = receipt(client, body())
    kinds = {one["kind"].removeprefix(QUANTITY): one for one in document["kinds"]}
    assert (kinds["HeartRate"]["inserted"], kinds["HeartRate"]["rejected"]) == (19_980, 20)
    assert (kinds["RespiratoryRate"]["inserted"], kinds["RespiratoryRate"]["rejected"]) == (6_667, 0)
    assert outcomes(document) == (26_667, 26_647, 0, 0, 20)


def test_a_name_of_a_device_is_judged_as_any_is(client: httpx.Client) -> None:
    long = record().replace(b"Watch", b"W" * 200)
    document = receipt(
        client, HEAD + long + record() + record().replace(b"Watch", "Uhr größer".encode()) + b"</HealthData>"
    )
    assert outcomes(document) == (3, 2, 0, 0, 1)
    assert document["errors"][0]["at"] == "line 2.device_id"


def test_half_a_character_in_a_name_is_answered(client: httpx.Client) -> None:
    body = rb'{"data": {"metrics": [{"name": "\ud800", "units": "x", "data": [{"qty": 1}]}]}}'
    document = receipt(client, body, "health-auto-export")
    assert [one["kind"] for one in document["skipped"]] == ["?"]


def test_all_rejected_is_422(client: httpx.Client) -> None:
    answer = send(client, HEAD + record(value=900) + b"</HealthData>")
    assert (answer.status_code, answer.json()["rejected"]) == (422, 1)


@pytest.mark.parametrize("format_name", ["auto", "apple-health"])
@pytest.mark.parametrize(
    "body", [b"", b"hello", json.dumps({"a": 1}).encode(), b"<gpx/>", b"PK\x03\x04", b"\x00" * 100]
)
def test_what_is_no_known_file_is_refused(client: httpx.Client, format_name: str, body: bytes) -> None:
    refused(send(client, body, format_name), 422)


def test_known_formats_are_named(client: httpx.Client) -> None:
    document = send(client, b"hello", "auto").json()
    assert "apple-health: Apple Health" in document["detail"]
    document = send(client, b"hello", "apple").json()
    assert document["errors"][0]["at"] == "format"


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"user_id": ""}, "user_id"),
        ({"tz": "Europe/Berln"}, "tz"),
        ({"tz": "../UTC"}, "tz"),
        ({"timezone": "UTC"}, "timezone"),
    ],
)
def test_arguments_are_judged(client: httpx.Client, given: dict[str, str], at: str) -> None:
    document = send(client, EXPORT, **given).json()
    assert document["errors"][0]["at"] == at, document


def test_a_form_is_refused_with_a_hint(client: httpx.Client) -> None:
    answer = client.post("/v1/import/auto?user_id=ada", files={"file": ("export.xml", EXPORT)})
    assert "send the file itself" in refused(answer, 415)["detail"]


@pytest.fixture(scope="module")
def small(database_url: str) -> Iterator[httpx.Client]:
    """A service that takes small files only."""
    with (
        running_service(database_url, MAX_IMPORT_BYTES="100000", MAX_IMPORTS="1") as url,
        httpx.Client(base_url=url) as client,
    ):
        yield client


def test_a_file_is_bounded_as_it_is_sent_and_unpacked(small: httpx.Client, db: psycopg.Connection) -> None:
    large = HEAD + record() * 1000 + b"</HealthData>"
    refused(send(small, large), 413)
    refused(send(small, iter([large])), 413)
    refused(send(small, gzip.compress(large), headers={"Content-Encoding": "gzip"}), 413)
    refused(send(small, packed(**{"apple_health_export__export.xml": large})), 413)
    assert outcomes(receipt(small, HEAD + record() + b"</HealthData>")) == (1, 1, 0, 0, 0)


def test_as_many_files_as_may_be_are_imported_at_once(small: httpx.Client, db: psycopg.Connection) -> None:
    body = HEAD + record() + b"</HealthData>"
    address = urlsplit(str(small.base_url))
    assert address.hostname is not None
    begun = (
        b"POST /v1/import/auto?user_id=ada HTTP/1.1\r\nHost: localhost\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body[:10]
    )
    with ExitStack() as slow:

        def beside_a_slow_one() -> httpx.Response:
            # Again each time: the slow one may be the one that is refused.
            slow.close()
            slow.enter_context(socket.create_connection((address.hostname, address.port or 80))).sendall(begun)
            time.sleep(0.2)
            return send(small, body)

        refused_one = until(beside_a_slow_one, lambda answer: answer.status_code == 503)
        assert refused_one.headers["retry-after"] == "5"
    # Its client has left, so there is room again.
    assert until(lambda: send(small, body), lambda answer: answer.status_code == 200).json()["received"] == 1


def until(ask: Callable[[], httpx.Response], is_good: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask until an answer is good."""
    end = time.monotonic() + PATIENCE
    while not is_good(answer := ask()):
        assert time.monotonic() < end, answer.text
        time.sleep(0.05)
    return answer
