"""Hyperpulse over HTTP, of this working tree or of another revision: what it keeps up, and ingest alone."""

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
from scripts.bench.sustained.backlog import Marks
from scripts.bench.sustained.environment import database, is_seen, last_day, looking_on
from scripts.bench.sustained.extrapolation import rate_for_ever
from scripts.bench.sustained.monitor import Look, Seen, Watch, send
from scripts.bench.sustained.options import Options
from scripts.bench.sustained.phones import FIRST_STRAP, Phones, straps, wearers
from scripts.bench.sustained.posting import post
from scripts.bench.sustained.processor_time import Meter
from scripts.bench.sustained.progress import Progress
from scripts.bench.sustained.refresher import Refresher, refreshing
from scripts.bench.sustained.result_row import Row, row_of
from scripts.bench.sustained.search import MOST_AGE, Found, Say, Stopped, Verdict

ENROL = Path(__file__).with_name("enrol.sql").read_bytes()
STANDING = Path(__file__).with_name("existing_readings.sql").read_bytes()
OFF = "off"
PAUSE_SECONDS = 2.0
ALONE_SECONDS = 15.0
CALM_SECONDS, CALM_RATE = 2.0, 500.0
GUESS = 30_000.0
"""Readings a second that people are enrolled for where no rate is known; those beyond are enrolled as they come."""
TELL_SECONDS = 10.0
DRAIN_SECONDS = 300.0
QUARTER = timedelta(minutes=15)
VERIFIED = 200
COARSE_SPAN = timedelta(days=1)
"""What a refresh recomputes for everybody that knows no quarters: whole days, at least one."""
COARSE_SHARE = 0.9
HORIZON = "SELECT announced FROM core.horizon"
HAS_QUARTERS = """SELECT EXISTS (SELECT FROM information_schema.columns
 WHERE (table_schema, table_name, column_name) = ('core', 'stale_day', 'quarters'))"""


class Code(NamedTuple):
    """Which revision runs."""

    name: str
    directory: Path

    @property
    def can_refresh(self) -> bool:
        """Whether its service elects a refresher."""
        return "refresh_seconds" in (self.directory / "service" / "settings.py").read_text(encoding="utf-8")


class Trial:
    """A database with a last day of people, and what is sent to it."""

    def __init__(self, options: Options, code: Code, url: str, connection: Connection, say: Say) -> None:
        self.options = options
        self.code = code
        self.url = url
        self.connection = connection
        self.say = say
        self.is_seen = is_seen(connection)
        self.marks = Marks(connection)
        self.service: int | None = None
        self.wearer = 1
        self.straps = 0
        self.there = 0
        self.sent: list[Progress] = []
        self.told = 0.0
        self.refresher: Refresher | None = None
        self.expected = GUESS
        """Readings a second, where as many are sent as are answered."""

    @property
    def is_granular(self) -> bool:
        """Whether a refresh recomputes only what changed."""
        return bool(value(self.connection, HAS_QUARTERS))

    def readings(self) -> int:
        """Count the readings that are there."""
        return self.there + sum(progress.new for progress in self.sent)

    def run(self, rate: float | None, seconds: float) -> Seen:
        """Let phones send for a while."""
        rate = min(filter(None, (rate, self.options.most)), default=None)
        phones = self.enrolled(rate or self.expected, seconds)
        watch = Watch(
            self.connection, self.marks, partial(Meter, self.service, is_here=self.is_seen), MOST_AGE, self.tell
        )
        self.sent.append(progress := Progress())
        self.told = time.monotonic()
        seen = send(
            partial(post, self.options.port, self.options.connections, iter(phones)), watch, progress, rate, seconds
        )
        self.wearer = phones.wearer
        if rate is None:
            self.expected = seen.rate
        if self.refresher and self.refresher.fault:
            progress.refusal = progress.refusal or f"the refresh failed: {self.refresher.fault}"
        return seen

    def enrolled(self, rate: float, seconds: float) -> Phones:
        """Make phones, of people who are registered."""
        enough = straps(rate)
        if enough > self.straps:
            self.enrol(FIRST_STRAP + self.straps, FIRST_STRAP + enough - 1)
            self.straps = enough
        self.enrol(self.wearer, self.wearer + wearers(rate * seconds))
        return Phones(self.options.seed + self.wearer, self.wearer, enough, value(self.connection, HORIZON))

    def enrol(self, first: int, last: int) -> None:
        """Register wearers from one number to another."""
        self.connection.execute(ENROL, {"tenant": TENANT, "first": first, "last": last})

    def tell(self, look: Look, rate: float | None) -> None:
        """Say how far it is, every now and then."""
        if time.monotonic() - self.told < TELL_SECONDS:
            return
        self.told = time.monotonic()
        offered = f" of {rate:,.0f}" if rate else ""
        self.say(
            f"    {look.at:4.0f} s: {look.readings / look.at:,.0f}{offered} readings/s; "
            f"{look.waiting.days:,} user-days stale, the oldest since {look.waiting.age:.0f} s"
        )

    def drain(self) -> bool:
        """Wait until nothing is stale; tell whether that came to be."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and not (self.refresher and self.refresher.fault):
            if not self.marks.look().days:
                return True
            time.sleep(0.2)
        return False

    def calm(self) -> Seen:
        """Send a few uploads, and wait until they are no longer stale."""
        seen = self.run(CALM_RATE, CALM_SECONDS)
        if seen.progress.refusal:
            raise Stopped(seen.progress.refusal)
        began = time.monotonic()
        if not self.drain():
            raise Stopped(f"a few uploads are still stale after {DRAIN_SECONDS:.0f} s")
        self.say(f"{self.code.name}: a few uploads are refreshed after {time.monotonic() - began:.1f} s")
        return seen


def measure(options: Options, code: Code, name: str, say: Say) -> tuple[str, list[Row]]:
    """Measure what is kept up and, of the same database, ingest alone; return the versions and the rows."""
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
            seen = trial.run(None, min(ALONE_SECONDS, options.minutes * 60))
            say(f"  {seen.rate:,.0f}/s")
            rows.append(row_of(f"{code.name}, ingest alone", seen, there, seen.progress.refusal))
        return version(trial.connection), rows


@contextmanager
def prepared(options: Options, code: Code, url: str, say: Say) -> Iterator[Trial]:
    """Migrate a database and fill it with the last day of people."""
    say(f"{code.name}: the last day of {options.users:,} people")
    migrate(code.directory, url)
    with looking_on(url) as connection:
        connection.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )
        trial = Trial(options, code, url, connection, say)
        trial.there = fill(connection, options.users)
        began = time.monotonic()
        while True:
            connection.execute("CALL api.refresh()")
            if not trial.marks.look().days:
                break
        connection.execute("ANALYZE")
        say(f"  {trial.there:,} readings, refreshed in {time.monotonic() - began:.1f} s")
        yield trial


def fill(connection: Connection, users: int) -> int:
    """Store the last day of so many people, and mark it stale; return how many readings these are."""
    people = names("walker", users)
    tenants = [TENANT] * users
    watches = [f"watch of {person}" for person in people]
    user_keys = value(connection, "SELECT enrol_users(%s::text[], %s::text[])", tenants, list(people))
    device_keys = value(connection, "SELECT enrol_devices(%s::text[], %s::text[])", tenants, watches)
    begin, end = last_day()
    with connection.transaction():
        connection.execute("SELECT hold_horizon()")
        span = {"user_keys": user_keys, "device_keys": device_keys, "begin": begin, "end": end}
        readings = connection.execute(STANDING, span).rowcount
        for quarter in range((end - begin) // QUARTER):
            marks = (user_keys, [begin + quarter * QUARTER] * users)
            connection.execute("SELECT mark_stale(%s::int[], %s::timestamptz[])", marks)
    return readings


@contextmanager
def serving(trial: Trial, *, refresh: bool) -> Iterator[None]:
    """Run the service, and a refresher or none."""
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
                refreshing(Refresher(trial.url, call, trial.readings, PAUSE_SECONDS, 0.0, is_here=trial.is_seen))
            )
        yield
    trial.service = trial.refresher = None


def call(connection: Connection) -> None:
    """Refresh."""
    connection.execute("CALL api.refresh()")


def kept_up(trial: Trial) -> Row:
    """Find and confirm the rate that is kept up."""
    calm = trial.calm()
    found = granular(trial) if trial.is_granular else coarse(trial, calm)
    row = row_of(trial.code.name, found.seen, trial.there, found.verdict.why)._replace(
        is_kept_up=found.verdict.is_kept_up, stale=found.seen.days, age=found.seen.age
    )
    if trial.is_granular:
        return row._replace(for_ever=row.rate if row.is_kept_up else None)
    cycles = trial.refresher.cycles if trial.refresher else []
    return row._replace(for_ever=rate_for_ever(cycles, COARSE_SPAN, MOST_AGE))


def granular(trial: Trial) -> Found:
    """Close in on the rate, and confirm it."""
    options = trial.options
    seconds = options.minutes * 60
    rate = search.search(trial.run, trial.drain, options.most, min(options.short, seconds), trial.say)
    trial.say(f"{trial.code.name}: confirming {rate * search.HEADROOM:,.0f}/s for {options.minutes:g} minutes")
    return search.confirm(trial.run, trial.drain, rate * search.HEADROOM, seconds, trial.say)


def coarse(trial: Trial, calm: Seen) -> Found:
    """Send at the rate that cycles allow for once, where each recomputes whatever is there.

    What arrives just after a cycle has begun waits for two of them. What waits grows while a cycle lasts, so only its
    age is judged.
    """
    assert trial.refresher is not None
    seconds = trial.options.minutes * 60
    longest = max(trial.refresher.cycles, key=lambda cycle: cycle.seconds / cycle.readings)
    room = COARSE_SHARE * MOST_AGE / 2 / longest.seconds * longest.readings - trial.readings()
    if room <= 0:
        return Found(calm, Verdict(False, f"a refresh takes {longest.seconds:.0f} s when a few uploads have come"))
    trial.say(f"{trial.code.name}: confirming {room / seconds:,.0f}/s for {trial.options.minutes:g} minutes")
    return search.confirm(trial.run, trial.drain, room / seconds, seconds, trial.say, math.inf)


def wrong(trial: Trial) -> str:
    """Compare what is stored with what was acknowledged, and rollups with raw readings; say what is wrong."""
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
