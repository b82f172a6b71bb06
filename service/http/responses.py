"""Answers as JSON."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from starlette.responses import Response


def json_response(document: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(to_json(document), status, media_type="application/json")
