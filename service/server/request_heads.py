"""How large the head of a request may be, judged while it arrives: an endless one takes neither memory nor time.

The parser hands a field on once it has all of it, and keeps the beginning of one until then. So beside the fields,
which are counted as they come, bytes that the parser keeps to itself are counted too: an endless field, trailer, or
extension of a chunk is noticed within one read of its limit.
"""

from __future__ import annotations

from typing import NoReturn

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.errors import HeadTooLarge, Malformed, Problem, UrlTooLong
from service.http.problem_details import problem_response

MOST_URL = 256 * 1024  # bytes: of a WebSocket, it may name a thousand users
MOST_PARSED_URL = 2**16 - 1  # bytes: of anything else, what httptools can parse
FRAMING = len(b": \r\n")
ONE_READ = 256 * 1024  # bytes that the event loop reads at once
LINGER_SECONDS = 2.0  # a client may still send after it was refused, and would miss the answer if …
LINGER_BYTES = 1024 * 1024  # … the connection were closed with bytes unread


class Refused(Exception):
    """The parser is to stop."""


class BoundedHeadProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits on header fields and on the URL."""

    max_header_bytes: int
    max_header_fields: int
    header_bytes = 0
    unheard = 0
    """Bytes since the parser last handed something on."""
    refusal: Problem | None = None
    is_refused = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at what it keeps to itself."""
        self.unheard += len(data)
        if self.is_refused:
            if self.unheard > LINGER_BYTES:
                self.transport.abort()
            return
        super().data_received(data)
        if self.unheard > self.max_header_bytes + ONE_READ:
            self.refuse(self.too_large())

    def on_message_begin(self) -> None:
        """Count from zero."""
        super().on_message_begin()
        self.header_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        self.unheard = 0
        super().on_url(url)
        if len(self.url) > MOST_URL:
            self.stop(url_too_long(MOST_URL))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer."""
        self.unheard = 0
        self.header_bytes += len(name) + len(value) + FRAMING
        if self.header_bytes > self.max_header_bytes:
            self.stop(self.too_large())
        if len(self.headers) >= self.max_header_fields:
            self.stop(HeadTooLarge(f"The request has more than {self.max_header_fields} header fields."))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Keep trailers apart from the fields of the head, which say what the body is."""
        if len(self.url) > MOST_PARSED_URL and not (self.parser.should_upgrade() and self._should_upgrade()):
            self.stop(url_too_long(MOST_PARSED_URL))
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.unheard = 0
        super().on_body(body)

    def too_large(self) -> Problem:
        """Say how large the header fields may be."""
        return HeadTooLarge(f"The header fields of the request have more than {self.max_header_bytes} bytes.")

    def stop(self, problem: Problem) -> NoReturn:
        """Stop the parser, which has uvicorn send a 400."""
        self.refusal = problem
        raise Refused

    def send_400_response(self, msg: str) -> None:
        """Answer what stopped the parser, or what it cannot read."""
        self.refuse(self.refusal or Malformed(msg))

    def refuse(self, problem: Problem) -> None:
        """Answer with a problem, and end the connection; what came before is answered, what follows is not read."""
        self.is_refused = True
        self.unheard = 0
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.answer(problem)
        elif not cycle.more_body:
            cycle.keep_alive = False
        else:
            cycle.disconnected = True  # the body of this request is what went wrong
            cycle.message_event.set()
            if self.pipeline or cycle.response_started:
                self.transport.close()
            else:
                self.answer(problem)

    def answer(self, problem: Problem) -> None:
        """Send a problem document, and close the connection once the client has it, or soon."""
        response: Response = problem_response(problem)
        lines = [STATUS_LINE[response.status_code]]
        lines += [b"%b: %b\r\n" % field for field in response.raw_headers]
        self.transport.write(b"".join(lines) + b"connection: close\r\n\r\n" + bytes(response.body))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def url_too_long(most: int) -> Problem:
    """Say how long a URL may be."""
    return UrlTooLong(f"The URL has more than {most} bytes; ask for less at once.")
