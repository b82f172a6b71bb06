"""Readings of one identity within a batch, folded so that each statement writes an identity once.

PostgreSQL cannot upsert one row twice in a statement. The outcome of every item is still what it would be if the
items were written one after the other: an item whose outcome the batch itself decides is counted here, and one whose
outcome only the database knows gets a wave of its own. A reading has three metrics, so there are at most six waves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.model.reading import Row


@dataclass(slots=True)
class Write:
    """One upsert; `item` is the index of the row whose outcome it decides, None where that is known already."""

    row: Row
    item: int | None


@dataclass(slots=True)
class Standing:
    """Where an identity stands: its metrics as the batch left them, and its last write."""

    known: Row
    wave: int
    last: Write


def fold(rows: Sequence[Row]) -> tuple[list[list[Write]], dict[int, str]]:
    """Return the waves of writes, to be sent in order, and the outcomes that are already certain, by index."""
    waves: list[list[Write]] = []
    certain: dict[int, str] = {}
    standings: dict[tuple[object, ...], Standing] = {}
    for item, row in enumerate(rows):
        identity = (row.user_id, row.device_id, row.timestamp)
        standing = standings.get(identity)
        if standing is None:
            write = Write(row, item)
            add(waves, 0, write)
            standings[identity] = Standing(row, 0, write)
            continue
        changed, asks = compare(standing.known, row)
        if changed:
            certain[item] = "updated"
            if standing.last.item is None:
                standing.last.row = merge(standing.last.row, row)
            else:
                follow(waves, standing, Write(row, None))
        elif asks:
            follow(waves, standing, Write(row, item))
        else:
            certain[item] = "unchanged"
        standing.known = merge(standing.known, row)
    return waves, certain


def compare(known: Row, row: Row) -> tuple[bool, bool]:
    """Tell whether a row changes a known metric, and whether it carries one that only the database knows."""
    changed = asks = False
    for old, new in zip(metrics(known), metrics(row), strict=True):
        if new is not None:
            asks = asks or old is None
            changed = changed or (old is not None and old != new)
    return changed, asks


def metrics(row: Row) -> tuple[float | None, int | None, float | None]:
    """Return what was measured."""
    return row.heart_rate, row.steps, row.calories


def merge(old: Row, new: Row) -> Row:
    """Lay the metrics that `new` carries over those of `old`."""
    return Row(
        old.user_id,
        old.device_id,
        old.timestamp,
        old.heart_rate if new.heart_rate is None else new.heart_rate,
        old.steps if new.steps is None else new.steps,
        old.calories if new.calories is None else new.calories,
    )


def follow(waves: list[list[Write]], standing: Standing, write: Write) -> None:
    """Put a write into the wave after the identity's last one."""
    standing.wave += 1
    standing.last = write
    add(waves, standing.wave, write)


def add(waves: list[list[Write]], wave: int, write: Write) -> None:
    """Put a write into a wave, which may be a new one."""
    if wave == len(waves):
        waves.append([])
    waves[wave].append(write)
