"""Moving a tenant to another database: everything is there afterwards, once, and what cannot move is said."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from scripts.tenants import __main__ as command
from scripts.tenants.comparing import Comparison
from scripts.tenants.databases import CannotMove
from scripts.tenants.move import STEPS, cancel, move, remove
from tests.http.moves.moving import WRONG, quietly, rows_of
from tests.http.test_tenants import CLINIC, LAB, answers, ask, send
from tests.support.shards import as_url

pytestmark = pytest.mark.native  # the embedded server has one database


def test_everything_of_a_tenant_moves_and_nothing_of_another(
    service: httpx.Client, filled: psycopg.Connection, lake: psycopg.Connection
) -> None:
    before = {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)}
    rows = rows_of(filled)
    assert all(rows.values()), rows
    move("clinic", "lake", quietly)
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    assert rows_of(lake) == rows
    assert lake.execute("SELECT DISTINCT tenant_id FROM api.users").fetchall() == [("clinic",)]
    assert lake.execute("SELECT user_id, metric, target FROM api.goals").fetchall() == [("101", "steps", 70000)]
    assert lake.execute("SELECT time_zone FROM api.users WHERE user_id = '101'").fetchone() == ("Europe/Berlin",)
    assert lake.execute("SELECT count(*) FROM core.stale_day WHERE day < '2024-02-01'").fetchone() == (0,)
    populations = "SELECT bucket, users, steps FROM api.population_1d WHERE tenant_id = 'clinic' ORDER BY 1"
    assert lake.execute(populations).fetchall() == filled.execute(populations).fetchall() != []
    assert lake.execute(WRONG).fetchall() == []
    # What is left stays until it is removed, and then the answers are the same still.
    assert rows_of(filled) == rows
    remove("clinic", quietly)
    for database in (filled, lake):
        database.execute("CALL api.refresh()")
    assert not any(rows_of(filled).values())
    assert filled.execute("SELECT DISTINCT tenant_id FROM api.users").fetchall() == [("lab",)]
    assert filled.execute("SELECT DISTINCT tenant_id FROM api.event_counts_1d").fetchall() == [("lab",)]
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    # There and back again.
    move("clinic", "home", quietly)
    remove("clinic", quietly)
    assert {tenant: dict(answers(service, tenant)) for tenant in (CLINIC, LAB)} == before
    assert rows_of(filled) == rows
    assert not any(rows_of(lake).values())
    assert filled.execute(WRONG).fetchall() == []


def test_a_move_is_cancelled_before_its_switch(
    service: httpx.Client, filled: psycopg.Connection, lake: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(answers(service, CLINIC))
    monkeypatch.setattr("scripts.tenants.move.STEPS", STEPS[:4])
    move("clinic", "lake", quietly)
    assert ask(service, CLINIC, ("PUT", "/v1/devices/{device_id:name}"), json={"priority": 1}).status_code == 503
    assert dict(answers(service, CLINIC)) == before
    with pytest.raises(CannotMove, match="still on its way to lake"):
        remove("clinic", quietly)
    cancel("clinic", quietly)
    assert not any(rows_of(lake).values())
    send(service, CLINIC, ("PUT", "/v1/devices/{device_id:name}"), json={"priority": 7})
    assert dict(answers(service, CLINIC)) == before


@pytest.mark.parametrize(("before", "which"), [("compare_past", "min"), ("require_equal", "max")])
def test_a_copy_that_differs_is_not_switched_to(
    filled: psycopg.Connection, lake: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, before: str, which: str
) -> None:
    compare = getattr(Comparison, before)

    def lose_one_first(comparison: Comparison) -> None:
        lake.execute(f"DELETE FROM core.reading WHERE ts = (SELECT {which}(ts) FROM core.reading)".encode())
        compare(comparison)

    monkeypatch.setattr(Comparison, before, lose_one_first)
    with pytest.raises(CannotMove, match="The copy differs in readings"):
        move("clinic", "lake", quietly)
    assert filled.execute("SELECT count(*) FROM core.tenant_shard").fetchone() == (0,)
    cancel("clinic", quietly)


def test_what_cannot_move_is_said(filled: psycopg.Connection, lake: psycopg.Connection) -> None:
    lake.execute("INSERT INTO api.readings (tenant_id, user_id, ts, steps) VALUES ('clinic', 'other', '2024-01-15', 1)")
    with pytest.raises(CannotMove, match="lake has 1 users, 1 devices of a tenant clinic already"):
        move("clinic", "lake", quietly)
    with pytest.raises(CannotMove, match="clinic is in home already"):
        move("clinic", "home", quietly)
    with pytest.raises(CannotMove, match="no move of clinic"):
        remove("clinic", quietly)
    filled.execute("UPDATE core.horizon SET raw_from = '2024-01-02'")
    with pytest.raises(CannotMove, match="Retention has dropped raw readings before 2024-01-02"):
        move("lab", "lake", quietly)


def test_whose_samples_are_dropped_does_not_move(filled: psycopg.Connection, lake: psycopg.Connection) -> None:
    filled.execute(
        "INSERT INTO rollup.sample_1d "
        "(user_key, metric_key, bucket, first_ts, last_ts, lowest, highest, last_value, samples, total) "
        "SELECT user_key, 9, '2023-01-15Z', '2023-01-15Z', '2023-01-15Z', 97, 97, 97, 1, 97e6 FROM core.app_user"
    )
    for there in (filled, lake):
        there.execute("UPDATE core.horizon SET raw_from = '2023-02-01Z', samples_from = '2023-02-01Z'")
        with pytest.raises(CannotMove, match="Retention has dropped raw readings before 2023-02-01"):
            move("lab", "lake", quietly)
        there.execute("UPDATE core.horizon SET raw_from = '-infinity', samples_from = '-infinity'")


def test_no_tenant_moves_to_where_it_is_by_another_address(
    home: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one without anything the copy would succeed, and `remove` take what was written since."""
    monkeypatch.setenv("SHARD_DATABASE_URLS", f"pond={as_url(database_url)}")
    with pytest.raises(CannotMove, match="pond is the database that newcomer is in, by another address"):
        move("newcomer", "pond", quietly)
    assert home.execute("SELECT count(*) FROM core.tenant_move").fetchone() == (0,)


def test_the_command_moves_lists_and_removes(
    filled: psycopg.Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tenants(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["tenants", *arguments])
        status = command.main()
        said = capsys.readouterr()
        return f"{status} {said.out}{said.err}"

    assert tenants("list") == "0 clinic  home\nlab  home\n"
    assert "There is no database 'moon': home, lake" in tenants("move", "clinic", "--to", "moon")
    assert "`remove` removes the copy" in tenants("move", "clinic", "--to", "lake")
    assert tenants("status", "clinic") == "0 clinic  lake  moved; its copy in home is to be removed\n"
    assert "is in lake already" in tenants("move", "clinic", "--to", "lake")
    assert tenants("remove", "clinic").startswith("0 ")
    assert tenants("list") == "0 clinic  lake\nlab  home\n"
    assert tenants("status", "nobody").startswith("1 tenants: The home database knows no tenant 'nobody'")
