"""Hyperpulse over HTTP, of this working tree or another revision: its sustainable rate, and ingest alone."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from scripts.bench.database import Connection, value, version
from scripts.bench.history import TENANT, names
from scripts.bench.ingest.processes import CannotStart, server, wait_until_answering
from scripts.bench.revision import migrate
from scripts.bench.sustained import search
from scripts.bench.sustained.backlog import StaleMarks
from scripts.bench.sustained.environment import database, is_visible, last_day, observing
from scripts.bench.sustained.extrapolation import sustainable_rate
from scripts.bench.sustained.monitor import MonitorOptions, Observed, Sample, send
from scripts.bench.sustained.options import Options
from scripts.bench.sustained.phones import FIRST_STRAP, Phones, straps, wearers
from scripts.bench.sustained.posting import post
from scripts.bench.sustained.processor_time import ProcessorMeter
from scripts.bench.sustained.progress import Progress
from scripts.bench.sustained.refresher import Refresher, refreshing
from scripts.bench.sustained.result_row import Row, row_of
from scripts.bench.sustained.search import MOST_AGE, Found, Say, Stopped, Verdict

ENROL = Path(__file__).with_name("enrol.sql").read_bytes()
EXISTING_READINGS = Path(__file__).with_name("existing_readings.sql").read_bytes()
OFF = "off"
PAUSE_SECONDS = 2.0
ALONE_SECONDS = 15.0
CALM_SECONDS, CALM_RATE = 2.0, 500.0
GUESS = 30_000.0
"""Readings a second for which people are enrolled if no rate is known; others are enrolled as they arrive."""
REPORT_SECONDS = 10.0
DRAIN_SECONDS = 300.0
QUARTER = timedelta(minutes=15)
VERIFIED = 200
COARSE_SPAN = timedelta(days=1)
"""What a revision without quarters recomputes for all users: whole days, at least one."""
COARSE_SHARE = 0.9
HORIZON = "SELECT announced FROM core.horizon"
HAS_QUARTERS = """SELECT EXISTS (SELECT FROM information_schema.columns
 WHERE (table_schema, table_name, column_name) = ('core', 'stale_day', 'quarters'))"""


class Code(NamedTuple):
    """The revision that runs."""

    name: str
    directory: Path

    @property
    def can_refresh(self) -> bool:
        """Return whether its service elects a refresher."""
        return "refresh_seconds" in (self.directory / "service" / "settings.py").read_text(encoding="utf-8")


class Trial:
    """A database with the last day of some people, and the uploads sent to it."""

    def __init__(self, options: Options, code: Code, url: str, connection: Connection, say: Say) -> None:
        self.options = options
        self.code = code
        self.url = url
        self.connection = connection
        self.say = say
        self.is_visible = is_visible(connection)
        self.marks = StaleMarks(connection)
        self.service: int | None = None
        self.wearer = 1
        self.straps = 0
        self.existing = 0
        self.sent: list[Progress] = []
        self.reported = 0.0
        self.refresher: Refresher | None = None
        self.expected = GUESS
        """Expected readings a second when as many are sent as are answered."""

    @property
    def is_granular(self) -> bool:
        """Return whether a refresh recomputes only changed quarters."""
        return bool(value(self.connection, HAS_QUARTERS))

    def readings(self) -> int:
        """Return the number of stored readings."""
        return self.existing + sum(progress.new for progress in self.sent)

    def run(self, rate: float | None, seconds: float) -> Observed:
        """Let phones send for `seconds`."""
        rate = min(filter(None, (rate, self.options.most)), default=None)
        phones = self.enrolled(rate or self.expected, seconds)
        monitoring = MonitorOptions(
            self.connection,
            self.marks,
            partial(ProcessorMeter, self.service, is_here=self.is_visible),
            MOST_AGE,
            self.report,
        )
        self.sent.append(progress := Progress())
        self.reported = time.monotonic()
        observed = send(
            partial(post, self.options.port, self.options.connections, iter(phones)),
            monitoring,
            progress,
            rate,
            seconds,
        )
        self.wearer = phones.wearer
        if rate is None:
            self.expected = observed.rate
        if self.refresher and self.refresher.fault:
            progress.refusal = progress.refusal or f"the refresh failed: {self.refresher.fault}"
        return observed

    def enrolled(self, rate: float, seconds: float) -> Phones:
        """Return phones whose wearers are registered."""
        enough = straps(rate)
        if enough > self.straps:
            self.enrol(FIRST_STRAP + self.straps, FIRST_STRAP + enough - 1)
            self.straps = enough
        self.enrol(self.wearer, self.wearer + wearers(rate * seconds))
        return Phones(self.options.seed + self.wearer, self.wearer, enough, value(self.connection, HORIZON))

    def enrol(self, first: int, last: int) -> None:
        """Register wearers from one number to another."""
        self.connection.execute(ENROL, {"tenant": TENANT, "first": first, "last": last})

    def report(self, sample: Sample, rate: float | None) -> None:
        """Print progress now and then."""
        if time.monotonic() - self.reported < REPORT_SECONDS:
            return
        self.reported = time.monotonic()
        offered = f" of {rate:,.0f}" if rate else ""
        self.say(
            f"    {sample.at:4.0f} s: {sample.readings / sample.at:,.0f}{offered} readings/s; "
            f"{sample.waiting.days:,} user-days stale, the oldest since {sample.waiting.age:.0f} s"
        )

    def drain(self) -> bool:
        """Wait until nothing is stale; return False on a timeout or a failed refresh."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and not (self.refresher and self.refresher.fault):
            if not self.marks.sample().days:
                return True
            time.sleep(0.2)
        return False

    def calm(self) -> Observed:
        """Send a few uploads and wait until they are refreshed."""
        observed = self.run(CALM_RATE, CALM_SECONDS)
        if observed.progress.refusal:
            raise Stopped(observed.progress.refusal)
        began = time.monotonic()
        if not self.drain():
            raise Stopped(f"a few uploads are still stale after {DRAIN_SECONDS:.0f} s")
        self.say(f"{self.code.name}: a few uploads are refreshed after {time.monotonic() - began:.1f} s")
        return observed


def measure(options: Options, code: Code, name: str, say: Say) -> tuple[str, list[Row]]:
    """Measure the sustainable rate and, on the same database, ingest alone; return the versions and the rows."""
    with (
        database(options.server_url, name) as url,
        prepared(options, code, url, say) as trial,
    ):
        rows = []
        with serving(trial, refresh=True):
            rows.append(kept_up(trial))
            problem = wrong(trial)
            rows[0] = rows[0]._replace(note="; ".join(filter(None, (rows[0].note, problem))))
        with serving(trial, refresh=False):
            say(f"{code.name}: ingest alone")
            there = trial.readings()
            observed = trial.run(None, min(ALONE_SECONDS, options.minutes * 60))
            say(f"  {observed.rate:,.0f}/s")
            rows.append(row_of(f"{code.name}, ingest alone", observed, there, observed.progress.refusal))
        return version(trial.connection), rows


@contextmanager
def prepared(options: Options, code: Code, url: str, say: Say) -> Iterator[Trial]:
    """Migrate a database and fill it with the last day of some people."""
    say(f"{code.name}: the last day of {options.users:,} people")
    migrate(code.directory, url)
    with observing(url) as connection:
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )
        trial = Trial(options, code, url, connection, say)
        trial.existing = fill(connection, options.users)
        began = time.monotonic()
        while True:
            connection.execute("CALL api.refresh()")
            if not trial.marks.sample().days:
                break
        connection.execute("ANALYZE")
        say(f"  {trial.existing:,} readings, refreshed in {time.monotonic() - began:.1f} s")
        yield trial


def fill(connection: Connection, users: int) -> int:
    """Store the last day of `users` people and mark it stale; return the number of readings."""
    people = names("walker", users)
    tenants = [TENANT] * users
    watches = [f"watch of {person}" for person in people]
    user_keys = value(connection, "SELECT enrol_users(%s::text[], %s::text[])", tenants, list(people))
    device_keys = value(connection, "SELECT enrol_devices(%s::text[], %s::text[])", tenants, watches)
    begin, end = last_day()
    with connection.transaction():
        connection.execute("SELECT hold_horizon()")
        span = {"user_keys": user_keys, "device_keys": device_keys, "begin": begin, "end": end}
        readings = connection.execute(EXISTING_READINGS, span).rowcount
        for quarter in range((end - begin) // QUARTER):
            marks = (user_keys, [begin + quarter * QUARTER] * users)
            connection.execute("SELECT mark_stale(%s::int[], %s::timestamptz[])", marks)
    return readings


@contextmanager
def serving(trial: Trial, *, refresh: bool) -> Iterator[None]:
    """Run the service, with or without a refresher."""
    options, code = trial.options, trial.code
    by_service = code.can_refresh and options.refresher != "bench"
    if options.refresher == "service" and not code.can_refresh:
        raise CannotStart(f"{code.name}: its service elects no refresher")
    environment = {
        "DATABASE_URL": trial.url,
        "HOST": "127.0.0.1",
        "PORT": str(options.port),
        "WORKERS": str(options.workers),
        "STOP_WITH_STDIN": "1",
    }
    if code.can_refresh and not (refresh and by_service):
        environment["REFRESH_SECONDS"] = OFF
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hyperpulse-bench-")))
        log = directory / "service.log"
        process = stack.enter_context(server([sys.executable, "-m", "service"], code.directory, environment, log))
        wait_until_answering(f"http://127.0.0.1:{options.port}/ready", process, log)
        trial.service = process.pid
        if refresh and not by_service:
            trial.refresher = stack.enter_context(
                refreshing(Refresher(trial.url, call, trial.readings, PAUSE_SECONDS, 0.0, is_here=trial.is_visible))
            )
        yield
    trial.service = trial.refresher = None


def call(connection: Connection) -> None:
    """Refresh the rollups."""
    connection.execute("CALL api.refresh()")


def kept_up(trial: Trial) -> Row:
    """Find and confirm the sustainable rate."""
    calm = trial.calm()
    found = granular(trial) if trial.is_granular else coarse(trial, calm)
    row = row_of(trial.code.name, found.observed, trial.existing, found.verdict.why)._replace(
        is_kept_up=found.verdict.is_kept_up, stale=found.observed.days, age=found.observed.age
    )
    if trial.is_granular:
        return row._replace(for_ever=row.rate if row.is_kept_up else None)
    cycles = trial.refresher.cycles if trial.refresher else []
    return row._replace(for_ever=sustainable_rate(cycles, COARSE_SPAN, MOST_AGE))


def granular(trial: Trial) -> Found:
    """Search the sustainable rate and confirm it."""
    options = trial.options
    seconds = options.minutes * 60
    rate = search.search(trial.run, trial.drain, options.most, min(options.short, seconds), trial.say)
    trial.say(f"{trial.code.name}: confirming {rate * search.HEADROOM:,.0f}/s for {options.minutes:g} minutes")
    return search.confirm(trial.run, trial.drain, rate * search.HEADROOM, seconds, trial.say)


def coarse(trial: Trial, calm: Observed) -> Found:
    """Send at the rate that one cycle allows, where each cycle recomputes all stored readings.

    An upload that arrives just after the start of a cycle waits for two cycles. The backlog grows during a cycle, so
    only its age is judged.
    """
    assert trial.refresher is not None
    seconds = trial.options.minutes * 60
    longest = max(trial.refresher.cycles, key=lambda cycle: cycle.seconds / cycle.readings)
    room = COARSE_SHARE * MOST_AGE / 2 / longest.seconds * longest.readings - trial.readings()
    if room <= 0:
        return Found(calm, Verdict(False, f"a refresh takes {longest.seconds:.0f} s after a few uploads"))
    trial.say(f"{trial.code.name}: confirming {room / seconds:,.0f}/s for {trial.options.minutes:g} minutes")
    return search.confirm(trial.run, trial.drain, room / seconds, seconds, trial.say, math.inf)


def wrong(trial: Trial) -> str:
    """Compare stored with acknowledged readings, and rollups with raw readings; return what is wrong."""
    if not trial.drain():
        return "not everything was refreshed in the end"
    stored = int(value(trial.connection, "SELECT count(*) FROM core.reading"))
    if stored != trial.readings():
        raise CannotStart(f"{trial.readings():,} readings were acknowledged, {stored:,} are stored")
    statement = "SELECT count(*) FROM api.verify(now() - INTERVAL '3 days', now(), %s) WHERE problem IS NOT NULL"
    differ = int(value(trial.connection, statement, VERIFIED))
    if differ:
        raise CannotStart(f"{differ:,} buckets of {VERIFIED} people differ from raw readings")
    return ""
