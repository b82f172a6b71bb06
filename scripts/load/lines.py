"""Read files by lines, compressed or not, in constant memory, from the position of an earlier run."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from scripts.load.errors import CannotRead

LONGEST_LINE = 64 * 1024
"""Bytes; a reading needs a few hundred."""
STEP = 1024
"""Bytes of zstd that are decompressed at a time; they can expand to megabytes."""
PASSED = 1024 * 1024
"""Bytes that are skipped at a time."""
MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line of a file, or the lines of a row of CSV."""

    number: int
    """Number of the first line, from 1."""
    last: int
    """Number of the last line."""
    text: bytes
    """Text without the line end; the beginning of a line that is too long."""
    end: int
    """Offset of its end in the decompressed file."""
    is_short: bool = True
    """Whether the text is complete."""
    is_finished: bool = True
    """Whether the line has an end; otherwise the file ends in it, and the line may grow."""


class Zstd(io.RawIOBase):
    """The decompressed bytes of a zstd file. Unlike zstandard's own reader, it detects a truncated file."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.stream = zstandard.ZstdDecompressor().decompressobj()
        self.begun = False
        self.ready = memoryview(b"")

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Decompress until there is something to return."""
        while not self.ready:
            piece = self.source.read(STEP)
            if not piece:
                if self.begun and not self.stream.eof:
                    raise EOFError
                return 0
            made = b""
            while piece:
                if self.stream.eof:
                    self.stream = zstandard.ZstdDecompressor().decompressobj()
                self.begun = True
                made += self.stream.decompress(piece)
                piece = self.stream.unused_data if self.stream.eof else b""
            self.ready = memoryview(made)
        into = memoryview(buffer)  # type: ignore[arg-type]
        count = min(len(into), len(self.ready))
        into[:count] = self.ready[:count]
        self.ready = self.ready[count:]
        return count


class Source(NamedTuple):
    """An open file."""

    path: Path
    raw: io.BufferedReader
    """The bytes on disk; its position is the progress in the file."""
    plain: io.BufferedReader
    """The decompressed bytes."""


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file for its decompressed bytes; CannotRead if opening or reading fails."""
    try:
        with path.open("rb") as raw:
            match path.suffix.lower():
                case ".gz":
                    yield Source(path, raw, io.BufferedReader(gzip.GzipFile(fileobj=raw)))
                case ".zst":
                    yield Source(path, raw, io.BufferedReader(Zstd(raw), 1024 * 1024))
                case _:
                    yield Source(path, raw, raw)
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        raise CannotRead(f"{path} is not what its name says, or it is not complete; decompress it to see.") from error


def lines(source: Source, number: int, offset: int) -> Iterator[Line]:
    """Yield the lines after line `number`, which ends at byte `offset` of the decompressed file."""
    offset = skip(source, offset)
    while text := source.plain.readline(LONGEST_LINE):
        number += 1
        offset += len(text)
        rest = text
        while not rest.endswith(b"\n") and (more := source.plain.readline(LONGEST_LINE)):
            rest = more
            offset += len(rest)
        is_short = rest is text
        if number == 1:
            text = text.removeprefix(MARK)
        yield Line(number, number, text.rstrip(b"\r\n"), offset, is_short, rest.endswith(b"\n"))


def skip(source: Source, offset: int) -> int:
    """Skip what an earlier run has sent; return its end.

    A line feed that was appended after a carriage return at the former end of the file belongs to that line.
    """
    last = b""
    left = offset
    if source.plain is source.raw and offset:
        source.raw.seek(offset - 1)
        left = 1
    while left > 0:
        passed = source.plain.read(min(left, PASSED))
        if not passed:
            raise CannotRead(f"{source.path} is shorter than it was when its import began; --restart starts it again.")
        left -= len(passed)
        last = passed[-1:]
    if last == b"\r" and source.plain.peek(1)[:1] == b"\n":
        source.plain.read(1)
        offset += 1
    return offset


def whole_lines(source: Source, number: int, offset: int) -> tuple[int, int]:
    """Return the last finished line up to `number`; earlier releases counted unfinished lines as finished."""
    left, start = offset, 0
    while left > 0 and (passed := source.plain.read(min(left, PASSED))):
        end = passed.rfind(b"\n") + 1
        start = offset - left + end if end else start
        left -= len(passed)
    return (number, offset) if start == offset else (number - 1, start)
