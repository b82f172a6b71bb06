"""Upkeep of samples: old chunks are compressed, and dropped by retention."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.sql.samples.given import ask, at, new_tenant, sample
from tests.support.interleaving import Stage
from tests.support.moments import HOUR, micros, moment
from tests.support.sample_model import KINDS
from tests.support.samples import latest, series, summary, write_samples
from tests.support.sql_client import keyless, last_seen, seen

KEEP = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"


def compressed(db: psycopg.Connection[Any]) -> list[bool]:
    query = (
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' ORDER BY range_start"
    )
    return [found for (found,) in db.execute(query)]


def uncompressed_rows(db: psycopg.Connection[Any]) -> int:
    """Count the rows that chunks hold outside of the columnstore."""
    chunks = [str(name) for (name,) in db.execute("SELECT show_chunks('core.sample')::text")]
    return sum((db.execute(f"SELECT count(*) FROM ONLY {name}".encode()).fetchone() or (0,))[0] for name in chunks)


def left(db: psycopg.Connection[Any]) -> int:
    (found,) = db.execute("SELECT count(*) FROM core.sample").fetchone() or (0,)
    return int(found)


def test_upkeep_compresses_old_chunks_again_after_late_samples(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    now = micros(datetime.now(UTC))
    write_samples(db, tenant, [sample(minutes=n) for n in range(50)])
    write_samples(db, tenant, [sample()._replace(ts=now)])
    before = summary(db, tenant, ask("spo2"))
    db.execute("CALL api.upkeep()")
    assert compressed(db) == [False, False], "stale quarters are read from it"
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert compressed(db) == [True, False]
    assert uncompressed_rows(db) == 1
    assert summary(db, tenant, ask("spo2")) == before
    assert write_samples(db, tenant, [sample(minutes=0.5), sample(minutes=3, value=90), sample()]) == ([1], [2])
    assert uncompressed_rows(db) > 1
    changed = summary(db, tenant, ask("spo2"))
    assert changed[0][3:7] == (51, (49 * 97 + 97 + 90) / 51, 90, 97)
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert uncompressed_rows(db) == 1
    assert summary(db, tenant, ask("spo2")) == changed


@pytest.mark.native
def test_upkeep_goes_on_where_a_chunk_is_being_written(db: psycopg.Connection[Any], database_url: str) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample(minutes=n) for n in range(50)])
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    write_samples(db, tenant, [sample(minutes=0.5)])
    db.execute("CALL api.refresh()")
    runs = "SELECT count(*) FROM core.verification"
    (before,) = db.execute(runs).fetchone() or (0,)
    with ExitStack() as exits:
        stage = Stage(db, database_url, exits)
        writer = stage.connect()
        with writer.transaction():
            writer.execute("UPDATE core.sample SET value = value WHERE ts = %s", [moment(at(0.5))])
            upkeep = stage.act(lambda connection: connection.execute("CALL api.upkeep()"))
        upkeep.end()
    assert db.execute(runs).fetchone() == (before + 1,)
    assert uncompressed_rows(db) == 1
    db.execute("CALL api.upkeep()")
    assert uncompressed_rows(db) == 0
    assert summary(db, tenant, ask("spo2"))[0][3:7] == (51, 97, 97, 97)


def test_samples_go_and_their_rollups_stay(db: psycopg.Connection[Any]) -> None:
    """Once no mark waits for them; those of others that are recent stay."""
    tenant, ago = new_tenant(db), micros(datetime.now(UTC)) - 2 * HOUR
    old = [sample(minutes=n, device=device) for n in range(50) for device in ("watch", "phone")]
    write_samples(db, tenant, [*old, sample("body_weight"), sample(user="bob")._replace(ts=ago)])
    asked, of_phone = ask(*KINDS), ask(*KINDS, device="phone")
    by_quarter = ask(*KINDS, bucket="15m")
    before = [summary(db, tenant, one) for one in (asked, of_phone)], series(db, tenant, by_quarter)
    known = latest(db, tenant, "ada"), seen(db, tenant), last_seen(db, tenant)
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.upkeep()")
    assert left(db) == 102, "their quarters are stale"
    db.execute("CALL api.refresh()")
    for _ in range(2):
        db.execute("CALL api.upkeep()")
        assert left(db) == 1
        assert ([summary(db, tenant, one) for one in (asked, of_phone)], series(db, tenant, by_quarter)) == before
        assert (latest(db, tenant, "ada"), seen(db, tenant), last_seen(db, tenant)) == known
        assert series(db, tenant, by_quarter._replace(bucket="1m")) == []
        assert {found[-1] for found in series(db, tenant, ask("spo2", bucket="auto"))} == {"15m"}
        assert (
            db.execute("SELECT FROM api.verify('2024-01-01Z', 'infinity') WHERE problem IS NOT NULL").fetchall() == []
        )
        db.execute("CALL api.refresh()")
    assert write_samples(db, tenant, [sample(user="bob")._replace(ts=ago, value=90)]) == ([], [1])


def test_no_sample_comes_back_where_some_are_dropped(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample(), sample(device="phone", minutes=1)])
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    db.execute(KEEP, [None])
    # The last ones are of a day that is closed only.
    for late in (sample(minutes=2), sample(), sample(minutes=24 * 60)):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="samples of"):
            write_samples(db, tenant, [late])
    db.execute("SELECT api.set_device(%s, 'phone', NULL, 1)", [tenant])
    db.execute("CALL api.refresh()")
    assert summary(db, tenant, ask("spo2"))[0][3] == 2
    # Chunks begin at multiples of 28 days from 1970 on, and the day after one is closed with it.
    (oldest,) = db.execute("SELECT oldest FROM api_internal.timestamp_bounds()").fetchone() or (None,)
    assert oldest == datetime(2025, 1, 17, tzinfo=UTC)


def test_nothing_is_kept_of_who_is_erased_but_of_others(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample(), sample(user="bob")])
    db.execute(KEEP, ["30 days"])
    db.execute("CALL api.refresh()")
    db.execute("CALL api.upkeep()")
    assert db.execute("SELECT count(*) FROM core.kept_value").fetchone() == (2,)
    db.execute("SELECT FROM api.erase_user(%s, 'ada')", [tenant])
    assert keyless(db) == []
    assert latest(db, tenant, "ada") == []
    assert latest(db, tenant, "bob") == [("spo2", "%", 97, at(0), "watch")]
