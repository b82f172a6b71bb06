"""New priorities: what they change is marked, and no refresh is under way meanwhile."""

from __future__ import annotations

import pytest

from tests.exactness.protocol.acts import ended, refreshed, roll_up_what_is_before, stale_days_only
from tests.exactness.protocol.mutants import (
    HEEDLESS,
    PIECE,
    REFRESHERS,
    SHARED,
    WRITERS,
    Cases,
    Mutant,
    Scenario,
    judge,
    named,
)
from tests.support import sql_client
from tests.support.interleaving import NOON, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE, micros

EVERY_READING = """
  FROM core.reading AS x,
       LATERAL (SELECT x.user_key, x.ts AS bucket, x.steps, x.calories,
                       (x.heart_rate IS NOT NULL)::int AS heart_rate_count) AS r
 WHERE x.device_key ="""
ANNOUNCEMENT = r"IF NOT api_internal.try_share_refresh.*?END IF;"
PATIENT = "LOCK TABLE core.refresh_lock IN ROW SHARE MODE;"


def new_priority(stage: Stage) -> list[str]:
    """The phone becomes better than the watch for a day that is in the rollups, and a refresh follows."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    sql_client.refresh(stage.db, NOON + DAY)
    sql_client.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    return stage.wrong() + refreshed(stage, NOON + DAY)


def priority_of_other_quarters(stage: Stage) -> list[str]:
    """The phone becomes better, and only the quarter in which it met the watch is marked."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7), beat("phone", NOON + HOUR, 7))
    sql_client.refresh(stage.db, NOON + DAY)
    sql_client.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    rows = stage.db.execute(
        "SELECT day + position(B'1' IN quarters) * INTERVAL '15 minutes', quarters FROM core.stale_day"
    )
    marked = [(micros(end), quarters.count("1")) for end, quarters in rows.fetchall()]
    found = [] if marked == [(NOON + 15 * MINUTE, 1)] else [f"marked is {marked}"]
    return found + stage.wrong() + refreshed(stage, NOON + DAY)


def priority_over_an_announcement(stage: Stage) -> list[str]:
    """The same with a priority that changes above the horizon."""
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
    found = ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + DAY)


def priority_before_a_piece(stage: Stage) -> list[str]:
    """A priority changes, unseen yet, and a refresh comes to readings that no rollup knows."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
    found = ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def priority_during_a_piece(stage: Stage) -> list[str]:
    """A priority changes when a refresh has read readings with the old one, and not committed."""
    roll_up_what_is_before(stage)
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    with stage.stopped_at("user_1d"):
        refresh = stage.act(stale_days_only)
        change = stage.act(lambda db: sql_client.set_priority(db, "default", "phone", 1))
    found = ended(refresh, change)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


def refreshed_over_a_priority(stage: Stage) -> list[str]:
    """A priority changes, unseen yet, and a refresh that has a horizon to move and a stale day does not wait for it."""
    sql_client.refresh(stage.db, NOON)
    stage.write(beat("watch", NOON - DAY, 100), beat("watch", NOON, 7))
    owner = stage.connect()
    with owner.transaction():
        sql_client.set_priority(owner, "default", "phone", 1)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        found = ["the refresh waits"] if refresh.thread.is_alive() else []
        if (sql_client.horizon(stage.db), sql_client.stale_days(stage.db)) != (NOON, 1):
            found.append("the refresh went on")
    found += ended(refresh)
    stage.model.set_priority("default", "phone", 1)
    return found + stage.wrong() + refreshed(stage, NOON + 2 * DAY)


ALONE: Cases = [
    (
        new_priority,
        [
            (
                "a new priority marks nothing",
                Mutant("set_device", {r"IF \(after.priority,": "IF false AND (after.priority,"}),
            ),
            (
                "it is not known where devices met",
                Mutant("roll_up_meetings", {r"FROM by_device AS b(?=\s+ORDER)": r"\g<0> WHERE false"}),
            ),
        ],
    ),
    (
        priority_of_other_quarters,
        [
            (
                "a new priority marks all that a device measured",
                Mutant(
                    "set_device",
                    {r"FROM rollup.device_15m AS r\s+WHERE r.device_key =": EVERY_READING},
                ),
            )
        ],
    ),
]
TOGETHER: Cases = [
    (
        priority_over_an_announcement,
        [
            (
                "set_device lets refreshers and announcements pass",
                Mutant("set_device", {REFRESHERS: "", WRITERS: ""}, (Mutant("hold_horizon", {SHARED: ""}),)),
            )
        ],
    ),
    (
        priority_before_a_piece,
        [
            ("set_device does not wait for refreshers", Mutant("set_device", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
            ),
            ("a piece does not leave while a priority changes", Mutant("refresh_users", {PIECE: HEEDLESS})),
        ],
    ),
    (
        refreshed_over_a_priority,
        [
            ("a piece waits while a priority changes", Mutant("refresh_users", {PIECE: PATIENT})),
            (
                "the announcement does not leave while a priority changes",
                Mutant("advance_horizon", {ANNOUNCEMENT: ""}),
            ),
        ],
    ),
    (
        priority_during_a_piece,
        [
            ("set_device does not wait for refreshers", Mutant("set_device", {REFRESHERS: ""})),
            (
                "a piece does not say that it is under way",
                Mutant("refresh_users", {PIECE: ""}),
            ),
        ],
    ),
]


@named(ALONE)
def test_alone(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)


@pytest.mark.native
@named(TOGETHER)
def test_together(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    judge(stage, scenario, mutant)
