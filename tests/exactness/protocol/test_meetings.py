"""What the protocol holds together when more meets than two, or one of them is killed."""

from __future__ import annotations

import psycopg
import pytest

from tests.exactness.protocol.acts import RANGE, erase, gone, refreshed
from tests.support import sql_client
from tests.support.interleaving import BEFORE, NOON, Act, Stage, beat
from tests.support.moments import DAY, HOUR, MINUTE, micros, moment
from tests.support.stored import Item


@pytest.mark.native
def test_a_priority_that_comes_between_a_refresh_and_a_writer(stage: Stage) -> None:
    """A refresh has read what is stale, a priority waits for it, and a writer for the priority."""
    stage.write(beat("watch", NOON - DAY, 100), beat("phone", NOON - DAY, 7))
    items = [beat("watch", NOON, 100), beat("phone", NOON + 1, 7)]
    with stage.stopped_at("user_1d"):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        change = stage.act(lambda db: sql_client.set_priority(db, "default", "phone", 1))
        writer = stage.act(lambda db: sql_client.write(db, items))
    for act in (refresh, change, writer):
        act.end()
    stage.model.set_priority("default", "phone", 1)
    stage.model.write(items)
    assert stage.wrong() == []
    assert refreshed(stage, NOON + 2 * DAY) == []


@pytest.mark.native
def test_a_refresh_does_not_wait_for_stale_days_in_another_order_than_writers(stage: Stage) -> None:
    """A writer touches two stale days one after the other while a refresh rolls them up."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    stage.write(beat("watch", NOON + DAY, 110))
    late = [beat("watch", NOON + DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5)]
    writer = stage.connect()
    with writer.transaction():
        sql_client.write(writer, late[:1])
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        sql_client.write(writer, late[1:])
    refresh.end()
    stage.model.write(late)
    assert stage.wrong() == []


@pytest.mark.native
# Where the marks are: for new time before they are written, for stale time before they are deleted.
@pytest.mark.parametrize("level", ["user_15m", "device_15m", "user_1h", "user_4h", "user_1d", "core.stale_day"])
@pytest.mark.parametrize("late", [False, True], ids=["new time", "stale time"])
@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_refresh_that_is_killed_is_picked_up_again(stage: Stage, level: str, late: bool, end: str) -> None:
    if late:
        sql_client.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    with stage.stopped_at(level):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        assert refresh.thread.is_alive()
        kill(stage, refresh, end)
    assert stage.wrong() == []
    stage.write(beat("watch", NOON + MINUTE, 3))
    sql_client.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    assert stage.wrong() == []
    assert refreshed(stage, NOON + 2 * DAY) == []
    assert sql_client.horizon(stage.db) == NOON + 2 * DAY, "another refresh did not go on"
    assert sql_client.sources(stage.db, *RANGE[:2], NOON - 12 * HOUR, NOON + 12 * HOUR) == {"1d"}


def kill(stage: Stage, refresh: Act, end: str) -> None:
    stage.db.execute(f"SELECT {end}(%s)".encode(), [refresh.connection.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        refresh.end()


@pytest.mark.native
def test_a_refresh_that_is_killed_between_pieces_leaves_the_older_ones(stage: Stage) -> None:
    """Days newest first: when it comes to the older one, the newer one is in the rollups for good."""
    sql_client.refresh(stage.db, NOON + 3 * DAY)
    # Chunks that are there, so that nobody waits for their creation.
    stage.write(Item("default", "bob", "watch", NOON, 61, 1, 1))
    sql_client.refresh(stage.db, NOON + 3 * DAY)
    stage.write(*(beat("watch", NOON + turn * DAY, 100 + turn) for turn in (0, 2, 1)))
    keeper = stage.connect()
    with keeper.transaction():
        # Of the day in the middle, the row that a refresh is about to write.
        keeper.execute(SAME_ROW, [moment(NOON + DAY)])
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 3 * DAY))
        assert refresh.thread.is_alive()
        assert newest_first(stage) == [NOON + 12 * HOUR, NOON - 12 * HOUR]
        assert stage.wrong() == []
        kill(stage, refresh, "pg_terminate_backend")
        keeper.execute("ROLLBACK")
    assert newest_first(stage) == [NOON + 12 * HOUR, NOON - 12 * HOUR]
    assert stage.wrong() == []
    assert refreshed(stage, NOON + 3 * DAY) == []


SAME_ROW = """
    INSERT INTO rollup.user_15m (user_key, bucket, first_ts, last_ts, heart_rate_count)
      SELECT api_internal.find_user('default', 'ada'), t, t, t, 0 FROM CAST(%s AS timestamptz) AS t
"""


def newest_first(stage: Stage) -> list[int]:
    rows = stage.db.execute("SELECT DISTINCT day FROM core.stale_day ORDER BY 1 DESC").fetchall()
    return [micros(day) for (day,) in rows]


def test_a_budget_stops_a_refresh_early(stage: Stage) -> None:
    """Without any time it does one piece, of the newest day, and then no more."""
    sql_client.refresh(stage.db, NOON + 3 * DAY)
    stage.write(*(beat("watch", NOON + turn * DAY, 100 + turn) for turn in (1, 0, 2)))
    for left in (2, 1, 0):
        stage.db.execute("CALL api.refresh('0 seconds')")
        assert newest_first(stage) == [NOON - 12 * HOUR + turn * DAY for turn in range(left)][::-1]
        assert stage.wrong() == []
    assert refreshed(stage, NOON + 3 * DAY) == []


@pytest.mark.native
@pytest.mark.parametrize("level", ["user_15m", "user_1h", "user_4h", "user_1d"])
def test_no_writer_waits_for_a_piece(stage: Stage, level: str) -> None:
    """A late reading of the same user and day is stored while a piece stands still, by each way to write."""
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    stage.db.execute("SET lock_timeout = '5 s'")
    with stage.stopped_at(level):
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + 2 * DAY))
        assert refresh.thread.is_alive()
        stage.write(beat("watch", NOON + MINUTE, 3))
        for turn, by in enumerate((sql_client.insert, sql_client.copy), start=2):
            by(stage.db, [beat("watch", NOON + turn * MINUTE, turn)])
            stage.model.write([beat("watch", NOON + turn * MINUTE, turn)])
        assert stage.wrong() == []
    refresh.end()
    assert refreshed(stage, NOON + 2 * DAY) == []


def many(stage: Stage) -> list[Item]:
    """Write late readings of forty users on three days, two devices each; return them."""
    stage.write(beat("watch", NOON, 5), beat("phone", NOON, 5))
    sql_client.refresh(stage.db, NOON + 4 * DAY)
    items = [
        Item(
            "default", f"user {number:02}", device, NOON + day * DAY + number * MINUTE + turn, 60 + number, number, 1.5
        )
        for number in range(40)
        for day in range(3)
        for turn, device in enumerate(("watch", "phone"))
    ]
    stage.write(*items)
    return items


def exact(stage: Stage, items: list[Item]) -> bool:
    """Whether every user's summary is right."""
    span = (NOON - 12 * HOUR, NOON + 4 * DAY)
    users = {item.user for item in items}
    return all(
        sql_client.summary(stage.db, "default", user, *span) == stage.model.summary("default", user, *span)
        for user in users
    )


@pytest.mark.native
def test_no_refresh_waits_for_the_users_of_another_one(stage: Stage) -> None:
    items = many(stage)
    with stage.holding("rollup.user_1d", "INSERT"):
        held = stage.act(lambda db: sql_client.refresh(db, NOON + 4 * DAY), held=True)
        assert held.thread.is_alive()
        stage.db.execute("SET lock_timeout = '5 s'")
        sql_client.refresh(stage.db, NOON + 4 * DAY)
        assert held.thread.is_alive(), "nothing was held"
        # What the first one has in hand: a piece of the newest day.
        assert 0 < sql_client.stale_days(stage.db) <= 16 * 3
        assert exact(stage, items)
    held.end()
    assert refreshed(stage, NOON + 4 * DAY) == []
    assert exact(stage, items)


@pytest.mark.native
def test_several_refreshes_at_once_leave_nothing_stale(stage: Stage) -> None:
    items = many(stage)
    acts = [Act(stage.connect(), lambda db: db.execute("CALL api.refresh()")) for _ in range(3)]
    while any(act.thread.is_alive() for act in acts):
        assert exact(stage, items)
    for act in acts:
        act.end()
    assert sql_client.stale_days(stage.db) == 0
    assert refreshed(stage, NOON + 4 * DAY) == []
    assert exact(stage, items)


@pytest.mark.native
def test_a_question_that_meets_an_erasure(stage: Stage) -> None:
    """Ada is erased, compressed readings and all, after a question has found out where to look."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    stage.db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: sql_client.summary(db, *RANGE))
        erasure = stage.act(erase)
    assert erasure.end() == 2
    assert question.end() == before
    assert gone(stage) == []


@pytest.mark.native
@pytest.mark.parametrize("claimed", ["events", "upkeep"])
def test_what_failed_holds_no_erasure_and_no_refresh_up(stage: Stage, claimed: str) -> None:
    """Its session keeps the claim until it ends, idle."""
    stage.write(beat("watch", NOON, 100))
    assert stage.connect().execute("SELECT api_internal.claim(%s)", [claimed]).fetchone() == (True,)
    assert refreshed(stage, NOON + 2 * DAY) == []
    stage.db.execute("CALL api.upkeep()")
    assert stage.act(erase).end() == 1
    assert gone(stage) == []


@pytest.mark.native
def test_two_erasures_at_once_are_one(stage: Stage) -> None:
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        assert erase(owner) == 1
        other = stage.act(erase)
        third = stage.act(lambda db: sql_client.erase(db, "default", "nobody"))
        assert third.end() == 0, "who is unknown waits for nobody"
    assert other.end() == 0
    assert gone(stage) == []


@pytest.mark.native
def test_no_refresh_begins_during_an_erasure(stage: Stage) -> None:
    """It announces nothing and rolls nothing up, but leaves at once; the next one goes on."""
    stage.write(beat("watch", NOON, 100), beat("watch", BEFORE - HOUR, 9))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        refresh = stage.act(lambda db: sql_client.refresh(db, NOON + DAY))
        assert not refresh.thread.is_alive(), "it waits"
        refresh.end()
        row = stage.db.execute("SELECT materialized, announced FROM core.horizon").fetchone()
        assert row == (moment(BEFORE), moment(BEFORE))
        assert sql_client.stale_days(stage.db) == 1
    sql_client.refresh(stage.db, NOON + DAY)
    assert sql_client.horizon(stage.db) == NOON + DAY
    assert gone(stage) == []


@pytest.mark.native
def test_a_question_that_meets_compression(stage: Stage) -> None:
    """A chunk is compressed after a question has taken its snapshot, and before it reads the chunk."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200), beat("watch", NOON + MINUTE, 3))
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: sql_client.summary(db, *RANGE))
        upkeep = stage.act(lambda db: db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c"))
    upkeep.end()
    assert question.end() == stage.model.summary(*RANGE)
    assert stage.wrong() == []


@pytest.mark.native
def test_a_question_that_meets_a_write_and_its_compression(stage: Stage) -> None:
    """The same, with a write to the chunk and to a rolled-up day in between: both are seen, or neither."""
    stage.write(beat("watch", NOON, 100))
    sql_client.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: sql_client.summary(db, *RANGE))
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    upkeep.end()
    assert question.end() in (before, stage.model.summary(*RANGE))
