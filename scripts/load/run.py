"""A run of the importer, from its options to its exit status."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic_core import from_json
from rich.console import Console

from scripts.client_key import key_headers
from scripts.load import rejects
from scripts.load.chunks import Chunk, Reject, chunks
from scripts.load.delivery import Outcome, deliver_items
from scripts.load.display import Display, counted, summed
from scripts.load.errors import CannotRead, CannotSend
from scripts.load.files import files_of, skipped_words
from scripts.load.foreign import foreign_chunks, foreign_files
from scripts.load.formats import Start, start_of
from scripts.load.lines import Line, Source, opened, whole_lines
from scripts.load.metrics import ServiceRegistry
from scripts.load.options import Options
from scripts.load.state import OUTCOMES, FileState, file_state, read_state, write_state
from scripts.simulate.sender import Answer, deliver
from service.errors import Invalid
from service.ingest.validation import validate_one
from service.model.fields import Bounds
from service.model.reading import READING

DONE, SOME_REJECTED, CANNOT_READ, CANNOT_SEND, STOPPED = 0, 1, 2, 3, 130
HEADERS = {"Content-Type": "application/json"}
SHOWN = 10
"""Rejected lines that are printed; all are in the file of rejects."""
GREETING_SECONDS = 5.0
MORE = " until the file grows; --complete says that it is complete."


class Work(NamedTuple):
    """One file and its progress; `start` is None for a file of another system."""

    path: Path
    start: Start | None
    state: FileState
    before: int
    """Bytes on disk of the preceding files."""


class Import:
    """State that the parts of a run share."""

    def __init__(self, options: Options, console: Console) -> None:
        files, skipped = files_of(options.paths) if options.format is None else (foreign_files(options.paths), [])
        self.options = options
        self.registry = ServiceRegistry(options.url, options.timeout)
        self.shown = [skipped_words(skipped)] if skipped else []
        self.state = read_state(options)
        sizes = [file.stat().st_size for file in files]
        # Every file is opened before the first one is sent, so that an invalid one is reported at once.
        opened_files = [self.work_of(file, sum(sizes[:index])) for index, file in enumerate(files)]
        self.work = [work for work in opened_files if work is not None]
        self.display = Display(console, sum(sizes), shown=options.progress)
        self.rejected: list[str] = []
        self.left_out: Counter[tuple[str, str]] = Counter()
        """Records that no metric stands for, by kind and reason."""

    def work_of(self, path: Path, before: int) -> Work | None:
        """Return the work of one file; None if its header is unfinished."""
        if self.options.format is not None:
            return Work(path, None, file_state(self.state, path, 0, 0), before)
        start = start_of(path, self.options.complete, self.registry)
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
        """Note that the last line of a file is unfinished."""
        self.shown.append(f"{work.path}:{line.number}: has no end and waits{MORE}")

    def note(self, work: Work, chunk: Chunk, outcome: Outcome, position: int) -> None:
        """Save the outcome of an acknowledged chunk."""
        state = work.state
        found = sorted(chunk.malformed + outcome.rejects, key=lambda reject: reject.line.number)
        readings = chunk.count
        state.line, state.offset = chunk.number, chunk.offset
        state.readings += readings
        for name in OUTCOMES:
            malformed = len(chunk.malformed) if name == "rejected" else 0
            setattr(state, name, getattr(state, name) + outcome.counts[name] + malformed)
        self.keep_rejects(work.path, found)
        self.save()
        self.display.advance(work.path, work.before + position, readings)

    def keep_rejects(self, path: Path, found: list[Reject]) -> None:
        """Write rejected lines to the file of rejects, and keep the first for printing."""
        self.rejected += [rejects.words(path, reject) for reject in found[: SHOWN - len(self.rejected)]]
        if found and not self.options.dry_run:
            self.state.rejects_bytes = rejects.append(self.options.rejects, path, found)

    def finish(self, work: Work, size: int) -> None:
        """Note that a file was read to its end; it is read again only after it grows."""
        work.state.finished_at_bytes = size
        self.save()

    def save(self) -> None:
        """Write the state file."""
        if not self.options.dry_run:
            write_state(self.options.state, self.state)

    def conclude(self) -> int:
        """Print the outcome and return the exit status."""
        display, files = self.display, [work.state for work in self.work]
        left_out = [f"Skipped: {times:,} {kind} {reason}." for (kind, reason), times in sorted(self.left_out.items())]
        for words in self.shown + left_out + self.rejected:
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
    """Import or check all files and return the exit status."""
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
        complain(f"{error} What was acknowledged is stored; the same command continues after it.")
        return CANNOT_SEND
    except (asyncio.CancelledError, KeyboardInterrupt):
        sent = running is not None and not options.dry_run
        complain(f"Stopped. {came_to(running)} To continue:\n  {command()}" if running and sent else "Stopped.")
        return STOPPED


def complain(words: str) -> None:
    """Print why the import ends early."""
    Console(stderr=True).print(f"load: {words}", markup=False, highlight=False, soft_wrap=True)


def came_to(running: Import) -> str:
    """Return the progress as text."""
    begun = [work for work in running.work if work.state.readings]
    if not begun:
        return "Nothing is acknowledged yet."
    what = "line" if begun[-1].start is not None else "record"
    return f"Acknowledged up to {what} {begun[-1].state.line:,} of {begun[-1].path}."


def command() -> str:
    """Return the command that resumes, which is this one without --restart."""
    return shlex.join(["python", "-m", "scripts.load", *(part for part in sys.argv[1:] if part != "--restart")])


async def send_all(running: Import) -> None:
    """Send every file; a signal cancels this, and the next run repeats what is under way."""
    options = running.options
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with httpx.AsyncClient(
        base_url=options.url, timeout=options.timeout, headers=key_headers(), trust_env=False
    ) as client:
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
                for chunk in upcoming(source, work, running):
                    waits = chunk.waits
                    outcome = Outcome()
                    await deliver_items(post, chunk.items, outcome)
                    running.note(work, chunk, outcome, source.raw.tell())
                if waits is None:
                    running.finish(work, source.raw.tell())
                else:
                    running.wait(work, waits)


def upcoming(source: Source, work: Work, running: Import) -> Iterator[Chunk]:
    """Yield the chunks of a file that are not acknowledged yet."""
    options = running.options
    if work.start is None:
        return foreign_chunks(work.path, source.raw, options, work.state.line, running.left_out)
    return chunks(source, work.start.read, work.state.line, work.state.offset, options.batch, options.complete)


def dry_run(running: Import) -> None:
    """Validate every reading locally, by the service's model and its default bounds of time."""
    bounds = Bounds(datetime.min.replace(tzinfo=UTC), datetime.now(UTC) + timedelta(days=1), running.registry)
    for work in running.work:
        with opened(work.path) as source:
            for chunk in upcoming(source, work, running):
                if chunk.waits is not None:
                    running.wait(work, chunk.waits)
                outcome = Outcome()
                for item in chunk.items:
                    try:
                        validate_one(READING, from_json(item.json, allow_inf_nan=False), bounds)
                    except Invalid as invalid:
                        outcome.counts["rejected"] += 1
                        outcome.rejects.append(Reject(item.line, [{**fault} for fault in invalid.faults]))
                running.note(work, chunk, outcome, source.raw.tell())
