"""`make bench ARGS=refresh`, with few readings: every question is answered, the rollups are right, nothing is left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from scripts.bench.refresh import intervals, report
from scripts.bench.refresh.hyperpulse import hyperpulse
from scripts.bench.refresh.late_reading import REFRESH
from scripts.bench.refresh.measurement import Aims, Row, Spent, median_of, total
from scripts.bench.refresh.options import Options, parse
from scripts.bench.refresh.readings import DAY, by_time, by_user, late, named, names
from scripts.bench.refresh.run import Results, run
from scripts.bench.refresh.steps import MINUTE, Cut, bounded, refresh, yesterday
from scripts.bench.refresh.subject import Subject

pytestmark = pytest.mark.usefixtures("prepared_databases")

PATIENCE = 60.0


def options(server_url: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Options:
    """Return options for few readings."""
    monkeypatch.setenv("BENCH_DATABASE_URL", server_url)
    name = f"hyperpulse_refresh_{os.getpid()}"
    sizes = ["--users", "2", "--sizes", "2", "--second-every", "0", "--repeats", "2", "--database", name]
    return parse([*sizes, *arguments])


@pytest.fixture
def subject(server_url: str) -> Iterator[Subject]:
    """Hyperpulse in a database of its own, with the horizon at the beginning of a day."""
    with hyperpulse(server_url, f"hyperpulse_refresh_{os.getpid()}") as made:
        made.begin(yesterday())
        yield made


def test_a_small_run_answers_and_leaves_right_rollups(
    server_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only = [word for question in ("day", "late", "uploaded") for word in ("--only", question)]
    results = run(options(server_url, monkeypatch, *only), print)
    assert results.problems == []
    found = {(row.subject, row.what, row.users, row.readings) for row in results.rows}
    for name in ("Hyperpulse", "plain aggregates"):
        assert found >= {
            (name, "COPY", 2, 2880),
            (name, "refresh of all", 2, 2880),
            (name, "refresh with nothing to do", 2, 0),
            (name, REFRESH, 2, 1),
            (name, "refresh after a whole day each", 2, 2880),
            (name, "refresh after a late reading each", 2, 2),
        }
    assert all(each.passed > 0 and each.wal >= 0 for row in results.rows for each in row.spent)
    assert all(len(row.spent) == 2 for row in results.rows if row.what == REFRESH)
    report.show(results, Console(width=140))
    report.write_json(results, tmp_path / "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["what"] for row in rows] == [row.what for row in results.rows]
    with psycopg.connect(server_url, autocommit=True) as connection:
        left = "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)"
        assert connection.execute(left, (f"hyperpulse_refresh_{os.getpid()}",)).fetchone() == (0,)


def test_days_of_intervals_are_compared_with_the_hot_three(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [shape for shape in intervals.SHAPES if not shape.counters]
    monkeypatch.setattr(intervals, "SHAPES", shapes)
    monkeypatch.setattr(intervals, "TURNS", 1)
    monkeypatch.setattr(intervals, "WALKERS", 1)
    results = run(options(server_url, monkeypatch, "--only", "intervals"), print)
    assert results.problems == []
    assert [row.what for row in results.rows[::2]] == [shape.name for shape in shapes]
    assert all(row.spent and row.users == 2 and row.readings > 280 for row in results.rows)
    met = [shape.name for shape in shapes if shape.beside == intervals.MET.name]
    assert met == [intervals.AS_WALKS, shapes[6].name, shapes[-2].name, shapes[-1].name]
    for shape, row in zip(shapes, results.rows[::2], strict=True):
        if row.spent[0].computed is not None:
            assert (f"times a value of {shape.beside}" in row.note) == (shape is not intervals.HOT)
            assert not shape.alike or f"times a value of {shape.alike}" in row.note
            assert ("by minutes" in row.note) == shape.walks


def test_days_of_the_hot_three_have_as_many_values(subject: Subject) -> None:
    devices = intervals.enrolled(subject.connection)
    stored = {
        shape.name: intervals.store(subject.connection, shape, 1, devices, [])
        for shape in intervals.SHAPES
        if not shape.walks
    }
    alike = {name: each for name, each in stored.items() if each.shape.alike}
    assert len(alike) == 5
    for each in alike.values():
        assert each.values == stored[each.shape.alike].values


def test_what_is_stale_or_wrong_is_a_problem(subject: Subject) -> None:
    day, sources = yesterday(), subject.enrol(2, 2)
    noon = day + timedelta(hours=12)
    for each in by_time(sources, day, noon, MINUTE):
        subject.store(each)
    assert subject.fill(sources, noon, day + DAY, MINUTE) == 3 * 720
    refresh(subject, day + DAY, PATIENCE)
    assert subject.problems(day, 2) == []
    subject.write([late(sources[0], day)])
    assert subject.problems(day, 2) == ["Hyperpulse: 1 days of users are stale after the refresh"]
    refresh(subject, day + DAY, PATIENCE)
    assert subject.problems(day, 2) == []
    counted = "SELECT heart_rate_count FROM api.summary('default', 'walker-1', %s, %s, NULL)"
    assert subject.connection.execute(counted, (day, day + DAY)).fetchone() == (1441,)
    # Written to the table directly, so that nothing marks the day stale.
    subject.connection.execute("DELETE FROM core.reading WHERE ts < %s", (day + timedelta(hours=1),))
    assert any("walker-1" in problem for problem in subject.problems(day, 2))


def test_every_order_has_every_reading_once_and_marks_its_quarters() -> None:
    sources, start = named([1, 2, 3, 2], [1, 2, 3, 4], names(3, 2)), yesterday()
    assert sources[1].second != sources[3].second
    for order in (by_time, by_user):
        batches = list(order(sources, start, start + DAY, MINUTE))
        assert sum(each.readings for each in batches) == 4 * 1440
        marks = {mark for each in batches for mark in zip(each.user_keys, each.quarters, strict=True)}
        assert len(marks) >= 3 * 96
        assert {user for user, _ in marks} == {1, 2, 3}


@pytest.mark.native
def test_what_takes_too_long_is_cut(subject: Subject) -> None:
    with pytest.raises(Cut, match="cut after 1 s"):
        bounded(subject, lambda: subject.connection.execute("SELECT pg_sleep(30)"), 1)


def test_figures_are_medians_and_aims_are_judged() -> None:
    spent = (Spent(0.01, 0.009, 200_000), Spent(0.03, 0.02, 400_000), Spent(0.02, 0.01, 100_000))
    assert median_of(spent) == Spent(0.02, 0.01, 200_000)
    assert total(spent) == Spent(0.06, 0.039, 700_000)
    assert total([Spent(1, None, 1), Spent(1, 1, 1)]).computed is None
    row = Row("late", "Hyperpulse", REFRESH, 100, 1, spent, Aims(passed=0.015, wal=0.3e6))
    assert report.judged(row.aims, row, median_of(spent)) == "≤ 15 ms missed, ≤ 0.3 MB met"
    slower = row._replace(users=1000, spent=(Spent(0.05, 0.02, 1),))
    assert "2.00 times the least (aim ≤ 1.33: missed)" in "".join(report.growth([row, slower]))
    cut = row._replace(spent=(), note="cut after 5 s")
    console = Console(width=140, record=True)
    report.show(Results("2 cores", ["PostgreSQL"], [row, cut], ["all"]), console)
    said = console.export_text()
    assert "cut after 5 s" in said
    assert "WRONG: all" in said
