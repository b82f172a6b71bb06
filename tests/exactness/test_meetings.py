"""What the protocol holds together when more meets than two, or one of them is killed."""

from __future__ import annotations

import psycopg
import pytest

from tests.exactness import door
from tests.exactness.model import DAY, HOUR, MINUTE
from tests.exactness.scenarios import RANGE, erase, gone
from tests.exactness.stage import BEFORE, NOON, Stage, beat


@pytest.mark.native
def test_a_priority_that_commits_after_its_readings_were_refreshed(stage: Stage) -> None:
    """A priority changes, unseen yet; a reading that the change did not see is written and refreshed meanwhile."""
    stage.write(beat("watch", NOON - DAY, 100), beat("phone", NOON - DAY, 7))
    owner = stage.connect()
    items = [beat("watch", NOON, 100), beat("phone", NOON + 1, 7)]
    with owner.transaction():
        with stage.stopped_at("user_1d"):
            refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
            door.set_priority(owner, "default", "phone", 1)
            writer = stage.act(lambda db: door.write(db, items))
        stage.settle(refresh)
    writer.end()
    refresh.end()
    stage.model.set_priority("default", "phone", 1)
    stage.model.write(items)
    assert stage.wrong() == []
    door.refresh(stage.db, NOON + 2 * DAY)
    assert stage.wrong() == []


@pytest.mark.native
def test_a_refresh_does_not_wait_for_stale_days_in_another_order_than_writers(stage: Stage) -> None:
    """A writer touches two stale days one after the other while a refresh claims them."""
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON, 100))
    stage.write(beat("watch", NOON + DAY, 110))
    late = [beat("watch", NOON + DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5)]
    writer = stage.connect()
    with writer.transaction():
        door.write(writer, late[:1])
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        door.write(writer, late[1:])
    refresh.end()
    stage.model.write(late)
    assert stage.wrong() == []


@pytest.mark.native
@pytest.mark.parametrize("level", ["device_1m", "user_1m", "user_15m", "user_1h", "user_1d"])
@pytest.mark.parametrize("late", [False, True], ids=["new time", "stale time"])
@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_refresh_that_is_killed_is_picked_up_again(stage: Stage, level: str, late: bool, end: str) -> None:
    if late:
        door.refresh(stage.db, NOON + DAY)
    stage.write(beat("watch", NOON, 100), beat("phone", NOON + 1, 7))
    with stage.stopped_at(level):
        refresh = stage.act(lambda db: door.refresh(db, NOON + 2 * DAY))
        assert refresh.thread.is_alive()
        stage.db.execute(f"SELECT {end}(%s)", [refresh.connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            refresh.end()
    assert stage.wrong() == []
    stage.write(beat("watch", NOON + MINUTE, 3))
    door.set_priority(stage.db, "default", "phone", 1)
    stage.model.set_priority("default", "phone", 1)
    assert stage.wrong() == []
    door.refresh(stage.db, NOON + 2 * DAY)
    assert (door.horizon(stage.db), door.stale_days(stage.db)) == (NOON + 2 * DAY, 0), "another refresh did not go on"
    assert stage.wrong() == []
    assert door.sources(stage.db, *RANGE[:2], NOON - 12 * HOUR, NOON + 12 * HOUR) == {"1d"}


@pytest.mark.native
def test_a_question_that_meets_an_erasure(stage: Stage) -> None:
    """Ada is erased, compressed readings and all, after a question has found out where to look."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    stage.db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c")
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        erasure = stage.act(erase)
    assert erasure.end() == 2
    assert question.end() == before
    assert gone(stage) == []


@pytest.mark.native
def test_a_refresh_that_failed_holds_no_erasure_up(stage: Stage) -> None:
    """Its session keeps the lock until it ends, idle."""
    stage.write(beat("watch", NOON, 100))
    assert stage.connect().execute("SELECT api.try_lock('refresh')").fetchone() == (1,)
    assert stage.act(erase).end() == 1
    assert gone(stage) == []


@pytest.mark.native
def test_two_erasures_at_once_are_one(stage: Stage) -> None:
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        assert erase(owner) == 1
        other = stage.act(erase)
        third = stage.act(lambda db: door.erase(db, "default", "nobody"))
        assert third.end() == 0, "who is unknown waits for nobody"
    assert other.end() == 0
    assert gone(stage) == []


@pytest.mark.native
def test_no_refresh_begins_during_an_erasure(stage: Stage) -> None:
    stage.write(beat("watch", NOON, 100))
    owner = stage.connect()
    with owner.transaction():
        erase(owner)
        stage.act(lambda db: door.refresh(db, NOON + DAY)).end()
        assert door.horizon(stage.db) == BEFORE
    door.refresh(stage.db, NOON + DAY)
    assert door.horizon(stage.db) == NOON + DAY
    assert gone(stage) == []


@pytest.mark.native
def test_a_question_that_meets_compression(stage: Stage) -> None:
    """A chunk is compressed after a question has taken its snapshot, and before it reads the chunk."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200), beat("watch", NOON + MINUTE, 3))
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        upkeep = stage.act(lambda db: db.execute("SELECT compress_chunk(c) FROM show_chunks('core.reading') AS c"))
    upkeep.end()
    assert question.end() == stage.model.summary(*RANGE)
    assert stage.wrong() == []


@pytest.mark.native
def test_a_question_that_meets_a_write_and_its_compression(stage: Stage) -> None:
    """The same, with a write to the chunk and to a rolled-up day in between: both are seen, or neither."""
    stage.write(beat("watch", NOON, 100))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.write(beat("watch", NOON - DAY, 200))
    before = stage.model.summary(*RANGE)
    with stage.stopped_at("user_1d", "ACCESS EXCLUSIVE"):
        question = stage.act(lambda db: door.summary(db, *RANGE))
        stage.write(beat("watch", NOON - DAY + MINUTE, 3), beat("watch", NOON + MINUTE, 5))
        upkeep = stage.act(lambda db: db.execute("CALL api.upkeep()"))
    upkeep.end()
    assert question.end() in (before, stage.model.summary(*RANGE))


def test_rollups_answer_beyond_raw_retention(stage: Stage) -> None:
    """Raw readings may go, rollups stay: a series still tells of them, as a summary does."""
    stage.write(beat("watch", NOON, 100), beat("watch", NOON + HOUR, 3))
    door.refresh(stage.db, NOON + 2 * DAY)
    stage.db.execute("UPDATE core.setting SET value = '30 days' WHERE name = 'raw_retention'")
    found = stage.wrong()
    stage.db.execute("CALL api.upkeep()")
    day = ("default", "ada", NOON - 12 * HOUR, NOON + 12 * HOUR)
    assert stage.db.execute("SELECT count(*) FROM core.reading").fetchone() == (0,)
    assert door.summary(stage.db, *day) == stage.model.summary(*day)
    assert door.series(stage.db, *day, "1h", "UTC")[0] == stage.model.series(*day, "1h", "UTC")
    assert door.vitals(stage.db, *day, "1d") == stage.model.vitals(*day, "1d")
    assert found == []
