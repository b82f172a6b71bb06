"""Upserts of a batch that holds an identity more than once, planned in passes that each write an identity once.

PostgreSQL cannot upsert one row twice in a statement. The outcome of every item is still what it would be if the
items were written one after the other: an item whose outcome the batch itself decides is counted here, and one whose
outcome only the database knows is written in a pass of its own. A reading has three metrics, so there are at most six
passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from service.model.reading import Row

Identity: TypeAlias = tuple[bytes, bytes, int]  # the packed keys of user and device, and the moment


@dataclass(slots=True)
class Write:
    """One upsert; `item` is the index of the row whose outcome it decides, None where that is known already."""

    row: Row
    identity: Identity
    item: int | None


@dataclass(slots=True)
class Planned:
    """An identity: its metrics as the batch leaves them, and its last write, in which pass."""

    known: Row
    number: int
    last: Write


def plan_upserts(rows: Sequence[Row], identities: Sequence[Identity]) -> tuple[list[list[Write]], dict[int, str]]:
    """Return the passes, to be sent in order, and the outcomes that are already certain, by index.

    Keys tell users of one name apart, whose tenants differ.
    """
    passes: list[list[Write]] = []
    certain: dict[int, str] = {}
    plans: dict[Identity, Planned] = {}
    for item, (row, identity) in enumerate(zip(rows, identities, strict=True)):
        planned = plans.get(identity)
        if planned is None:
            write = Write(row, identity, item)
            add(passes, 0, write)
            plans[identity] = Planned(row, 0, write)
            continue
        changed, asks = compare(planned.known, row)
        if changed:
            certain[item] = "updated"
            if planned.last.item is None:
                planned.last.row = merge(planned.last.row, row)
            else:
                follow(passes, planned, Write(row, identity, None))
        elif asks:
            follow(passes, planned, Write(row, identity, item))
        else:
            certain[item] = "unchanged"
        planned.known = merge(planned.known, row)
    return passes, certain


def compare(known: Row, row: Row) -> tuple[bool, bool]:
    """Return whether a row changes a known metric, and whether it carries one that only the database knows."""
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


def follow(passes: list[list[Write]], planned: Planned, write: Write) -> None:
    """Put a write into the pass after the identity's last one."""
    planned.number += 1
    planned.last = write
    add(passes, planned.number, write)


def add(passes: list[list[Write]], number: int, write: Write) -> None:
    """Put a write into a pass, which may be a new one."""
    if number == len(passes):
        passes.append([])
    passes[number].append(write)
