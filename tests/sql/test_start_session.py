"""Starting a session: of keys in force, and of each a bounded number."""

from __future__ import annotations

import psycopg

from service.auth.key import new_session
from service.database.schema import query
from tests.support.keys import add_key, revoke_key


def start(db: psycopg.Connection, text: str, most: int = 100) -> str | None:
    """Start a session of a key, and return its id."""
    session = new_session()
    values = {"session_id": session.id, "digest": session.digest, "key_id": text.split("_")[1], "hours": 1}
    row = db.execute(query("start_session"), {**values, "most": most}).fetchone()
    return None if row is None else str(row[0])


def left(db: psycopg.Connection) -> set[str]:
    return {session_id for (session_id,) in db.execute("SELECT session_id FROM core.session")}


def test_a_key_has_a_bounded_number_of_sessions_and_the_newest_stay(db: psycopg.Connection) -> None:
    text, other = add_key(db, ["read"]), add_key(db, ["read"])
    of_other = start(db, other)
    started = [start(db, text, most=3) for _ in range(5)]
    assert left(db) == {of_other, *started[2:]}


def test_at_most_a_hundred_expired_ones_go_at_a_time(db: psycopg.Connection) -> None:
    texts = [add_key(db, ["read"]) for _ in range(2)]
    for number in range(150):
        start(db, texts[number % 2])
    db.execute("UPDATE core.session SET expires_at = now()")
    newest = [start(db, texts[0])]
    assert len(left(db)) == 51
    newest.append(start(db, texts[1]))
    assert left(db) == {*newest}


def test_a_key_that_is_not_in_force_starts_none(db: psycopg.Connection) -> None:
    revoked, expired = add_key(db, ["read"]), add_key(db, ["read"], valid_for="-1 second")
    revoke_key(db, revoked)
    assert [start(db, revoked), start(db, expired), start(db, "hp_0123456789ab_")] == [None] * 3


def test_the_same_again_changes_nothing(db: psycopg.Connection) -> None:
    session = new_session()
    values = {"session_id": session.id, "digest": session.digest, "hours": 1, "most": 100}
    for _ in range(2):
        assert db.execute(query("start_session"), {**values, "key_id": add_key(db, ["read"]).split("_")[1]}).fetchone()
    assert left(db) == {session.id}
