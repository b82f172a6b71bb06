"""A run of `bench refresh`: every question asked of every subject that it is asked of."""

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
from scripts.bench.refresh.late_days import late_days
from scripts.bench.refresh.late_reading import one_late, one_late_embedded
from scripts.bench.refresh.measurement import Row
from scripts.bench.refresh.options import Options
from scripts.bench.refresh.series import arriving, syncing
from scripts.bench.refresh.steps import Asked
from scripts.bench.refresh.subject import Made, Subject
from scripts.bench.refresh.whole_day import whole_day
from scripts.bench.revision import checked_out, migrate, short_hash

Ask = Callable[[Asked], Iterator[Row]]
ASKED: dict[str, Ask] = {
    "day": whole_day,
    "late": one_late,
    "uploaded": late_days,
    "arriving": arriving,
    "syncing": syncing,
    "embedded": one_late_embedded,
}
OF_ANOTHER_REVISION = ("day", "late")


class Results(NamedTuple):
    """Everything measured."""

    machine: str
    versions: list[str]
    """Of the databases, in the order in which they were met."""
    rows: list[Row]
    problems: list[str]
    """What the rollups were found to get wrong."""


def run(options: Options, say: Say) -> Results:
    """Measure what is asked for."""
    results = Results(machine(), [], [], [])
    with ExitStack() as stack:
        ours, others, older = subjects(options, stack)
        for question in options.only:
            say(f"{question}:")
            if question == "embedded":
                made: list[Made] = [embedded]
            else:
                made = [ours, *others, *(older if question in OF_ANOTHER_REVISION else ())]
            for each in made:
                asked = Asked(partial(noted, each, results.versions), options, say, results.problems)
                results.rows.extend(ASKED[question](asked))
    return results


def subjects(options: Options, stack: ExitStack) -> tuple[Made, list[Made], list[Made]]:
    """Return what makes this revision's database, what it is compared with, and another revision's."""
    url = options.server_url

    def ours(word: str) -> AbstractContextManager[Subject]:
        return hyperpulse(url, f"{options.database}_{word}")

    def plain(word: str) -> AbstractContextManager[Subject]:
        return aggregates(url, f"{options.database}_{word}")

    others: list[Made] = [] if options.alone else [plain]
    if options.against is None:
        return ours, others, []
    migrating = partial(migrate, stack.enter_context(checked_out(options.against)))
    title = f"{NAME} {short_hash(options.against)}"

    def older(word: str) -> AbstractContextManager[Subject]:
        return hyperpulse(url, f"{options.database}_{word}", title, migrating)

    return ours, others, [older]


def embedded(word: str) -> AbstractContextManager[Subject]:
    """Make an embedded database, which needs no name."""
    return hyperpulse(None, word)


@contextmanager
def noted(made: Made, versions: list[str], word: str) -> Iterator[Subject]:
    """Make a subject, and note the versions that it runs on."""
    with made(word) as subject:
        # Workers of a parallel query would compute unseen; without JIT, as Hyperpulse sets for its databases.
        subject.connection.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
        found = version(subject.connection)
        if found not in versions:
            versions.append(found)
        yield subject
