"""`bench backups`: back up under load, restore elsewhere and to a point in time, and compare with what was answered."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
import uvloop

from scripts.bench.database import connect, value, version
from scripts.bench.ingest.processes import CannotStart, server, wait_until_answering
from scripts.bench.overload import check
from scripts.bench.overload.cluster import Cluster, cluster, find_programs, free_port, hand_over
from scripts.bench.overload.kills import SENDERS, SHAPES, Say, Senders, Service
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.overload.workload import Ledger
from scripts.bench.overload.workload_mix import flow
from scripts.migrate import migrate
from service.database.schema import ROOT

ARCHIVE_SCRIPT = ROOT / "deploy" / "archive-wal.sh"
ASKED = 200
ARCHIVED_SECONDS = 60.0
RECOVERY_SECONDS = 600.0


class Moment(NamedTuple):
    """What was sent and what was answered at a moment."""

    at: datetime
    ledgers: list[Ledger]


class Loaded(NamedTuple):
    """What was backed up, and what was sent meanwhile."""

    target: Moment
    """The moment to recover to."""
    portable: list[Ledger]
    """What the portable backup must have, and may have."""
    rows: list[tuple[str, str, str]]


def run(options: Options, say: Say) -> Results:
    """Load, back up, restore, and compare."""
    flows = [flow(number, shape, 1.0, datetime.now(UTC)) for number, shape in enumerate(SHAPES, 1)]
    with tempfile.TemporaryDirectory(prefix="hyperpulse-backups-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        archive = directory / "wal"
        archive.mkdir()
        shutil.copy(ARCHIVE_SCRIPT, directory)
        hand_over(archive)
        settings = {
            "archive_mode": "on",
            "archive_command": f'sh {directory}/{ARCHIVE_SCRIPT.name} "%p" "{archive}/%f"',
        }
        with cluster(directory / "source.log", settings) as source:
            migrate(source.url)
            service = Service(source.url, options, directory / "service.log")
            try:
                wait_until_answering(
                    f"http://127.0.0.1:{options.port}/ready", service.process, directory / "service.log"
                )
                senders = Senders(options.port, flows, options.seed)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    loaded = runner.run(load_and_back_up(options, senders, source, directory, say))
            finally:
                service.stop()
            archive_all(source.url, archive)
            with connect(source.url) as connection:
                title = version(connection)
                size = value(connection, "SELECT pg_database_size(current_database())")
        faults = [f"{text}, {count} times" for text, count in senders.faults.items()]
        rows = [("the database in the end", megabytes(size), ""), *loaded.rows]
        rows.append(("write-ahead log archived meanwhile", megabytes(size_of(archive)), ""))
        verdicts = [Verdict("no answer but success and busy", not faults, f"{len(faults)} others")]
        with recovered(directory, archive, loaded.target.at, rows, say) as url:
            verdicts += judged("at the point in time", url, loaded.target.ledgers, options, directory, say)
        with restored(directory, rows, say) as url:
            verdicts += judged("portable", url, loaded.portable, options, directory, say)
    return Results(title, ("", "MB", "seconds"), rows, verdicts, faults[:5])


async def load_and_back_up(options: Options, senders: Senders, source: Cluster, directory: Path, say: Say) -> Loaded:
    """Write all the time, and back up meanwhile."""
    tasks = [asyncio.create_task(senders.run(number)) for number in range(SENDERS)]
    await senders.all_answered()
    rows: list[tuple[str, str, str]] = []
    say("writing")
    rates = {"without a backup": await rate_of(senders, asyncio.sleep(options.minutes * 60))}
    say("taking a base backup")
    base = directory / "base"
    began = time.monotonic()
    rates["during the base backup"] = await rate_of(senders, command(source.url, "base", base))
    rows.append(("base backup, copied and verified", megabytes(size_of(base)), f"{time.monotonic() - began:.1f}"))
    say("dumping")
    dump = directory / "dump"
    before, began = moment(senders), time.monotonic()
    rates["during the dump"] = await rate_of(senders, command(source.url, "dump", "--to", dump))
    after = moment(senders)
    rows.append(("portable backup", megabytes(size_of(dump)), f"{time.monotonic() - began:.1f}"))
    await asyncio.sleep(min(options.minutes * 60, 5))
    target = moment(senders)
    await asyncio.sleep(min(options.minutes * 60, 5))
    senders.over = True
    await asyncio.gather(*tasks)
    senders.client.close()
    rows += [(f"new readings stored a second, {when}", f"{rate:,.0f}", "") for when, rate in rates.items()]
    return Loaded(target, between(before, after), rows)


async def rate_of(senders: Senders, work: Awaitable[None]) -> float:
    """Return how many new readings a second are stored while some work lasts."""
    before, began = stored(senders), time.monotonic()
    await work
    return (stored(senders) - before) / (time.monotonic() - began)


def stored(senders: Senders) -> int:
    """Return how many readings and events were answered, each counted once."""
    ledgers = [flow.ledger for flow in senders.flows]
    return sum((len(ledger.answered) - ledger.answered.count(0)) * ledger.kind.size for ledger in ledgers)


def moment(senders: Senders) -> Moment:
    """Return what was sent and answered by now: one event loop sends and receives, so nothing comes in between."""
    ledgers = [copy.copy(flow.ledger) for flow in senders.flows]
    for ledger in ledgers:
        ledger.sent, ledger.answered = bytearray(ledger.sent), bytearray(ledger.answered)
    return Moment(datetime.now(UTC), ledgers)


def between(before: Moment, after: Moment) -> list[Ledger]:
    """Return what a backup has that began and ended then: all that was answered before, nothing that was sent later."""
    ledgers = after.ledgers
    for ledger, earlier in zip(ledgers, before.ledgers, strict=True):
        ledger.answered = earlier.answered + bytes(len(ledger.sent) - len(earlier.answered))
    return ledgers


async def command(url: str, *arguments: str | Path) -> None:
    """Run a command of scripts.backup."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.backup", *arguments),
        cwd=ROOT,
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise CannotStart(f"{arguments[0]} failed: {said.decode(errors='replace')[-500:]}")


def environment(url: str) -> dict[str, str]:
    """Return the environment of a command for a database."""
    return {**os.environ, "DATABASE_URL": url, "PG_BIN": str(find_programs())}


def archive_all(url: str, archive: Path) -> None:
    """Have the segment that is being written archived as well."""
    with connect(url) as connection:
        last = value(connection, "SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + ARCHIVED_SECONDS
    while not (archive / last).exists():
        if time.monotonic() > deadline:
            raise CannotStart(f"the segment {last} is not archived after {ARCHIVED_SECONDS:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def recovered(
    directory: Path, archive: Path, until: datetime, rows: list[tuple[str, str, str]], say: Say
) -> Iterator[str]:
    """Recover the base backup to a moment; yield the address."""
    say(f"recovering to {until}")
    home = directory / "recovered"
    home.mkdir()
    made = Cluster(find_programs(), home, directory / "recovered.log")
    began = time.monotonic()
    asyncio.run(
        command(
            "", "recover", directory / "base", "--archive", archive, "--to", made.data, "--until", until.isoformat()
        )
    )
    hand_over(home)
    prepared = time.monotonic()
    made.start()
    try:
        wait_until_writable(made)
        rows += [
            ("its data directory, made", "", f"{prepared - began:.1f}"),
            ("recovery to the point in time", "", f"{time.monotonic() - prepared:.1f}"),
        ]
        yield made.url
    finally:
        made.stop()


def wait_until_writable(database: Cluster) -> None:
    """Wait until a recovery has ended."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.Error), connect(database.url) as connection:
            if not value(connection, "SELECT pg_is_in_recovery()"):
                return
        time.sleep(0.05)
    raise CannotStart(f"the recovery has not ended: {database.log.read_text(errors='replace')[-500:]}")


@contextlib.contextmanager
def restored(directory: Path, rows: list[tuple[str, str, str]], say: Say) -> Iterator[str]:
    """Restore the portable backup into another server; yield the address."""
    say("restoring the dump")
    with cluster(directory / "other.log") as other:
        began = time.monotonic()
        asyncio.run(command(other.url, "restore", directory / "dump"))
        rows.append(("portable restore, checked", "", f"{time.monotonic() - began:.1f}"))
        yield other.url


def judged(
    what: str, url: str, ledgers: Sequence[Ledger], options: Options, directory: Path, say: Say
) -> list[Verdict]:
    """Compare a restored database with what it must have, and serve it."""
    say(f"comparing: {what}")
    status = served(url, options, directory / "served.log")
    found = check.compare(url, ledgers)
    verified = check.verify(url, say)
    asked, differ = check.wrong_answers(url, ASKED)
    faults = f": {'; '.join(found.faults)}" if found.faults else ""
    return [
        Verdict(f"{what}: the service is ready", status == 200, f"/ready answers {status}"),
        Verdict(
            f"{what}: all that was answered before is there, nothing that was sent later",
            not found.wrong and found.readings >= found.certain > 0,
            f"{found.certain:,} answered, {found.readings:,} there, {found.wrong:,} blocks wrong{faults}",
        ),
        Verdict(f"{what}: rollups equal raw readings", verified.holds, verified.figure),
        Verdict(f"{what}: answers equal raw readings", differ == 0, f"{asked} asked, {differ} differ"),
    ]


def served(url: str, options: Options, log: Path) -> int:
    """Start a service and return the status of /ready."""
    port = free_port()
    variables: Mapping[str, str] = {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WORKERS": str(options.workers),
        "REFRESH_SECONDS": "off",
        "STOP_WITH_STDIN": "1",
    }
    address = f"http://127.0.0.1:{port}/ready"
    with server([sys.executable, "-m", "service"], ROOT, variables, log) as process:
        wait_until_answering(address, process, log)
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def size_of(path: Path) -> int:
    """Return the bytes of all files below a directory."""
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def megabytes(number: float) -> str:
    """Return a number of bytes in megabytes."""
    return f"{number / 1e6:,.1f}"
