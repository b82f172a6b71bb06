"""The command line of the importer."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scripts.simulate.options import Parser, span, url, whole
from service.imports.adapter import ImportContext, Precision
from service.imports.formats import AUTO, by_name

DESCRIPTION = """\
Import readings from CSV and NDJSON files through POST /v1/readings, in the order of the files and of their lines.

A directory stands for all files in it, at any depth, named .csv, .ndjson or .jsonl, each also with .gz or .zst, in
any case; skipped files are named. CSV begins with a header of the names user_id, device_id, timestamp (or ts), end,
worn, daily_total, heart_rate, steps, calories and any other metric (spo2, body_temperature[degF]), in any order; an
empty field was not measured. A line of NDJSON is one reading as the service takes it. A last line without an end
waits until the file grows or is called --complete.

With --format a file is one that another system exports, as it is: apple-health, fitbit and others, or auto. Its
readings are sent as those of --user; what no metric stands for is skipped, and counted.

After a break (Ctrl-C, a power cut, a service that is away too long) the same command continues after the last chunk
that the service has acknowledged. Nothing is stored twice, since writing a reading again changes nothing."""

EPILOG = """\
examples:
  python -m scripts.load january.csv
  python -m scripts.load --url http://10.0.0.5:8000 exports/
  python -m scripts.load --dry-run january.csv.gz      judge every line here, send nothing
  python -m scripts.load --format apple-health --user ada export.zip

environment: HYPERPULSE_KEY holds the key to send, where the service asks for one.

exit status: 0 all is stored; 1 lines were rejected, all others are stored; 2 wrong options, or a file that cannot be
read; 3 the service gave up or refused; 130 stopped by Ctrl-C. After 2, 3 and 130 the same command continues."""

SERVICE = "http://127.0.0.1:8000"
UNBOUNDED = 2**63
"""Bytes that an archive of one's own may unpack to."""


class Options(NamedTuple):
    """The options of an import; durations in seconds."""

    paths: tuple[Path, ...]
    url: str
    batch: int
    """The most readings in a request."""
    state: Path
    rejects: Path
    restart: bool
    dry_run: bool
    complete: bool
    """Whether the files no longer grow, so that a last line without an end is complete."""
    timeout: float
    patience: float
    progress: bool
    format: str | None = None
    """The format of files that other systems export."""
    user: str = ""
    context: ImportContext = ImportContext()
    """What such files do not say."""


def parser() -> Parser:
    """Return the parser of all options."""
    made = Parser(
        prog="load", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("paths", type=Path, nargs="+", metavar="FILE", help="a file or a directory")
    made.add_argument("--dry-run", action="store_true", help="send nothing; say which lines would be rejected")
    made.add_argument(
        "--complete", action="store_true", help="the files no longer grow: send a last line that has no end, too"
    )
    made.add_argument("--restart", action="store_true", help="forget how far an earlier import came")
    sending = made.add_argument_group("sending")
    default = os.environ.get("HYPERPULSE_URL") or SERVICE
    sending.add_argument("--url", type=url, default=default, help=f"of the service (HYPERPULSE_URL, or {SERVICE})")
    sending.add_argument(
        "--batch", type=whole(1, 50_000), default=5000, metavar="N", help="most readings in a request (5000)"
    )
    sending.add_argument(
        "--timeout", type=span(0.1, 3600, "from 0.1s to 1h"), default=60.0, metavar="TIME", help="of one request (60s)"
    )
    sending.add_argument(
        "--patience",
        type=span(0, 7 * 86400, "at most 7d"),
        default=300.0,
        metavar="TIME",
        help="how long a request is repeated while the service is busy or away (5m)",
    )
    foreign = made.add_argument_group("files that other systems export")
    foreign.add_argument("--format", choices=(*by_name(), AUTO), metavar="NAME", help=", ".join((*by_name(), AUTO)))
    foreign.add_argument("--user", metavar="ID", help="whose readings they are")
    foreign.add_argument(
        "--tz", type=zone, metavar="ZONE", help="the clock of moments that have no offset, such as Europe/Berlin"
    )
    foreign.add_argument("--device", metavar="ID", help="the device of readings for which the file names none")
    foreign.add_argument(
        "--precision", choices=get_args(Precision), default="ns", help="of the timestamps of line protocol (ns)"
    )
    files = made.add_argument_group("files that are written")
    files.add_argument("--state", type=Path, metavar="FILE", help="how far it came (beside the first FILE: FILE.state)")
    files.add_argument(
        "--rejects", type=Path, metavar="FILE", help="the lines that were rejected, and why (FILE.rejects)"
    )
    made.add_argument("--no-progress", action="store_true", help="print only the result")
    return made


def zone(text: str) -> ZoneInfo:
    """Read the name of a time zone."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone; an example is Europe/Berlin") from None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; invalid ones end the program with one sentence."""
    made = parser()
    given = made.parse_args(arguments)
    if given.format and not given.user:
        made.error("--format needs --user, whose readings the files hold")
    if not given.format and (given.user or given.tz or given.device):
        made.error("--user, --tz and --device are of files with --format")
    first = given.paths[0].resolve()
    return Options(
        paths=tuple(given.paths),
        url=given.url,
        batch=given.batch,
        state=given.state or first.with_name(f"{first.name}.state"),
        rejects=given.rejects or first.with_name(f"{first.name}.rejects"),
        restart=given.restart,
        dry_run=given.dry_run,
        complete=given.complete,
        timeout=given.timeout,
        patience=given.patience,
        progress=not given.no_progress,
        format=given.format,
        user=given.user or "",
        context=ImportContext(given.tz, given.device, most_unpacked=UNBOUNDED, precision=given.precision),
    )
