"""The comparisons of soak and kills: the service takes every format, and lost, changed or added readings are found."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts.bench.ingest.processes import CannotStart
from scripts.bench.overload.check import compare
from scripts.bench.overload.client import Client
from scripts.bench.overload.cluster import find_programs, other_user
from scripts.bench.overload.request_formats import REFUSED
from scripts.bench.overload.workload import Ledger
from scripts.bench.overload.workload_mix import SHAPES, Flow, flow
from tests.support.paths import ROOT
from tests.support.ports import free_port

ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))


def small_flows() -> list[Flow]:
    """Return a flow of every format, in small blocks."""
    now = datetime.now(UTC)
    return [
        flow(number, shape._replace(people=min(shape.people, 2), size=min(shape.size, 4)), 1, now)
        for number, shape in enumerate(SHAPES, 1)
    ]


async def send(port: int, flows: Sequence[Flow]) -> list[str]:
    """Write new, known and changed blocks of each flow; return what is wrong with the answers."""
    client, chance, faults = Client(port), random.Random(1), []
    for each in flows:
        for fresh, changed in ((1, 0), (1, 0), (1, 0), (0, 0), (0, 0 if each.ledger.kind.is_events else 1)):
            write = each.ledger.next(chance, fresh, changed)
            assert write is not None
            answer = await client.ask(each.format.request(write))
            each.ledger.end(write, answered=200 <= answer.status < 300)
            if each.ledger.under_way or not 200 <= answer.status < 300:
                faults.append(f"{each.name}: {answer}")
            else:
                faults.append(each.format.fault(write, json.loads(answer.body)))
    for side_request in REFUSED:
        answer = await client.ask(side_request.request)
        faults.append("" if answer.status in side_request.statuses else f"{side_request.request}: {answer}")
    client.close()
    return [fault for fault in faults if fault]


def wrong(url: str, ledgers: Sequence[Ledger]) -> tuple[int, list[str]]:
    found = compare(url, ledgers)
    return found.wrong, found.faults


def test_what_is_sent_is_compared(client: httpx.Client, database_url: str, db: psycopg.Connection) -> None:
    flows = small_flows()
    assert asyncio.run(send(client.base_url.port or 0, flows)) == []
    ledgers = [each.ledger for each in flows]
    found = compare(database_url, ledgers)
    sent = sum(3 * each.kind.size for each in ledgers)
    assert (found.readings, found.certain, found.faults, found.wrong) == (sent, sent, [], 0)

    one = "(user_key, ts) = (SELECT user_key, min(ts) FROM core.reading GROUP BY 1 ORDER BY 1 LIMIT 1)"
    for change, said in (
        (f"UPDATE core.reading SET steps = steps + 1 WHERE {one}", "values that were not sent"),
        (f"UPDATE core.reading SET heart_rate = heart_rate + 0.1 WHERE {one}", "values that were not sent"),
        (f"UPDATE core.reading SET ts = ts + INTERVAL '1 microsecond' WHERE {one}", "values that were not sent"),
        (f"DELETE FROM core.reading WHERE {one}", "readings are stored"),
        (
            f"INSERT INTO core.reading SELECT ts, heart_rate, calories, user_key, device_key + 1, steps"
            f" FROM core.reading WHERE {one}",
            "readings are stored",
        ),
    ):
        with psycopg.connect(database_url, autocommit=True) as other:
            kept = other.execute("CREATE TEMP TABLE kept AS TABLE core.reading")
            assert kept.rowcount > 0
            db.execute(change)
            count, faults = wrong(database_url, ledgers)
            assert count >= 1, change
            assert any(said in fault or "nothing is stored" in fault for fault in faults), faults
            other.execute("TRUNCATE core.reading")
            other.execute("INSERT INTO core.reading SELECT * FROM kept")
    assert wrong(database_url, ledgers) == (0, [])

    # A version that was answered must not be older than what is there, or newer than what was sent.
    changed = next(each for each in ledgers if 2 in each.sent)
    block = changed.sent.index(2)
    changed.sent[block] = changed.answered[block] = 3
    assert wrong(database_url, [changed])[0] == 1
    changed.sent[block] = changed.answered[block] = 1
    assert wrong(database_url, [changed])[0] == 1


@pytest.mark.native
def test_a_short_overload(server_url: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    name = f"hyperpulse_bench_{os.getpid()}"
    done = bench(["soak", "--minutes", "0.05", "--clients", "2", "--database", name, "--json", str(out)], server_url)
    verdicts = {each["what"]: each for each in json.loads(out.read_text())["verdicts"]}
    assert len(verdicts) == 8, done.stdout + done.stderr
    # A few seconds on a busy machine do not show how much was refused or how fast latency recovers.
    for what in ("no answer but", "every answered", "answers equal", "memory stays"):
        (verdict,) = [each for name, each in verdicts.items() if name.startswith(what)]
        assert verdict["holds"], verdict


def has_cluster() -> bool:
    try:
        find_programs()
        other_user()
    except CannotStart:
        return False
    return True


@pytest.mark.skipif(not has_cluster(), reason="there is no PostgreSQL with TimescaleDB to start: see BENCH_PG_BIN")
@pytest.mark.native
def test_kills(server_url: str) -> None:
    done = bench(["kills", "--rounds", str(ROUNDS)], server_url)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.native
def test_a_small_upload(server_url: str) -> None:
    done = bench(["upload", "--gb", "0.01", "--database", f"hyperpulse_bench_{os.getpid()}"], server_url)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.native
def test_a_small_export(server_url: str) -> None:
    done = bench(["import", "--gb", "0.01", "--database", f"hyperpulse_bench_{os.getpid()}"], server_url)
    assert done.returncode == 0, done.stdout + done.stderr


def bench(arguments: Sequence[str], server_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.bench", *arguments, "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, "BENCH_DATABASE_URL": server_url},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
