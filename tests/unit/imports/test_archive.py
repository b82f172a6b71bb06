"""Archives: their entries within bounds, and what of them is damaged."""

from __future__ import annotations

import io
import zipfile

import pytest

from service.errors import TooLarge
from service.imports import archive
from service.imports.adapter import Damaged


def packed(**files: bytes) -> bytearray:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in files.items():
            written.writestr(name, content)
    return bytearray(target.getvalue())


def everything(name: str) -> bool:
    return True


def test_wanted_entries_are_read_in_order() -> None:
    body = packed(b=b"2", a=b"1", other=b"3")
    read = [
        (one.name, one.open().read())
        for one in archive.entries(io.BytesIO(body), lambda name: len(name) == 1, most_unpacked=10)
    ]
    assert read == [("b", b"2"), ("a", b"1")]


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(a=b"1", b=bytes(10_000_000))
    assert len(bomb) < 20_000
    found = archive.entries(io.BytesIO(bomb), everything, most_unpacked=9_000_000)
    assert next(found).open().read() == b"1"
    with pytest.raises(TooLarge):
        next(found)


def test_an_entry_that_announces_too_little_ends_there() -> None:
    bomb = packed(a=bytes(1_000_000))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    [entry] = archive.entries(io.BytesIO(bomb), everything, most_unpacked=1000)
    with pytest.raises(Damaged):
        entry.open().read()


def test_very_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_DIRECTORY", 10_000)
    body = packed(**{f"name{number}": b"" for number in range(1000)})
    with pytest.raises(TooLarge, match="too many entries"):
        archive.open_archive(io.BytesIO(body))


@pytest.mark.parametrize("cut", [10, 100, -10])
def test_an_archive_that_is_cut_is_damaged(cut: int) -> None:
    with pytest.raises(Damaged, match="not complete"):
        archive.open_archive(io.BytesIO(packed(a=b"1" * 1000, b=b"2" * 1000)[:cut]))


def test_a_damaged_entry_leaves_the_others() -> None:
    body = packed(a=b"first" * 100, b=b"second")
    body[35] ^= 0xFF
    found = archive.entries(io.BytesIO(body), everything, most_unpacked=10_000)
    first = next(found)
    with pytest.raises(Damaged, match="a: is damaged"):
        first.open().read()
    assert next(found).open().read() == b"second"
