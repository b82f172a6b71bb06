"""What a request notes of what it writes."""

from __future__ import annotations

from service.database.replicas.written import MOST_USERS, WRITTEN, Written, note_events, note_tenant


def test_few_users_are_noted_by_name() -> None:
    written = Written()
    written.note_users("clinic", ["ada", "bob", "ada"])
    assert (written.users, written.tenants) == ({("clinic", "ada"), ("clinic", "bob")}, set())


def test_many_count_as_the_tenant() -> None:
    written = Written()
    for number in range(MOST_USERS + 5):
        written.note_users("clinic", [f"user_{number}"])
    assert (written.users, written.tenants) == (set(), {"clinic"})


def test_nothing_is_noted_where_nobody_asks() -> None:
    note_tenant("clinic")
    note_events()
    assert WRITTEN.get() is None
