"""The table of positions: processes share it, and it never forgets what a reader must have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.database.replicas import shared_positions
from service.database.replicas.positions import NOWHERE, Position
from service.database.replicas.shared_positions import SharedPositions, file_of
from tests.support.paths import ROOT

ADA, BOB = ("user", "clinic", "ada"), ("user", "clinic", "bob")
NOTE = """
import sys
from pathlib import Path
from service.database.replicas.positions import Position
from service.database.replicas.shared_positions import SharedPositions
table = SharedPositions(Path(sys.argv[1]))
for lsn in range(8, 80_000, 8):
    table.note([("user", "clinic", "ada")], Position(1, lsn + int(sys.argv[2])))
"""


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SharedPositions]:
    made = SharedPositions(tmp_path / "positions")
    yield made
    made.close()


def test_positions_only_rise(table: SharedPositions) -> None:
    assert table.newest([ADA, BOB]) == NOWHERE
    for lsn in (80, 800, 8):
        table.note([ADA], Position(1, lsn))
    assert table.newest([ADA]) == Position(1, 800)
    assert table.newest([BOB]) == NOWHERE
    assert table.newest([BOB, ADA]) == Position(1, 800)


def test_another_process_finds_them_at_once(table: SharedPositions, tmp_path: Path) -> None:
    other = SharedPositions(tmp_path / "positions")
    table.note([ADA], Position(1, 80))
    assert other.newest([ADA]) == Position(1, 80)
    other.close()


def test_processes_that_write_the_same_place_lose_none(table: SharedPositions, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", NOTE, str(tmp_path / "positions")]
    processes = [subprocess.Popen([*arguments, late], cwd=ROOT) for late in ("0", "800000")]
    while any(process.poll() is None for process in processes):
        before = table.newest([ADA])
        assert table.newest([ADA]) >= before
    assert table.newest([ADA]) == Position(1, 79_992 + 800_000)


def test_names_that_share_a_place_share_the_later_position(
    table: SharedPositions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_positions, "PLACES", 1)
    table.note([ADA], Position(1, 80))
    table.note([BOB], Position(1, 8))
    assert table.newest([BOB]) == Position(1, 80)


def test_the_positions_of_another_cluster_are_forgotten(table: SharedPositions) -> None:
    table.belong_to(-5)
    table.note([ADA], Position(1, 1 << 40))
    table.belong_to(-5)
    assert table.newest([ADA]) == Position(1, 1 << 40)
    table.belong_to(7)
    assert table.newest([ADA]) == NOWHERE


def test_one_database_has_one_file_whoever_connects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared_positions, "MEMORY", tmp_path)
    one, same, other = (
        file_of(f"postgresql://{of}") for of in ("a:secret@host/one?connect_timeout=3", "b@host/one", "a@host/two")
    )
    assert one == same != other
    assert one.parent.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_enter_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shared_positions, "MEMORY", tmp_path)
    file_of("postgresql://host/one").parent.chmod(0o755)
    with pytest.raises(PermissionError):
        file_of("postgresql://host/one")
