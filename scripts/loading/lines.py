"""Files line by line, compressed or not, in constant memory, from wherever an earlier run came to."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

import zstandard

from scripts.loading.errors import CannotRead

ENDINGS = (".csv", ".ndjson", ".jsonl")
COMPRESSIONS = (".gz", ".zst")
LONGEST_LINE = 64 * 1024
"""Bytes; a reading needs a few hundred."""
STEP = 1024
"""Bytes of zstd that are decompressed at once; they can stand for megabytes."""
MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line of a file."""

    number: int
    """Counted from 1."""
    text: bytes
    """Without its end; of a line that is too long, the beginning."""
    end: int
    """Bytes of the file, decompressed, up to its end."""
    is_whole: bool


class Zstd(io.RawIOBase):
    """The plain bytes of a zstd file. Unlike zstandard's own reader, it notices an end that comes too early."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.stream = zstandard.ZstdDecompressor().decompressobj()
        self.begun = False
        self.ready = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Decompress as much as is needed to give something."""
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
    raw: BinaryIO
    """The bytes on disk; where it stands says how far the file was read."""
    plain: IO[bytes]
    """The same, decompressed."""


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file for its plain bytes; CannotRead where that fails, now or while it is read."""
    try:
        with path.open("rb") as raw:
            match path.suffix:
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
    skip(source, offset)
    while text := source.plain.readline(LONGEST_LINE):
        number += 1
        offset += len(text)
        is_whole = text.endswith(b"\n") or len(text) < LONGEST_LINE
        if not is_whole:
            rest = text
            while rest and not rest.endswith(b"\n"):
                rest = source.plain.readline(LONGEST_LINE)
                offset += len(rest)
        if number == 1:
            text = text.removeprefix(MARK)
        yield Line(number, text.rstrip(b"\r\n"), offset, is_whole)


def skip(source: Source, offset: int) -> None:
    """Pass over what an earlier run has sent."""
    if source.plain is source.raw:
        source.raw.seek(offset)
        return
    while offset > 0:
        passed = source.plain.read(min(offset, 1024 * 1024))
        if not passed:
            raise CannotRead(f"{source.path} is shorter than it was when its import began; --restart starts it anew.")
        offset -= len(passed)


def files_of(paths: tuple[Path, ...]) -> list[Path]:
    """List the files that paths stand for, each once; CannotRead where there is none."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise CannotRead(f"{path} does not exist.")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files = [file for file in inside if path.is_file() or (file.is_file() and ending(file) in ENDINGS)]
        if not files:
            raise CannotRead(f"{path} holds no file named .csv, .ndjson or .jsonl, perhaps with .gz or .zst.")
        found |= dict.fromkeys(file.resolve() for file in files)
    for file in found:
        if ending(file) not in ENDINGS:
            raise CannotRead(f"{file} must be named .csv, .ndjson or .jsonl, perhaps with .gz or .zst.")
    return list(found)


def ending(path: Path) -> str:
    """Return the ending of a name that tells the format, under the one of a compression."""
    return Path(path.stem).suffix if path.suffix in COMPRESSIONS else path.suffix
