"""GET /v1/users: the users of the tenant by name, and when each was last seen."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.support.wire import errors_of, ingest, moment, reading, strict_json

PATH = "/v1/users"


def listed(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def seen(client: httpx.Client) -> dict[str, str | None]:
    return {user["user_id"]: user["last_seen"] for user in listed(client)["users"]}


def pages(client: httpx.Client, limit: int) -> list[list[str]]:
    found, asked = [], {"limit": limit}
    for _ in range(100):
        body = listed(client, **asked)
        found.append([user["user_id"] for user in body["users"]])
        if body["next_cursor"] is None:
            return found
        asked["cursor"] = body["next_cursor"]
    raise AssertionError("the pages have no end")


def test_nobody_is_an_empty_page(client: httpx.Client) -> None:
    assert listed(client) == {"users": [], "next_cursor": None}


def test_everybody_is_there_with_their_latest_reading(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading("10:00:00"), reading("10:05:00.5", steps=1), reading(user_id="bob")])
    client.post("/ingest", json=ingest(303, "09:00:00"))
    expected = {"303": moment("09:00:00"), "ada": moment("10:05:00.5"), "bob": moment("10:00:00")}
    assert list(seen(client).items()) == list(expected.items())
    db.execute("CALL api.refresh()")
    assert seen(client) == expected
    client.post("/v1/readings", json=reading("10:07:00", user_id="bob"))
    assert seen(client)["bob"] == moment("10:07:00"), "late, below the horizon"


def test_what_was_deleted_was_not_seen(client: httpx.Client, db: psycopg.Connection) -> None:
    client.post("/v1/readings", json=[reading("10:00:00"), reading("11:00:00")])
    db.execute("CALL api.refresh()")
    db.execute("DELETE FROM api.readings WHERE ts > %s", [moment("10:30:00")])
    assert seen(client) == {"ada": moment("10:00:00")}
    db.execute("DELETE FROM api.readings")
    assert seen(client) == {"ada": None}
    db.execute("CALL api.refresh()")
    assert seen(client) == {"ada": None}
    client.delete("/v1/users/ada")
    assert seen(client) == {}


def test_users_of_another_tenant_are_not_there(client: httpx.Client, db: psycopg.Connection) -> None:
    query = "INSERT INTO api.readings (tenant_id, user_id, ts, steps) VALUES ('other', 'eve', %s, 1)"
    db.execute(query, [moment()])
    assert seen(client) == {}


def test_pages_follow_each_other_and_miss_nothing(client: httpx.Client) -> None:
    names = ["a", "A", "b c", "ü", "👩‍⚕️", "%", "[", '"', "a/b", "~", "zz", "日本"]
    client.post("/v1/readings", json=[reading(user_id=name) for name in names])
    for limit in (1, 5, 11, 12, 13):
        found = pages(client, limit)
        assert [name for page in found for name in page] == sorted(names)
        assert {len(page) for page in found[:-1]} <= {limit}


def test_a_page_stays_put_when_somebody_comes_before_it(client: httpx.Client) -> None:
    client.post("/v1/readings", json=[reading(user_id=name) for name in ("b", "c", "d")])
    cursor = listed(client, limit=1)["next_cursor"]
    client.post("/v1/readings", json=reading(user_id="a"))
    client.delete("/v1/users/b")
    assert [user["user_id"] for user in listed(client, cursor=cursor)["users"]] == ["c", "d"]


@pytest.mark.parametrize(
    "asked", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "x"}, {"cursor": "WyJcdTAwMDAiXQ=="}]
)
def test_a_bad_argument_is_a_422(visitor: httpx.Client, asked: dict[str, str]) -> None:
    (error,) = errors_of(visitor.get(PATH, params=asked), 422)
    assert error["at"] in asked
