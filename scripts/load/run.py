"""A run of the importer, from its options to its exit status."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic_core import from_json
from rich.console import Console

from scripts.load import rejects
from scripts.load.chunks import Piece, Reject, pieces
from scripts.load.delivery import Outcome, deliver_items
from scripts.load.display import Display, counted, summed
from scripts.load.errors import CannotRead, CannotSend
from scripts.load.files import files_of, skipped_words
from scripts.load.formats import Start, start_of
from scripts.load.lines import Line, Source, opened, whole_lines
from scripts.load.options import Options
from scripts.load.state import OUTCOMES, FileState, file_state, read_state, write_state
from scripts.simulate.sender import Answer, deliver
from service.errors import Invalid
from service.ingest.validation import require_one
from service.model.fields import Bounds
from service.model.reading import READING

DONE, SOME_REJECTED, CANNOT_READ, CANNOT_SEND, STOPPED = 0, 1, 2, 3, 130
HEADERS = {"Content-Type": "application/json"}
SHOWN = 10
"""Rejected lines that are shown; all are in their file."""
GREETING_SECONDS = 5.0
MORE = " until the file has grown; --complete says that it is complete."


class Work(NamedTuple):
    """One file and how far it came."""

    path: Path
    start: Start
    state: FileState
    before: int
    """Bytes on disk of the files before it."""


class Import:
    """Everything that the parts of a run share."""

    def __init__(self, options: Options, console: Console) -> None:
        files, skipped = files_of(options.paths)
        self.options = options
        self.shown = [skipped_words(skipped)] if skipped else []
        self.state = read_state(options)
        sizes = [file.stat().st_size for file in files]
        # Every file is looked at before the first one is sent, so that a wrong one is known at once.
        looked_at = [self.work_of(file, sum(sizes[:index])) for index, file in enumerate(files)]
        self.work = [work for work in looked_at if work is not None]
        self.display = Display(console, sum(sizes), shown=options.progress)
        self.rejected: list[str] = []

    def work_of(self, path: Path, before: int) -> Work | None:
        """Look at one file; None where its header waits for its end."""
        start = start_of(path, self.options.complete)
        if start is None:
            self.shown.append(f"{path}: its header has no end and waits{MORE}")
            return None
        state = file_state(self.state, path, start.number, start.offset)
        if not state.is_behind_an_end:
            with opened(path) as source:
                state.line, state.offset = whole_lines(source, state.line, state.offset)
            state.is_behind_an_end = True
        if state.offset < start.offset:
            state.line, state.offset = start.number, start.offset
        return Work(path, start, state, before)

    def wait(self, work: Work, line: Line) -> None:
        """Say that the last line of a file has no end yet."""
        self.shown.append(f"{work.path}:{line.number}: has no end and waits{MORE}")

    def note(self, work: Work, piece: Piece, outcome: Outcome, position: int) -> None:
        """Keep what became of an acknowledged piece."""
        state = work.state
        found = sorted(piece.malformed + outcome.rejects, key=lambda reject: reject.line.number)
        readings = piece.count
        state.line, state.offset = piece.number, piece.offset
        state.readings += readings
        for name in OUTCOMES:
            malformed = len(piece.malformed) if name == "rejected" else 0
            setattr(state, name, getattr(state, name) + outcome.counts[name] + malformed)
        self.keep_rejects(work.path, found)
        self.save()
        self.display.advance(work.path, work.before + position, readings)

    def keep_rejects(self, path: Path, found: list[Reject]) -> None:
        """Write rejected lines to their file, and show the first."""
        self.rejected += [rejects.words(path, reject) for reject in found[: SHOWN - len(self.rejected)]]
        if found and not self.options.dry_run:
            self.state.rejects_bytes = rejects.append(self.options.rejects, path, found)

    def finish(self, work: Work, size: int) -> None:
        """Note that a file was read to its end; it is looked at again when it has grown."""
        work.state.finished_at_bytes = size
        self.save()

    def save(self) -> None:
        """Write how far it came."""
        if not self.options.dry_run:
            write_state(self.options.state, self.state)

    def conclude(self) -> int:
        """Say what became of everything; the exit status."""
        display, files = self.display, [work.state for work in self.work]
        for words in self.shown + self.rejected:
            display.say(words)
        if self.options.dry_run:
            valid = sum(file.readings - file.rejected for file in files)
            rejected = sum(file.rejected for file in files)
            display.say(f"{counted(len(files), 'file')}: {counted(valid, 'reading')} to send, {rejected:,} rejected.")
            return SOME_REJECTED if rejected else DONE
        display.say(summed(files))
        rate = f"{display.readings / display.seconds:,.0f} a second"
        display.say(f"This run: {counted(display.readings, 'reading')} in {display.seconds:.1f} s, {rate}.")
        if not any(file.rejected for file in files):
            return DONE
        display.say(f"The rejected lines and what is wrong with each: {self.options.rejects}")
        return SOME_REJECTED


def load(options: Options, console: Console) -> int:
    """Import everything, or judge it; the exit status."""
    running = None
    try:
        running = Import(options, console)
        with running.display.bar:
            if options.dry_run:
                dry_run(running)
            else:
                rejects.cut(options.rejects, running.state.rejects_bytes)
                asyncio.run(send_all(running))
        return running.conclude()
    except CannotRead as error:
        complain(str(error))
        return CANNOT_READ
    except CannotSend as error:
        complain(f"{error} What was acknowledged is stored; the same command goes on behind it.")
        return CANNOT_SEND
    except (asyncio.CancelledError, KeyboardInterrupt):
        sent = running is not None and not options.dry_run
        complain(f"Stopped. {came_to(running)} To go on:\n  {command()}" if running and sent else "Stopped.")
        return STOPPED


def complain(words: str) -> None:
    """Say why it ends early."""
    Console(stderr=True).print(f"load: {words}", markup=False, highlight=False, soft_wrap=True)


def came_to(running: Import) -> str:
    """Say how far it came."""
    begun = [work for work in running.work if work.state.readings]
    if not begun:
        return "Nothing is acknowledged yet."
    return f"Acknowledged up to line {begun[-1].state.line:,} of {begun[-1].path}."


def command() -> str:
    """Return the command that runs; --restart would not go on."""
    return shlex.join(["python", "-m", "scripts.load", *(part for part in sys.argv[1:] if part != "--restart")])


async def send_all(running: Import) -> None:
    """Send every file; a signal cancels this, and what is under way then is sent again by the next run."""
    options = running.options
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with httpx.AsyncClient(base_url=options.url, timeout=options.timeout, trust_env=False) as client:
        if await deliver(client, "GET", "/health", patience=GREETING_SECONDS) is None:
            raise CannotSend(f"No service answers at {options.url}; is it running, and is that --url right?")

        async def post(body: bytes) -> Answer:
            answer = await deliver(
                client,
                "POST",
                "/v1/readings",
                patience=options.patience,
                notice=running.display.trouble,
                content=body,
                headers=HEADERS,
            )
            if answer is None:
                raise CannotSend(f"The service was busy or away for {options.patience:g} s.")
            return answer

        for work in running.work:
            if work.state.finished_at_bytes == work.path.stat().st_size:
                continue
            with opened(work.path) as source:
                waits = None
                for piece in upcoming(source, work, options):
                    waits = piece.waits
                    outcome = Outcome()
                    await deliver_items(post, piece.items, outcome)
                    running.note(work, piece, outcome, source.raw.tell())
                if waits is None:
                    running.finish(work, source.raw.tell())
                else:
                    running.wait(work, waits)


def upcoming(source: Source, work: Work, options: Options) -> Iterator[Piece]:
    """Yield the pieces of a file that were not acknowledged."""
    return pieces(source, work.start.read, work.state.line, work.state.offset, options.batch, options.complete)


def dry_run(running: Import) -> None:
    """Judge every reading here, by the model that the service has, and its usual bounds of time."""
    bounds = Bounds(datetime.min.replace(tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
    for work in running.work:
        with opened(work.path) as source:
            for piece in upcoming(source, work, running.options):
                if piece.waits is not None:
                    running.wait(work, piece.waits)
                outcome = Outcome()
                for item in piece.items:
                    try:
                        require_one(READING, from_json(item.json, allow_inf_nan=False), bounds)
                    except Invalid as invalid:
                        outcome.counts["rejected"] += 1
                        outcome.rejects.append(Reject(item.line, [{**fault} for fault in invalid.faults]))
                running.note(work, piece, outcome, source.raw.tell())
