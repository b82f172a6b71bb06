"""The tasks of a page's main thread, from a trace of the browser: elapsed time and processor time.

Service, database and browser share the cores, so a task may take long because others run. Only its processor time is
the page's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"]
BEGIN = "watch"  # a mark that the page sets
MAIN_THREAD = "CrRendererMain"
TASK = "RunTask"
KINDS = {
    "FunctionCall": "script",
    "FireAnimationFrame": "script",
    "TimerFire": "script",
    "EventDispatch": "script",
    "RunMicrotasks": "script",
    "MinorGC": "garbage",
    "MajorGC": "garbage",
    "UpdateLayoutTree": "style",
    "Layout": "layout",
    "PrePaint": "paint",
    "Paint": "paint",
    "Layerize": "paint",
    "Commit": "canvas and commit",
}
Event = dict[str, Any]


class Task(NamedTuple):
    """A task: elapsed time, processor time, and processor time by kind; milliseconds."""

    took: float
    computed: float
    kinds: dict[str, float]


def start(looking: Browser) -> None:
    """Start tracing a browser."""
    looking.start_tracing(categories=CATEGORIES)


def stop(looking: Browser) -> list[Task]:
    """Stop tracing; return the tasks of the page that set the mark, after the mark."""
    events: list[Event] = json.loads(looking.stop_tracing())["traceEvents"]
    mark = next(event for event in events if event["name"] == BEGIN)
    thread = next(
        event["tid"]
        for event in events
        if event["name"] == "thread_name" and event["pid"] == mark["pid"] and event["args"]["name"] == MAIN_THREAD
    )
    own = [event for event in events if is_own(event, mark, thread)]
    return tasks_of(sorted(own, key=lambda event: (event["ts"], -event["dur"])))


def is_own(event: Event, mark: Event, thread: int) -> bool:
    """Return whether an event has a duration and belongs to the thread, after the mark."""
    owner = (event["pid"], event["tid"])
    return "dur" in event and owner == (mark["pid"], thread) and bool(event["ts"] >= mark["ts"])


def tasks_of(events: list[Event]) -> list[Task]:
    """Group events by task; the time of a nested event is subtracted from the event around it."""
    tasks: list[Task] = []
    around: list[Event] = []
    for event in events:
        computed = event.get("tdur", 0) / 1000
        while around and around[-1]["ts"] + around[-1]["dur"] <= event["ts"]:
            around.pop()
        if event["name"] == TASK and not around:
            tasks.append(Task(event["dur"] / 1000, computed, {}))
            around.append(event)
        elif event["name"] in KINDS and around:
            kinds = tasks[-1].kinds
            kinds[KINDS[event["name"]]] = kinds.get(KINDS[event["name"]], 0.0) + computed
            if len(around) > 1:
                kinds[KINDS[around[-1]["name"]]] -= computed
            around.append(event)
    return tasks
