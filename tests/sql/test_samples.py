"""Samples of any metric: what is stored, counted, charted, deleted and erased, against brute force in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.database.schema import SQL
from tests.support.database import listen
from tests.support.examples import examples
from tests.support.interleaving import Stage
from tests.support.moments import HOUR, MINUTE, micros, moment
from tests.support.sample_model import DEVICES, KINDS, USERS, Model, eras
from tests.support.samples import SUMMARY, Question, Sample, latest, maybe, series, summary, write_samples
from tests.support.sql_client import insert as insert_readings
from tests.support.sql_client import keyless, last_seen, seen
from tests.support.stored import Item

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
COMPRESS = "SELECT compress_chunk(c, true) FROM show_chunks('core.sample') AS c"
numbers = count(1)

unhurried = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def new_tenant(db: psycopg.Connection[Any]) -> str:
    """Return a tenant without samples, with a metric of its own that others have too."""
    tenant = f"tenant{next(numbers)}"
    db.execute("SELECT api.set_metric(%s, 'strain', '{score}', 'gauge', -1e6, 1e6)", [tenant])
    return tenant


# Random histories -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """What happens to a tenant, and what is asked afterwards."""

    batches: list[list[Sample]]
    priorities: dict[str, int]
    compressed: bool
    questions: list[Question]


@st.composite
def histories(draw: st.DrawFn) -> History:
    era = draw(eras())
    batches = draw(st.lists(era.batches, min_size=1, max_size=3))
    return History(
        batches,
        {device: draw(st.sampled_from([1, 1, 5])) for device in DEVICES},
        draw(st.booleans()),
        draw(st.lists(era.questions([one.ts for batch in batches for one in batch]), min_size=3, max_size=5)),
    )


def compare(db: psycopg.Connection[Any], history: History) -> None:
    """Let a history happen in the database and in the model, and ask both."""
    tenant, model = new_tenant(db), Model()
    for batch in history.batches:
        assert write_samples(db, tenant, batch) == model.write(batch)
        if history.compressed:
            db.execute(COMPRESS)
    for device, priority in history.priorities.items():
        if device in model.devices:
            db.execute("SELECT api.set_device(%s, %s, NULL, %s)", [tenant, device, priority])
            model.priorities[device] = priority
    for asked in history.questions:
        assert summary(db, tenant, asked) == model.summary(asked)
        assert series(db, tenant, asked) == model.series(asked)
        assert latest(db, tenant, asked.user) == model.latest(asked.user)


@settings(unhurried, max_examples=examples(60))
@given(histories())
def test_answers_are_exact(db: psycopg.Connection[Any], history: History) -> None:
    compare(db, history)


RANK = "core.device_rank(d.priority, d.metric_priorities, d.device_key, b.metric_key)"
MUTANTS = {
    "the worst device counts": (f"{RANK}'", f"{RANK} DESC'"),
    "the device registered last counts": (f"{RANK}'", f"{RANK} >> 32, d.device_key DESC'"),
    "priority does not matter": (f"{RANK}'", "d.device_key'"),
    "every device counts": ("SELECT DISTINCT ON (b.user_key, b.metric_key, b.bucket)", "SELECT"),
    "devices are compared by two minutes": ("INTERVAL '1 minute'", "INTERVAL '2 minutes'"),
    "the end is in the range": ("s.ts < a.range_end AND s.ts >= %1$L AND s.ts < %2$L", "s.ts <= a.range_end"),
    "devices never meet": ("HAVING min(a.device_key) < max(a.device_key)", "HAVING false"),
    "the first value is the last": ("public.last(s.value, s.ts)", "public.first(s.value, s.ts)"),
    "sums are rounded to thousandths": ("round(s.value * 1e6)", "1000 * round(s.value * 1e3)"),
}  # fmt: skip


@contextmanager
def mutated(db: psycopg.Connection[Any], wrong: tuple[str, str]) -> Iterator[None]:
    """Change a passage of the function that chooses between devices."""
    file = SQL / "api_internal/samples/instant_buckets.sql"
    right = file.read_text(encoding="utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    changed = right.replace(*wrong)
    assert changed != right
    db.execute(changed.encode())
    try:
        yield
    finally:
        db.execute(right.encode())


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_comparison_catches(db: psycopg.Connection[Any], mutant: str) -> None:
    @settings(unhurried, max_examples=300, phases=[Phase.generate])
    @given(histories())
    def search(history: History) -> None:
        compare(db, history)

    with mutated(db, MUTANTS[mutant]), pytest.raises((AssertionError, ExceptionGroup)):
        search()


# What is stored ---------------------------------------------------------------------------------------------


def at(minutes: float) -> int:
    """Return a moment so many minutes after noon."""
    return micros(NOON) + round(minutes * MINUTE)


def sample(
    metric: str = "spo2", minutes: float = 0, value: float = 97, device: str = "watch", user: str = "ada"
) -> Sample:
    return Sample(user, device, metric, at(minutes), value)


def ask(*metrics: str, user: str = "ada", device: str | None = None, bucket: str = "1h", days: int = 1) -> Question:
    return Question(user, at(-60), at(60 + 1440 * (days - 1)), metrics, device, bucket, "UTC", 1000)


def stored(db: psycopg.Connection[Any], tenant: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT user_id, device_id, metric, unit, ts, value FROM api.samples WHERE tenant_id = %s ORDER BY ts, 1, 2, 3"
    )
    return [(*found[:4], micros(found[4]), found[5]) for found in db.execute(query, [tenant]).fetchall()]


def test_outcomes_say_what_was_new_and_what_changed(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    assert write_samples(db, tenant, [sample(), sample("body_weight"), sample(device="ring")]) == ([1, 2, 3], [])
    again = [sample(), sample("body_weight", value=70.5), sample(minutes=1), sample(device="ring", value=0.5)]
    assert write_samples(db, tenant, again) == ([3], [2, 4])
    assert write_samples(db, tenant, again) == ([], [])
    assert stored(db, tenant) == [
        ("ada", "ring", "spo2", "%", at(0), 0.5),
        ("ada", "watch", "body_weight", "kg", at(0), 70.5),
        ("ada", "watch", "spo2", "%", at(0), 97),
        ("ada", "watch", "spo2", "%", at(1), 97),
    ]


def test_outcomes_are_the_same_over_many_chunks(db: psycopg.Connection[Any]) -> None:
    """Where the upsert finds what is unchanged."""
    tenant = new_tenant(db)
    batch = [sample(minutes=-n * 28 * 1440) for n in range(60)]
    assert write_samples(db, tenant, batch) == (list(range(1, 61)), [])
    batch[7] = batch[7]._replace(value=50)
    assert write_samples(db, tenant, batch) == ([], [8])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e9 + 1, -1e10])
def test_no_number_is_refused(db: psycopg.Connection[Any], value: float) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="sample_value_is_finite"):
        write_samples(db, new_tenant(db), [sample(value=value)])


@pytest.mark.parametrize("metric", ["heart_rate", "steps", "calories"])
def test_the_metrics_of_readings_are_no_samples(db: psycopg.Connection[Any], metric: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="samples_are_of_no_metric_of_readings"):
        write_samples(db, new_tenant(db), [sample(metric)])


def test_listeners_are_notified_of_what_changed(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    listen(db)
    write_samples(db, tenant, [sample(), sample(minutes=1)])
    assert len(list(db.notifies(timeout=5, stop_after=1))) == 1
    write_samples(db, tenant, [sample(), sample(minutes=1)])
    assert list(db.notifies(timeout=0.2)) == []
    write_samples(db, tenant, [sample(minutes=2)])
    write_samples(db, tenant, [sample(metric, minutes=3) for metric in ("spo2", "hrv_sdnn", "respiratory_rate")])
    one, many = (len(each.payload.partition(":")[2]) for each in db.notifies(timeout=5, stop_after=2))
    assert one == many, "a moment is announced once, however many metrics it has"
    db.execute("UNLISTEN *")


def test_sums_are_exact_in_any_order(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    for user, values in (("ada", [0.1, 1e6, 0.2, -0.0, 0.3]), ("bob", [0.3, 0.2, 1e6, 0.1, 0])):
        write_samples(db, tenant, [sample("hydration", n, value, user=user) for n, value in enumerate(values)])
    totals = [summary(db, tenant, ask("hydration", user=user))[0][7] for user in ("ada", "bob")]
    assert totals == [1_000_000.6] * 2


def test_a_sum_may_be_larger_than_64_bits_of_millionths(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample("hydration", n / 300, 1e9) for n in range(10_000)])
    assert summary(db, tenant, ask("hydration"))[0][7] == 1e13
    assert series(db, tenant, ask("hydration"))[0][8] == 1e13


# What is asked ----------------------------------------------------------------------------------------------


def test_the_metrics_of_readings_are_answered_as_everywhere(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    insert_readings(db, [Item(tenant, "ada", "watch", at(n), 60 + n, 10 if n else None, None) for n in range(3)])
    write_samples(db, tenant, [sample()])
    heart = ("heart_rate", "/min", "gauge", 3, 61, 60, 62, None, None)
    steps = ("steps", "{steps}", "sum", None, None, None, None, 20, None)
    spo2 = ("spo2", "%", "gauge", 1, 97, 97, 97, None, None)
    calories = ("calories", "kcal", "sum", 0, None, None, None, None, None)
    for refreshed in (False, True):
        if refreshed:
            db.execute("CALL api.refresh()")
        everything = summary(db, tenant, ask("spo2", "steps", "heart_rate", "calories"))
        assert everything == [
            *((*found, None, None) for found in (heart, steps, calories)),
            (*spo2, at(0), at(0)),
        ]
        assert series(db, tenant, ask("spo2", "steps", "heart_rate", "calories")) == [
            (at(0), *heart, "watch", "1h"),
            (at(0), *steps, None, "1h"),
            (at(0), *spo2, "watch", "1h"),
        ]
    assert series(db, tenant, ask("steps", bucket="raw")) == [
        (at(n), "steps", "{steps}", "sum", 1, None, None, None, 10, None, "watch", "raw") for n in (1, 2)
    ]


def test_many_series_are_answered_again_and_again(db: psycopg.Connection[Any]) -> None:
    """TimescaleDB 2.29.2 has a plan for many series, chosen at the sixth question of a session, that fails."""
    tenant = new_tenant(db)
    names = [name for (name,) in db.execute("SELECT name FROM api.metrics WHERE name > 't' OR name < 'c' LIMIT 10")]
    devices = [f"device {number}" for number in range(50)]
    write_samples(db, tenant, [sample(name, device=device) for name in names for device in devices])
    db.execute("ANALYZE core.sample_series")
    for _ in range(8):
        assert [found[3] for found in summary(db, tenant, ask(*names))] == [1] * len(names)


def test_without_names_all_metrics_of_the_range_are_answered(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    insert_readings(db, [Item(tenant, "ada", "watch", at(0), None, 5, None)])
    write_samples(db, tenant, [sample(), sample("strain"), sample("body_weight", 100)])
    question = [tenant, "ada", moment(at(-60)), moment(at(60)), None, None]
    assert [found[0] for found in db.execute(SUMMARY, question)] == ["steps", "spo2", "strain"]
    assert db.execute(SUMMARY, [*question[:5], "unknown"]).fetchall() == []
    assert db.execute(SUMMARY, [tenant, "nobody", *question[2:]]).fetchall() == []
    assert db.execute(SUMMARY, [tenant, "ada", None, None, None, None]).fetchall() == [], "without a range"


def test_a_user_or_device_that_is_unknown_has_nothing(db: psycopg.Connection[Any]) -> None:
    tenant = new_tenant(db)
    write_samples(db, tenant, [sample()])
    nothing = ("spo2", "%", "gauge", 0, *[None] * 7)
    for asked in (ask("spo2", user="nobody"), ask("spo2", device="unknown")):
        assert summary(db, tenant, asked) == [nothing]
        assert series(db, tenant, asked) == []
    assert latest(db, tenant, "nobody") == []
    assert latest(db, "nobody", "ada") == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("heartrate", "Did you mean heart_rate? "),
        ("SPO2", "Did you mean spo2? "),
        ("body weight", "Did you mean body_weight? "),
        ("strian", "Did you mean strain? "),
        ("xyzzy", ""),
        ("x" * 10_000, ""),
        ("", ""),
    ],
)
def test_an_unknown_metric_is_an_error_that_suggests_one(db: psycopg.Connection[Any], name: str, hint: str) -> None:
    tenant = new_tenant(db)
    for ask_for in (summary, series):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
            ask_for(db, tenant, ask("spo2", name))
        said = caught.value.diag
        assert (said.message_primary, said.column_name) == (f"metrics has {name}", "metrics")
        assert said.message_hint == hint + "The view api.metrics has those that are known."


def test_a_metric_of_another_tenant_is_unknown(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="metrics has strain"):
        summary(db, "another", ask("strain"))


def test_an_unknown_bucket_or_zone_is_an_error(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="bucket is 2h"):
        series(db, "default", ask("spo2", bucket="2h"))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="tz is Mars"):
        series(db, "default", ask("spo2")._replace(tz="Mars"))


def test_who_has_only_samples_is_seen(db: psycopg.Connection[Any]) -> None:
    """Those after now, from a clock that is ahead, count neither there nor as the latest."""
    tenant = new_tenant(db)
    ahead = micros(datetime.now(UTC)) + HOUR
    insert_readings(db, [Item(tenant, user, "watch", at(5), 60, None, None) for user in ("bob", "carol")])
    write_samples(db, tenant, [sample(), sample()._replace(ts=ahead, value=90), sample(minutes=9, user="bob")])
    write_samples(db, tenant, [sample(user="dan")._replace(ts=ahead), sample(user="carol")])
    for refreshed in (False, True):
        if refreshed:
            db.execute("CALL api.refresh()")
        expected = [("ada", at(0)), ("bob", at(9)), ("carol", at(5)), ("dan", None)]
        assert seen(db, tenant) == last_seen(db, tenant) == expected
    assert latest(db, tenant, "ada") == [("spo2", "%", 97, at(0), "watch")]
    assert latest(db, tenant, "dan") == []


# Upkeep, retention, deletion, erasure -----------------------------------------------------------------------


def compressed(db: psycopg.Connection[Any]) -> list[bool]:
    query = (
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'sample' ORDER BY range_start"
    )
    return [found for (found,) in db.execute(query)]


def uncompressed_rows(db: psycopg.Connection[Any]) -> int:
    """Count the rows that chunks hold outside of the columnstore."""
    chunks = [str(name) for (name,) in db.execute("SELECT show_chunks('core.sample')::text")]
    return sum((db.execute(f"SELECT count(*) FROM ONLY {name}".encode()).fetchone() or (0,))[0] for name in chunks)


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


KEEP = "UPDATE core.setting SET value = %s WHERE name = 'raw_retention'"


def left(db: psycopg.Connection[Any]) -> int:
    (found,) = db.execute("SELECT count(*) FROM core.sample").fetchone() or (0,)
    return int(found)


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
