"""The receipt of a file: kinds by their names, of which a file cannot make it keep any number, or any length."""

from __future__ import annotations

from service.imports.adapter import Damaged
from service.ingest.file_receipt import LONGEST_NAME, MOST_KINDS, OTHERS, FileReport
from service.ingest.receipt import Tally
from service.metrics.counters import Counters


def test_kinds_are_counted_by_outcome_and_what_is_left_out_by_reason() -> None:
    report = FileReport()
    assert report.is_empty
    for outcome in ("inserted", "inserted", "unchanged", "rejected"):
        report.count("steps", outcome)
    report.skip("sleep", "has no metric", 2)
    report.skip("sleep", "has no metric", 3)
    report.damage = Damaged("line 7", "is no XML")
    document = report.document("some-format", Tally(Counters()))
    assert document["kinds"] == [{"kind": "steps", "inserted": 2, "updated": 0, "unchanged": 1, "rejected": 1}]
    assert document["skipped"] == [{"kind": "sleep", "reason": "has no metric", "count": 5}]
    assert document["damage"] == {"at": "line 7", "problem": "is no XML"}


def test_a_file_of_very_many_kinds_makes_no_long_receipt() -> None:
    report = FileReport()
    for number in range(3 * MOST_KINDS):
        report.count(f"kind {number}" + "x" * 1000, "inserted")
        report.skip(f"kind {number}" + "x" * 1000, "has no metric", 1)
    assert len(report.kinds) == MOST_KINDS + 1
    assert report.kinds[OTHERS]["inserted"] == 2 * MOST_KINDS
    assert sum(report.skipped.values()) == 3 * MOST_KINDS
    assert len(report.skipped) == MOST_KINDS + 1
    assert max(map(len, report.kinds)) == LONGEST_NAME
