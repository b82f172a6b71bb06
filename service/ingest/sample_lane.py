"""The lane of readings with samples or intervals, stored behind the three metrics, and intervals behind samples.

What is new is copied, and merged where something of it is known; worn windows and totals of days are always merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.copy_rows import HEADER, TRAILER
from service.ingest.copy_values import Packed, in_columns, marks_of, pack_values, series_in_columns, touches_of
from service.ingest.intervals import intervals_of
from service.ingest.key_cache import KeyCache, Names
from service.ingest.observer import CommitObserver
from service.ingest.outcome import COMBINED, Outcome
from service.ingest.reading_passes import wide_part
from service.ingest.repeats import Merge
from service.ingest.sample_series import Series
from service.ingest.samples import samples_of
from service.ingest.transaction import (
    NamesChanged,
    Write,
    identified,
    identities_of,
    merged_in,
    rolled_back_on_error,
    sent,
)
from service.ingest.write_queue import Batch, has_values_to_copy
from service.model.pg_time import UNIX_EPOCH


async def copy_values(connection: Connection, key_cache: KeyCache, observer: CommitObserver, batch: Batch) -> bytearray:
    """Insert a batch by COPY; UniqueViolation where a value is known, or twice there."""
    names, packed = await packed_in(connection, key_cache, batch)
    touches = touches_of(packed)
    missing = key_cache.series.missing(touches.sample_series, names.version)
    others = others_of(batch, names) if packed.has_others else None
    async with rolled_back_on_error(connection):
        announced = await copy_in_order(connection, names, packed, missing, touches.interval_series)
        outcomes = [] if others is None else await sent(connection, others.writes)
        marks = marks_of(packed, touches, announced - UNIX_EPOCH)
        unnoted = key_cache.sample_days.missing(set(marks.sample_days), names.version)
        # What is merged is announced without an origin, and so is all that comes with it. Of intervals rows do not tell
        # what counts, so live updates read it from the database.
        is_plain = others is None and not (packed.intervals and observer.has_subscribers)
        parts = ((each.tenant_id, each.rows, each.matched) for each in batch.submissions)
        origin = observer.register(parts) if is_plain else ""
        named = packed.changed() if observer.has_remote_subscribers or not origin else []
        writes: list[Write] = [*marks.writes(unnoted)]
        with committing():
            if writes or named:
                writes.append(("announce_readings", in_columns(named) | {"mark": origin}))
                async with connection.pipeline():
                    for name, columns in writes:
                        await connection.execute(statement(name), columns)
                    await connection.execute("COMMIT")
            else:
                await run_plainly(connection, statement("commit_with_mark") % origin.encode())
    key_cache.series.add(touches.sample_series, names.version)
    key_cache.sample_days.add(unnoted, names.version)
    if others is None:
        return bytearray([Outcome.inserted]) * len(batch.rows)
    bits = bytearray([1 << Outcome.inserted if has_values_to_copy(row) else 0 for row in batch.rows])
    others.note(outcomes, bits)
    return bits.translate(COMBINED)


async def packed_in(connection: Connection, key_cache: KeyCache, batch: Batch) -> tuple[Names, Packed]:
    """Return a batch as COPY takes it, and the names that it is under; unknown names are registered."""
    names = key_cache.names
    try:
        return names, pack_values(batch.parts, names)
    except KeyError:
        names = await key_cache.keys(connection, batch.parts)
        return names, pack_values(batch.parts, names)


def others_of(batch: Batch, names: Names) -> Merge:
    """Return what merges the worn windows and totals of days of a batch."""
    return Merge("merge_intervals", intervals_of(batch.rows, identities_of(batch, names), of_others=True))


async def copy_in_order(
    connection: Connection, names: Names, packed: Packed, new_series: set[Series], interval_series: set[Series]
) -> int:
    """Begin a transaction, copy a batch, and return the horizon, in microseconds since 1970.

    The order is that of every writer: readings, series of samples, samples, series of intervals, intervals.
    """
    registering: list[Write] = [("register_series", series_in_columns(new_series))] if new_series else []
    holding: list[Write] = [("hold_interval_series", series_in_columns(interval_series))] if interval_series else []
    steps = [
        ([], "copy_more_readings", packed.readings),
        (registering, "copy_more_samples", packed.samples),
        (holding, "copy_more_intervals", packed.intervals),
    ]
    announced: int | None = None
    if packed.samples and not packed.readings and not registering:
        announced = await begin_with_samples(connection, names, packed.samples)
        del steps[:2]
    pending: list[Write] = []
    for writes, name, rows in steps:
        pending += writes
        if not rows:
            continue
        if announced is None:
            announced, _ = await merged_in(connection, names, pending)
        elif pending:
            await sent(connection, pending)
        pending = []
        await open_copy(connection, statement(name))
        await fill_copy(connection, b"".join([HEADER, *rows, TRAILER]))
    assert announced is not None, "there is something to copy"
    return announced


async def begin_with_samples(connection: Connection, names: Names, samples: Sequence[bytes]) -> int:
    """Begin a transaction together with a COPY of samples, and return the horizon, in microseconds since 1970."""
    ((announced, names_version),) = await open_copy(connection, statement("copy_samples"))
    assert announced is not None
    assert names_version is not None
    if int(names_version) != names.version:
        await break_off(connection, b"names have changed")
        raise NamesChanged(int(names_version))
    await fill_copy(connection, b"".join([HEADER, *samples, TRAILER]))
    return int(announced)


async def merge(connection: Connection, key_cache: KeyCache, batch: Batch) -> bytearray:
    """Upsert a batch of readings with samples or intervals, in the order of every writer."""
    names, identities = await identified(connection, key_cache, batch)
    wide = wide_part(batch.rows, identities)
    samples = Merge("merge_samples", samples_of(batch.rows, identities))
    intervals = Merge("merge_intervals", intervals_of(batch.rows, identities))
    writes = (wide.writes, samples.writes, intervals.writes)
    bits = bytearray(len(batch.rows))
    async with rolled_back_on_error(connection):
        _, answers = await merged_in(connection, names, list(chain.from_iterable(writes)))
        merged = iter(answers)
        wide.note(list(islice(merged, len(wide.passes))), bits)
        for part in (samples, intervals):
            part.note(list(islice(merged, len(part.plan.passes))), bits)
        with committing():
            await connection.execute("COMMIT")
    return bits.translate(COMBINED)
