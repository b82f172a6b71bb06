"""Answers as JSON."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from starlette.responses import Response


def json_response(document: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(json_of(document), status, media_type="application/json")


def json_of(document: Any) -> bytes:
    """Write JSON, with a question mark for half a surrogate pair, which names in an imported file may have."""
    try:
        return to_json(document)
    except PydanticSerializationError:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
