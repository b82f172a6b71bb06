"""Events are counted exactly at every moment, whatever rollups, horizon and stale days are up to."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.event_counts.given import (
    NOW,
    OLD_HORIZON,
    WIDTHS,
    Event,
    Model,
    announce,
    asked,
    refresh,
    refresh_new_time,
    seen,
    set_horizon,
    set_setting,
    write,
)
from tests.support.examples import examples, unhurried

numbers = count(1)
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
