"""Retention: what was answered of readings is answered without them, and they go only once they are rolled up."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.protocol.acts import ended, refreshed
from tests.exactness.protocol.mutants import WRITERS, Cases, Mutant, Scenario, judge, named
from tests.exactness.protocol.retention import RETENTION, retain
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE

KEPT_DAY = ("default", "ada", NOON - 12 * HOUR, NOON + 12 * HOUR)


def known_without_raw(stage: Stage) -> list[str]:
    """Return what is not answered of Ada as it was measured, where her raw readings are gone."""
    model, user = stage.model, KEPT_DAY[:2]
    asked: list[tuple[str, Any, Any]] = [
        ("latest", sql_client.latest(stage.db, *user), model.latest(*user)),
        ("seen", sql_client.seen(stage.db, "default"), model.seen("default")),
        ("worn", sql_client.worn(stage.db, *KEPT_DAY), ["watch", "phone"]),
    ]
    for device in (None, "watch", "phone"):
        asked.append(
            (f"summary of {device}", sql_client.summary(stage.db, *KEPT_DAY, device), model.summary(*KEPT_DAY, device))
        )
        for bucket in ("15m", "1h", "1d"):
            got = sql_client.series(stage.db, *KEPT_DAY, bucket, "UTC", device=device)[0]
            asked.append((f"{bucket} of {device}", got, model.series(*KEPT_DAY, bucket, "UTC", device)))
    for bucket in ("15m", "1h", "1d"):
        asked.append(
            (f"vitals_{bucket}", sql_client.vitals(stage.db, *KEPT_DAY, bucket), model.vitals(*KEPT_DAY, bucket))
        )
    return [f"{what}: {got} instead of {right}" for what, got, right in asked if got != right]


def raw_dropped(stage: Stage) -> list[str]:
    """Retention drops the raw readings of a day; then it is made longer, and at last switched off."""
    items = [beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7), beat("watch", NOON + 2 * HOUR, 9)]
    stage.write(*items)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    late = beat("watch", NOON + 5 * MINUTE, 3)
    found = []
    for how_long in ("30 days", "10000 days", None):
        retain(stage, how_long)
        for by in (sql_client.insert, sql_client.copy):
            try:
                by(stage.db, [late])
                found.append(f"a reading is accepted by {by.__name__} with {how_long}")
            except psycopg.errors.CheckViolation as error:
                if "Accepted is what lies from" not in str(error):
                    found.append(f"it is not said why: {error}")
            except psycopg.Error as error:
                found.append(f"it is let in, and refused where it is stored: {error}")
        sql_client.refresh(stage.db, NOON + 2 * DAY)
        found += known_without_raw(stage)
    row = stage.db.execute("SELECT count(*) FROM core.reading").fetchone()
    if row != (0,):
        found.append(f"{row} readings are left")
    # By a writer that has looked up what is accepted before that changed.
    try:
        sql_client.write(stage.db, [late])
        found.append("a reading is accepted where raw readings are gone")
    except psycopg.errors.ObjectNotInPrerequisiteState:
        pass
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return found + known_without_raw(stage)


def raw_of_a_stale_day(stage: Stage) -> list[str]:
    """Retention meets a day that is stale: its readings are kept until it is refreshed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON + 2 * MINUTE, 3))
    retain(stage, "30 days")
    found = stage.wrong()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    return found + known_without_raw(stage)


def raw_above_the_horizon(stage: Stage) -> list[str]:
    """Retention meets readings that the horizon has not passed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    retain(stage, "30 days")
    return stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def priority_where_raw_is_gone(stage: Stage) -> list[str]:
    """The priority of a device changes that met another one where retention has dropped raw readings."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    try:
        sql_client.set_priority(stage.db, "default", "watch", 1)
    except psycopg.Error as error:
        return [f"the priority cannot change: {error}"]
    stage.model.set_priority("default", "watch", 1)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    return known_without_raw(stage)


def dropped_while_written_to(stage: Stage) -> list[str]:
    """Retention comes to a day to which somebody has written, and not committed."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + MINUTE, 7))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, None)  # compressed now, so that upkeep next drops it
    stage.db.execute(RETENTION, ["30 days"])
    item = beat("watch", NOON + 2 * MINUTE, 3)
    writer = stage.connect()
    with writer.transaction():
        sql_client.write(writer, [item])
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    found = ended(upkeep)
    stage.model.write([item])
    found += stage.wrong()
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    retain(stage, "30 days")
    return found + known_without_raw(stage)


ALONE: Cases = [
    (
        raw_dropped,
        [
            (
                "it is forgotten how far raw was dropped",
                Mutant("drop_raw", {r"UPDATE core.horizon SET raw_from[^;]*;": ""}),
            ),
            (
                "the door forgets how far raw was dropped",
                Mutant("timestamp_bounds", {r",\s+\(SELECT h.raw_from FROM core.horizon AS h\)": ""}),
            ),
            (
                "a reading that comes in spite of that has its day computed from it alone",
                Mutant("mark_stale", {r"IF dropped IS NOT NULL THEN": "IF false THEN"}),
            ),
            ("last values are not kept", Mutant("drop_raw", {r"WHERE m.ts IS NOT NULL": "WHERE false"})),
            (
                "worn devices are looked for in raw only",
                Mutant("worn_devices", {r"range_start, range_end\) AS p": "range_start, range_end, 'raw') AS p"}),
            ),
        ],
    ),
    (
        raw_of_a_stale_day,
        [
            (
                "raw goes under a stale day",
                Mutant(
                    "drop_raw",
                    {r"IF \(SELECT min\(s\.day\) FROM core\.stale_day AS s [^)]*\) < range_end": "IF false"},
                ),
            )
        ],
    ),
    (
        priority_where_raw_is_gone,
        [
            (
                "a new priority marks what cannot be computed again",
                Mutant("set_device", {r"AND r.bucket >= \(SELECT raw_from FROM core.horizon\)": ""}),
            )
        ],
    ),
    (
        raw_above_the_horizon,
        [],
    ),
]
TOGETHER: Cases = [
    (dropped_while_written_to, [("retention does not wait for writers", Mutant("drop_raw", {WRITERS: ""}))]),
]


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
