"""Files that other systems export: read by the service's adapters, and sent as readings of one user.

How far an import came is counted in records, since an adapter yields the same ones each time: a resumed import reads
the file from its beginning, and sends from the first record that is not acknowledged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from scripts.load.chunks import MOST_BYTES, Chunk, Item, Reject
from scripts.load.errors import CannotRead
from scripts.load.lines import Line
from scripts.load.options import Options
from service.errors import Problem
from service.imports.adapter import Damaged, Found, Rejected, Skipped
from service.imports.adapter import Item as FileItem
from service.imports.formats import choose

LeftOut = Counter[tuple[str, str]]


def foreign_files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files, each once; CannotRead where one is none."""
    for path in paths:
        if not path.is_file():
            raise CannotRead(
                f"{path} {'is a directory' if path.is_dir() else 'does not exist'}; name files with --format."
            )
    return list(dict.fromkeys(path.resolve() for path in paths))


def foreign_chunks(
    path: Path, source: BinaryIO, options: Options, acknowledged: int, left_out: LeftOut
) -> Iterator[Chunk]:
    """Yield the records of a file behind those acknowledged; CannotRead where it cannot be read, or not on."""
    chunk = Chunk(acknowledged, 0)
    number = 0
    try:
        for item in items_of(path, source, options):
            if isinstance(item, Skipped):
                left_out[item.kind, item.reason] += item.times
                continue
            number += 1
            if number <= acknowledged:
                continue
            chunk.number = number
            take(chunk, number, item, options.user)
            if chunk.count >= options.batch or chunk.size >= MOST_BYTES:
                yield chunk
                chunk = Chunk(number, 0)
    except Damaged as damaged:
        if chunk.count:
            yield chunk
        raise CannotRead(f"{path}: {damaged}. What stands before is stored.") from None
    except Problem as problem:
        found = "".join(f" {fault['at']} {fault['problem']}." for fault in problem.faults)
        raise CannotRead(f"{path}: {problem.detail}{found}") from None
    if chunk.count:
        yield chunk


def items_of(path: Path, source: BinaryIO, options: Options) -> Iterator[FileItem]:
    """Yield what an adapter makes of a file."""
    assert options.format is not None
    adapter = choose(options.format, source, path.name)
    return adapter.read(source, replace(options.context, filename=path.name))


def take(chunk: Chunk, number: int, item: Found | Rejected, user_id: str) -> None:
    """Add a record to a chunk; the places of its faults begin with that in the file."""
    if isinstance(item, Rejected):
        line = Line(number, number, b"", 0)
        chunk.malformed.append(Reject(line, [{"at": item.at, "problem": item.problem, "value": item.value}]))
        return
    body = msgspec.json.encode({"user_id": user_id, **item.reading})
    chunk.items.append(Item(Line(number, number, body, 0), body))
    chunk.size += len(body)
