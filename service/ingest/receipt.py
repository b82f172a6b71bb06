"""What became of the items of a request: counted in one way, whichever way they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

from pydantic_core import to_json

from service.errors import Fault
from service.metrics.counters import Counters

MOST_FAULTS = 100


class Tally:
    """What became of a request's items so far; `kind` is readings or events.

    Of readings, one may be kept without its invalid metrics: where `drops_fields`.
    """

    def __init__(self, counters: Counters, kind: str = "readings", drops_fields: bool = False) -> None:
        self.counters = counters
        self.kind = kind
        self.drops_fields = drops_fields
        self.dropped: Counter[str] = Counter()
        self.received = 0
        self.rejected = 0
        self.counts: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.has_renewed = False
        """Whether it has waited for the registry of metrics to be read again."""

    def reject(self, faults: Sequence[Fault], private: Container[str] = ()) -> None:
        """Count an item that is invalid; the first faults are kept. Names `private` to a tenant are not counted by."""
        self.rejected += 1
        self.counters.count_rejected(self.kind, faults, private)
        self.faults += faults[: MOST_FAULTS - len(self.faults)]

    @property
    def has_room(self) -> bool:
        """Whether more faults are kept."""
        return len(self.faults) < MOST_FAULTS

    @property
    def stored(self) -> int:
        """How many items are stored."""
        return self.counts.total()


def readings_receipt(
    received: int,
    counts: Mapping[str, int],
    rejected: int = 0,
    faults: Sequence[Fault] = (),
    dropped: Mapping[str, int] | None = None,
) -> bytes:
    """Return the receipt of POST /v1/readings as JSON, written by hand for the sake of the fast path."""
    head = (
        f'{{"received":{received},"inserted":{counts["inserted"]},"updated":{counts["updated"]},'
        f'"unchanged":{counts["unchanged"]},"rejected":{rejected},"errors":'
    ).encode()
    errors = to_json(faults) if faults else b"[]"
    return head + errors + (b"}" if dropped is None else b',"dropped":' + to_json(dropped) + b"}")
