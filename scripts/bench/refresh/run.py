"""A run of `bench refresh`: every question with every subject that it applies to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from scripts.bench.database import version
from scripts.bench.history import Say
from scripts.bench.ingest.report import machine
from scripts.bench.refresh.aggregates import aggregates
from scripts.bench.refresh.hyperpulse import NAME, hyperpulse
from scripts.bench.refresh.intervals import days_of_intervals
from scripts.bench.refresh.late_days import late_days
from scripts.bench.refresh.late_reading import one_late, one_late_embedded
from scripts.bench.refresh.measurement import Row
from scripts.bench.refresh.options import Options
from scripts.bench.refresh.series import arriving, syncing
from scripts.bench.refresh.steps import Context
from scripts.bench.refresh.subject import OpenSubject, Subject
from scripts.bench.refresh.whole_day import whole_day
from scripts.bench.revision import checked_out, migrate, short_hash

Ask = Callable[[Context], Iterator[Row]]
ASKED: dict[str, Ask] = {
    "day": whole_day,
    "late": one_late,
    "uploaded": late_days,
    "arriving": arriving,
    "syncing": syncing,
    "intervals": days_of_intervals,
    "embedded": one_late_embedded,
}
OF_ANOTHER_REVISION = ("day", "late")


class Results(NamedTuple):
    """All measurements."""

    machine: str
    versions: list[str]
    """Versions of the databases, in order of their first use."""
    rows: list[Row]
    problems: list[str]
    """Errors in the rollups."""


def run(options: Options, say: Say) -> Results:
    """Measure the selected questions."""
    results = Results(machine(), [], [], [])
    with ExitStack() as stack:
        ours, others, older = subjects(options, stack)
        for question in options.only:
            say(f"{question}:")
            if question == "embedded":
                opened: list[OpenSubject] = [embedded]
            elif question == "intervals":
                # Plain aggregates have none.
                opened = [ours]
            else:
                opened = [ours, *others, *(older if question in OF_ANOTHER_REVISION else ())]
            for each in opened:
                context = Context(partial(noted, each, results.versions), options, say, results.problems)
                results.rows.extend(ASKED[question](context))
    return results


def subjects(options: Options, stack: ExitStack) -> tuple[OpenSubject, list[OpenSubject], list[OpenSubject]]:
    """Return what opens this revision's database, those compared with it, and the other revision's."""
    url = options.server_url

    def ours(word: str) -> AbstractContextManager[Subject]:
        return hyperpulse(url, f"{options.database}_{word}")

    def plain(word: str) -> AbstractContextManager[Subject]:
        return aggregates(url, f"{options.database}_{word}")

    others: list[OpenSubject] = [] if options.alone else [plain]
    if options.against is None:
        return ours, others, []
    migrating = partial(migrate, stack.enter_context(checked_out(options.against)))
    title = f"{NAME} {short_hash(options.against)}"

    def older(word: str) -> AbstractContextManager[Subject]:
        return hyperpulse(url, f"{options.database}_{word}", title, migrating)

    return ours, others, [older]


def embedded(word: str) -> AbstractContextManager[Subject]:
    """Open an embedded database, which needs no name."""
    return hyperpulse(None, word)


@contextmanager
def noted(open_subject: OpenSubject, versions: list[str], word: str) -> Iterator[Subject]:
    """Open a subject and note the versions that it runs on."""
    with open_subject(word) as subject:
        # The processor time of parallel workers is not measured; JIT is off as in Hyperpulse's databases.
        subject.connection.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
        found = version(subject.connection)
        if found not in versions:
            versions.append(found)
        yield subject
