"""The command line of the simulator."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from scripts.simulate.reading import DEFAULT_DEVICE, is_integer

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

DESCRIPTION = """\
Simulate people who wear devices: send their readings to the service, and at the end compare what was sent
with what the service answers, to the last digit.

Without options, users 101 and 202 each send a reading every 8 seconds to POST /ingest, until Ctrl-C."""

EPILOG = """\
examples:
  python -m scripts.simulate                        two users, every 8 seconds
  python -m scripts.simulate --users 100 --every 1s --duration 10m
  python -m scripts.simulate --users 5 --history 30d --duration 1m  a month first, then a minute live
  python -m scripts.simulate --devices device_a,device_b,phone --late 10% --duplicates 5% --conflicts 5% --burst 30s
  python -m scripts.simulate --history 7d --walks 10m --late 10%    steps over intervals, of a phone and a watch
  python -m scripts.simulate --users 1000 --rate 5000 --batch 500 --concurrency 4

environment: HYPERPULSE_KEY holds the key to send, where the service asks for one.

durations are numbers with ms, s, m, h, d or w, such as 8s, 90s, 1h30m or 7d; a bare number is seconds.
shares are numbers from 0 to 1 or percentages, such as 0.05 or 5%.

Ctrl-C ends the run and still checks; a second Ctrl-C stops at once.
exit status: 0 all was accepted and every answer is equal; 1 otherwise; 2 wrong options; 130 stopped."""


class Options(NamedTuple):
    """The options of a run; durations in seconds."""

    url: str
    path: str
    """`/ingest` or `/v1/readings`."""
    users: tuple[str, ...]
    devices: tuple[str, ...]
    every: float
    duration: float | None
    history: float
    history_every: float
    history_batch: int
    walks: float
    late: float
    late_by: float
    duplicates: float
    conflicts: float
    burst: float | None
    burst_size: int
    batch: int
    concurrency: int
    timeout: float
    patience: float
    wait: float
    seed: int
    check: bool
    progress: bool
    quiet: bool


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def duration(text: str) -> float:
    """Return the seconds of a text such as 8, 8s, 1h30m or 7d."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text or "" in [u for _, u in parts[1:]]:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 8s, 10m or 7d")
    if len(parts) > 1 and parts[0][1] == "":
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 8s, 10m or 7d")
    return sum(float(number) * UNITS[unit or "s"] for number, unit in parts)


def span(least: float, most: float, words: str) -> Callable[[str], float]:
    """Return an argument type for durations between two bounds in seconds."""

    def parse(text: str) -> float:
        seconds = duration(text)
        if not least <= seconds <= most:
            raise argparse.ArgumentTypeError(f"must be {words}, but is {text!r}")
        return seconds

    return parse


def share(text: str) -> float:
    """Return the number from 0 to 1 of a text such as 0.05 or 5%."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share from 0 to 1, such as 0.05 or 5%, but is {text!r}")
    return value


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return an argument type for whole numbers between two bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, but is {text!r}")
        return int(text)

    return parse


def rate(text: str) -> float:
    """Return readings per second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be readings per second, more than 0, but is {text!r}")
    return value


def url(text: str) -> str:
    """Return an http or https URL without its last slash."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"must be a URL such as http://127.0.0.1:8000, but is {text!r}")
    return text.rstrip("/")


def names(text: str, what: str) -> tuple[str, ...]:
    """Return the ids of a list with commas, each only once."""
    found = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    if not found:
        raise argparse.ArgumentTypeError(f"names no {what}")
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"names a {what} twice: {text!r}")
    if any(len(name) > 128 or not name.isprintable() for name in found):
        raise argparse.ArgumentTypeError(f"a {what} id must be 1 to 128 printable characters")
    return found


def users(text: str) -> tuple[str, ...]:
    """Return the ids of a count (5 makes 101, 202, … 505) or of a list with commas (`42,` is one id)."""
    if text.isdecimal():
        return tuple(str(101 * number) for number in range(1, whole(1, 100_000)(text) + 1))
    return names(text, "user")


def devices(text: str) -> tuple[str, ...]:
    """Return the devices of a count (3 makes device_a, device_b, phone) or of a list with commas."""
    if text.isdecimal():
        count = whole(1, 20)(text)
        known = ["device_a", "device_b", "phone", *(f"device_{number}" for number in range(4, 21))]
        return tuple(known[:count]) if count > 1 else (DEFAULT_DEVICE,)
    return names(text, "device")


def parser() -> Parser:
    """Return the parser of all options."""
    made = Parser(
        prog="simulate", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    _who(made.add_argument_group("who"))
    _pace(made.add_argument_group("how much"))
    _trouble(made.add_argument_group("what real devices do"))
    _requests(made.add_argument_group("requests"))
    _output(made.add_argument_group("output and check"))
    return made


def _who(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--users",
        type=users,
        default=("101", "202"),
        metavar="N|IDS",
        help="how many users (5 makes 101, 202, … 505), or their ids with\ncommas (default: 101,202)",
    )
    group.add_argument(
        "--devices",
        type=devices,
        default=(DEFAULT_DEVICE,),
        metavar="N|NAMES",
        help="devices that each user wears: how many (3 makes device_a,\ndevice_b,phone), or their names with "
        "commas; goes with\n--path v1 (default: one that is not named)",
    )
    group.add_argument(
        "--seed",
        type=whole(0, 2**63 - 1),
        default=1,
        metavar="N",
        help="the same seed makes the same bodies (default: 1)",
    )


def _pace(group: argparse._ArgumentGroup) -> None:
    pace = group.add_mutually_exclusive_group()
    pace.add_argument(
        "--every",
        type=span(0.001, 3600, "between 1ms and 1h"),
        default=8.0,
        metavar="TIME",
        help="each device's time between two readings (default: 8s)",
    )
    pace.add_argument(
        "--rate", type=rate, metavar="N", help="readings per second of all users and devices together,\ninstead"
    )
    group.add_argument(
        "--duration",
        type=span(0, 1e9, "a duration"),
        metavar="TIME",
        help="how long to send live readings; 0 sends none\n(default: until Ctrl-C)",
    )
    group.add_argument(
        "--history",
        type=span(60, 3e9, "at least 1m"),
        default=0.0,
        metavar="TIME",
        help="first send the past, such as 7d (default: none)",
    )
    group.add_argument(
        "--history-every",
        type=span(0.1, 3600, "between 100ms and 1h"),
        default=60.0,
        metavar="TIME",
        help="time between two readings of the past (default: 1m)",
    )
    group.add_argument(
        "--walks",
        type=span(60, 3600, "between 1m and 1h"),
        default=0.0,
        metavar="TIME",
        help="send steps over intervals instead, of the past only: a phone\nthat counts so long at a time, and a watch "
        "that counts each minute\nit is worn; the answers must be within 1.5 %% of what was walked,\n"
        "those of a day 5 %%",
    )


def _trouble(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--late", type=share, default=0.0, metavar="SHARE", help="share that is kept back and sent late")
    group.add_argument(
        "--late-by",
        type=span(0.1, 86400, "between 100ms and 1d"),
        default=60.0,
        metavar="TIME",
        help="how late at most; of the past, late ones are sent after all\nothers (default: 1m)",
    )
    group.add_argument(
        "--duplicates", type=share, default=0.0, metavar="SHARE", help="repeats with the same values, per reading"
    )
    group.add_argument(
        "--conflicts",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="repeats of the same identity with other values, per reading",
    )
    group.add_argument(
        "--burst",
        type=span(0.1, 86400, "between 100ms and 1d"),
        metavar="TIME",
        help="every so often many readings at once, as after a time without\na network (default: never)",
    )
    group.add_argument(
        "--burst-size", type=whole(1, 1_000_000), default=500, metavar="N", help="readings in a burst (default: 500)"
    )


def _requests(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--url",
        type=url,
        default=os.environ.get("HYPERPULSE_URL") or "http://127.0.0.1:8000",
        metavar="URL",
        help="the service (default: HYPERPULSE_URL or http://127.0.0.1:8000)",
    )
    group.add_argument(
        "--path",
        choices=("ingest", "v1"),
        help="send to POST /ingest or POST /v1/readings (default: ingest;\nv1 when there are devices or ids that "
        "are not integers)",
    )
    group.add_argument(
        "--batch", type=whole(1, 10_000), default=1, metavar="N", help="live readings in one request (default: 1)"
    )
    group.add_argument(
        "--history-batch",
        type=whole(1, 100_000),
        default=1000,
        metavar="N",
        help="past readings in one request to /v1/readings (default: 1000)",
    )
    group.add_argument(
        "--concurrency", type=whole(1, 256), default=8, metavar="N", help="requests at the same time (default: 8)"
    )
    group.add_argument(
        "--timeout",
        type=span(0.1, 3600, "between 100ms and 1h"),
        default=30.0,
        metavar="TIME",
        help="how long one attempt waits for its answer (default: 30s)",
    )
    group.add_argument(
        "--patience",
        type=span(0, 1e9, "a duration"),
        default=300.0,
        metavar="TIME",
        help="how long a request is repeated while the service is away or\nbusy, until its outcome is called "
        "unknown (default: 5m)",
    )
    group.add_argument(
        "--wait",
        type=span(0, 1e9, "a duration"),
        default=30.0,
        metavar="TIME",
        help="how long to wait for the service to be ready (default: 30s)",
    )


def _output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--no-check", dest="check", action="store_false", help="do not compare at the end")
    group.add_argument("--no-progress", dest="progress", action="store_false", help="only the start and the outcome")
    group.add_argument("--quiet", action="store_true", help="say nothing unless something is wrong")


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of the command line; invalid ones end the program with status 2 and one sentence."""
    made = parser()
    given = vars(made.parse_args(arguments))
    given["path"] = _path(made, given)
    wanted = given.pop("rate")
    if wanted:
        given["every"] = len(given["users"]) * len(given["devices"]) / wanted
        if given["every"] < 0.001:
            made.error("--rate asks each device for more than 1000 readings per second; add users or devices")
    _fits(made, given)
    return Options(**given)


def _path(made: Parser, given: dict[str, object]) -> str:
    """Return the path of live readings; /ingest takes neither devices nor ids other than integers."""
    named = given["devices"] != (DEFAULT_DEVICE,)
    worded = [user for user in given["users"] if not is_integer(user)]  # type: ignore[attr-defined]
    if given["path"] == "ingest" and named:
        made.error("POST /ingest carries no device, so --devices goes with --path v1")
    if given["path"] == "ingest" and worded:
        made.error(f"POST /ingest takes integer user ids only, so {worded[0]!r} goes with --path v1")
    v1 = given["path"] == "v1" or (given["path"] is None and (named or worded))
    return "/v1/readings" if v1 else "/ingest"


def _fits(made: Parser, given: dict[str, object]) -> None:
    """Refuse contradictory combinations."""
    options = Options(**given)  # type: ignore[arg-type]
    if options.walks and not options.history:
        made.error("--walks are of the past, so they go with --history")
    if options.walks % 60:
        made.error("--walks takes whole minutes")
    if options.duration == 0 and not options.history:
        made.error("--duration 0 sends nothing unless --history is given")
    if options.burst is not None:
        turns = -(-options.burst_size // (len(options.users) * len(options.devices)))
        if turns > options.burst * 1000:
            made.error("--burst-size is more than one reading per device and millisecond of --burst")
