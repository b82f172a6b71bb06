"""The clock that remembers: what it reads is what parse_timestamp reads, however often, and it is bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest import timestamp_cache
from service.ingest.timestamp_cache import TimestampCache
from service.model.pg_time import to_micros
from service.model.timestamps import parse_timestamp

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
written = st.builds(
    "2025-01-{:02}T{:02}:{}{}{}".format,
    st.integers(1, 3),
    st.integers(0, 23),
    st.sampled_from(["00:00", "00:01", "59:59", "30"]),
    st.sampled_from(["", ".5", ".25", ".000001", ".123456", ",123999", ".1234567", ".123456789"]),
    st.sampled_from(["Z", "+02:00", "-0530"]),
).filter(lambda text: ":30." not in text and ":30," not in text)  # a fraction of a minute names no moment


@given(st.lists(st.lists(written, min_size=1, max_size=8), min_size=1, max_size=4))
def test_what_is_remembered_is_what_was_read(batches: list[list[str]]) -> None:
    clock = TimestampCache()
    for texts in [*batches, *batches]:
        assert clock.read_all(texts) == [to_micros(parse_timestamp(text)) for text in texts]


def test_what_names_no_moment_is_refused_each_time() -> None:
    clock = TimestampCache()
    for _ in range(2):
        with pytest.raises(ValueError, match="no offset"):
            clock.read_all(["2025-01-15T12:00:00Z", "2025-01-15T12:00:00"])
    assert clock.read_all(["2025-01-15T12:00:00Z"]) == [to_micros(NOON)]


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-15T12:00:05.12+03000",
        "2025-01-15T12:00:05+020000",
        "2025-01-15T12:00:05.12345\u0661Z",
        "2025-01-15T12:00:05.123456",
    ],
)
def test_what_looks_like_microseconds_is_refused_each_time(text: str) -> None:
    """Though what is left without three digits would name a moment that was read before."""
    clock = TimestampCache()
    clock.read_all(["2025-01-15T12:00:05.12+00", "2025-01-15T12:00:05.123Z"])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"must be|no offset"):
            clock.read_all([text])


def test_microseconds_are_kept_by_their_milliseconds() -> None:
    clock = TimestampCache()
    for micros in range(0, 1000, 7):
        at = NOON + timedelta(seconds=5, microseconds=123_000 + micros)
        text = f"{NOON:%Y-%m-%dT%H:%M:}05.{123_000 + micros:06}Z"
        assert clock.read_all([text]) == [to_micros(at)]
    assert list(clock.seconds) == ["05.123Z"]


def test_whole_seconds_are_kept_and_others_are_not() -> None:
    clock = TimestampCache()
    clock.read_all(["2025-01-15T12:00:00Z"])
    clock.read_all(["2025-01-15T12:00:00.25Z"])
    assert list(clock.whole) == ["2025-01-15T12:00:00Z"]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamp_cache, "MOST_WHOLE", 10)
    clock = TimestampCache()
    for second in range(25):
        at = NOON + timedelta(seconds=second)
        assert clock.read_all([at.isoformat()]) == [to_micros(at)]
    assert len(clock.whole) <= 10
