"""The lane of readings with samples or intervals, stored behind the three metrics, and intervals behind samples.

New samples are copied, and known ones merged; intervals are always merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from service.database.binary_arrays import ints, keys, moments
from service.database.copy_in import break_off, fill_copy, open_copy, run_plainly
from service.database.pool import Connection, committing, statement
from service.ingest.copy_rows import HEADER, TRAILER
from service.ingest.intervals import intervals_of
from service.ingest.key_cache import KeyCache
from service.ingest.observer import CommitObserver
from service.ingest.outcome import COMBINED, Outcome
from service.ingest.reading_passes import wide_part
from service.ingest.repeats import Merge
from service.ingest.sample_series import Series
from service.ingest.samples import Quarter, Samples, samples_of, touched_quarters
from service.ingest.transaction import NamesChanged, identified, merged_in, rolled_back_on_error, sent
from service.ingest.write_queue import Batch
from service.model.pg_time import DAY, UNIX_EPOCH


async def copy_samples(
    connection: Connection, key_cache: KeyCache, observer: CommitObserver, batch: Batch
) -> bytearray:
    """Insert samples by COPY, behind the readings of the batch; UniqueViolation where one is known, or twice there."""
    names, identities = await identified(connection, key_cache, batch)
    samples = samples_of(batch.rows, identities)
    series = samples.series
    missing = sorted(key_cache.series.missing(series, names.version))
    data = b"".join([HEADER, *samples.packed(), TRAILER])
    wide = wide_part(batch.rows, identities)
    intervals = Merge("merge_intervals", intervals_of(batch.rows, identities))
    bits = bytearray(len(batch.rows))
    async with rolled_back_on_error(connection):
        if wide.items or missing:
            # Readings, series, samples, intervals: the order of every writer.
            series_columns = [("register_series", columns_of_series(missing))] if missing else []
            announced, merged = await merged_in(connection, names, wide.writes + series_columns)
            wide.note(merged, bits)
            await open_copy(connection, statement("copy_more_samples"))
        else:
            ((horizon, names_version),) = await open_copy(connection, statement("copy_samples"))
            assert horizon is not None
            assert names_version is not None
            announced = int(horizon)
            if int(names_version) != names.version:
                await break_off(connection, b"names have changed")
                raise NamesChanged(int(names_version))
        await fill_copy(connection, data)
        if intervals.values.items:
            intervals.note(await sent(connection, intervals.writes), bits)
        stale, new = touched_quarters(samples, announced - UNIX_EPOCH)
        unnoted = key_cache.sample_days.missing({(user_key, at // DAY) for user_key, at in new}, names.version)
        marked = stale + [(user_key, at) for user_key, at in new if (user_key, at // DAY) in unnoted]
        # What is merged is announced without an origin, and then so are the samples.
        parts = ((each.tenant_id, each.rows, each.matched) for each in batch.submissions)
        origin = "" if wide.items or intervals.values.items else observer.register(parts)
        with committing():
            if marked or not origin or observer.has_remote_subscribers:
                named = not origin or observer.has_remote_subscribers
                announcement = announcement_of(samples) if named else {"user_keys": keys([]), "timestamps": moments([])}
                async with connection.pipeline():
                    if marked:
                        await connection.execute(statement("mark_samples"), columns_of_marks(marked))
                    await connection.execute(statement("announce_readings"), {**announcement, "mark": origin})
                    await connection.execute("COMMIT")
            else:
                await run_plainly(connection, statement("commit_with_mark") % origin.encode())
    key_cache.series.add(series, names.version)
    key_cache.sample_days.add(unnoted, names.version)
    for item in samples.items:
        bits[item] |= 1 << Outcome.inserted
    return bits.translate(COMBINED)


def announcement_of(samples: Samples) -> dict[str, bytes]:
    """Return whose samples changed, and at which moments, each once however many metrics it has."""
    changed = dict.fromkeys((user_key, at) for user_key, _, at in samples.identities)
    return {
        "user_keys": keys([user_key for user_key, _ in changed]),
        "timestamps": moments([at for _, at in changed]),
    }


def columns_of_marks(marked: Sequence[Quarter]) -> dict[str, bytes]:
    """Write users and quarters of an hour as arrays."""
    return {
        "user_keys": keys([user_key for user_key, _ in marked]),
        "timestamps": moments([start for _, start in marked]),
    }


def columns_of_series(series: Sequence[Series]) -> dict[str, bytes]:
    """Write series as arrays, one for each column."""
    return {
        "user_keys": keys([user_key for user_key, _, _ in series]),
        "metric_keys": ints([metric_key for _, metric_key, _ in series]),
        "device_keys": keys([device_key for _, _, device_key in series]),
    }


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
