"""Small files, kept in memory as they are sent: a page of the dashboard is some forty of them."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from service.http.middleware import takes_gzip

LARGEST = 512 * 1024  # bytes of a file that is kept
LEAST = 1000  # bytes of a file that is compressed
REVALIDATE = "no-cache"


class Copy(NamedTuple):
    """What is sent of a file, plain and compressed, and of which state of it that is."""

    changed: tuple[int, int]
    headers: dict[str, str]
    plain: bytes
    compressed: bytes | None


class CachedStaticFiles(StaticFiles):
    """Files of a folder, which browsers ask about each time, so that a release is never mixed with the one before.

    Each is looked at for each request, which takes less than a thread does, and read when it has changed.
    """

    def __init__(self, *, directory: Path, check_dir: bool = True) -> None:
        super().__init__(directory=directory, check_dir=check_dir)
        self.copies: dict[str, Copy] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer from memory; what is large, missing, or asked for in parts, as any other file."""
        headers = Headers(scope=scope)
        try:
            full_path, found = self.lookup_path(path)
        except (OSError, ValueError):
            return await super().get_response(path, scope)  # which says what is wrong with it
        is_small = found is not None and stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST
        if found is None or not is_small or scope["method"] not in ("GET", "HEAD") or "range" in headers:
            return await super().get_response(path, scope)
        copy = self.copy_of(full_path, found)
        if self.is_not_modified(Headers(copy.headers), headers):
            return NotModifiedResponse(Headers(copy.headers))
        if copy.compressed is None or not takes_gzip(headers):
            return Response(copy.plain, headers=copy.headers)
        return Response(
            copy.compressed, headers={**copy.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        )

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with what is not kept."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = REVALIDATE
        return response

    def copy_of(self, full_path: str, found: os.stat_result) -> Copy:
        """Return what is kept of a file, read again where it has changed."""
        changed = (found.st_mtime_ns, found.st_size)
        copy = self.copies.get(full_path)
        if copy is None or copy.changed != changed:
            copy = self.copies[full_path] = read(full_path, found, changed)
        return copy


def read(full_path: str, found: os.stat_result, changed: tuple[int, int]) -> Copy:
    """Read a file and compress it, where that makes it smaller."""
    plain = Path(full_path).read_bytes()
    compressed = gzip.compress(plain, mtime=0) if len(plain) >= LEAST else None
    if compressed is not None and len(compressed) >= len(plain):
        compressed = None
    headers = dict(FileResponse(full_path, stat_result=found).headers)
    del headers["content-length"]
    headers["cache-control"] = REVALIDATE
    return Copy(changed, headers, plain, compressed)
