"""Bodies cut into parts of whole items as they arrive, so that a body may be far larger than memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from itertools import islice

import msgspec
from pydantic_core import from_json

from service.errors import Invalid, Malformed, Problem, TooLarge
from service.model.strict_json import BOM, without_mark

PART = 512 * 1024  # bytes: some 4000 readings
SHORTEST_LINE = 8  # bytes, on average; a reading has at least 20 as CSV, and 50 as JSON
ANY_LINES = 10_000  # lines that any body may have, however short they are
LONGEST_ITEM = 1024 * 1024  # bytes
MOST_TRIES = 4
DEEPEST = 200  # levels that JSON may have here
ARRAY = re.compile(rb"\s*\[")
OBJECT = re.compile(rb"\s*\{")
COMMA = re.compile(rb"\s*,")
# A string, which may not have ended yet, and what stands outside of strings.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{},]', re.DOTALL)
SKIM = msgspec.json.Decoder(list[msgspec.Raw])
MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])

Pieces = AsyncIterator[bytes]


async def gathered(pieces: Pieces, size: int | None = None) -> Pieces:
    """Join pieces until there are `size` bytes or more, or about a part."""
    waiting: list[bytes] = []
    length = 0
    async for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= (size or PART):
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


def last_line(text: bytes) -> int:
    """Return where the last whole line ends; 0 where none does."""
    return text.rfind(b"\n") + 1


async def lines(pieces: Pieces, last: Callable[[bytes], int] = last_line) -> Pieces:
    """Yield parts that end where `last` says that the last whole line, or row, of a text ends.

    TooLarge where a line is too long, or where most are empty: those would be read for ever, and hold nothing.
    """
    rest = b""
    begun = False
    line = 1
    size = ends = 0
    async for piece in gathered(pieces):
        text = rest + piece
        if not begun and len(text) < len(BOM):
            rest = text
            continue
        if not begun:
            text, begun = without_mark(text), True
        size += len(piece)
        ends += max(piece.count(b"\n"), piece.count(b"\r"))
        if ends > ANY_LINES + size // SHORTEST_LINE:
            raise too_large(f"The first {size} bytes have {ends} lines, of which most must be empty; leave those out.")
        end = last(text)
        if end:
            yield text[:end]
        rest = text[end:]
        line += text.count(b"\n", 0, end)
        if len(rest) > LONGEST_ITEM:
            raise too_large(f"Line {line} has more than {LONGEST_ITEM} bytes.")
    if rest:
        yield rest


async def elements(
    pieces: Pieces, name: str, bare: bool = True, enveloped: bool = True, size: int | None = None
) -> Pieces:
    """Yield parts of an array, each as an array: of a `bare` one, or of the one `name` of an `enveloped` body.

    A part has about `size` bytes, or PART.
    """
    size = size or PART
    rest = b""
    begun = enclosed = some = False
    scan = Scan()
    async for piece in gathered(pieces, size):
        rest += piece
        if not begun:
            rest = without_mark(rest).lstrip()  # which is a tenth of what patterns take to pass over blanks
            begun, end = True, start_of_elements(rest, name, bare, enveloped)
            enclosed, rest = OBJECT.match(rest) is not None, rest[end:]
        while len(rest) >= size:
            comma = last_comma(rest) if scan.start == 0 else None
            if comma is None:
                comma = scan.last_comma(rest)
            if comma is None:
                break
            yield b"[%b]" % rest[:comma].rstrip()[:-1]
            some, rest, scan = True, rest[comma:], Scan()
        if len(rest) > LONGEST_ITEM + PART:
            raise endless(b'{"%b":[%b' % (name.encode(), rest) if enclosed else b"[" + rest, name)
    rest = end_of_elements(rest, name) if enclosed else closed(rest)
    if some and not rest:
        raise not_json("its last comma is followed by nothing")
    yield b"[%b]" % rest


def endless(text: bytes, name: str) -> Problem:
    """Say why no end of an element is found: it is too long, or no JSON."""
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError as error:
        if not str(error).startswith("EOF"):
            return not_json(f"in one of the {name}, {error}")
    return too_large(f"One of the {name} has more than {LONGEST_ITEM} bytes.")


def start_of_elements(text: bytes, name: str, bare: bool, enveloped: bool) -> int:
    """Return where the elements begin; Problem where they do not, within what arrived first."""
    if bare and (bracket := ARRAY.match(text)):
        return bracket.end()
    if enveloped and OBJECT.match(text):
        for opening in islice(re.finditer(rb'"%b"\s*:\s*\[' % name.encode(), text), MOST_TRIES):
            # As with commas: when this closes the text, it is the array of the envelope, and not of something in it.
            if is_json(text[: opening.end()] + b"]}"):
                return opening.end()
    raise no_array(name) if ARRAY.match(text) else too_large(f"What is so large must hold an array of {name}.")


def end_of_elements(rest: bytes, name: str) -> bytes:
    """Take what follows the elements in an envelope away."""
    try:
        members = MEMBERS.decode(b'{"%b":[%b' % (name.encode(), rest))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_json("it ends early, or what follows its array is wrong") from None
    inner = bytes(members.pop(name))[1:-1]
    if not rest.startswith(inner) or not all(is_json(bytes(member)) for member in members.values()):
        raise not_json(f"what follows its {name} is wrong")
    return inner.rstrip()


def is_json(text: bytes) -> bool:
    """Return whether a text is strict JSON."""
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def last_comma(text: bytes) -> int | None:
    """Return where a prefix of an array ends after a comma between two elements; None where none is found soon.

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
            except (msgspec.DecodeError, RecursionError):
                continue
            return comma.end()
    return None


class Scan:
    """Finds a comma where the last element has much in it that looks like one: reads everything, but only once."""

    def __init__(self) -> None:
        self.start = 0
        self.depth = 0

    def last_comma(self, text: bytes) -> int | None:
        """Return what the function does; without an answer it is to be asked again with a longer text."""
        comma = None
        depth = self.depth
        if not 0 <= depth <= DEEPEST:  # the array has ended, or is none that anyone reads
            return None
        for token in TOKEN.finditer(text, self.start):
            match text[token.start()]:
                case 0x22:  # a string
                    if token.end() == len(text):
                        break
                case 0x2C:
                    comma = comma if depth else token.end()
                case 0x5B | 0x7B:
                    depth += 1
                case _:
                    depth -= 1
            self.start = token.end()
            if not 0 <= depth <= DEEPEST:
                break
        self.depth = depth
        return comma


def closed(text: bytes) -> bytes:
    """Take the bracket that closes an array away."""
    text = text.rstrip()
    if not text.endswith(b"]"):
        raise not_json("it ends early")
    return text[:-1].rstrip()


def not_json(why: str) -> Problem:
    """Say that a body is not JSON."""
    return Malformed(f"The body is not JSON: {why}.")


def too_large(why: str) -> Problem:
    """Say what is too large; what is still on its way is not read."""
    return TooLarge(why, ends_connection=True)


def no_array(name: str) -> Invalid:
    """Say that a body should be an envelope, and is none."""
    return Invalid(f"The body must be an object with an array {name!r}.")
