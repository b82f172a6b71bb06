"""Bodies cut into parts of whole readings as they arrive, so that a body may be far larger than memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import msgspec

from service.problems import Problem

PART = 512 * 1024  # bytes: some 4000 readings
LONGEST_ITEM = 1024 * 1024  # bytes
MOST_TRIES = 16
BOM = b"\xef\xbb\xbf"
ARRAY = re.compile(rb"\s*\[")
ENVELOPE = re.compile(rb'\s*\{\s*"readings"\s*:\s*\[')
COMMA = re.compile(rb"\s*,")
# A field in quotation marks, which are doubled in it; one within any other field is only a character.
QUOTED = re.compile(rb'(?<![^,\r\n])"[^"]*(?:""[^"]*)*("?)')
SKIM = msgspec.json.Decoder(list[msgspec.Raw])

Pieces = AsyncIterator[bytes]


async def gathered(pieces: Pieces) -> Pieces:
    """Join pieces until there is about a part of them."""
    waiting: list[bytes] = []
    length = 0
    async for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= PART:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


async def lines(pieces: Pieces, quoted: bool) -> Pieces:
    """Yield parts that end with a line; where `quoted`, a line break in a field in quotation marks ends none."""
    rest = b""
    begun = False
    line = 1
    async for piece in gathered(pieces):
        text = rest + piece
        if not begun:
            text, begun = text.removeprefix(BOM), True
        end = last_line(text, quoted)
        if end:
            yield text[:end]
        rest = text[end:]
        line += text.count(b"\n", 0, end)
        if len(rest) > LONGEST_ITEM:
            raise (
                unclosed(rest, line)
                if quoted and b"\n" in rest
                else too_large(f"Line {line} has more than {LONGEST_ITEM} bytes.")
            )
    if rest:
        yield rest


def last_line(text: bytes, quoted: bool) -> int:
    """Return where the last whole line ends; 0 where none is found. A text begins with a line."""
    end = text.rfind(b"\n") + 1
    if quoted and end:
        for field in reversed(list(QUOTED.finditer(text))):
            if field.end() < end:
                break
            if field.start() < end:
                end = text.rfind(b"\n", 0, field.start()) + 1
    return end


def unclosed(rest: bytes, line: int) -> Problem:
    """Say which quotation mark is not closed; `line` is the one that the rest begins with."""
    (*_, last) = QUOTED.finditer(rest)
    line += rest.count(b"\n", 0, last.start())
    return Problem(
        400,
        f"The body is not CSV: in line {line} a field begins with a quotation mark, and has no end within "
        f"{LONGEST_ITEM} bytes. Close it; double the marks that are part of a value.",
        headers={"Connection": "close"},
    )


async def elements(pieces: Pieces, enveloped: bool) -> Pieces:
    """Yield parts of an array, or where `enveloped` of an envelope around one, each as an array."""
    rest = b""
    opening: re.Match[bytes] | None = None
    some = False
    async for piece in gathered(pieces):
        rest += piece
        if opening is None:
            opening = ARRAY.match(rest) or (ENVELOPE.match(rest) if enveloped else None)
            if opening is None:
                raise too_large("What is so large must be an array of readings.")
            rest = rest[opening.end() :]
        while len(rest) >= PART:
            end = last_comma(rest)
            if end is None:
                break
            yield b"[%b]" % rest[:end].rstrip()[:-1]
            some, rest = True, rest[end:]
        if len(rest) > LONGEST_ITEM + PART:
            raise too_large(f"A reading has more than {LONGEST_ITEM} bytes, or the body is not JSON.")
    rest = rest.rstrip()
    if opening is not None and b"{" in opening.group():
        rest = closed(rest, b"}")
    rest = closed(rest, b"]")
    if some and not rest:
        raise not_json("its last comma is followed by nothing")
    yield b"[%b]" % rest


def last_comma(text: bytes) -> int | None:
    """Return where a prefix of an array ends after a comma between two elements; None where none is found.

    JSON leaves no choice: when what stands before the comma is an array once it is closed, the comma is one between
    elements, and not part of a string or of an element.
    """
    place = len(text)
    for _ in range(MOST_TRIES):
        place = text.rfind(b"}", 0, place)
        if place < 0:
            return None
        comma = COMMA.match(text, place + 1)
        if comma is not None:
            try:
                SKIM.decode(b"[%b]" % text[: place + 1])
            except msgspec.DecodeError:
                continue
            return comma.end()
    return None


def closed(text: bytes, bracket: bytes) -> bytes:
    """Take the closing bracket away."""
    if not text.endswith(bracket):
        raise not_json("it ends early")
    return text[:-1].rstrip()


def not_json(why: str) -> Problem:
    """Say that a body is not JSON."""
    return Problem(400, f"The body is not JSON: {why}.")


def too_large(why: str) -> Problem:
    """Say what is too large; what is still on its way is not read."""
    return Problem(413, why, headers={"Connection": "close"})
