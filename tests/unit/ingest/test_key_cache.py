"""Names that the cache keeps: each tenant's apart, and no tenant's at the cost of another that has few."""

from __future__ import annotations

import pytest

from service.ingest import key_cache
from service.ingest.copy_rows import pack_key
from service.ingest.key_cache import Names, Wanted, look_up, names_in
from service.model.reading import Row


def learnt(tenant_id: str, *names: str, first: int = 1) -> Names:
    """Users and devices of these names, with keys from `first`."""
    found, keys = Names(), {name: pack_key(key) for key, name in enumerate(names, first)}
    found.entry(tenant_id).users.update(keys)
    found.entry(tenant_id).devices.update(keys)
    return found


def users(names: Names) -> dict[str, list[str]]:
    """The users that are known, by tenant."""
    return {tenant_id: list(known.users) for tenant_id, known in names.tenants.items()}


def test_one_name_in_two_tenants_has_two_keys() -> None:
    names = Names()
    names.keep(learnt("one", "ada"))
    names.keep(learnt("two", "ada", first=2))
    assert names.of("one").users == {"ada": pack_key(1)}
    assert names.of("two").devices == {"ada": pack_key(2)}
    assert not names.of("three").users


def test_names_are_wanted_by_tenant_in_order_of_first_appearance() -> None:
    one = [Row("bob", "watch", 0, 60.0), Row("ada", "watch", 0, 60.0)]
    two = [Row("ada", "phone", 0, 60.0)]
    wanted = names_in([("one", one), ("two", two), ("one", two)])
    assert wanted["two"] == Wanted({"ada": None}, {"phone": None})
    assert [list(names) for names in wanted["one"]] == [["bob", "ada"], ["watch", "phone"]]


def test_only_what_is_not_known_of_the_tenant_is_asked_for() -> None:
    names = Names()
    names.keep(learnt("one", "ada", "watch"))
    rows = [Row("ada", "watch", 0, 60.0), Row("bob", "watch", 0, 60.0)]
    found, asked_users, asked_devices = look_up(names, names_in([("one", rows), ("two", rows)]))
    assert users(found) == {"one": ["ada"], "two": []}
    assert asked_users == [("one", "bob"), ("two", "ada"), ("two", "bob")]
    assert asked_devices == [("two", "watch")]


def test_a_tenant_with_many_names_evicts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_cache, "MOST_KEPT", 10)
    names = Names()
    names.keep(learnt("small", "ada", "bob"))
    for number in range(0, 100, 5):
        names.keep(learnt("large", *(f"user_{n}" for n in range(number, number + 5))))
    assert users(names) == {"small": ["ada", "bob"], "large": [f"user_{n}" for n in range(92, 100)]}
    names.keep(learnt("third", *(f"user_{n}" for n in range(100))))
    last_four = [f"user_{n}" for n in range(96, 100)]
    assert users(names) == {"small": ["ada", "bob"], "large": last_four, "third": last_four}


def test_tenants_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a fair share of one name at least, however many there are."""
    monkeypatch.setattr(key_cache, "MOST_TENANTS", 3)
    monkeypatch.setattr(key_cache, "MOST_KEPT", 2)
    names = Names()
    for number in range(10):
        names.keep(learnt(f"tenant_{number}", "ada", "bob"))
    assert users(names) == {f"tenant_{number}": ["bob"] for number in range(7, 10)}
