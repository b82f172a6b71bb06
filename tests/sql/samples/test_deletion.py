"""Samples of a range are deleted, and those of a user erased, also from compressed chunks."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.samples.given import COMPRESS, at, new_tenant, sample, stored
from tests.support.moments import moment
from tests.support.sample_model import KINDS, USERS
from tests.support.samples import latest, maybe, write_samples
from tests.support.sql_client import insert as insert_readings
from tests.support.sql_client import keyless
from tests.support.stored import Item


def deletion(
    db: psycopg.Connection[Any], tenant: str, start: int, end: int, device: str | None = None
) -> tuple[Any, ...]:
    found = db.execute(
        "SELECT deleted, samples, first_ts, last_ts FROM api.delete_readings(%s, 'ada', %s, %s, %s)",
        [tenant, moment(start), moment(end), device],
    ).fetchone()
    assert found is not None
    return (*found[:2], maybe(found[2]), maybe(found[3]))


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_range_is_deleted_with_its_samples(db: psycopg.Connection[Any], is_compressed: bool) -> None:
    tenant = new_tenant(db)
    kept = [sample(user="bob"), sample("body_weight", 30), sample(minutes=-1), sample(minutes=1, device="ring")]
    write_samples(db, tenant, [*kept, sample(), sample("body_weight", 29), sample(minutes=5)])
    insert_readings(db, [Item(tenant, "ada", "watch", at(2), 60, None, None)])
    if is_compressed:
        db.execute(COMPRESS)
    assert deletion(db, tenant, at(0), at(30), "watch") == (1, 3, at(0), at(29))
    assert len(stored(db, tenant)) == 4
    assert deletion(db, tenant, at(0), at(30), "watch") == (0, 0, None, None)
    assert deletion(db, tenant, at(0), at(30)) == (0, 1, at(1), at(1))
    audit = db.execute("SELECT detail FROM core.audit WHERE act = 'delete readings' ORDER BY entry").fetchall()
    assert audit == [({"readings": 1, "samples": 3, "intervals": 0},), ({"readings": 0, "samples": 1, "intervals": 0},)]
    assert latest(db, tenant, "ada") == [
        ("spo2", "%", 97, at(-1), "watch"),
        ("body_weight", "kg", 97, at(30), "watch"),
    ]


def test_samples_are_erased_with_the_user(db: psycopg.Connection[Any]) -> None:
    """Also from chunks that are compressed in part."""
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample(metric, n, user=user) for metric in KINDS for n in range(20) for user in USERS])
    write_samples(db, tenant, [sample(minutes=-60 * 1440)])
    db.execute(COMPRESS)
    write_samples(db, tenant, [sample(minutes=0.5), sample(minutes=2, value=50)])
    erased = dict(db.execute("SELECT * FROM api.erase_user(%s, 'ada')", [tenant]).fetchall())
    assert (erased["samples"], erased["readings"], erased["names"]) == (82, 0, 1)
    assert keyless(db) == []
    assert {found[0] for found in stored(db, tenant)} == {"bob"}
    assert dict(db.execute("SELECT * FROM api.erase_user(%s, 'ada')", [tenant]).fetchall())["samples"] == 0
