"""Retention of samples, intervals, worn windows and daily totals, a midnight at a time."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.interleaving import NOON
from tests.support.moments import DAY, micros, moment

KEPT = "SELECT CASE WHEN isfinite(samples_from) THEN samples_from END FROM core.horizon"


def drop(db: psycopg.Connection[Any], end: int) -> bool:
    """Drop what begins before a midnight; return whether it was dropped."""
    row = db.execute("CALL api_internal.drop_samples(%s, %s)", [moment(end - 40 * DAY), moment(end)]).fetchone()
    assert row is not None
    return bool(row[0])


def kept_from(db: psycopg.Connection[Any]) -> int:
    """Return from where on everything is kept; long before everything where nothing was dropped."""
    row = db.execute(KEPT).fetchone()
    assert row is not None
    return NOON - 10 * DAY if row[0] is None else micros(row[0])
