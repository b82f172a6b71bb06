"""`bench import`: an export of Apple Health of gigabytes, made while it is sent, and the memory of the service."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from scripts.bench.database import connect
from scripts.bench.overload import request_formats
from scripts.bench.overload.environment import running
from scripts.bench.overload.monitor import finish, monitoring, resident
from scripts.bench.overload.options import Options
from scripts.bench.overload.report import Results, Verdict
from scripts.bench.overload.upload import MOST_GROWTH, Say, ask

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n'
PATH = "/v1/import/apple-health?user_id=ada"
STEP = timedelta(seconds=40)
"""Between two rounds, in each of which every kind is recorded once, or every so often."""
DEVICE = (
    'device="&lt;&lt;HKDevice: 0x300000001&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, '
    'hardware:Watch6,2, software:11.2&gt;"'
)
PIECE = 256 * 1024  # bytes
REPORT_SECONDS = 10.0


class Export:
    """An export as a watch and a phone fill it, and how many records of each kind it has so far."""

    def __init__(self) -> None:
        # So late that the newest record is of the past, whatever the size.
        self.moment = datetime(2010, 1, 1, tzinfo=UTC)
        self.round = 0
        self.counts: Counter[str] = Counter()

    def records(self) -> Iterator[str]:
        """Yield the records of the next round."""
        number = self.round
        self.round += 1
        self.moment += STEP
        yield self.record("HeartRate", "Apple Watch", "count/min", 60 + number % 60, 0)
        yield self.record("ActiveEnergyBurned", "Apple Watch", "kcal", 0.1 + number % 7 / 8, 20)
        yield self.record("BasalEnergyBurned", "Apple Watch", "kcal", 1.1 + number % 5 / 64, 40)
        yield self.record("StepCount", "iPhone", "count", number % 50, 35)
        yield self.record("DistanceWalkingRunning", "iPhone", "km", number % 50 / 1024, 35)
        if number % 8 == 0:
            yield self.record("OxygenSaturation", "Apple Watch", "%", 0.9 + number % 10 / 128, 0)
        if number % 20 == 0:
            yield self.record("HeadphoneAudioExposure", "iPhone", "dBASPL", 61, 30)

    def record(self, kind: str, source: str, unit: str, value: float, seconds: int) -> str:
        """Write a record that begins with the round."""
        self.counts[kind] += 1
        start = f"{self.moment:%Y-%m-%d %H:%M:%S} +0000"
        end = f"{self.moment + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} +0000" if seconds else start
        return (
            f' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" sourceVersion="11.2" {DEVICE} '
            f'unit="{unit}" creationDate="{end}" startDate="{start}" endDate="{end}" value="{value}">\n'
            '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n </Record>\n'
        )


def run(options: Options, say: Say) -> Results:
    """Send the export, and compare what was sent with what is stored, and the memory of the service."""
    size = int(options.gigabytes * 1e9)
    export = Export()
    with running(options) as environment:
        ask(environment.port, request_formats.post(PATH, "application/xml", warm()))
        with monitoring(environment.port, environment.pid, 0) as monitor:
            time.sleep(3)
            before = resident(environment.pid)
            began = time.monotonic()
            body = pieces(export, size, say)
            answer = ask(environment.port, request_formats.post(PATH, "application/xml", body))
            seconds = time.monotonic() - began
            seen = finish(monitor)
        with connect(environment.url) as connection:
            [[beats]] = connection.execute("SELECT count(heart_rate) FROM core.reading").fetchall()
            [[samples]] = connection.execute("SELECT count(*) FROM core.sample").fetchall()
            [[intervals]] = connection.execute("SELECT count(*) FROM core.interval").fetchall()
    most = max((memory for at, memory in seen.memory if at >= began), default=0)
    receipt = json.loads(answer.body) if answer.status == 200 else {}
    taken = export.counts.total() - export.counts["HeadphoneAudioExposure"]
    stored = beats + samples + intervals
    verdicts = [
        Verdict("the export was taken", answer.status == 200, f"{answer.status} {answer.body[:200].decode()}"),
        Verdict("the receipt is true", receipt.get("inserted") == taken, f"{taken:,} readings sent"),
        Verdict("every reading is stored, once", stored == taken + 1, f"{stored:,} stored, one of them before"),
        Verdict(
            "memory changes by less than 50 MB",
            most - before < MOST_GROWTH,
            f"{before / 1e6:.0f} MB before, at most {most / 1e6:.0f} MB",
        ),
    ]
    rows = [(f"{size / 1e9:g} GB", f"{seconds:.0f}", f"{taken / seconds:,.0f}", f"{size / seconds / 1e6:.1f}")]
    return Results(environment.version, ("Apple Health", "seconds", "readings/s", "MB/s"), rows, verdicts)


def warm() -> bytes:
    """Return a small export, so that caches are filled before memory is measured."""
    return HEAD + Export().record("HeartRate", "Apple Watch", "count/min", 60, 0).encode() + b"</HealthData>"


def pieces(export: Export, size: int, say: Say) -> Iterator[bytes]:
    """Yield an export of `size` bytes."""
    began = reported = time.monotonic()
    sent = 0
    waiting = [HEAD]
    while sent < size:
        waiting.append("".join(export.records()).encode())
        if (length := sum(map(len, waiting))) >= PIECE:
            sent += length
            yield b"".join(waiting)
            waiting = []
        if time.monotonic() > reported + REPORT_SECONDS:
            reported = time.monotonic()
            say(f"  {sent / 1e9:.2f} of {size / 1e9:g} GB after {reported - began:.0f} s")
    yield b"".join(waiting) + b"</HealthData>\n"
    say(f"  all is sent after {time.monotonic() - began:.0f} s")
