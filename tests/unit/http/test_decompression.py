"""Compressed bodies: whole ones come out as they went in, broken ones are refused, bombs go off slowly."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from functools import cache

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Malformed, Problem, TooLarge, Unsupported
from service.event_loop import FairGate
from service.http.decompression import ALWAYS, STEP, plain
from service.settings import Settings

MEGABYTE = 1024 * 1024
ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}
MEGABYTE = 1024 * 1024


@cache
def bomb(encoding: str, size: int) -> bytes:
    """Compress so many zeros, once for all tests that send them."""
    return ENCODERS[encoding](bytes(size))


@cache
def day_of_seconds() -> bytes:
    """Return readings that compress well, as NDJSON."""
    line = '{{"user_id": "%s", "timestamp": "2025-01-15T{:02}:{:02}:{:02}Z", "steps": 0}}\n' % ("u" * 128)
    return "".join(line.format(n // 3600, n // 60 % 60, n % 60) for n in range(86_400)).encode()


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def decode(body: bytes, encoding: str, size: int = 1000, most_ratio: int = 100_000) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [piece async for piece in plain(in_pieces(body, size), encoding, most_ratio, FairGate())]

    return asyncio.run(collect())


@pytest.mark.parametrize("encoding", ENCODERS)
@given(body=st.binary(min_size=1, max_size=5000), size=st.integers(1, 300))
def test_what_goes_in_comes_out(encoding: str, body: bytes, size: int) -> None:
    assert b"".join(decode(ENCODERS[encoding](body), encoding, size)) == body


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_follow_each_other(encoding: str) -> None:
    encode = ENCODERS[encoding]
    assert b"".join(decode(encode(b"one ") + encode(b"two"), encoding)) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["truncated", "trailing", "other"])
def test_what_is_broken_is_refused(encoding: str, damage: str) -> None:
    whole = ENCODERS[encoding](b"something longer than nothing")
    broken = {"truncated": whole[:-3], "trailing": whole + b"rest", "other": b"not compressed at all"}[damage]
    with pytest.raises(Problem) as caught:
        decode(broken, encoding)
    assert type(caught.value) is Malformed


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        decode(b"", "br")
    assert type(caught.value) is Unsupported


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_gives_at_most_a_few_steps_at_a_time(encoding: str) -> None:
    sent = bomb(encoding, 64 * MEGABYTE)
    pieces = decode(sent, encoding, size=len(sent))
    assert sum(map(len, pieces)) == 64 * MEGABYTE
    assert max(map(len, pieces)) <= MEGABYTE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_bombs_take_turns(encoding: str) -> None:
    sent = bomb(encoding, 8 * MEGABYTE)
    made: list[int] = []  # bytes, by iteration of the event loop

    async def read(gate: FairGate) -> None:
        async for piece in plain(in_pieces(sent, len(sent)), encoding, 100_000, gate):
            made[-1] += len(piece)

    async def read_many() -> None:
        gate = FairGate()
        readers = [asyncio.create_task(read(gate)) for _ in range(12)]
        while not all(reader.done() for reader in readers):
            made.append(0)
            await asyncio.sleep(0)

    asyncio.run(read_many())
    assert sum(made) == 12 * 8 * MEGABYTE
    assert max(made) <= MEGABYTE + STEP


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_a_bomb_is_refused_soon(encoding: str, size: int) -> None:
    sent = bomb(encoding, 32 * MEGABYTE)
    made: list[bytes] = []

    async def collect() -> None:
        async for piece in plain(in_pieces(sent, size), encoding, 100, FairGate()):
            made.append(piece)

    with pytest.raises(TooLarge, match="more than 100 times as many"):
        asyncio.run(collect())
    assert sum(map(len, made)) <= ALWAYS + 100 * len(sent)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_readings_that_compress_well_are_read(encoding: str) -> None:
    """A day of seconds: as NDJSON with zstd, 1:108 to 1:224."""
    day = day_of_seconds()
    packed = zstandard.ZstdCompressor(9).compress(day) if encoding == "zstd" else ENCODERS[encoding](day)
    assert b"".join(decode(packed, encoding, 64_000, Settings("").max_compression_ratio)) == day


@pytest.mark.parametrize(
    ("encoding", "nothing"),
    [("gzip", gzip.compress(b"", mtime=0)), ("zstd", b"\x50\x2a\x4d\x18\x10\0\0\0" + bytes(16))],
    ids=["gzip", "zstd"],
)
def test_what_goes_on_and_holds_nothing_is_refused(encoding: str, nothing: bytes) -> None:
    """Empty members of gzip, and frames of zstd that are to be skipped."""
    something = ENCODERS[encoding](b"something")
    assert b"".join(decode(something + nothing * 10 + something, encoding)) == b"somethingsomething"
    with pytest.raises(TooLarge, match="nearly nothing"):
        decode(nothing * (3 * MEGABYTE // len(nothing)), encoding, 64_000)
