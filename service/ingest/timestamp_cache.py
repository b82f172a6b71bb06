"""Timestamps of readings, read from parts that came before: some ten times as fast as parsing each."""

from __future__ import annotations

from service.model.pg_time import to_micros
from service.model.timestamps import parse_timestamp

MOST_KNOWN = 65_536  # minutes, and as many seconds: some 10 MB each; every millisecond of a minute fits
MOST_WHOLE = 50_000  # timestamps of whole seconds: some 10 MB, and more than half a day


class TimestampCache:
    """Reads timestamps like parse_timestamp, faster where they, or their parts, came before.

    Whole seconds come again, since others measure in them too, and are kept as they are. Any timestamp is the sum of
    its first 17 characters, which name a minute, and of the others, which name a moment of any minute, with its offset;
    of one in microseconds, which hardly comes again, of its milliseconds and the three digits that follow them.
    """

    def __init__(self) -> None:
        self.whole: dict[str, int] = {}
        self.minutes: dict[str, int] = {}
        self.seconds: dict[str, int] = {}

    def read_all(self, texts: list[str]) -> list[int]:
        """Return the moments of timestamps; ValueError where one is none."""
        whole = self.whole
        try:
            return [whole[text] for text in texts]
        except KeyError:
            return self.learn(texts)

    def learn(self, texts: list[str]) -> list[int]:
        """Return the moments of timestamps, and remember them if they seem to be of whole seconds."""
        distinct = set(texts)
        if 2 * len(distinct) <= len(texts):  # a gateway's readings of one moment, say
            read = {text: self.recall(text) for text in distinct}
            moments = [read[text] for text in texts]
        else:
            moments = self.recall_all(texts)
        if "." not in texts[0] and "," not in texts[0]:
            if len(self.whole) >= MOST_WHOLE:
                self.whole.clear()
            self.whole.update(zip(texts, moments, strict=True))
        return moments

    def recall_all(self, texts: list[str]) -> list[int]:
        """Return the moments of timestamps; ValueError where one is none."""
        minutes, seconds = self.minutes, self.seconds
        try:
            return [minutes[text[:17]] + seconds[text[17:]] for text in texts]
        except KeyError:
            return [self.recall(text) for text in texts]

    def recall(self, text: str) -> int:
        """Return the moment of a timestamp, from its parts where both are known; ValueError where it is none."""
        try:
            return self.minutes[text[:17]] + self.seconds[text[17:]]
        except KeyError:
            return self.read(text)

    def read(self, text: str) -> int:
        """Return the moment of a timestamp and remember its parts; ValueError where it is none."""
        minute, second = text[:17], text[17:]
        if is_in_micros(second):
            return self.recall(minute + second[:6] + second[9:]) + int(second[6:9])
        if second[6:7].isdigit():  # finer than a microsecond
            return to_micros(parse_timestamp(text))
        try:
            starts = learnt(self.minutes, minute, f"{minute}00Z")
            return starts + learnt(self.seconds, second, f"2000-01-01T00:00:{second}")
        except ValueError:
            return to_micros(parse_timestamp(text))


def is_in_micros(second: str) -> bool:
    """Return whether what follows a minute has just six digits where a second has a fraction."""
    digits = second[3:9]
    return len(digits) == 6 and digits.isdecimal() and digits.isascii() and not second[9:10].isdigit()


def learnt(known: dict[str, int], part: str, text: str) -> int:
    """Return the moment of a timestamp, remembered as what a part of others stands for; ValueError where it is none."""
    micros = known.get(part)
    if micros is None:
        micros = to_micros(parse_timestamp(text))
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[part] = micros
    return micros


CLOCK = TimestampCache()
"""That of this process."""
