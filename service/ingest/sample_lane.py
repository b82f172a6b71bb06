"""The lane of readings with samples or intervals, stored behind the three metrics, and intervals behind samples.

What is new is copied, and merged where something of it is known; worn windows and totals of days are always merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice

from psycopg.rows import DictRow

from service.database.binary_arrays import ints
from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.copy_rows import HEADER, TRAILER
from service.ingest.copy_values import (
    PackedValues,
    held_in_columns,
    in_columns,
    join_values,
    marks_of,
    metric_of,
    series_in_columns,
)
from service.ingest.intervals import intervals_of
from service.ingest.key_cache import KeyCache, Names
from service.ingest.observer import CommitObserver
from service.ingest.outcome import COMBINED, Outcome
from service.ingest.reading_passes import wide_part
from service.ingest.repeats import Merge
from service.ingest.sample_series import Known, Series
from service.ingest.samples import samples_of
from service.ingest.transaction import (
    NamesChanged,
    TakenOtherwise,
    UnknownNames,
    Write,
    identified,
    merged_in,
    rolled_back_on_error,
    sent,
)
from service.ingest.write_queue import Batch, BatchLease, has_values_to_copy
from service.model.pg_time import UNIX_EPOCH


async def copy_values(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, lease: BatchLease
) -> bytearray:
    """Insert a batch by COPY; UniqueViolation where a value is known, or twice there.

    The batch is taken when the transaction has begun. Where what waits begins with samples, so does the transaction, by
    a COPY that is open when the batch is taken; what was taken may have come to begin with something else.
    """
    names = key_cache.names
    is_open = begins_with_samples(packed_parts(lease.peek(), names), key_cache.series)
    async with rolled_back_on_error(connection):
        announced = await (open_samples if is_open else begin)(connection, names)
        try:
            batch = lease.take()
            parts = packed_parts(batch, names)
            if is_open and not begins_with_samples(parts, key_cache.series):
                raise TakenOtherwise
        except (TakenOtherwise, UnknownNames):
            if is_open:
                await break_off(connection, b"what was taken does not begin with samples that have keys")
            raise
        packed = join_values(parts)
        sample_series = packed.touches.sample_series
        await copy_in_order(connection, packed, key_cache.series.missing(sample_series, names.version), is_open)
        others = Merge("merge_intervals", packed.others) if packed.others.items else None
        outcomes: list[DictRow] = []
        if others is not None:
            _, *outcomes = await sent(connection, [requiring(packed.others.metric_keys), *others.writes])
        marks = marks_of(packed, announced - UNIX_EPOCH)
        unnoted = key_cache.sample_days.missing(set(marks.sample_days), names.version)
        # What is merged is announced without an origin, and so is all that comes with it. Of intervals rows do not tell
        # what counts, so live updates read it from the database.
        is_plain = others is None and not (packed.intervals and observer.has_subscribers)
        origins = ((each.tenant_id, each.rows, each.matched) for each in batch.submissions)
        origin = observer.register(origins) if is_plain else ""
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
    key_cache.series.add(sample_series, names.version)
    key_cache.sample_days.add(unnoted, names.version)
    if others is None:
        return bytearray([Outcome.inserted]) * packed.reading_count
    bits = bytearray([1 << Outcome.inserted if has_values_to_copy(row) else 0 for row in batch.rows])
    others.note(outcomes, bits)
    return bits.translate(COMBINED)


def packed_parts(batch: Batch, names: Names) -> list[PackedValues]:
    """Return what each submission of a batch stores, as COPY takes it."""
    if not batch.has_samples:
        raise TakenOtherwise
    batch.pack(names)
    if not batch.is_packed(names.version):
        raise UnknownNames
    return batch.packed_values()


def begins_with_samples(parts: Sequence[PackedValues], series: Known[Series]) -> bool:
    """Return whether the first to be written, in the order of every writer, are samples."""
    if any(part.readings or series.missing(part.touches.sample_series, part.version) for part in parts):
        return False
    return any(part.samples for part in parts)


async def begin(connection: Connection, names: Names) -> int:
    """Begin a transaction, and return the horizon, in microseconds since 1970."""
    announced, _ = await merged_in(connection, names, ())
    return announced


async def open_samples(connection: Connection, names: Names) -> int:
    """Do so together with a COPY of samples, which is open then."""
    ((announced, names_version),) = await open_copy(connection, statement("copy_samples"))
    assert announced is not None
    assert names_version is not None
    if int(names_version) != names.version:
        await break_off(connection, b"names have changed")
        raise NamesChanged(int(names_version))
    return int(announced)


async def copy_in_order(connection: Connection, packed: PackedValues, new_series: set[Series], is_open: bool) -> None:
    """Copy a batch, which begins with samples where their COPY is open already.

    The order is that of every writer: readings, series of samples, samples, series of intervals, intervals.
    """
    registering: list[Write] = []
    if new_series:
        # A series that is known was registered under this version of names, and its metric was there.
        registering.append(requiring({metric_of(each) for each in new_series}))
        registering.append(("register_series", series_in_columns(new_series)))
    # With those of what is merged later, since all series are held in one order.
    holding: list[Write] = [("hold_interval_series", held_in_columns(packed))] if packed.intervals else []
    steps = [
        ([], "copy_more_readings", packed.readings),
        (registering, "copy_more_samples", packed.samples),
        (holding, "copy_more_intervals", packed.intervals),
    ]
    if is_open:
        await fill_copy(connection, copied(packed.samples))
        del steps[:2]
    for writes, name, rows in steps:
        if writes:
            await sent(connection, writes)
        if rows:
            await open_copy(connection, statement(name))
            await fill_copy(connection, copied(rows))


def requiring(metric_keys: Iterable[int]) -> Write:
    """Return the statement that makes sure that metrics are declared still; its answer says nothing."""
    return ("require_metrics", {"metric_keys": ints(sorted(metric_keys))})


def copied(rows: Sequence[bytes]) -> bytes:
    """Return the whole of what a COPY is given."""
    return b"".join([HEADER, *rows, TRAILER])


async def merge(connection: Connection, key_cache: KeyCache, batch: Batch) -> bytearray:
    """Upsert a batch of readings with samples or intervals, in the order of every writer."""
    names, identities = await identified(connection, key_cache, batch)
    wide = wide_part(batch.rows, identities)
    of_samples, of_intervals = samples_of(batch.rows, identities), intervals_of(batch.rows, identities)
    samples, intervals = Merge("merge_samples", of_samples), Merge("merge_intervals", of_intervals)
    required = [requiring(set(of_samples.metric_keys) | of_intervals.metric_keys)]
    registering: list[Write] = []
    if of_samples.items and of_intervals.items:
        # Each registers its own series as well, which would be one after the other where those who copy have one order.
        registering.append(("register_series", series_in_columns(of_samples.series | of_intervals.series)))
    writes = (required, wide.writes, registering, samples.writes, intervals.writes)
    bits = bytearray(len(batch.rows))
    async with rolled_back_on_error(connection):
        _, answers = await merged_in(connection, names, list(chain.from_iterable(writes)))
        merged = islice(answers, len(required), None)
        wide.note(list(islice(merged, len(wide.passes))), bits)
        for part in (samples, intervals):
            part.note(list(islice(merged, len(part.plan.passes))), bits)
        with committing():
            await connection.execute("COMMIT")
    return bits.translate(COMBINED)
