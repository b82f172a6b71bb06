"""Events are counted exactly at every moment, whatever rollups, horizon and stale days are up to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples

WIDTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
VIEWS = {"minute": "event_counts_1m", "hour": "event_counts_1h", "day": "event_counts_1d"}
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NOW = datetime.now(UTC)
OLD_HORIZON = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4, hours=13, minutes=45)
LATE = OLD_HORIZON.replace(hour=12, minute=0) - timedelta(days=2)
WRITE = "SELECT api_internal.write_events(%s, %s, %s, %s, %s::timestamptz[], %s::text[]::jsonb[])"
ASK = "SELECT * FROM api.event_counts(%s, %s, %s, %s, %s, %s)"
numbers = count(1)

unhurried = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# The model --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    event_id: str
    ts: datetime = LATE
    source: str = "web"
    event_type: str = "click"
    tenant: str = "one"


@dataclass
class Model:
    """Everything that was sent, by tenant and event_id: the first one stays."""

    events: dict[tuple[str, str], Event] = field(default_factory=dict)

    def write(self, events: list[Event]) -> list[bool]:
        created = []
        for event in events:
            created.append((event.tenant, event.event_id) not in self.events)
            self.events.setdefault((event.tenant, event.event_id), event)
        return created

    def counts(
        self,
        tenant: str,
        size: str,
        source: str | None = None,
        event_type: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[tuple[datetime, str, str, int]]:
        counted = Counter(
            (event.ts - (event.ts - EPOCH) % WIDTHS[size], event.source, event.event_type)
            for event in self.events.values()
            if event.tenant == tenant
            and source in (None, event.source)
            and event_type in (None, event.event_type)
            and (start is None or event.ts >= start)
            and (end is None or event.ts < end)
        )
        return sorted((*key, number) for key, number in counted.items())


# The database -----------------------------------------------------------------------------------------------


def write(db: psycopg.Connection, *events: Event) -> list[bool]:
    columns: list[list[Any]] = [
        [event.tenant for event in events],
        [event.event_id for event in events],
        [event.source for event in events],
        [event.event_type for event in events],
        [event.ts for event in events],
        ["{}" for _ in events],
    ]
    row = db.execute(WRITE, columns).fetchone()
    assert row is not None
    return list(row[0])


def asked(db: psycopg.Connection, tenant: str, size: str, *narrowed: Any) -> list[tuple[Any, ...]]:
    filled = [*narrowed, *[None] * (4 - len(narrowed))]
    return db.execute(ASK, [tenant, size, *filled]).fetchall()


def seen(db: psycopg.Connection, tenant: str, size: str) -> list[tuple[Any, ...]]:
    """Read a tenant's rows of the view of a bucket size."""
    rows = db.execute(
        f"SELECT bucket, source, event_type, count FROM api.{VIEWS[size]} WHERE tenant_id = %s".encode(), [tenant]
    )
    return sorted(rows.fetchall())


def stale_days(db: psycopg.Connection) -> list[tuple[str, datetime]]:
    query = "SELECT tenant_id, day FROM core.stale_event_day JOIN core.tenant USING (tenant_key) ORDER BY 1, 2"
    return db.execute(query).fetchall()


def set_horizon(db: psycopg.Connection, moment: datetime) -> None:
    query = "UPDATE core.horizon SET announced = %s, materialized = %s, events_materialized = %s"
    db.execute(query, [moment] * 3)


def set_setting(db: psycopg.Connection, name: str, value: str) -> None:
    db.execute("UPDATE core.setting SET value = %s WHERE name = %s", [value, name])


def refresh(db: psycopg.Connection) -> None:
    db.execute("CALL api.refresh()")


@pytest.fixture
def events_db(db: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The database with an old horizon and no refresh but the test's own."""
    db.execute(
        "TRUNCATE core.stale_event_day; TRUNCATE rollup.event_1m; TRUNCATE rollup.event_1h; TRUNCATE rollup.event_1d"
    )
    before = db.execute("SELECT name, value FROM core.setting WHERE name LIKE 'refresh%'").fetchall()
    set_horizon(db, OLD_HORIZON)
    yield db
    for name, value in before:
        set_setting(db, name, value)
    refresh(db)


# Any history, any question ----------------------------------------------------------------------------------

moments = st.builds(
    lambda minutes, offset: (NOW - timedelta(minutes=minutes)).replace(second=0, microsecond=0) + offset,
    st.integers(-120, 6 * 1440).map(lambda minutes: minutes // 15 * 15 if minutes % 3 else minutes),
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=30), timedelta(microseconds=-1)]),
)
midnights = st.integers(-1, 6).map(
    lambda days: (NOW - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
)
hours = st.integers(0, 140).map(lambda hours: (NOW - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0))
times = moments | midnights | hours
tenants = st.sampled_from(["one", "two"])
sources = st.sampled_from(["web", "app", "Ü"])
event_types = st.sampled_from(["click", "view"])
histories = st.lists(
    st.one_of(
        st.tuples(
            st.just("write"),
            st.lists(st.tuples(st.integers(0, 60), times, sources, event_types, tenants), min_size=1, max_size=12),
        ),
        st.tuples(st.just("refresh"), st.sampled_from([10, 60, 700, 1440, 3000, 5000])),
        # What a refresh that was killed leaves behind.
        st.tuples(st.just("announced"), st.sampled_from([60, 1440, 3000])),
        st.tuples(st.just("half-way"), st.sampled_from([60, 1440, 3000])),
    ),
    min_size=1,
    max_size=8,
)
questions = st.lists(
    st.tuples(
        st.sampled_from(["minute", "hour", "day"]),
        st.none() | sources,
        st.none() | event_types,
        st.none() | times,
        st.none() | times,
    ),
    min_size=4,
    max_size=8,
)


def announce(db: psycopg.Connection, minutes: int) -> None:
    """Do the first step of a refresh."""
    db.execute(
        "UPDATE core.horizon SET announced = greatest(announced, public.time_bucket('15 minutes', %s::timestamptz))",
        [NOW - timedelta(minutes=minutes)],
    )


def refresh_new_time(db: psycopg.Connection) -> None:
    """Do the second step of a refresh, but for trusting it."""
    row = db.execute("SELECT events_materialized, announced FROM core.horizon").fetchone()
    assert row is not None
    db.execute("CALL api_internal.refresh_events(%s, %s, false)", row)


def take(db: psycopg.Connection, step: str, argument: Any, model: Model, example: int) -> None:
    if step == "write":
        events = [
            Event(f"{number}", ts, source, event_type, f"{tenant} {example}")
            for number, ts, source, event_type, tenant in argument
        ]
        assert write(db, *events) == model.write(events)
    elif step == "refresh":
        set_setting(db, "refresh_lag", f"{argument} minutes")
        refresh(db)
    else:
        announce(db, argument)
        if step == "half-way":
            db.execute("UPDATE core.stale_event_day SET claimed = version")
            refresh_new_time(db)


@settings(unhurried, max_examples=examples(30))
@given(history=histories, questions=questions, window=st.sampled_from(["1 day", "2 days", "30 days"]))
def test_any_history_is_counted_as_the_model_counts_it(
    events_db: psycopg.Connection, history: list[tuple[str, Any]], questions: list[tuple[Any, ...]], window: str
) -> None:
    example, model = next(numbers), Model()
    set_horizon(events_db, OLD_HORIZON)
    set_setting(events_db, "refresh_window", window)
    for step, argument in history:
        take(events_db, step, argument, model, example)
        for tenant in (f"one {example}", f"two {example}"):
            for question in questions:
                assert asked(events_db, tenant, *question) == model.counts(tenant, *question)
            for size in WIDTHS:
                assert seen(events_db, tenant, size) == model.counts(tenant, size)


@pytest.mark.native
def test_answers_while_events_arrive_and_refreshes_run_are_of_one_moment(
    events_db: psycopg.Connection, database_url: str
) -> None:
    """One writer, one refresher, one reader: each answer is the model's after some write between its start and end."""
    batches = [
        [Event(f"{batch} {n}", NOW - timedelta(minutes=batch * 7919 % 9000, seconds=n)) for n in range(5)]
        for batch in range(400)
    ]
    models = [Model()]
    for batch in batches:
        models.append(Model(dict(models[-1].events)))
        models[-1].write(batch)
    states = {size: [model.counts("one", size) for model in models] for size in ("hour", "day")}
    begun, done, ended = [0], [0], threading.Event()

    def refresh_again_and_again() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            lag = 5000
            while not ended.is_set():
                set_setting(connection, "refresh_lag", f"{lag} minutes")
                refresh(connection)
                lag = max(10, lag - 300)

    def write_all() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for number, batch in enumerate(batches, start=1):
                begun[0] = number
                write(connection, *batch)
                done[0] = number
        ended.set()

    threads = [threading.Thread(target=refresh_again_and_again), threading.Thread(target=write_all)]
    for thread in threads:
        thread.start()
    answers = 0
    while not ended.is_set():
        for size in ("hour", "day"):
            for ask in (asked, seen):
                earliest = done[0]
                answer = ask(events_db, "one", size)
                assert answer in states[size][earliest : begun[0] + 1]
                answers += 1
    for thread in threads:
        thread.join()
    assert answers > 20
    refresh(events_db)
    assert asked(events_db, "one", "day") == seen(events_db, "one", "day") == states["day"][-1]


# Step by step -----------------------------------------------------------------------------------------------


def test_a_late_event_makes_its_day_stale_until_it_is_refreshed(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW), Event("c", tenant="two"))
    midnight = LATE.replace(hour=0)
    assert stale_days(events_db) == [("one", midnight), ("two", midnight)]
    refresh(events_db)
    assert stale_days(events_db) == []


def test_a_duplicate_makes_nothing_stale(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW))
    refresh(events_db)
    assert write(events_db, Event("a", LATE), Event("b", LATE)) == [False, False]
    assert stale_days(events_db) == []


def test_the_day_of_a_write_during_a_refresh_stays_stale(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"))
    events_db.execute("UPDATE core.stale_event_day SET claimed = version")
    write(events_db, Event("b"))
    row = events_db.execute("SELECT count(*) FROM core.stale_event_day WHERE claimed = version").fetchone()
    assert row == (0,)


def test_an_event_that_a_refresh_came_too_early_for_is_counted(events_db: psycopg.Connection) -> None:
    """It is written below the announced horizon, after its day was refreshed and before that is trusted."""
    moment = OLD_HORIZON + timedelta(days=1)
    write(events_db, Event("a", moment))
    announce(events_db, 60)
    refresh_new_time(events_db)
    write(events_db, Event("b", moment))
    events_db.execute("UPDATE core.horizon SET events_materialized = announced")
    for size in WIDTHS:
        assert (
            [row[3] for row in asked(events_db, "one", size)] == [row[3] for row in seen(events_db, "one", size)] == [2]
        )


@pytest.mark.native
def test_a_refresh_waits_for_writers_that_saw_the_old_horizon(events_db: psycopg.Connection, database_url: str) -> None:
    def refresh_elsewhere() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            refresh(connection)

    refresher = threading.Thread(target=refresh_elsewhere)
    with psycopg.connect(database_url) as writer:
        write(writer, Event("a", OLD_HORIZON + timedelta(days=1)))
        refresher.start()
        refresher.join(1)
        # By what it did, not by whether it is alive: a refresher also leaves where another holds the horizon.
        assert events_db.execute("SELECT materialized FROM core.horizon").fetchone() == (OLD_HORIZON,)
        writer.commit()
    refresher.join()
    refresh(events_db)
    assert [row[3] for row in asked(events_db, "one", "day")] == [1]


def test_rollups_answer_below_the_horizon(events_db: psycopg.Connection) -> None:
    """Events taken away behind the back of the rollups are still counted, but for the ragged end."""
    noon = OLD_HORIZON.replace(hour=12, minute=0)
    write(events_db, *(Event(f"{n}", noon + timedelta(minutes=n, seconds=30)) for n in range(-60, 60)))
    set_setting(events_db, "refresh_lag", "1 day")
    refresh(events_db)
    events_db.execute("DELETE FROM core.event")
    midnight = noon.replace(hour=0)
    assert asked(events_db, "one", "day") == seen(events_db, "one", "day") == [(midnight, "web", "click", 120)]
    end = noon + timedelta(minutes=10, seconds=45)
    assert asked(events_db, "one", "day", None, None, None, end) == [(midnight, "web", "click", 70)]


def test_the_order_is_by_bucket_source_and_type(events_db: psycopg.Connection) -> None:
    names = ["b", "B", "ä", "a", "A"]
    write(events_db, *(Event(f"{s} {t}", LATE, s, t) for s in names for t in names))
    rows = asked(events_db, "one", "hour")
    assert rows == sorted(rows)
    assert len(rows) == 25


def test_an_unknown_tenant_has_no_counts(events_db: psycopg.Connection) -> None:
    assert asked(events_db, "nobody", "day") == []


@pytest.mark.parametrize("size", ["week", "", "MINUTE", None])
def test_another_bucket_size_is_refused(events_db: psycopg.Connection, size: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        events_db.execute(ASK, ["one", size, None, None, None, None])
    assert caught.value.diag.message_hint == "It must be one of 1m, 1h, 1d, or minute, hour, day."


def test_infinity_is_no_moment(events_db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="event_happened_at_a_moment"):
        events_db.execute(WRITE, [["one"], ["a"], ["web"], ["click"], ["infinity"], ["{}"]])


def test_a_session_may_write_dates_as_it_likes(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a", LATE), Event("b", LATE + timedelta(hours=1)), Event("c", NOW))
    expected = asked(events_db, "one", "hour", None, None, LATE, LATE + timedelta(minutes=30))
    assert len(expected) == 1
    with events_db.transaction():
        events_db.execute("SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL timezone = 'Asia/Kolkata'")
        row = events_db.execute(
            "SELECT count(*) FROM api.event_counts('one', 'hour', range_start => %s, range_end => %s)",
            [LATE, LATE + timedelta(minutes=30)],
        ).fetchone()
    assert row == (1,)


def test_whoever_may_read_the_api_needs_no_right_to_the_tables(events_db: psycopg.Connection) -> None:
    write(events_db, Event("a"), Event("b", NOW))
    with events_db.transaction(force_rollback=True):
        events_db.execute("""
            CREATE ROLE test_event_reader;
            GRANT USAGE ON SCHEMA api TO test_event_reader;
            GRANT SELECT ON api.event_counts_1m, api.event_counts_1h, api.event_counts_1d TO test_event_reader;
            GRANT EXECUTE ON FUNCTION api.event_counts TO test_event_reader;
            SET LOCAL ROLE test_event_reader
        """)
        for size in WIDTHS:
            assert asked(events_db, "one", size) == seen(events_db, "one", size) != []
