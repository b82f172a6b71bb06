"""The writer's queue: small requests and large ones take turns, and a group is not larger than it may be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.errors import Failed, Overloaded, Problem
from service.http.memory_budget import MemoryBudget
from service.http.tenancy import DEFAULT_TENANT
from service.ingest.outcome import Outcome
from service.ingest.write_queue import MOST_ROWS_TOGETHER, SMALL, BatchLease, Queue, Submission
from service.ingest.writer import Writer
from service.model.reading import Row, count_samples
from service.shares import PARTY


def waiting(*sizes: int) -> Queue:
    """Requests of so many readings that wait."""
    queue = Queue()
    for size in sizes:
        add(queue, size)
    return queue


def add(queue: Queue, size: int, party: str | None = None) -> None:
    """Let a request of so many readings wait."""
    future: Any = None
    queue.add(Submission(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)] * size, future, party=party))


def sizes(queue: Queue) -> list[list[int]]:
    """Take all batches."""
    found = []
    while (batch := queue.take()) is not None:
        found.append([len(submission.rows) for submission in batch.submissions])
        queue.end(batch)
    return found


def test_small_and_large_take_turns() -> None:
    half = MOST_ROWS_TOGETHER // 2
    assert sizes(waiting(half, half, half, 1, 2, half)) == [[1, 2], [half, half], [half, half]]
    queue = waiting(half, half, half, 1)
    first = queue.take()
    assert first is not None
    assert [len(submission.rows) for submission in first.submissions] == [1]
    add(queue, 3)
    assert sizes(queue) == [[half, half], [3], [half]]


def test_of_each_tenant_something_is_in_the_next_batch() -> None:
    """However much another one has sent before; what is left of that one stays in order, behind the others."""
    third = MOST_ROWS_TOGETHER // 3
    queue = Queue()
    for number in range(6):
        add(queue, third - number, "flood")
    add(queue, 200, "calm")
    add(queue, 300, "calm")
    add(queue, 400, "other")
    assert sizes(queue) == [[third, 200, 400, third - 1, 300], [third - 2, third - 3, third - 4], [third - 5]]


def test_tenants_take_turns_where_not_all_find_room() -> None:
    queue = Queue()
    for _ in range(2):
        for party in ("ada's", "bo's", "cy's"):
            add(queue, MOST_ROWS_TOGETHER // 2, party)
    taken = []
    while (batch := queue.take()) is not None:
        taken.append([submission.party for submission in batch.submissions])
        queue.end(batch)
    assert taken == [["ada's", "bo's"], ["cy's", "ada's"], ["bo's", "cy's"]]


def test_one_who_floods_leaves_a_writer_to_others() -> None:
    """Where two write, of a party that is being written nothing more is taken; alone, it has all writers."""

    async def run() -> None:
        queue = Queue()
        add(queue, 1, "flood")
        async with BatchLease(queue) as first:
            first.take()
            add(queue, 200, "flood")
            async with BatchLease(queue) as second:  # nobody else has come
                assert [each.party for each in second.take().submissions] == ["flood"]
            add(queue, 300, "flood")
            add(queue, 150, "calm")
            async with BatchLease(queue) as third:
                assert [each.party for each in third.take().submissions] == ["calm"]
            assert not queue.arrival.is_set()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), BatchLease(queue):
                    pass
        assert queue.arrival.is_set()
        async with BatchLease(queue) as fourth:
            assert [len(each.rows) for each in fourth.take().submissions] == [300]
        assert not queue.writing

    asyncio.run(run())


def test_who_has_waited_for_too_long_keeps_out_its_own_tenant_only() -> None:
    async def wait() -> None:
        writer = Writer(None, 1000, 5)  # type: ignore[arg-type]
        PARTY.set("flood")
        first = asyncio.create_task(writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)]))
        await asyncio.sleep(0)
        waiting = writer.queue.small.first("flood")
        assert waiting is not None
        waiting.since -= 6
        with pytest.raises(Overloaded):
            writer.require_room(1)
        PARTY.set("calm")
        writer.require_room(1)
        first.cancel()

    asyncio.run(wait())


def test_a_request_larger_than_a_batch_goes_alone() -> None:
    assert sizes(waiting(101, MOST_ROWS_TOGETHER + 1, 102)) == [[101], [MOST_ROWS_TOGETHER + 1], [102]]


def test_a_batch_is_all_that_waits_when_it_is_taken() -> None:
    async def take_late() -> None:
        queue = waiting(1)
        async with BatchLease(queue) as lease:
            assert len(lease.peek().rows) == 1
            assert queue.right.locked()
            add(queue, 2)
            batch = lease.take()
            assert [len(submission.rows) for submission in batch.submissions] == [1, 2]
            assert len(batch.rows) == 3
            assert not queue.right.locked(), "the next writer may begin meanwhile"
            assert not queue.arrival.is_set()
            assert lease.take() is batch

    asyncio.run(take_late())


@pytest.mark.parametrize("something_waits", [True, False])
def test_a_lease_ends_with_its_block_and_when_it_is_cancelled(something_waits: bool) -> None:
    async def cancel() -> None:
        queue = waiting(*([1] if something_waits else []))

        async def hold() -> None:
            async with BatchLease(queue):
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0)
        assert queue.right.locked()
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        assert not queue.right.locked()

    asyncio.run(cancel())


def test_over_the_bound_is_refused_at_once() -> None:
    async def overfill() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]
        first = asyncio.create_task(writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)] * 90))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)] * 11)
        assert caught.value.retry_after
        first.cancel()

    asyncio.run(overfill())


def test_a_tenant_leaves_room_to_others() -> None:
    async def fill() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]
        PARTY.set("clinic")
        flood = [asyncio.create_task(writer.write("clinic", [Row("ada", "watch", 0, 60.0)] * 10)) for _ in range(10)]
        await asyncio.sleep(0)
        assert writer.queued == 50
        PARTY.set("lab")
        late = asyncio.create_task(writer.write("lab", [Row("ada", "watch", 0, 60.0)] * 20))
        await asyncio.sleep(0)
        assert writer.queued == 70
        for task in (*flood, late):
            task.cancel()
        refused = await asyncio.gather(*flood, late, return_exceptions=True)
        assert sum(isinstance(one, Overloaded) for one in refused) == 5
        assert writer.queued == 0

    asyncio.run(fill())


def test_what_waits_for_too_long_keeps_others_out() -> None:
    async def wait() -> None:
        writer = Writer(None, 1000, 5)  # type: ignore[arg-type]
        first = asyncio.create_task(writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)]))
        await asyncio.sleep(0)
        first_of_all = writer.queue.small.first(None)
        assert first_of_all is not None
        first_of_all.since -= 6
        with pytest.raises(Overloaded):
            await writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)])
        # Large requests wait apart.
        second = asyncio.create_task(writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)] * (SMALL + 1)))
        await asyncio.sleep(0)
        assert len(writer.queue.large) == 1
        first.cancel()
        second.cancel()

    asyncio.run(wait())


def test_room_is_bounded() -> None:
    room = MemoryBudget(100, "Bodies")
    room.take(1000)  # alone, anything may
    with pytest.raises(Overloaded):
        room.take(1)
    room.give(1000)
    room.take(60)
    room.take(40)
    with pytest.raises(Overloaded):
        room.take(1)
    room.give(60)
    room.take(60)


def test_a_surprise_ends_no_writer(caplog: pytest.LogCaptureFixture) -> None:
    async def surprise() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]  # a pool that fails in a way that nobody foresaw
        running = asyncio.create_task(writer.run())
        for _ in range(2):
            with pytest.raises(Problem) as caught:
                await writer.write(DEFAULT_TENANT, [Row("ada", "watch", 0, 60.0)])
            assert type(caught.value) is Failed
        running.cancel()

    asyncio.run(surprise())
    assert "could not be written" in caplog.text


def test_each_tenant_of_a_batch_has_used_its_part_of_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("service.ingest.writer.monotonic", lambda: clock[0])
    used: dict[str | None, float] = {}
    monkeypatch.setattr("service.ingest.writer.note_use", lambda seconds: used.update({PARTY.get(): seconds}))

    class Stored(Writer):
        async def store(self, lease: BatchLease, upserting: bool) -> bytearray:
            clock[0] += 0.4
            return bytearray([Outcome.inserted] * len(lease.take().rows))

    async def store() -> None:
        writer = Stored(None, 100, 60)  # type: ignore[arg-type]

        async def write(party: str, size: int) -> None:
            PARTY.set(party)
            assert (await writer.write(party, [Row("ada", "watch", 0, 60.0)] * size))["inserted"] == size

        writing = [asyncio.create_task(write(*each)) for each in (("clinic", 3), ("lab", 1))]
        await asyncio.sleep(0)
        running = asyncio.create_task(writer.run())
        await asyncio.gather(*writing)
        running.cancel()

    asyncio.run(store())
    assert used == {"clinic": pytest.approx(0.3), "lab": pytest.approx(0.1)}


def test_readings_with_samples_wait_in_lines_of_their_own() -> None:
    async def fill() -> None:
        queue = Queue()
        loop = asyncio.get_running_loop()
        plain, wide = [Row("ada", "watch", 0, 60.0)], [Row("ada", "watch", 0, samples=((9, 97.0),))]
        for rows in (plain, wide, plain, wide * (SMALL + 1), plain * (SMALL + 1)):
            queue.add(Submission(DEFAULT_TENANT, rows, loop.create_future(), samples=count_samples(rows)))
        batches = list(iter(queue.take, None))
        assert [(len(batch.submissions), batch.has_samples) for batch in batches] == [
            (2, False),
            (1, False),
            (1, True),
            (1, True),
        ]
        assert not queue.arrival.is_set()

    asyncio.run(fill())


def test_a_batch_is_bounded_by_the_rows_that_it_stores() -> None:
    """A reading of a single sample is one row, as one of the three is; what carries both, or several, is more."""

    async def fill() -> None:
        future: Any = None
        third = MOST_ROWS_TOGETHER // 3
        single, both, two = (
            Row("ada", "watch", 0, samples=((9, 97.0),)),
            Row("ada", "watch", 0, 60.0, samples=((9, 97.0),)),
            Row("ada", "watch", 0, samples=((9, 97.0), (10, 1.0))),
        )
        for row, counts in ((single, [3, 1]), (both, [1, 1, 1, 1]), (two, [1, 1, 1, 1])):
            queue = Queue()
            for _ in range(4):
                queue.add(Submission(DEFAULT_TENANT, [row] * third, future, samples=count_samples([row] * third)))
            assert [len(batch.submissions) for batch in iter(queue.take, None)] == counts

    asyncio.run(fill())


def test_samples_count_where_memory_is_bounded() -> None:
    async def fill() -> None:
        writer = Writer(None, 100, 60)  # type: ignore[arg-type]
        rows = [Row("ada", "watch", 0, samples=tuple((key, 1.0) for key in range(40)))] * 9
        waiting = asyncio.create_task(writer.write(DEFAULT_TENANT, rows))
        await asyncio.sleep(0)
        assert writer.queued == 9 + 90
        with pytest.raises(Overloaded):
            await writer.write(DEFAULT_TENANT, rows)
        waiting.cancel()

    asyncio.run(fill())
