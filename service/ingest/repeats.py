"""Values of a batch of which some may repeat an identity, planned in two passes at most.

PostgreSQL cannot upsert one row twice in a statement. Where a batch repeats an identity, the first value is written in
a first pass, whose outcome only the database knows, and the last one in a second. What became of the others the batch
itself decides, as if they were written one after the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from service.ingest.outcome import Outcome


class Plan(NamedTuple):
    """The values that each pass writes, by index, and the outcomes known already; the first pass decides its own."""

    passes: list[Sequence[int]]
    certain: dict[int, Outcome]


def plan_passes(identities: Sequence[Hashable], values: Sequence[Any]) -> Plan:
    """Plan the passes of values, each of an identity."""
    if len(set(identities)) == len(identities):
        return Plan([range(len(identities))], {})
    first: dict[Hashable, int] = {}
    last: dict[Hashable, int] = {}
    certain: dict[int, Outcome] = {}
    for index, identity in enumerate(identities):
        if identity in first:
            is_same = values[index] == values[last[identity]]
            certain[index] = Outcome.unchanged if is_same else Outcome.updated
        else:
            first[identity] = index
        last[identity] = index
    changed = [at for identity, at in last.items() if values[at] != values[first[identity]]]
    return Plan([list(first.values()), changed] if changed else [list(first.values())], certain)


class Values(Protocol):
    """Values of a batch, and the index of the reading that each is of."""

    @property
    def items(self) -> Sequence[int]:
        """The readings."""

    @property
    def whole_identities(self) -> Sequence[Hashable]:
        """Under what each is stored once."""

    @property
    def contents(self) -> Sequence[Any]:
        """What is stored there."""

    def arrays(self, chosen: Sequence[int]) -> dict[str, bytes]:
        """Write those chosen by index as arrays, one for each column."""


class Merge:
    """The statements that store new and existing values, one for each pass."""

    def __init__(self, query_name: str, values: Values) -> None:
        self.query_name = query_name
        self.values = values
        self.plan = plan_passes(values.whole_identities, values.contents) if values.items else Plan([], {})

    @property
    def writes(self) -> list[tuple[str, dict[str, bytes]]]:
        """The statements, by name, with columns."""
        return [(self.query_name, self.values.arrays(chosen)) for chosen in self.plan.passes]

    def note(self, merged: Sequence[Mapping[str, Sequence[int]]], bits: bytearray) -> None:
        """Add what became of the values to the bits of their readings, by the rows that the statements answered.

        The first pass says of its values by their positions from 1 which were inserted, and which updated.
        """
        items = self.values.items
        outcomes = bytearray(len(items))
        for chosen, places in zip(self.plan.passes[:1], merged[:1], strict=True):
            for outcome in (Outcome.inserted, Outcome.updated):
                for place in places[outcome.name]:
                    outcomes[chosen[place - 1]] = outcome
        for index, outcome in self.plan.certain.items():
            outcomes[index] = outcome
        for item, found in zip(items, outcomes, strict=True):
            bits[item] |= 1 << found
