"""Measure the dashboard in a browser: from POST to pixel, the first load, and frames while scrolling and exploring.

On the server that BENCH_DATABASE_URL names, in a database of its own, or on the embedded one. Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from scripts import libraries
from scripts.bench import tracing
from scripts.bench.database import connect, database
from scripts.bench.measure import percentile
from scripts.bench.service import NoBrowser, browser, running_service
from scripts.bench.tracing import Task
from scripts.simulate.options import whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

USERS = 1000
YEAR = 365
SIZE = (1440, 900)
# Requests a frame as soon as the tile shows the value, and returns the time of Date.now() after it.
WAIT_FOR_PIXEL = """value => new Promise(done => {
  const text = () => document.querySelector('.tile .heart .value')?.textContent;
  const look = () => text() === value
    ? requestAnimationFrame(() => setTimeout(() => done(Date.now()))) : requestAnimationFrame(look);
  look();
})"""
WATCH_FRAMES = f"""() => {{
  performance.mark("{tracing.BEGIN}");
  window.frames_ = [];
  let last = performance.now();
  const tick = time => {{ frames_.push(time - last); last = time; window.watching_ = requestAnimationFrame(tick); }};
  requestAnimationFrame(time => {{ last = time; tick(time); }});
}}"""
LONG = 50.0  # ms


class Frames(NamedTuple):
    """Milliseconds between frames, and the tasks of the page's main thread."""

    frames: list[float]
    tasks: list[Task]


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.browser", description=__doc__)
    parser.add_argument("--posts", type=whole(10, 100_000), default=300, metavar="N", help="posts to time (300)")
    parser.add_argument("--days", type=whole(1, 3660), default=YEAR, metavar="N", help="of minutes to explore (365)")
    options = parser.parse_args()
    if problem := libraries.install():
        print(problem, file=sys.stderr)
        return 1
    try:
        with (
            browser() as looking,
            database(os.environ.get("BENCH_DATABASE_URL") or None, "hyperpulse_bench_browser") as url,
            running_service(url) as service,
            httpx.Client(base_url=service, timeout=60) as client,
        ):
            print(f"Chromium {looking.version}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
            show_first_load(looking, service)
            show_post_to_pixel(looking, client, service, options.posts)
            fill(url, client, options.days)
            show_frames("scrolling 1000 tiles that change", scroll(looking, client, service))
            show_frames(f"exploring {options.days} days of minutes", explore(looking, service, options.days))
    except NoBrowser as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def show_first_load(looking: Browser, service: str) -> None:
    """Load each page with an empty cache, ten times, and print the times."""
    for path in "/", "/explore?user=user0", "/system":
        took, moved = [], []
        for _ in range(10):
            context = looking.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
            page = context.new_page()
            devtools = context.new_cdp_session(page)
            devtools.send("Network.enable")
            sizes: list[float] = []
            devtools.on("Network.loadingFinished", partial(add_size, sizes))
            page.goto(f"{service}{path}")
            page.wait_for_selector("body[data-ready][data-connection=live]")
            took.append(
                page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
            )
            page.wait_for_load_state("networkidle")
            moved.append(sum(sizes))
            context.close()
        print(
            f"first load of {path.split('?')[0]}: {max(moved) / 1000:.0f} kB in all; interactive after "
            f"{percentile(took, 50):.0f} ms, at most {max(took):.0f} ms"
        )


def add_size(sizes: list[float], event: dict[str, float]) -> None:
    """Note how many bytes were transferred."""
    sizes.append(event["encodedDataLength"])


def show_post_to_pixel(looking: Browser, client: httpx.Client, service: str, posts: int) -> None:
    """Post readings one at a time, each until the frame that shows it, and print the times."""
    post(client, [reading("user0", datetime.now(UTC), 60)])
    page = open_page(looking, service, "/")
    page.wait_for_selector(".tile")
    shown, answered = [], []
    for number in range(posts):
        rate = 61 + number % 100
        before = time.time()
        post(client, [reading("user0", datetime.now(UTC), rate)])
        answered.append((time.time() - before) * 1000)
        shown.append(page.evaluate(WAIT_FOR_PIXEL, str(rate)) - before * 1000)
    page.context.close()
    print(
        f"POST to pixel, {posts} posts: median {percentile(shown, 50):.0f} ms, p99 {percentile(shown, 99):.0f} ms; "
        f"to the answer of the POST: median {percentile(answered, 50):.0f} ms, p99 {percentile(answered, 99):.0f} ms"
    )


def fill(database_url: str, client: httpx.Client, days: int) -> None:
    """Store a reading of a thousand users, and days of minutes of one of them."""
    now = datetime.now(UTC)
    post(client, [reading(f"user{number}", now, 60 + number % 90) for number in range(USERS)])
    for day in range(days):
        minutes = [now - timedelta(days=day, minutes=minute) for minute in range(1, 1441)]
        post(client, [reading("year", moment, 60 + moment.minute + moment.hour, 3) for moment in minutes])
    with connect(database_url) as connection:
        connection.execute("CALL api.refresh()")


def scroll(looking: Browser, client: httpx.Client, service: str) -> Frames:
    """Scroll through all tiles while a tenth of them changes each time."""
    tracing.start(looking)
    page = open_page(looking, service, "/")
    page.wait_for_selector(".tile")
    page.wait_for_timeout(1500)
    page.evaluate(WATCH_FRAMES)
    for turn in range(60):
        page.mouse.wheel(0, 700 if turn < 40 else -900)
        if turn % 5 == 0:
            now = datetime.now(UTC)
            post(client, [reading(f"user{number}", now, 70 + turn) for number in range(turn, USERS, 10)])
        page.wait_for_timeout(30)
    return frames(looking, page)


def explore(looking: Browser, service: str, days: int) -> Frames:
    """Open all days, then zoom in to minutes and out again."""
    now = datetime.now(UTC)
    asked = f"start={now - timedelta(days=days):%FT%TZ}&end={now:%FT%TZ}"
    tracing.start(looking)
    page = open_page(looking, service, f"/explore?user=year&{asked}")
    page.wait_for_selector("#charts canvas")
    page.wait_for_timeout(1000)
    page.evaluate(WATCH_FRAMES)
    for part in (0.5, 0.9), (0.2, 0.8), (0.1, 0.5), (0.3, 0.6), (0.2, 0.9):
        drag(page, *part)
        page.wait_for_selector("#answer:not([aria-busy])")
        page.wait_for_timeout(400)
    for _ in range(8):
        page.click("#wider")
        page.wait_for_selector("#answer:not([aria-busy])")
        page.wait_for_timeout(300)
    page.select_option("[name=bucket]", "1h")
    page.wait_for_timeout(1500)
    return frames(looking, page)


def drag(page: Page, start: float, end: float) -> None:
    """Drag over a part of the chart."""
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, y, steps=12)
    page.mouse.up()


def open_page(looking: Browser, service: str, path: str) -> Page:
    """Open a page that is live."""
    page = looking.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}).new_page()
    page.goto(f"{service}{path}")
    page.wait_for_selector("body[data-connection=live]", timeout=60_000)
    return page


def frames(looking: Browser, page: Page) -> Frames:
    """Return the frames and tasks of a page, and close it."""
    times = page.evaluate("() => { cancelAnimationFrame(watching_); return frames_; }")
    tasks = tracing.stop(looking)
    page.context.close()
    return Frames(times, tasks)


def show_frames(what: str, seen: Frames) -> None:
    """Print the frames, the tasks that took long, and those that computed long."""
    took = [task.took for task in seen.tasks]
    most = max(seen.tasks, key=lambda task: task.computed)
    kinds = ", ".join(
        f"{kind} {ms:.0f}" for kind, ms in sorted(most.kinds.items(), key=lambda item: -item[1]) if ms >= 1
    )
    print(
        f"{what}: {len(seen.frames)} frames, median {percentile(seen.frames, 50):.0f} ms, "
        f"p99 {percentile(seen.frames, 99):.0f} ms, longest {max(seen.frames):.0f} ms, "
        f"{sum(frame > LONG for frame in seen.frames)} over {LONG:.0f} ms; tasks: {sum(ms > LONG for ms in took)} "
        f"took longer than {LONG:.0f} ms, at most {max(took):.0f} ms; "
        f"{sum(task.computed > LONG for task in seen.tasks)} computed longer, at most {most.computed:.0f} ms ({kinds})"
    )


def reading(user_id: str, moment: datetime, rate: float, steps: int = 1) -> dict[str, Any]:
    """Return a reading as JSON."""
    return {"user_id": user_id, "timestamp": moment.isoformat(), "heart_rate": rate, "steps": steps, "calories": 0.1}


def post(client: httpx.Client, readings: list[dict[str, Any]]) -> None:
    """Store readings."""
    client.post("/v1/readings", json=readings).raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
