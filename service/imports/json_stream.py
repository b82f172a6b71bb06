"""JSON that is read as a stream: the values at certain paths, one after the other, of a document of any size."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

from service.errors import Malformed
from service.imports.adapter import Damaged
from service.model.strict_json import BOM, WIDE

Path: TypeAlias = tuple[str | int, ...]
Pattern: TypeAlias = tuple[str | None, ...]

ANY: Final = None
"""In a pattern: any element of an array, and any member of an object."""
PIECE = 64 * 1024  # bytes that are read at once
MOST_VALUE = 4 * 1024 * 1024  # characters of a value that is handed out whole
MOST_PARSED = 4 * PIECE  # characters that may be parsed in order to be forgotten
MOST_FRUITLESS = 8  # times for each piece that the parser may find no end of what it is to take
SPACE = re.compile(r"[ \t\r\n]*")
PLAIN = re.compile(r"[^ \t\r\n,:\[\]{}\"]+")
STRUCTURE = re.compile(r'["\[\]{}]')
IN_NUMBERS = frozenset(".eE")  # after what seems to be a number, which then goes on
DEEP = 64  # arrays and objects within each other, of which not each end is looked for
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
STRUCTURE_INSIDE = re.compile(r'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
STRING_INSIDE = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)


def values_at(source: BinaryIO, *patterns: Pattern) -> Iterator[tuple[Path, Any]]:
    """Yield the values at paths that match a pattern, with their paths, in the order of the document.

    What lies elsewhere is skipped, whatever its size. Malformed where the document does not begin as JSON in UTF-8,
    Damaged where it cannot be read on.
    """
    text = Text(source)
    yield from walk(text, (), [pattern for pattern in patterns if pattern])
    if text.peek():
        raise text.damaged((), "something follows the document")


def place(path: Path) -> str:
    """Write a path as places of faults are: data.metrics[3].qty."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:64]}" for part in path)
    return written.removeprefix(".") or "the document"


def walk(text: Text, path: Path, patterns: Sequence[Pattern]) -> Iterator[tuple[Path, Any]]:
    """Yield what lies in a value and matches."""
    begins = text.peek()
    if begins == "[":
        yield from walk_array(text, path, patterns)
    elif begins == "{":
        yield from walk_object(text, path, patterns)
    else:
        text.skip(path)


def walk_array(text: Text, path: Path, patterns: Sequence[Pattern]) -> Iterator[tuple[Path, Any]]:
    """Yield what lies in an array and matches."""
    text.take("[", path)
    inner = [pattern[1:] for pattern in patterns if pattern[0] is ANY]
    if text.peek() == "]":
        text.take("]", path)
        return
    index = 0
    while True:
        yield from member(text, (*path, index), inner)
        index += 1
        if text.take(",]", (*path, index)) == "]":
            return


def walk_object(text: Text, path: Path, patterns: Sequence[Pattern]) -> Iterator[tuple[Path, Any]]:
    """Yield what lies in an object and matches."""
    text.take("{", path)
    if text.peek() == "}":
        text.take("}", path)
        return
    while True:
        if text.peek() != '"':
            raise text.damaged(path, "is no JSON: a name is missing")
        name = text.value(path)
        text.take(":", (*path, name))
        inner = [pattern[1:] for pattern in patterns if pattern[0] is ANY or pattern[0] == name]
        yield from member(text, (*path, name), inner)
        if text.take(",}", path) == "}":
            return


def member(text: Text, path: Path, patterns: Sequence[Pattern]) -> Iterator[tuple[Path, Any]]:
    """Yield a value where a pattern ends at it, otherwise what lies in it and matches."""
    if not patterns:
        text.skip(path)
    elif not all(patterns):
        yield path, text.value(path)
    else:
        yield from walk(text, path, patterns)


def refuse(constant: str) -> Any:
    """Refuse NaN and infinities, which are no JSON."""
    raise ValueError(f"{constant} is no number")


class Text:
    """The text of a document, of which a part is held."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.decode = codecs.getincrementaldecoder("utf-8")().decode
        self.parse = json.JSONDecoder(parse_constant=refuse).raw_decode
        self.held = ""
        self.at = 0
        self.is_whole = False
        self.fruitless = 0
        self.is_counted = False
        first = source.read(PIECE)
        if first.startswith(WIDE):
            raise Malformed("The file is UTF-16, by its byte order mark; UTF-8 is read.")
        self.add(first.removeprefix(BOM), is_last=not first)

    def add(self, piece: bytes, is_last: bool) -> None:
        """Hold what comes next, and no longer what is behind."""
        try:
            self.held = self.held[self.at :] + self.decode(piece, is_last)
        except UnicodeDecodeError as error:
            raise Damaged("the document", f"is not UTF-8: {error.reason}") from None
        self.at = 0
        self.is_whole = is_last
        self.fruitless = 0
        self.is_counted = False

    def more(self, size: int = 0) -> bool:
        """Hold more; return whether there was any."""
        if self.is_whole:
            return False
        piece = self.source.read(max(PIECE, size))
        self.add(piece, is_last=not piece)
        return not self.is_whole

    def peek(self) -> str:
        """Return the next character that is no space; none at the end."""
        while True:
            found = SPACE.match(self.held, self.at)
            assert found is not None
            self.at = found.end()
            if self.at < len(self.held):
                return self.held[self.at]
            if not self.more():
                return ""

    def take(self, wanted: str, path: Path) -> str:
        """Take the next character, which is one of those wanted."""
        found = self.peek()
        if not found or found not in wanted:
            raise self.damaged(path, f"is no JSON: {' or '.join(wanted)} is missing")
        self.at += 1
        return found

    def value(self, path: Path) -> Any:
        """Take the next value as a whole."""
        if not self.peek():
            raise self.damaged(path, "is missing")
        while True:
            problem = ""
            try:
                value, end = self.parse(self.held, self.at)
                # A number that stands at the end of what is held may go on, or have been cut.
                if end < len(self.held):
                    goes_on = self.held[end] in IN_NUMBERS
                else:
                    goes_on = isinstance(value, int | float) and not (self.is_whole and not path)
                if not goes_on:
                    self.at = end
                    return value
                if self.is_whole:
                    problem = "a number is not complete"
            except RecursionError:
                raise self.damaged(path, "is nested too deeply") from None
            except ValueError as error:
                problem = getattr(error, "msg", str(error))
            held = len(self.held) - self.at
            if held > MOST_VALUE:
                raise self.damaged(path, f"is no JSON, or has more than {MOST_VALUE} characters")
            if not self.more(held) and problem:
                raise self.damaged(path, f"is no JSON: {problem}")

    def skip(self, path: Path) -> None:
        """Take the next value, of any size, and forget it."""
        if self.peek() not in tuple('[{"'):
            self.skip_plain(path)
            return
        depth = 0
        while True:
            if depth >= DEEP and not self.is_counted:
                depth = self.skip_deep(depth)
            found = self.search(STRUCTURE, path)
            if found == '"':
                self.skip_string(path)
            elif found in "]}":
                depth -= 1
            elif not self.skip_held():
                depth += 1
            if depth <= 0:
                return

    def skip_held(self) -> bool:
        """Take the rest of an array or object whose first character was taken, if all of it is held and not too deep.

        The parser is far faster than a search for structure. Where it finds no end its time is lost, so it is not asked
        each time.
        """
        if self.fruitless == MOST_FRUITLESS or len(self.held) - self.at > MOST_PARSED:
            return False
        try:
            _, self.at = self.parse(self.held, self.at - 1)
        except (ValueError, RecursionError):
            self.fruitless += 1
            return False
        return True

    def skip_deep(self, depth: int) -> int:
        """Take what is held, if it does not lead out of so many arrays and objects; return how many are open then."""
        self.is_counted = True
        found = STRUCTURE_INSIDE.match(self.held, self.at)
        assert found is not None
        structure = STRING.sub("", found.group())
        ends = structure.count("]") + structure.count("}")
        if ends >= depth:
            return depth
        self.at = found.end()
        return depth + structure.count("[") + structure.count("{") - ends

    def skip_plain(self, path: Path) -> None:
        """Take a number or a word."""
        taken = 0
        while True:
            found = PLAIN.match(self.held, self.at)
            if found is not None:
                taken += found.end() - self.at
                self.at = found.end()
            if self.at < len(self.held) or not self.more():
                break
        if not taken:
            raise self.damaged(path, "is missing")

    def skip_string(self, path: Path) -> None:
        """Take the rest of a string."""
        while True:
            found = STRING_INSIDE.match(self.held, self.at)
            assert found is not None
            self.at = found.end()
            if self.held[self.at : self.at + 1] == '"':
                self.at += 1
                return
            # It goes on, perhaps after a backslash that is the last character.
            if not self.more():
                raise self.damaged(path, "is no JSON: it ends within a string")

    def search(self, wanted: re.Pattern[str], path: Path) -> str:
        """Take all up to the next character that is wanted, and return that."""
        while True:
            found = wanted.search(self.held, self.at)
            if found is not None:
                self.at = found.end()
                return found.group()
            self.at = len(self.held)
            if not self.more():
                raise self.damaged(path, "is not complete: the file ends within it")

    def damaged(self, path: Path, problem: str) -> Damaged:
        """Say what is wrong at a path."""
        if self.is_whole and self.at >= len(self.held):
            problem = "is not complete: the file ends within it"
        return Damaged(place(path), problem)
