"""The file of rejected lines: for each a JSON object with file, line, problems and the line's text."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.load.chunks import Reject
from scripts.load.errors import CannotRead

MOST_TEXT = 1000


def cut(path: Path, size: int) -> None:
    """Remove rejects of chunks that were not acknowledged."""
    try:
        if path.exists():
            os.truncate(path, min(size, path.stat().st_size))
    except OSError as error:
        raise unwritable(path, error) from error


def append(path: Path, file: Path, rejects: list[Reject]) -> int:
    """Append rejects; return the new length of the file."""
    try:
        with path.open("ab") as out:
            out.write(b"".join(record(file, reject) for reject in rejects))
            return out.tell()
    except OSError as error:
        raise unwritable(path, error) from error


def record(file: Path, reject: Reject) -> bytes:
    """Return a reject as a line of JSON."""
    text = reject.line.text[:MOST_TEXT].decode(errors="replace")
    document = {"file": str(file), "line": reject.line.number, "problems": reject.problems, "text": text}
    return json.dumps(document, ensure_ascii=False).encode(errors="replace") + b"\n"


def words(file: Path, reject: Reject) -> str:
    """Return in one line what is wrong with a line."""
    first = reject.problems[0]
    at = f"{first['at']} " if first.get("at") else ""
    value = f" (it is {json.dumps(first['value'], ensure_ascii=False)[:80]})" if "value" in first and at else ""
    return f"{file}:{reject.line.number}: {at}{first['problem']}{value}"


def unwritable(path: Path, error: OSError) -> CannotRead:
    """Return the error for a file of rejects that cannot be written."""
    return CannotRead(f"{path} cannot be written: {error.strerror}; name another place with --rejects.")
