"""The three metrics of a batch as passes of upserts, each an array for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import DictRow

from service.database.binary_arrays import doubles, ints, keys, moments
from service.ingest.dedupe import Identity, plan_upserts
from service.ingest.outcome import Outcome
from service.model.reading import Row


class Pass(NamedTuple):
    """Rows that are written by one statement, and the items whose outcomes they decide."""

    rows: Sequence[Row]
    identities: Sequence[Identity]
    items: Sequence[int | None]


def passes_of(rows: Sequence[Row], identities: Sequence[Identity], outcomes: bytearray) -> list[Pass]:
    """Plan the passes of a batch, and set the outcomes that are certain already."""
    if len(set(identities)) == len(rows):
        return [Pass(rows, identities, range(len(rows)))]
    passes, certain = plan_upserts(rows, identities)
    for item, outcome in certain.items():
        outcomes[item] = Outcome[outcome]
    return [
        Pass([write.row for write in each], [write.identity for write in each], [write.item for write in each])
        for each in passes
    ]


def in_columns(each: Pass) -> dict[str, bytes]:
    """Write the rows of a pass as arrays, one for each column."""
    return {
        "user_keys": keys([user_key for user_key, _, _ in each.identities]),
        "device_keys": keys([device_key for _, device_key, _ in each.identities]),
        "timestamps": moments([at for _, _, at in each.identities]),
        "heart_rates": doubles([row.heart_rate for row in each.rows]),
        "steps": ints([row.steps for row in each.rows]),
        "calories": doubles([row.calories for row in each.rows]),
    }


def note(passes: Sequence[Pass], merged: Sequence[DictRow], outcomes: bytearray) -> None:
    """Set the outcomes that the passes of an upsert decide."""
    for each, places in zip(passes, merged, strict=True):
        for outcome in (Outcome.inserted, Outcome.updated):
            for place in places[outcome.name]:
                item = each.items[place - 1]
                if item is not None:
                    outcomes[item] = outcome


class Wide(NamedTuple):
    """The readings of a batch that have any of the three metrics: where they are, and the passes that store them."""

    items: Sequence[int]
    passes: Sequence[Pass]
    outcomes: bytearray
    """Those that are certain already."""

    @property
    def writes(self) -> list[tuple[str, dict[str, bytes]]]:
        """The statements that store them, by name, with columns."""
        return [("merge_readings", in_columns(each)) for each in self.passes]

    def note(self, merged: Sequence[DictRow], bits: bytearray) -> None:
        """Set the bits of outcomes that the statements decided."""
        note(self.passes, merged, self.outcomes)
        for item, outcome in zip(self.items, self.outcomes, strict=True):
            bits[item] = 1 << outcome


def wide_part(rows: Sequence[Row], identities: Sequence[Identity]) -> Wide:
    """Return the readings of a batch that have any of the three metrics."""
    items = [item for item, row in enumerate(rows) if not row.is_of_samples]
    outcomes = bytearray(len(items))
    if not items:
        return Wide(items, [], outcomes)
    return Wide(
        items, passes_of([rows[item] for item in items], [identities[item] for item in items], outcomes), outcomes
    )
