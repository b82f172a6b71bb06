"""Files kept in memory: as they are on disk at each moment, and of one folder only."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from service.dashboard.static_files import LARGEST, CachedStaticFiles

TEXT = b"export const n = 1;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a module, beside something that is nobody's business."""
    (tmp_path / "secret.js").write_text("secret")
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "module.js").write_bytes(TEXT)
    (folder / "small.js").write_text("1")
    return folder


class Answer(NamedTuple):
    """What was sent, as it was sent."""

    status: int
    headers: httpx.Headers
    sent: bytes


class Files:
    """A client of the folder, which asks for nothing by itself."""

    def __init__(self, folder: Path) -> None:
        self.app = Starlette(routes=[Mount("/pages", CachedStaticFiles(directory=folder))])

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path below the folder's."""
        return asyncio.run(self.exchange(method, f"/pages/{path}", headers))

    async def exchange(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """Ask once."""
        named = {"accept-encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test") as client,
            client.stream(method, path, headers=named) as answer,
        ):
            return Answer(answer.status_code, answer.headers, b"".join([piece async for piece in answer.aiter_raw()]))


@pytest.fixture
def files(folder: Path) -> Files:
    """Return a client of the folder."""
    return Files(folder)


def test_it_is_compressed_on_request(files: Files) -> None:
    plain = files.ask("module.js")
    assert (plain.sent, plain.headers["content-type"]) == (TEXT, "text/javascript; charset=utf-8")
    assert "content-encoding" not in plain.headers
    for accepted, is_compressed in ("gzip, br", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("br", False):
        answer = files.ask("module.js", accept_encoding=accepted)
        assert (answer.headers.get("content-encoding") == "gzip") == is_compressed, accepted
        assert (gzip.decompress(answer.sent) if is_compressed else answer.sent) == TEXT
        assert int(answer.headers["content-length"]) == len(answer.sent)
    assert "content-encoding" not in files.ask("small.js", accept_encoding="gzip").headers


def test_what_has_not_changed_is_not_sent_again(files: Files, folder: Path) -> None:
    first = files.ask("module.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    again = files.ask("module.js", if_none_match=tag)
    assert (again.status, again.sent, again.headers["etag"]) == (304, b"", tag)
    module = folder / "module.js"
    other = TEXT.replace(b"1", b"2")
    module.write_bytes(other)
    os.utime(module, ns=(0, module.stat().st_mtime_ns + 1_000_000_000))
    changed = files.ask("module.js", if_none_match=tag)
    assert (changed.status, changed.sent) == (200, other)
    module.unlink()
    assert files.ask("module.js").status == 404


def test_nothing_else_is_read(files: Files, folder: Path) -> None:
    (folder / "link.js").symlink_to(folder.parent / "secret.js")
    for path in "%2e%2e/secret.js", "..%2fsecret.js", "%2e%2e%2fsecret.js", "link.js", "":
        assert files.ask(path).status == 404, path
    assert files.ask("module.js", "POST").status == 405


def test_large_files_and_parts_come_from_the_disk(files: Files, folder: Path) -> None:
    (folder / "large.bin").write_bytes(bytes(LARGEST + 1))
    large = files.ask("large.bin", accept_encoding="gzip")
    assert (large.status, len(large.sent), large.headers["cache-control"]) == (200, LARGEST + 1, "no-cache")
    part = files.ask("module.js", range="bytes=7-11")
    assert (part.status, part.sent) == (206, b"const")
    head = files.ask("module.js", "HEAD")
    assert (head.sent, int(head.headers["content-length"])) == (b"", len(TEXT))


@pytest.mark.parametrize("path", ["a" * 300, "a%00b", "module.js/below"])
def test_a_name_that_no_file_can_have_is_not_found(files: Files, path: str) -> None:
    assert files.ask(path).status == 404
