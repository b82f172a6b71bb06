"""How soon live clients are told, what it takes, and what it costs those who write: `python -m scripts.bench live`."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import quote

from psycopg import sql

from scripts.benchmarks.database import Connection, connect, database
from scripts.simulation.options import whole
from service.schema import ROOT, SQL

BATCH = 1000  # readings in a request
SENDERS = 8
IDLE = 3.0  # seconds after which the service may have closed a connection
PING = b"\x89"  # the first byte of a frame
READINGS = b'{"type":"readings"'
YEAR_ONE = datetime(1970, 1, 1, tzinfo=UTC)
DESCRIPTION = """\
Wearables that send a reading a second each, and clients that are told of some of them over WebSockets.

On the server that BENCH_DATABASE_URL names, in a database of its own that is dropped and created anew; without it on
the embedded database, with a tenth of the readings."""


class Sent(NamedTuple):
    """A request: its readings' timestamp in µs; when it was sent and answered, in seconds of the monotonic clock."""

    ts: int
    sent: float
    answered: float


class Process(NamedTuple):
    """What a process has used: seconds of CPU, and bytes of memory."""

    cpu: float
    memory: int


class Told(NamedTuple):
    """A measurement."""

    readings: float
    """A second, taken in."""
    messages: int
    after_sending: tuple[float, float]
    """p50 and p99 in ms from sending a reading to hearing of it."""
    after_answer: tuple[float, float]
    """p50 and p99 in ms from the answer, which follows the commit, to hearing of it; 0 where that came first."""
    cpu: float
    """Of the service: how much of one core."""
    memory: int
    """Of the service, the most, in bytes."""
    clients: float
    """Of those who listen: how much of one core."""


# The service ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def service(database_url: str) -> Iterator[tuple[int, int]]:
    """Run the service; yields its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": database_url, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "service"], cwd=ROOT, env=environment)
    try:
        while not is_ready(port):
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def is_ready(port: int) -> bool:
    """Tell whether the service answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def used(pid: int) -> Process:
    """Read what a process has used so far, from /proc."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


# Those who write --------------------------------------------------------------------------------------------


def name(number: int) -> str:
    """Name a user."""
    return f"walker-{number}"


def bodies(users: int) -> list[bytes]:
    """Make the bodies of requests, with @ for the timestamp: everybody's reading of one second."""
    made = []
    for first in range(0, users, BATCH):
        of_batch = range(first, min(first + BATCH, users))
        rows = [
            {"user_id": name(n), "timestamp": "@", "heart_rate": 60 + n % 60, "steps": n % 3, "calories": 0.1}
            for n in of_batch
        ]
        made.append(json.dumps(rows).encode())
    return made


def send(port: int, users: int, rate: float, seconds: float, results: multiprocessing.SimpleQueue[list[Sent]]) -> None:
    """Send so many readings a second, or as many as are taken where rate is 0; put what was sent into a queue."""
    made = bodies(users)
    size = min(BATCH, users)
    sent: list[Sent] = []
    turn = iter(range(1 << 60))
    lock = threading.Lock()
    began = time.monotonic()

    def work() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        used_at = began
        while True:
            with lock:
                number = next(turn)
            body = made[number % len(made)]
            due = began + (number * size / rate if rate else 0)
            if max(due, time.monotonic()) - began >= seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            with lock:
                moment = datetime.now(UTC)
                time.sleep(1e-6)  # so that no two requests have the same timestamp
            at = time.monotonic()
            if at - used_at > IDLE:
                connection.close()
            if post(connection, body.replace(b"@", moment.isoformat().encode())) == 200:
                sent.append(Sent((moment - YEAR_ONE) // timedelta(microseconds=1), at, time.monotonic()))
            else:
                time.sleep(0.1)
            used_at = time.monotonic()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sent)


def post(connection: HTTPConnection, body: bytes) -> int:
    """Send readings; return the status."""
    connection.request("POST", "/v1/readings", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


# Those who listen -------------------------------------------------------------------------------------------


class Ear:
    """A client over a WebSocket, which does as little as it can: clients have computers of their own elsewhere."""

    def __init__(self, port: int, path: str) -> None:
        self.heard: list[tuple[bytes, float]] = []
        self.line = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        read = b""
        while b"\r\n\r\n" not in read:
            piece = self.line.recv(4096)
            if not piece:
                raise ConnectionError("the service hung up")
            read += piece
        head, _, rest = read.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.heard.append((rest, time.monotonic()))
        self.line.setblocking(False)

    def hear(self, keep: bool) -> int:
        """Read what has come, and keep it with the time, or not; return how many bytes it is. Answers pings."""
        try:
            piece = self.line.recv(1 << 20)
        except BlockingIOError:
            return 0
        if not piece:
            raise ConnectionError("the service hung up")
        if keep:
            self.heard.append((piece, time.monotonic()))
        if PING in piece and (found := whole_frame(piece[piece.index(PING) :])):
            # Masked, as a client's frames are, with zeros.
            payload = piece[piece.index(PING) :][found[1] : found[2]]
            self.line.sendall(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)
        return len(piece)

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the messages that were kept, and when the end of each was read."""
        read = b""
        for piece, at in self.heard:
            read += piece
            while frame := whole_frame(read):
                kind, start, end = frame
                if kind == 1:
                    yield read[start:end], at
                elif kind == 8:
                    raise ConnectionError("the service closed")
                read = read[end:]


def whole_frame(read: bytes) -> tuple[int, int, int] | None:
    """Find the first frame: its opcode, and where its payload starts and ends; None where it has not come."""
    if len(read) < 2:
        return None
    size, start = read[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        if len(read) < start:
            return None
        size = int.from_bytes(read[2:start])
    return (read[0] & 15, start, start + size) if len(read) >= start + size else None


def timestamp(message: bytes) -> int:
    """Return the last timestamp that a message is about, in µs."""
    moment = datetime.fromisoformat(message[message.rindex(b'"to":"') + 6 : -2].decode())
    return (moment - YEAR_ONE) // timedelta(microseconds=1)


class Heard(NamedTuple):
    """What was listened to: messages' last timestamps and when they were heard; what the clients cost, and memory."""

    messages: list[tuple[int, float]]
    cpu: float
    memory: int


def opened(port: int, paths: Sequence[str]) -> list[Ear]:
    """Let clients come, and wait until each has its state."""
    ears = [Ear(port, path) for path in paths]
    for ear in ears:
        while not any(True for _ in ear.messages()):
            wait_for(ear.line)
            ear.hear(True)
    return ears


def wait_for(line: socket.socket) -> None:
    """Wait until there is something to read."""
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        selector.select(30)


def listen(ears: Sequence[Ear], pid: int, seconds: float) -> Heard:
    """Listen, and note the most memory that a process had meanwhile."""
    memory, end, cpu = 0, time.monotonic() + seconds, time.thread_time()
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.line, selectors.EVENT_READ, ear)
        looked = 0.0
        while (now := time.monotonic()) < end:
            if now > looked + 0.5:
                looked, memory = now, max(memory, used(pid).memory)
            for key, _ in selector.select(0.1):
                key.data.hear(True)
    cpu = time.thread_time() - cpu
    told = [(timestamp(text), at) for ear in ears for text, at in ear.messages() if text.startswith(READINGS)]
    return Heard(told, cpu, memory)


# Measurements -----------------------------------------------------------------------------------------------


def tell(port: int, pid: int, users: int, rate: float, seconds: float, paths: Sequence[str]) -> Told:
    """Measure clients that each ask one of these paths, while so many readings a second are sent."""
    ears = opened(port, paths)
    results: multiprocessing.SimpleQueue[list[Sent]] = multiprocessing.SimpleQueue()
    sender = multiprocessing.Process(target=send, args=(port, users, rate, seconds, results))
    before, began = used(pid), time.monotonic()
    sender.start()
    heard = listen(ears, pid, seconds + 2)
    after, took = used(pid), seconds + 2
    sent = results.get()
    sender.join()
    for ear in ears:
        ear.line.close()
    by_timestamp = {request.ts: request for request in sent}
    known = [(by_timestamp[ts], at) for ts, at in heard.messages if ts in by_timestamp]
    return Told(
        readings=len(sent) * min(BATCH, users) / (max(request.answered for request in sent) - began),
        messages=len(heard.messages),
        after_sending=percentiles([at - request.sent for request, at in known]),
        after_answer=percentiles([max(0.0, at - request.answered) for request, at in known]),
        cpu=(after.cpu - before.cpu) / took,
        memory=heard.memory,
        clients=heard.cpu / took,
    )


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in ms."""
    ordered = sorted(seconds) or [float("nan")]
    return ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000


def paths_of(clients: int, users: int) -> list[str]:
    """Return the paths that each tell of one user, of users that are evenly spread."""
    return [f"/v1/live?user_id={quote(name(number * users // clients))}" for number in range(clients)]


def say(title: str, told: Told) -> None:
    """Print a measurement."""
    print(
        f"{title}: {told.readings:,.0f} readings/s, {told.messages:,} messages; "
        f"sending to hearing p50 {told.after_sending[0]:.0f} ms, p99 {told.after_sending[1]:.0f} ms; "
        f"answer to hearing p50 {told.after_answer[0]:.0f} ms, p99 {told.after_answer[1]:.0f} ms; "
        f"service {told.cpu:.2f} cores, {told.memory / 1e6:.0f} MB; clients {told.clients:.2f} cores",
        flush=True,
    )


def deaf(port: int, pid: int, clients: int, seconds: float) -> None:
    """Let a tenth of the clients ask for everyone and never read, and look at the others."""
    users = clients
    reading = paths_of(clients * 9 // 10, users)
    say(f"{len(reading)} clients that read, a user each", tell(port, pid, users, users, seconds, reading))
    unread = [Ear(port, "/v1/live") for _ in range(clients // 10)]
    say(
        f"the same beside {len(unread)} that ask for everyone and never read",
        tell(port, pid, users, users, seconds, reading),
    )
    for ear in unread:
        ear.line.close()


def cost(url: str, port: int, pid: int, users: int, clients: int, seconds: float, rounds: int) -> None:
    """Compare how many readings are taken in with nothing announced, with announcements, and with clients.

    In turns, each in the company of one with nothing announced: what a machine can do changes with what else it does.
    """
    listeners = {"announced, nobody listens": 0, "1 client": 1, f"{clients} clients": clients}
    taken: dict[str, list[tuple[Taken, Taken]]] = {kind: [] for kind in listeners}
    chance = random.Random(1)  # noqa: S311
    for _ in range(rounds):
        for kind in chance.sample(list(taken), len(taken)):
            with listening(port, paths_of(listeners[kind], users) if listeners[kind] else []) as clients_cpu:
                pair = {}
                for on in chance.sample((False, True), 2):
                    pair[on] = turn(url, port, pid, users, seconds, clients_cpu, on)
                taken[kind].append((pair[False], pair[True]))
    for kind, pairs in taken.items():
        rates = [on.rate / off.rate - 1 for off, on in pairs]
        costs = [on.cpu / off.cpu - 1 for off, on in pairs]
        print(
            f"as many readings as are taken, {kind}, against nothing announced: "
            f"{statistics.median(on.rate for _, on in pairs):,.0f} a second, {statistics.median(rates):+.1%} "
            f"({min(rates):+.1%} to {max(rates):+.1%}); processor seconds a million readings: service and database "
            f"{statistics.median(on.cpu for _, on in pairs):.1f}, {statistics.median(costs):+.1%} "
            f"({min(costs):+.1%} to {max(costs):+.1%}), clients {statistics.median(on.clients for _, on in pairs):.1f}",
            flush=True,
        )


class Taken(NamedTuple):
    """A turn: readings a second; processor seconds for a million, of service and database, and of those who listen."""

    rate: float
    cpu: float
    clients: float


def turn(url: str, port: int, pid: int, users: int, seconds: float, clients_cpu: list[float], announced: bool) -> Taken:
    """Send as many readings as are taken."""
    with announcing(url, announced), connect(url) as connection:
        before, heard = used(pid).cpu + database_cpu(connection), sum(clients_cpu)
        rate, count = most(port, users, seconds)
        spent = used(pid).cpu + database_cpu(connection) - before
        return Taken(rate, spent / count * 1e6, (sum(clients_cpu) - heard) / count * 1e6)


def database_cpu(connection: Connection) -> float:
    """Return the processor seconds of the database's sessions; 0 where they cannot be seen."""
    pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()").fetchall()
    return sum(used(pid).cpu for (pid,) in pids if os.path.exists(f"/proc/{pid}/stat"))  # noqa: PTH110


def most(port: int, users: int, seconds: float) -> tuple[float, int]:
    """Return how many readings a second are taken in when as many are sent as are taken, and how many they were."""
    results: multiprocessing.SimpleQueue[list[Sent]] = multiprocessing.SimpleQueue()
    began = time.monotonic()
    sender = multiprocessing.Process(target=send, args=(port, users, 0, seconds, results))
    sender.start()
    sent = results.get()
    sender.join()
    count = len(sent) * min(BATCH, users)
    return count / (max(request.answered for request in sent) - began), count


@contextlib.contextmanager
def announcing(url: str, on: bool) -> Iterator[None]:
    """Let writes be announced, or not."""
    made = (SQL / "functions" / "announce.sql").read_text(encoding="utf-8").split("COMMENT ON")[0]
    made = made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    head = made[: made.index("AS $$")]
    with connect(url) as connection:
        connection.execute(sql.SQL(made if on else head + "AS $$ BEGIN END $$"))
        yield
        connection.execute(sql.SQL(made))


@contextlib.contextmanager
def listening(port: int, paths: Sequence[str]) -> Iterator[list[float]]:
    """Have clients read what they ask for; yields a list to which their seconds of CPU come one by one."""
    ears = opened(port, paths)
    done = threading.Event()
    spent: list[float] = []

    def read() -> None:
        with selectors.DefaultSelector() as selector:
            for ear in ears:
                selector.register(ear.line, selectors.EVENT_READ, ear)
            before = time.thread_time()
            while not done.is_set():
                for key, _ in selector.select(0.1):
                    key.data.hear(False)
                before, now = time.thread_time(), before
                spent.append(before - now)

    reader = threading.Thread(target=read)
    reader.start()
    yield spent
    done.set()
    reader.join()
    for ear in ears:
        ear.line.close()


def parser(native: bool) -> argparse.ArgumentParser:
    """All options."""
    made = argparse.ArgumentParser(
        prog="bench live", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    some = whole(1, 1_000_000)
    rate = 20_000 if native else 2_000
    made.add_argument("--rate", type=some, default=rate, metavar="N", help=f"readings a second, and users ({rate})")
    made.add_argument("--clients", type=some, default=1000, metavar="N", help="clients at most (1000)")
    made.add_argument("--seconds", type=some, default=12, metavar="N", help="of each measurement (12)")
    made.add_argument("--rounds", type=some, default=6, metavar="N", help="of comparing the cost (6)")
    made.add_argument(
        "--only", choices=("told", "deaf", "cost"), action="append", help="measure only this; may be repeated"
    )
    made.add_argument("--database", default="hyperpulse_bench_live", metavar="NAME", help="(hyperpulse_bench_live)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; their exit status."""
    server_url = os.environ.get("BENCH_DATABASE_URL") or None
    given = parser(server_url is not None).parse_args(arguments)
    only = given.only or ("told", "deaf", "cost")
    users = -(-given.rate // BATCH) * BATCH
    with database(server_url, given.database) as url, service(url) as (port, pid):
        # Names and today's chunk are there before anything is measured.
        tell(port, pid, users, given.rate, 2 * users / given.rate, paths_of(1, users))
        if "told" in only:
            for clients in (1, given.clients):
                paths = paths_of(clients, users)
                say(f"{clients} clients, a user each", tell(port, pid, users, given.rate, given.seconds, paths))
        if "deaf" in only:
            deaf(port, pid, given.clients, given.seconds + 8)
        if "cost" in only:
            cost(url, port, pid, users, given.clients, given.seconds / 8, given.rounds)
    return 0
