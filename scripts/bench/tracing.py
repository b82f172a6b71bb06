"""What a page's main thread did, from a trace of the browser: how long tasks took, and how much of that they computed.

Service, database and browser share the cores, so that a task may take long because others ran. Only what it computes is
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
    """A task: how long it took and how much of that it computed, also by kind; milliseconds."""

    took: float
    computed: float
    kinds: dict[str, float]


def start(looking: Browser) -> None:
    """Begin to trace a browser."""
    looking.start_tracing(categories=CATEGORIES)


def stop(looking: Browser) -> list[Task]:
    """End it; returns the tasks of the page that set the mark, from then on."""
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
    """Tell whether an event with a duration is of the thread, after the mark."""
    place = (event["pid"], event["tid"])
    return "dur" in event and place == (mark["pid"], thread) and bool(event["ts"] >= mark["ts"])


def tasks_of(events: list[Event]) -> list[Task]:
    """Put together what happened in each task; an event within another one is taken out of it."""
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
