"""Operations: what a path does, declared once for routing and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.answers.parameters import Query
from service.answers.query_names import require_known
from service.auth.principal import AccessScope, require_scope
from service.errors import NotFound
from service.model.fields import NAME_LENGTH
from service.routes.request_body import let_go

LENIENT_WRITE_REFUSALS = (400, 403, 408, 413, 415, 503)  # of writes that answer invalid input otherwise than with 422
WRITE_REFUSALS = (*LENIENT_WRITE_REFUSALS, 422)

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that an operation gives: what it means, its shape, and an example."""

    meaning: str
    shape: Any = None
    example: Any = None
    media_type: str = "application/json"
    also: Mapping[str, str] = field(default_factory=dict)  # other media types, each with an example


@dataclass(frozen=True, slots=True)
class Body:
    """A body that an operation takes: its shape as JSON, None where it is none, and an example."""

    shape: Any
    example: Any = None
    also: Mapping[str, str] = field(default_factory=dict)  # other media types, each with an example
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `access` is the scope that a key needs, "any" where it needs no particular one, None where no key is asked for.
    `refuses` lists the statuses of its errors.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    answers: dict[int, Answer]
    access: AccessScope | Literal["any"] | None
    description: str = ""
    body: Body | None = None
    queries: Sequence[type[Query]] = ()
    flags: dict[str, str] = field(default_factory=dict)
    refuses: Sequence[int] = (422, 503)

    @property
    def is_strict(self) -> bool:
        """Whether arguments that it does not know are refused; the earlier paths ignore them."""
        return self.path.startswith("/v1/")


class NameConvertor(Convertor[str]):
    """One percent-encoded segment of a path, which may stand for any text, a slash included."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Decode a segment; what is not UTF-8, or no name, names nothing."""
        try:
            text = unquote(value, errors="strict")
        except UnicodeDecodeError:
            text = "\x00"
        if "\x00" in text or len(text) > NAME_LENGTH:
            raise NotFound("Nothing of that name exists.")
        return text

    def to_string(self, value: str) -> str:
        """Never needed: no URL is built from a route."""
        raise NotImplementedError


register_url_convertor("name", NameConvertor())


def to_routes(operations: Iterable[Operation]) -> list[Route]:
    """Make one route for each path, which knows all its methods."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, endpoint(of_path), methods=list(of_path)) for path, of_path in by_path.items()]


def arguments(operation: Operation) -> dict[str, Any]:
    """Return the arguments that an operation takes in its query string, and the type of each."""
    fields = {name: field.annotation for kind in operation.queries for name, field in kind.model_fields.items()}
    return fields | dict.fromkeys(operation.flags, bool)


def endpoint(operations: dict[str, Operation]) -> Handler:
    """Return what hands a request to the handler of its method."""
    known = {method: arguments(one) for method, one in operations.items() if one.is_strict}

    async def handle(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            operation = operations[method]
            if operation.access is not None and operation.access != "any":
                require_scope(request.scope, operation.access)
            if request.scope["query_string"] and method in known:
                require_known(request, known[method])
            return await operation.handler(request)
        finally:
            let_go(request)

    return handle
