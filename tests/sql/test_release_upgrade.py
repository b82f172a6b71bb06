"""The last release's schema with rows that the release itself wrote, upgraded: every answer is right.

Rows and rollups are a recording (tests/files/releases); the right answers follow from its readings alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.migrate import migrate
from service.database.schema import MIGRATIONS, migration_names
from tests.support import sql_client
from tests.support.database import new_database, without_jobs
from tests.support.moments import DAY, HOUR, micros, moment
from tests.support.paths import ROOT
from tests.support.reference_model import Model
from tests.support.release_data import lay
from tests.support.stored import Device, Happening, Item

START = 1_711_238_400 * 1_000_000  # 2024-03-24, in microseconds
LAST_MIGRATION = "0017-four-hours"
RECORDING = ROOT / "tests" / "files" / "releases" / "0.2.0.tsv"
COMPRESSED = (
    "SELECT count(compress_chunk(c)) FROM show_chunks('core.reading', older_than => '2024-04-01'::timestamptz) AS c"
)
USERS = (("default", "ada"), ("default", "bob"), ("default", "eve"), ("acme", "ada"))
READINGS = """
    SELECT t.tenant_id, u.user_id, d.device_id, r.ts, r.heart_rate, r.steps, r.calories
      FROM core.reading AS r
      JOIN core.app_user AS u USING (user_key) JOIN core.tenant AS t USING (tenant_key)
      JOIN core.device AS d USING (device_key)
"""
EVENTS = """
    SELECT t.tenant_id, e.event_id, e.source, e.event_type, e.ts FROM core.event AS e
      JOIN core.tenant AS t USING (tenant_key)
"""
SPANS = [(START, START + 12 * DAY), (START + 2 * DAY, START + 6 * DAY), (START + 3 * HOUR, START + 8 * DAY + 7 * HOUR)]
DEVICES = """
    SELECT t.tenant_id, d.device_id, d.priority FROM core.device AS d JOIN core.tenant AS t USING (tenant_key)
     ORDER BY d.device_key
"""


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    with new_database(server_url, f"hyperpulse_release_{os.getpid()}") as url:
        yield url


@pytest.fixture
def model(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Make the database one of the release, with its rows; return what they say."""
    for name in migration_names():
        if name <= LAST_MIGRATION:
            for path in MIGRATIONS.glob(f"{name}*.sql"):
                shutil.copy(path, tmp_path)
    with monkeypatch.context() as before:
        before.setattr("scripts.migrate.MIGRATIONS", tmp_path)
        before.setattr("scripts.migrate.api_statements", lambda: ["CREATE SCHEMA api"])
        before.setattr("scripts.migrate.api_digest", lambda: "the last release")
        with without_jobs(url):
            assert migrate(url).applied[-1] == LAST_MIGRATION
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC -c jit=off") as db:
        lay(db, RECORDING, moment(START), moment(START + 30 * DAY))
        db.execute(COMPRESSED)
        assert sql_client.stale_days(db) > 0
        return recorded(db)


def recorded(db: psycopg.Connection[Any]) -> Model:
    """Return the model of what the release stores."""
    model = Model()
    for rank, (tenant, device, priority) in enumerate(db.execute(DEVICES).fetchall()):
        model.devices[tenant, device] = Device(priority, rank)
    for tenant, user, device, ts, *values in db.execute(READINGS).fetchall():
        model.write([Item(tenant, user, device, micros(ts), *values)])
    for tenant, event_id, source, event_type, ts in db.execute(EVENTS).fetchall():
        model.happen([Happening(tenant, event_id, source, event_type, micros(ts))])
    return model


def wrong(db: psycopg.Connection[Any], model: Model) -> list[str]:
    """Ask about everybody; return what is answered wrongly."""
    asked: list[tuple[str, Any, Any]] = []
    for tenant, user in USERS:
        asked.append((f"latest of {tenant}/{user}", sql_client.latest(db, tenant, user), model.latest(tenant, user)))
        for (start, end), device in product(SPANS, (None, "phone")):
            span = (tenant, user, start, end)
            found, right = sql_client.summary(db, *span, device), model.summary(*span, device)
            asked.append((f"summary of {span} {device}", found, right))
            for bucket, tz in (("1h", "UTC"), ("1d", "Europe/Berlin")):
                points, _ = sql_client.series(db, *span, bucket, tz, 100_000, device)
                asked.append((f"{bucket} of {span} {device} {tz}", points, model.series(*span, bucket, tz, device)))
        for bucket in ("15m", "1h", "1d"):
            span = (tenant, user, *SPANS[0])
            found = sql_client.vitals(db, *span, bucket)
            asked.append((f"vitals_{bucket} of {span}", found, model.vitals(*span, bucket)))
    for bucket in ("1h", "1d"):
        events = sql_client.counts(db, "default", *SPANS[0], bucket)
        asked.append((f"events by {bucket}", events, model.counts("default", *SPANS[0], bucket)))
    return [f"{what}: {found} instead of {right}" for what, found, right in asked if found != right]


def test_a_database_of_the_last_release_is_upgraded(model: Model, url: str) -> None:
    assert len(model.readings) == len(USERS)
    assert "0018-keys" in migrate(url).applied
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as db:
        live_on(db, model)


def live_on(db: psycopg.Connection[Any], model: Model) -> None:
    """Ask, refresh, write and erase, asking again after each."""
    assert wrong(db, model) == []
    db.execute("CALL api.refresh()")
    assert sql_client.stale_days(db) == 0
    assert wrong(db, model) == []
    assert sql_client.drift(db, *SPANS[0]) == []
    assert sql_client.sources(db, "default", "ada", *SPANS[1]) == {"1d"}
    # Life goes on: what is late is merged into what the release compressed, and a user goes.
    late = [Item("default", user, "watch", SPANS[0][0] + 5 * HOUR, 99.0, 12, None) for user in ("ada", "new")]
    sql_client.insert(db, late)
    model.write(late)
    model.erase("default", "bob")
    assert sql_client.erase(db, "default", "bob") > 0
    assert wrong(db, model) == []
    db.execute("CALL api.refresh()")
    assert wrong(db, model) == []
    assert sql_client.drift(db, *SPANS[0]) == []
