"""Timestamps: what is read as which moment, and how a moment is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.timestamps import format_timestamp, parse_timestamp

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15T12:00:00Z",
        "2024-01-15t12:00:00z",
        "2024-01-15 12:00:00Z",
        "2024-01-15T12:00Z",
        "2024-01-15T14:00:00+02:00",
        "2024-01-15T14:00:00 02:00",
        "2024-01-15T14:00:00+0200",
        "2024-01-15T14:00:00+02",
        "2024-01-15T06:30:00-05:30",
        "2024-01-15T12:00:00.000000000Z",
        "2024-01-15T12:00:00,0Z",
    ],
)
def test_the_same_moment_may_be_written_in_many_ways(text: str) -> None:
    assert parse_timestamp(text) == NOON


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-01-15T12:00:00", "no offset"),
        ("2024-01-15", "ISO 8601"),
        ("1705312800", "ISO 8601"),
        (1705312800, "must be a string"),
        (None, "must be a string"),
        ("2024-02-30T12:00:00Z", "calendar"),
        ("2024-01-15T24:00:01Z", "calendar"),
        ("2024-01-15T12:00:60Z", "calendar"),
        ("2024-01-15T12:00:00+25:00", "calendar"),
        ("0001-01-01T00:00:00+14:00", "calendar"),
        ("9999-12-31T23:59:59-14:00", "calendar"),
        ("٢٠٢٤-01-15T12:00:00Z", "ISO 8601"),
        ("2024-W03-1T12:00:00Z", "ISO 8601"),
        ("2024-01-15T12:00:00Z\n", "ISO 8601"),
        ("", "ISO 8601"),
    ],
)
def test_what_names_no_moment_is_refused(text: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2024-01-15T12:00:00Z"),
        (NOON.replace(microsecond=500_000), "2024-01-15T12:00:00.5Z"),
        (NOON.replace(microsecond=1), "2024-01-15T12:00:00.000001Z"),
        (NOON.astimezone(timezone(timedelta(hours=5))), "2024-01-15T12:00:00Z"),
    ],
)
def test_a_moment_is_written_one_way(moment: datetime, text: str) -> None:
    assert format_timestamp(moment) == text


@given(moments)
def test_what_is_written_is_read_as_the_same_moment(moment: datetime) -> None:
    assert parse_timestamp(format_timestamp(moment)) == moment
    assert parse_timestamp(moment.isoformat()) == moment
