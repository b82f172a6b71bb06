"""Values of a batch of which some may repeat an identity, planned in two passes at most.

PostgreSQL cannot upsert one row twice in a statement. Where a batch repeats an identity, the first value is written in
a first pass, whose outcome only the database knows, and the last one in a second. What became of the others the batch
itself decides, as if they were written one after the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

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


def note_outcomes(
    items: Sequence[int], plan: Plan, inserted: Sequence[int], updated: Sequence[int], bits: bytearray
) -> None:
    """Add what became of values, of those of the first pass by their positions from 1, to the bits of their items."""
    outcomes = bytearray(len(items))
    asked = plan.passes[0]
    for outcome, places in ((Outcome.inserted, inserted), (Outcome.updated, updated)):
        for place in places:
            outcomes[asked[place - 1]] = outcome
    for index, outcome in plan.certain.items():
        outcomes[index] = outcome
    for item, found in zip(items, outcomes, strict=True):
        bits[item] |= 1 << found
