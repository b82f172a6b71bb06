"""The OpenAPI 3.1 document, made from the operations and the models that validate them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from service import __version__
from service.answers.parameters import Query
from service.answers.schemas.problems import ProblemDocument
from service.http.problem_details import MEDIA_TYPE
from service.routes.operation import Answer, Body, Operation

REFS = "#/components/schemas/{model}"
REFUSALS = {
    400: "The body is not JSON, or on some paths of earlier services: the input is invalid.",
    401: "No key came with it, or one that is not in force.",
    403: "The key may not do this or is of another tenant, or a page of another site must not write here.",
    404: "No such thing, or no data in the range.",
    406: "The Accept header takes none of the formats there are.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is announced as something that is not taken.",
    421: "The request names another host.",
    422: "The input is well-formed, but invalid.",
    429: "The key has sent what it may, or too many requests came without one; Retry-After says when to try again.",
    503: "Over capacity, or the database is away; Retry-After says when to try again.",
}
KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "hp_ID_SECRET",
    "description": "A key; x-scope of an operation names the scope that it needs. A service on loopback without "
    "keys asks for none, and pages of the service send a session in a cookie instead.",
}
NAMES_IN_PATH = {
    "user_id": ("The user", "user_123"),
    "device_id": ("The device", "watch"),
    "name": ("The metric", "lactate"),
    "format": ("The format of the file", "apple-health"),
}


def openapi_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Describe the operations; the document is plain JSON."""
    operations = list(operations)
    schemas = Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path.replace(":name}", "}"), {})[operation.method.lower()] = describe(
            operation, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hyperpulse",
            "version": __version__,
            "description": "Readings of wearables, stored in TimescaleDB and answered exactly.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas.definitions, "securitySchemes": {"key": KEY}},
    }


class Schemas:
    """The JSON schemas of everything that operations take and give."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        wanted: dict[int, Any] = {id(ProblemDocument): ProblemDocument}
        for operation in operations:
            given: list[Answer | Body] = [*operation.answers.values()]
            if operation.body is not None:
                given.append(operation.body)
            wanted |= {id(one.shape): one.shape for one in given if one.shape is not None}
        inputs = [(key, "validation", TypeAdapter(shape)) for key, shape in wanted.items()]
        by_key, rest = TypeAdapter.json_schemas(
            inputs,  # type: ignore[arg-type]  # keys are any hashable
            ref_template=REFS,
            schema_generator=GenerateJsonSchema,
        )
        self.by_shape = {key: schema for (key, _), schema in by_key.items()}
        self.definitions = rest.get("$defs", {})

    def of(self, shape: Any) -> dict[str, Any]:
        """Return the schema of a shape."""
        schema: dict[str, Any] = self.by_shape[id(shape)]
        return schema


def describe(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    """Describe one operation."""
    document: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses(operation, schemas),
    }
    if operation.access is not None:
        document["security"] = [{"key": []}, {}]  # a service may be open
        if operation.access != "any":
            document["x-scope"] = operation.access
    if operation.description:
        document["description"] = operation.description
    if parameters := parameters_of(operation):
        document["parameters"] = parameters
    if operation.body is not None:
        document["requestBody"] = {
            "required": True,
            "content": content(operation.body, operation.body.media_type, schemas),
        }
    return document


def responses(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    """Describe an operation's answers and its errors."""
    described: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        described[str(status)] = {"description": answer.meaning, "content": content(answer, answer.media_type, schemas)}
        if status >= 400:
            described[str(status)]["content"][MEDIA_TYPE] = {"schema": schemas.of(ProblemDocument)}
    guarded = (401, 403, 421, 429) if operation.access is not None else (421,)
    refused = {*operation.refuses, *guarded, *({422} if operation.is_strict else ())} - operation.answers.keys()
    for status in refused:
        described[str(status)] = refusal(status, schemas.of(ProblemDocument))
    return dict(sorted(described.items()))


def content(given: Answer | Body, media_type: str, schemas: Schemas) -> dict[str, Any]:
    """Describe what a body or an answer holds, by media type."""
    main: dict[str, Any] = {} if given.shape is None else {"schema": schemas.of(given.shape)}
    if given.example is not None:
        main["example"] = given.example
    others = {name: {"schema": {"type": "string"}, "example": example} for name, example in given.also.items()}
    return {media_type: main, **others}


def refusal(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Describe one error."""
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": REFUSALS[status],
    }
    described: dict[str, Any] = {
        "description": REFUSALS[status],
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }
    if status in (429, 503):
        described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return described


def parameters_of(operation: Operation) -> list[dict[str, Any]]:
    """Describe what an operation takes from its path and query string."""
    described: dict[str, dict[str, Any]] = {}
    for query in operation.queries:
        for parameter in query_parameters(query):
            known = described.setdefault(parameter["name"], parameter)
            # Of several questions on one path, only what all require is required.
            known["required"] = known["required"] and parameter["required"] and len(operation.queries) == 1
    for name, description in operation.flags.items():
        described[name] = {
            "name": name,
            "in": "query",
            "required": False,
            "description": description,
            "schema": {"type": "boolean", "default": False},
        }
    return path_parameters(operation.path) + list(described.values())


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the names in a path."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"{what}, percent-encoded.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            "example": example,
        }
        for name, (what, example) in NAMES_IN_PATH.items()
        if f"{{{name}:name}}" in path
    ]


def query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    """Describe the query string of a query."""
    schema = query.model_json_schema(by_alias=False)
    required = schema.get("required", [])
    return [query_parameter(name, field, name in required) for name, field in schema["properties"].items()]


def query_parameter(name: str, field: dict[str, Any], required: bool) -> dict[str, Any]:
    """Describe one argument of a query string; null cannot be sent in one, so it is left out."""
    field = {key: value for key, value in field.items() if key != "title"}
    description = field.pop("description", "")
    kinds = [kind for kind in field.pop("anyOf", []) if kind != {"type": "null"}]
    if kinds:
        field = kinds[0] | {key: value for key, value in field.items() if value is not None}
    parameter = {"name": name, "in": "query", "required": required, "schema": field}
    return parameter | ({"description": description} if description else {})
