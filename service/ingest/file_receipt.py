"""What became of a file: of the readings of each kind, of what was skipped, and of the rest where it is damaged."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from service.imports.adapter import Damaged
from service.ingest.receipt import Tally

MOST_KINDS = 500  # that are named; files have some dozens
LONGEST_NAME = 100  # characters of a kind that are kept
OTHERS = "others"


class FileReport:
    """Counts what became of a file, by the file's own names of kinds."""

    def __init__(self) -> None:
        self.kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.damage: Damaged | None = None

    def kind(self, name: str) -> str:
        """Return by which name to count a kind."""
        name = name[:LONGEST_NAME]
        return name if name in self.kinds or len(self.kinds) < MOST_KINDS else OTHERS

    def count(self, kind: str, outcome: str) -> None:
        """Count a reading of a kind by what became of it."""
        self.kinds[self.kind(kind)][outcome] += 1

    def skip(self, kind: str, reason: str, times: int) -> None:
        """Count what was left out."""
        key = (kind[:LONGEST_NAME], reason)
        self.skipped[key if key in self.skipped or len(self.skipped) < MOST_KINDS else (OTHERS, reason)] += times

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the file was recognized."""
        return not self.kinds and not self.skipped

    def document(self, format_name: str, tally: Tally) -> dict[str, Any]:
        """Return the receipt."""
        return {
            "format": format_name,
            "received": tally.received,
            **{outcome: tally.counts[outcome] for outcome in ("inserted", "updated", "unchanged")},
            "rejected": tally.rejected,
            "errors": tally.faults,
            "kinds": [
                {
                    "kind": kind,
                    **{outcome: counts[outcome] for outcome in ("inserted", "updated", "unchanged", "rejected")},
                }
                for kind, counts in sorted(self.kinds.items())
            ],
            "skipped": [
                {"kind": kind, "reason": reason, "count": times}
                for (kind, reason), times in sorted(self.skipped.items())
            ],
            "damage": None if self.damage is None else {"at": self.damage.at, "problem": self.damage.problem},
        }
