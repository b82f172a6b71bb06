"""A metric that adds up, beside steps and calories, by brute force: values, intervals, worn windows, daily totals."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.interval_model import Instant, Stretch, Total, Window, counting, hours_of, resolve
from tests.support.moments import HOUR, MINUTE, bucket_start

GRAIN = {"distance": 1, "floors": 1_000_000, "hydration": 1}  # the least unit in millionths


@dataclass
class Sums:
    """What devices measured of one user and one metric beside steps and calories, in its least unit."""

    metric: str
    ranks: list[str]
    instants: list[Instant]
    stretches: list[Stretch]
    windows: list[Window]
    totals: list[Total] = field(default_factory=list)

    def pieces(self, start: int, end: int, device: str | None) -> list[tuple[int, int]]:
        """Return what counts in a range, by minute, in millionths."""
        stretches = [each for each in self.stretches if device in (None, each.device)]
        windows = [] if device else self.windows
        instants = [each for each in self.instants if device in (None, each.device)]
        cells = {cell for each in [*stretches, *windows] for cell in hours_of(each.ts, each.end)}
        grain, answer = GRAIN[self.metric], []
        for cell in (each for each in cells if start - HOUR < each < end):
            for piece in resolve(cell, instants, stretches, windows, self.rank):
                if part := piece.cut(start, end):
                    answer.append((part.minute, part.amount * grain))
        # Elsewhere the best device of what lies in the range.
        minutes: dict[int, list[Instant]] = {}
        for each in instants:
            if start <= each.ts < end and each.ts // HOUR * HOUR not in cells:
                minutes.setdefault(each.ts // MINUTE * MINUTE, []).append(each)
        for minute, group in minutes.items():
            best = min((each.device for each in group), key=self.rank)
            answer += [(minute, each.amount * grain) for each in group if each.device == best]
        return answer

    def rank(self, device: str) -> tuple[int, int]:
        return 0, self.ranks.index(device)

    def series(self, start: int, end: int, bucket: str, tz: str, device: str | None) -> dict[int, float]:
        totals: dict[int, int] = {}
        for minute, amount in self.pieces(start, end, device) + self.days(start, end, device, bucket, tz):
            t = bucket_start(minute, bucket, tz)
            totals[t] = totals.get(t, 0) + amount
        return {t: total / 10**6 for t, total in totals.items()}

    def whole(self, start: int, end: int, device: str | None) -> float | None:
        """Return what a range comes to; None where nothing was measured."""
        amounts = [amount for _, amount in self.pieces(start, end, device) + self.days(start, end, device)]
        return sum(amounts) / 10**6 if amounts else None

    def days(
        self, start: int, end: int, device: str | None, bucket: str = "", tz: str = "UTC"
    ) -> list[tuple[int, int]]:
        """Return the daily totals that count in a range, with a bucket those that lie in one as a whole."""
        if bucket and bucket not in ("1d", "1w", "1mo"):
            return []
        return [
            (each.ts, each.amount * GRAIN[self.metric])
            for each in counting(self.totals, self.instants, self.stretches, device, self.rank)
            if start <= each.ts < each.end <= end
            and (not bucket or bucket_start(each.ts, bucket, tz) == bucket_start(each.end - 1, bucket, tz))
        ]
