"""Start each peer that is installed, send it the same readings, and stop it."""

from __future__ import annotations

import secrets
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict

from scripts.bench.database import connect
from scripts.bench.ingest.client import Answered, Body, send
from scripts.bench.ingest.environment import Target, empty, stored
from scripts.bench.ingest.measurement import Measured, Watched, timed
from scripts.bench.ingest.processes import CannotStart, server, wait_until_answering
from scripts.bench.ingest.readings import (
    Format,
    Reading,
    Readings,
    as_json,
    as_line_protocol,
    by_line,
    chunks,
    texts,
)

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
TABLE = (ROOT / "scripts" / "bench" / "peers" / "table.sql").read_bytes()
JSON, TEXT = "application/json", "text/plain"
UNDURABLE = "not durable when answered"
CONNECTIONS = {1: 100, 1000: 8, 5000: 8}
"""By the size of requests."""
WAYS = {"add_all": "add_all", "nothing": "ON CONFLICT DO NOTHING", "update": "ON CONFLICT DO UPDATE"}
"""SQLAlchemy's, by path."""
TASKS = 3000
"""Readings sent to Celery, which takes the longest for one."""


class Bench(NamedTuple):
    """What every peer is measured with."""

    target: Target
    readings: Readings
    seconds: float
    directory: Path
    """For its files and logs."""
    port: Callable[[], int]
    wanted: Callable[[str], bool]


class Peer(NamedTuple):
    """The name of a peer and its measurement."""

    name: str
    measure: Callable[[Bench, str], Iterator[Measured]]


def measure(bench: Bench, peer: Peer) -> Iterator[Measured]:
    """Yield the selected rows of a peer; CannotStart if it is not installed."""
    return peer.measure(bench, peer.name)


def json_list(parts: list[str]) -> bytes:
    """Join readings into an array, also a single one."""
    return f"[{','.join(parts)}]".encode()


def bodies(
    bench: Bench, size: int, form: Format = as_json, join: Callable[[list[str]], bytes] = json_list
) -> list[Body]:
    """Make bodies of fresh readings."""
    order: Iterator[Reading] = bench.readings.by_time() if size == 1 else bench.readings.by_user()
    return [Body(join(part), len(part)) for part in chunks(texts(bench.readings, order, form), size)]


def need_packages() -> None:
    """Raise CannotStart if the peers' packages are not installed."""
    if not PYTHON.exists():
        raise CannotStart("its packages are not installed; `make bench` installs them.")


def need_program(*names: str, package: str) -> str:
    """Return the path of a program; CannotStart if it is not installed."""
    for name in names:
        if found := shutil.which(name) or shutil.which(f"/usr/sbin/{name}"):
            return found
    raise CannotStart(f"not installed (Debian: {package}).")


@contextmanager
def fastapi(bench: Bench, module: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Serve an application with uvicorn; yield the port and the process id."""
    need_packages()
    port, log = bench.port(), bench.directory / f"{module}.log"
    name = f"scripts.bench.peers.{module}:app"
    command = [str(PYTHON), "-m", "uvicorn", name, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with server(command, ROOT, environment, log) as process:
        wait_until_answering(f"http://127.0.0.1:{port}/docs", process, log)
        yield port, process.pid


class Served(NamedTuple):
    """A peer that runs."""

    name: str
    port: int
    watched: Watched


@contextmanager
def sqlalchemy_served(bench: Bench, name: str) -> Iterator[Served]:
    """Serve SQLAlchemy's ways."""
    prepare_table(bench)
    parts = {key: urllib.parse.quote(str(part), safe="") for key, part in conninfo_to_dict(bench.target.url).items()}
    password = f":{parts['password']}" if parts.get("password") else ""
    address = f"{parts.get('user', 'postgres')}{password}@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"
    environment = {"PEER_DATABASE_URL": f"postgresql+asyncpg://{address}"}
    if file := conninfo_to_dict(bench.target.url).get("passfile"):
        environment["PGPASSFILE"] = str(file)
    with fastapi(bench, "fastapi_sqlalchemy", environment) as (port, pid):
        yield Served(name, port, Watched(pid, bench.target.pid))


def sqlalchemy_row(bench: Bench, served: Served, path: str, size: int) -> Measured:
    """Measure one of SQLAlchemy's ways with fresh readings."""
    empty_table(bench)
    what, sent = f"{WAYS[path]}, fresh, batch {size}", bodies(bench, size)
    work = sender(bench, served.port, f"/{path}", JSON, sent, CONNECTIONS[size])
    row = timed(served.name, what, served.watched, work)
    check_stored(bench, row)
    return row


def sqlalchemy(bench: Bench, name: str) -> Iterator[Measured]:
    """Measure the three ways of SQLAlchemy with fresh readings, and ON CONFLICT with stored ones."""
    with sqlalchemy_served(bench, name) as served:
        for path, way in WAYS.items():
            for size in CONNECTIONS:
                if bench.wanted(f"{name}: {way}, fresh, batch {size}"):
                    yield sqlalchemy_row(bench, served, path, size)
        if bench.wanted(f"{name}: ON CONFLICT DO UPDATE, all duplicate, batch 1000"):
            empty_table(bench)
            sent = bodies(bench, 1000)
            there = send(served.port, "/nothing", JSON, sent, 8, bench.seconds).requests
            again = sent[:there] * 100
            work = sender(bench, served.port, "/update", JSON, again, 8)
            yield timed(name, "ON CONFLICT DO UPDATE, all duplicate, batch 1000", served.watched, work)


def celery(bench: Bench, name: str) -> Iterator[Measured]:
    """Measure until every task has stored its reading."""
    what = "a task per reading, fresh, batch 100"
    if not bench.wanted(f"{name}: {what}"):
        return
    need_packages()
    redis = need_program("redis-server", package="redis-server")
    prepare_table(bench)
    empty_table(bench)
    broker, log = bench.port(), bench.directory / "celery.log"
    environment = {"PEER_DATABASE_URL": bench.target.url, "PEER_BROKER_URL": f"redis://127.0.0.1:{broker}/0"}
    # Redis keeps its queue on disk, as for readings that must not be lost.
    keep = ["--appendonly", "yes", "--appendfsync", "everysec", "--dir", str(bench.directory), "--bind", "127.0.0.1"]
    work = [str(PYTHON), "-m", "celery", "--app", "scripts.bench.peers.fastapi_celery:tasks", "worker"]
    with ExitStack() as stack:
        stack.enter_context(server([redis, "--port", str(broker), *keep], bench.directory, {}, log))
        running = stack.enter_context(
            server([*work, "--concurrency", "2", "--loglevel", "error"], ROOT, environment, log)
        )
        port, _ = stack.enter_context(fastapi(bench, "fastapi_celery", environment))
        sent = bodies(bench, 100)[: TASKS // 100]

        def until_stored() -> Answered:
            began = time.perf_counter()
            answered = sender(bench, port, "/readings", JSON, sent, 8)()
            while stored(bench.target.url, "bench.peer_reading") < answered.readings:
                if running.poll() is not None or time.perf_counter() - began > 60:
                    raise CannotStart(f"its worker does not finish: {log.read_text(errors='replace')[-300:]}")
                time.sleep(0.05)
            return answered._replace(seconds=time.perf_counter() - began)

        yield timed(
            name, what, Watched(running.pid, bench.target.pid), until_stored, note="answered before it is stored"
        )


def polars(bench: Bench, name: str) -> Iterator[Measured]:
    """Measure a buffer that is merged into a Parquet file."""
    for size in (1000, 5000):
        if bench.wanted(f"{name}: fresh, batch {size}"):
            file = bench.directory / f"readings-{size}.parquet"
            with fastapi(bench, "fastapi_polars", {"PEER_FILE": str(file)}) as (port, pid):
                work = sender(bench, port, "/readings", JSON, bodies(bench, size), 8)
                yield timed(name, f"fresh, batch {size}", Watched(pid), work, note=UNDURABLE)


@contextmanager
def influxdb_served(bench: Bench, name: str) -> Iterator[Served]:
    """Serve InfluxDB 1, which syncs its log before it answers."""
    program = need_program("influxd", package="influxdb")
    port, back, directory, log = (
        bench.port(),
        bench.port(),
        bench.directory / "influxdb",
        bench.directory / "influxdb.log",
    )
    directory.mkdir()
    configuration = directory / "influxdb.conf"
    configuration.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{back}"\n'
        f'[meta]\ndir = "{directory}/meta"\n[data]\ndir = "{directory}/data"\nwal-dir = "{directory}/wal"\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n'
    )
    with server([program, "-config", str(configuration)], directory, {}, log) as process:
        wait_until_answering(f"http://127.0.0.1:{port}/ping", process, log)
        yield Served(name, port, Watched(None, process.pid))


def influxdb_row(bench: Bench, served: Served, size: int) -> Measured:
    """Measure fresh readings in an empty database."""
    database = f"readings_{secrets.token_hex(8)}"  # one that was dropped just now is not found for a while
    query_influxdb(served, f"CREATE DATABASE {database}")
    sent = bodies(bench, size, as_line_protocol, by_line)
    work = sender(bench, served.port, f"/write?db={database}&precision=s", TEXT, sent, CONNECTIONS[size])
    row = timed(served.name, f"fresh, batch {size}", served.watched, work, note="no validation")
    query_influxdb(served, f"DROP DATABASE {database}")
    return row


def query_influxdb(served: Served, statement: str) -> None:
    """Run a statement of InfluxDB."""
    query = urllib.parse.urlencode({"q": statement})
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/query?{query}", data=b""):
        pass


def influxdb(bench: Bench, name: str) -> Iterator[Measured]:
    """Measure InfluxDB."""
    with influxdb_served(bench, name) as served:
        for size in CONNECTIONS:
            if bench.wanted(f"{name}: fresh, batch {size}"):
                yield influxdb_row(bench, served, size)


def victoria_metrics(bench: Bench, name: str) -> Iterator[Measured]:
    """Measure VictoriaMetrics, which answers before anything is on disk."""
    program = need_program("victoria-metrics", package="victoria-metrics")
    port, directory, log = bench.port(), bench.directory / "victoria", bench.directory / "victoria.log"
    options = [f"-storageDataPath={directory}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12"]
    with server([program, *options], bench.directory, {}, log) as process:
        wait_until_answering(f"http://127.0.0.1:{port}/health", process, log)
        for size in CONNECTIONS:
            if bench.wanted(f"{name}: fresh, batch {size}"):
                sent = bodies(bench, size, as_line_protocol, by_line)
                work = sender(bench, port, "/write?precision=s", TEXT, sent, CONNECTIONS[size])
                note = f"no validation, no key, {UNDURABLE}"
                yield timed(name, f"fresh, batch {size}", Watched(None, process.pid), work, note=note)


PEERS = (
    Peer("FastAPI + SQLAlchemy", sqlalchemy),
    Peer("FastAPI + Celery + Redis", celery),
    Peer("FastAPI + Polars/Parquet", polars),
    Peer("InfluxDB", influxdb),
    Peer("VictoriaMetrics", victoria_metrics),
)


def sender(
    bench: Bench, port: int, path: str, media_type: str, sent: Sequence[Body], connections: int
) -> Callable[[], Answered]:
    """Return the work of a row."""
    return lambda: send(port, path, media_type, sent, connections, bench.seconds)


def prepare_table(bench: Bench) -> None:
    """Create the table of the peers that write by SQL."""
    with connect(bench.target.url) as connection:
        connection.execute(TABLE)


def empty_table(bench: Bench) -> None:
    """Remove the readings of other rows."""
    with connect(bench.target.url) as connection:
        connection.execute("TRUNCATE bench.peer_reading")
    empty(bench.target.url)


def check_stored(bench: Bench, row: Measured) -> None:
    """Raise CannotStart if the readings of a row are not stored."""
    kept = stored(bench.target.url, "bench.peer_reading")
    if kept != row.readings:
        raise CannotStart(f"{row.readings} readings were acknowledged, {kept} are stored.")
