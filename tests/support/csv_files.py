"""Readings as CSV files in any dialect that docs/loading.md names, written by Python's csv module."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

AT = "2025-01-15T10:00:00Z"

names = st.text(st.sampled_from("ab ,;\t\"'\r\né日+0"), min_size=1, max_size=6)
# fmt: off
readings = st.lists(st.fixed_dictionaries({
    "user_id": names, "device_id": names, "timestamp": st.just(AT),
    "heart_rate": st.floats(30, 220), "steps": st.none() | st.integers(0, 100_000) | st.integers(0, 9).map(float),
}), min_size=1, max_size=5)
dialects = st.fixed_dictionaries({
    "delimiter": st.sampled_from(",;\t"), "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
})
columns = st.permutations(["user_id", "device_id", "timestamp", "heart_rate", "steps"])
spelled = st.sampled_from([str, str.upper, str.title, " {} ".format, lambda name: {"timestamp": "ts"}.get(name, name)])
# fmt: on


def written(items: list[dict[str, Any]], order: list[str], dialect: dict[str, Any], spell: Any) -> bytes:
    """Write readings as Python does in a dialect, with a byte order mark as Excel does where columns are spelled so."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow([spell(name) for name in order])
    writer.writerows([item[name] for name in order] for item in items)
    # Before Python 3.13 it leaves a line break bare that is not the dialect's own, and cannot read that itself.
    again = csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=dialect["delimiter"])
    cells = [["" if item[name] is None else str(item[name]) for name in order] for item in items]
    assume(list(again)[1:] == cells)
    return text.getvalue().encode("utf-8-sig" if spell is str.upper else "utf-8")
