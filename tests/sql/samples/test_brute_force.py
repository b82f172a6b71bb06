"""Answers about samples equal brute force in plain Python, whatever was written; and mutants, which are caught."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from service.database.schema import SQL
from tests.sql.samples.drawn import eras
from tests.sql.samples.given import COMPRESS, new_tenant
from tests.support.examples import examples, unhurried
from tests.support.sample_model import DEVICES, Model
from tests.support.samples import Question, Sample, latest, series, summary, write_samples


@dataclass(frozen=True)
class History:
    """What happens to a tenant, and what is asked afterwards."""

    batches: list[list[Sample]]
    priorities: dict[str, int]
    compressed: bool
    questions: list[Question]


@st.composite
def histories(draw: st.DrawFn) -> History:
    era = draw(eras())
    batches = draw(st.lists(era.batches, min_size=1, max_size=3))
    return History(
        batches,
        {device: draw(st.sampled_from([1, 1, 5])) for device in DEVICES},
        draw(st.booleans()),
        draw(st.lists(era.questions([one.ts for batch in batches for one in batch]), min_size=3, max_size=5)),
    )


def compare(db: psycopg.Connection[Any], history: History) -> None:
    """Let a history happen in the database and in the model, and ask both."""
    tenant, model = new_tenant(db), Model()
    for batch in history.batches:
        assert write_samples(db, tenant, batch) == model.write(batch)
        if history.compressed:
            db.execute(COMPRESS)
    for device, priority in history.priorities.items():
        if device in model.devices:
            db.execute("SELECT api.set_device(%s, %s, NULL, %s)", [tenant, device, priority])
            model.priorities[device] = priority
    for asked in history.questions:
        assert summary(db, tenant, asked) == model.summary(asked)
        assert series(db, tenant, asked) == model.series(asked)
        assert latest(db, tenant, asked.user) == model.latest(asked.user)


@settings(unhurried, max_examples=examples(60))
@given(histories())
def test_answers_are_exact(db: psycopg.Connection[Any], history: History) -> None:
    compare(db, history)


RANK = "core.device_rank(d.priority, d.metric_priorities, d.device_key, b.metric_key)"
MUTANTS = {
    "the worst device counts": (f"{RANK}'", f"{RANK} DESC'"),
    "the device registered last counts": (f"{RANK}'", f"{RANK} >> 32, d.device_key DESC'"),
    "priority does not matter": (f"{RANK}'", "d.device_key'"),
    "every device counts": ("SELECT DISTINCT ON (b.user_key, b.metric_key, b.bucket)", "SELECT"),
    "devices are compared by two minutes": ("INTERVAL '1 minute'", "INTERVAL '2 minutes'"),
    "the end is in the range": ("s.ts < a.range_end AND s.ts >= %1$L AND s.ts < %2$L", "s.ts <= a.range_end"),
    "devices never meet": ("HAVING min(a.device_key) < max(a.device_key)", "HAVING false"),
    "the first value is the last": ("public.last(s.value, s.ts)", "public.first(s.value, s.ts)"),
    "sums are rounded to thousandths": ("round(s.value * 1e6)", "1000 * round(s.value * 1e3)"),
}  # fmt: skip


@contextmanager
def mutated(db: psycopg.Connection[Any], wrong: tuple[str, str]) -> Iterator[None]:
    """Change a passage of the function that chooses between devices."""
    file = SQL / "api_internal/samples/instant_buckets.sql"
    right = file.read_text(encoding="utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    changed = right.replace(*wrong)
    assert changed != right
    db.execute(changed.encode())
    try:
        yield
    finally:
        db.execute(right.encode())


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_comparison_catches(db: psycopg.Connection[Any], mutant: str) -> None:
    @settings(unhurried, max_examples=300, phases=[Phase.generate])
    @given(histories())
    def search(history: History) -> None:
        compare(db, history)

    with mutated(db, MUTANTS[mutant]), pytest.raises((AssertionError, ExceptionGroup)):
        search()
