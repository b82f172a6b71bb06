"""Take the screenshots of the dashboard for the documents, with simulated users."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import httpx

from scripts import libraries
from scripts.bench.database import connect, database
from scripts.bench.service import ROOT, NoBrowser, browser, running_service
from scripts.sample_days import send_days

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Theme = Literal["light", "dark"]

FOLDER = ROOT / "docs" / "screenshots"
PEOPLE = (
    "ada,alan,annie,barbara,charles,donald,dorothy,edsger,emmy,frances,grace,hedy,jean,joan,john,"
    "katherine,ken,lin,margaret,mary,radia,sophie,tim,vera"
)
GONE = "charles,mary"  # sent nothing for a while
WORN = "device_b,device_a,phone"
ZONE = "Europe/Berlin"
WIDE, PHONE = (1280, 800), (390, 844)
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
SIMULATED, DAYS = 10, 330  # days of all users, and of the one with many metrics
SETTLED = 2500  # ms until requests in the background are answered


class Picture(NamedTuple):
    """A page and the screen on which it is shown."""

    name: str
    path: str
    size: tuple[int, int]
    themes: tuple[Theme, ...] = ("light", "dark")
    scroll: int = 0


PICTURES = [
    Picture("live", "/", WIDE),
    Picture("explore", "/explore?user=ada&range=7d&metric=heart_rate,steps,hrv_rmssd,body_weight", (1280, 1330)),
    Picture("explore-devices", "/explore?user=ada&by=device", (1280, 1120), ("light",), 325),
    Picture("explore-people", "/explore?user=ada&with=grace&with=alan", (1280, 1120), ("light",), 355),
    Picture("days", f"/days?user=ada&week={TODAY - timedelta(days=7)}", (1280, 1480), ("light",)),
    Picture("day", f"/day?user=ada&date={YESTERDAY}", (1280, 1330), ("light",)),
    Picture("system", "/system", (1280, 1250)),
    Picture("live-phone", "/", PHONE, ("dark",)),
    Picture("explore-phone", "/explore?user=ada", PHONE, ("light",), 640),
    Picture("day-phone", f"/day?user=ada&date={YESTERDAY}", PHONE, ("dark",), 310),
]


def main() -> int:
    """Take all screenshots, or print why that is not possible."""
    parser = argparse.ArgumentParser(
        prog="make screenshots",
        description=__doc__,
        epilog="On the server that BENCH_DATABASE_URL names, in a database of its own, or on the embedded database.",
    )
    parser.add_argument("--history", default=f"{SIMULATED}d", metavar="TIME", help=f"of each user ({SIMULATED}d)")
    options = parser.parse_args()
    if problem := libraries.install():
        print(problem, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    try:
        with (
            browser() as looking,
            database(os.environ.get("BENCH_DATABASE_URL") or None, "hyperpulse_screenshots") as url,
            running_service(url) as service,
        ):
            fill(url, service, options.history)
            with people_alive(service):
                for picture in PICTURES:
                    take(looking, service, picture)
    except NoBrowser as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def fill(database_url: str, service: str, history: str) -> None:
    """Create a history of all users, and something to show on the system page."""
    send_days(service, "ada", DAYS, without=SIMULATED)
    simulate(service, "--users", f"{PEOPLE}", "--history", history, "--history-every", "2m", "--duration", "0").wait()
    with connect(database_url) as connection:
        connection.execute("CALL api.refresh()")
        connection.execute("CALL api.upkeep()")
        connection.execute(
            "SELECT alter_job(job_id, scheduled => true) FROM timescaledb_information.jobs WHERE proc_schema = 'core'"
        )
    base = {"user_id": "ada", "timestamp": "2026-01-15T10:00:00Z"}
    refused: list[dict[str, object]] = [{"heart_rate": 250}, {"heart_rate": 12}, {"steps": -4}, {"calories": "many"}]
    refused += [{"timestamp": "10:00", "steps": 1}, {}]
    httpx.post(f"{service}/v1/readings", json=[{**base, **each} for each in refused])


@contextlib.contextmanager
def people_alive(service: str) -> Iterator[None]:
    """Let all users but a few send readings."""
    alive = ",".join(name for name in PEOPLE.split(",") if name not in GONE.split(","))
    sending = simulate(service, "--users", alive, "--every", "2s")
    try:
        yield
    finally:
        sending.terminate()
        sending.wait()


def simulate(service: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the simulator."""
    command = [sys.executable, "-m", "scripts.simulate", "--url", service, "--devices", WORN, "--no-check", "--quiet"]
    return subprocess.Popen([*command, *arguments], cwd=ROOT)


def take(looking: Browser, service: str, picture: Picture) -> None:
    """Take a page in each of its themes."""
    width, height = picture.size
    for theme in picture.themes:
        context = looking.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
            timezone_id=ZONE,
            locale="en-GB",
            has_touch=picture.size == PHONE,
        )
        page = context.new_page()
        page.goto(f"{service}{picture.path}")
        page.wait_for_selector("body[data-connection=live]")
        page.wait_for_timeout(SETTLED)
        page.evaluate("top => scrollTo(0, top)", picture.scroll)
        if "explore" in picture.name:
            point(page, picture.size == PHONE)
        page.wait_for_timeout(SETTLED / 5)
        path = FOLDER / f"{picture.name}-{theme}.png"
        page.screenshot(path=path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")
        context.close()


def point(page: Page, by_finger: bool) -> None:
    """Point at the middle of a chart."""
    box = page.locator(".u-over").first.bounding_box()
    if box is not None:
        at = box["x"] + box["width"] * 0.62, box["y"] + box["height"] / 2
        (page.touchscreen.tap if by_finger else page.mouse.move)(*at)


if __name__ == "__main__":
    sys.exit(main())
