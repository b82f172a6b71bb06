"""Zip archives, read within bounds: of their entries, and of what these have unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import IO, BinaryIO, NamedTuple, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from typing_extensions import Buffer

from service.errors import Invalid, TooLarge
from service.imports.adapter import Damaged

MAGIC = b"PK\x03\x04"
PIECE = 256 * 1024  # bytes that are unpacked at once
MOST_DIRECTORY = 8 * 1024 * 1024  # bytes: some 60,000 entries
READS = (ZIP_STORED, ZIP_DEFLATED)
ENCRYPTED = 0x1
BROKEN = (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


class Entry(NamedTuple):
    """A file of an archive: its name, and what opens it."""

    name: str
    open: Callable[[], BinaryIO]


class Bounded:
    """A file of which no more is read at once than a directory may have."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.seek = source.seek
        self.tell = source.tell
        self.seekable = source.seekable

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; TooLarge where these are very many."""
        read = self.source.read(size if 0 <= size <= MOST_DIRECTORY else MOST_DIRECTORY + 1)
        if len(read) > MOST_DIRECTORY:
            raise TooLarge("The archive has too many entries.")
        return read


def open_archive(source: BinaryIO) -> ZipFile:
    """Open an archive; Damaged where it is none, or is not complete: its directory stands at its end."""
    try:
        return ZipFile(cast(BinaryIO, Bounded(source)))
    except BROKEN:
        raise Damaged("the archive", "cannot be opened: it is not complete, or damaged") from None


def is_zip(source: BinaryIO) -> bool:
    """Return whether a file begins as an archive does; go back to its beginning."""
    source.seek(0)
    head = source.read(len(MAGIC))
    source.seek(0)
    return head == MAGIC


def entries(source: BinaryIO, wanted: Callable[[str], bool], most_unpacked: int) -> Iterator[Entry]:
    """Yield the files of an archive whose names are wanted, in the order of the archive.

    TooLarge where they have more bytes than `most_unpacked` in all: zipfile unpacks no more of each than is announced.
    What an entry is read with may raise Damaged, when the entry is damaged.
    """
    with open_archive(source) as archive:
        for info in archive.infolist():
            if info.is_dir() or not wanted(info.filename):
                continue
            most_unpacked -= info.file_size
            if most_unpacked < 0:
                raise TooLarge("What the archive holds exceeds the limit of an import; send it in parts.")
            yield Entry(info.filename, lambda info=info: open_entry(archive, info))  # type: ignore[misc]


class Unpacked(RawIOBase):
    """What an entry holds; Damaged where it cannot be unpacked."""

    def __init__(self, packed: IO[bytes], name: str) -> None:
        super().__init__()
        self.packed = packed
        self.name = name

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Unpack some bytes."""
        into = memoryview(buffer)
        try:
            piece = self.packed.read(len(into))
        except BROKEN as error:
            raise Damaged(self.name[:100], f"is damaged: {error}") from None
        into[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the entry."""
        self.packed.close()
        super().close()


def open_entry(archive: ZipFile, info: ZipInfo) -> BinaryIO:
    """Open an entry for reading; Damaged where that is not possible."""
    if info.flag_bits & ENCRYPTED:
        raise Invalid(f"{info.filename[:100]!r} of the archive is encrypted; send it without a password.")
    if info.compress_type not in READS:
        raise Damaged(info.filename[:100], "is compressed in a way that is not read")
    try:
        return BufferedReader(Unpacked(archive.open(info), info.filename), PIECE)
    except BROKEN:
        raise Damaged(info.filename[:100], "is damaged") from None
