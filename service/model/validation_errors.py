"""Faults of validated input, in words: pydantic's errors as sentences with the bound that was missed."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import ErrorDetails

from service.errors import Fault
from service.model.limits import RANGES

LONGEST_VALUE = 200  # characters
MOST_PARTS = 20
UNKNOWN = "is not a known field"
NO_METRIC = "is not a metric"


def fault(error: ErrorDetails, prefix: str = "") -> Fault:
    """Turn one of pydantic's errors into a fault; `prefix` is where the validated value stands."""
    return {
        "at": place(prefix, error["loc"]),
        "problem": sentence(error),
        "value": None if error["type"] == "missing" else brief(error["input"]),
    }


def place(prefix: str, loc: tuple[int | str, ...]) -> str:
    """Write a location as `readings[3].heart_rate`."""
    path = prefix
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def sentence(error: ErrorDetails) -> str:
    """Say what is wrong, with the bound that was missed."""
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return UNKNOWN
        case "unknown_metric":
            meant = context["registry"].meant_by(str(error["loc"][-1]))
            return f"{NO_METRIC}; {meant} is probably meant" if meant else f"{NO_METRIC}, see GET /v1/metrics"
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            low, high = RANGES[str(error["loc"][-1])]
            return f"must be between {low} and {high}"
        case "greater_than":
            return f"must be more than {context['gt']:g}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "too_long":
            return f"must be at most {context['max_length']}"
        case "string_type":
            return "must be a string"
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return "must be a whole number"
        case "float_type" | "float_parsing":
            return "must be a number"
        case "bool_type":
            return "must be true or false"
        case "dict_type" | "model_type" | "typed_dict_type":
            return "must be an object"
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "value_error":
            return str(context["error"])
        case _:
            return error["msg"][:1].lower() + error["msg"][1:]


def brief(value: Any) -> Any:
    """Return a value as it was sent where it is small, otherwise what it is."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
    if isinstance(value, dict | list) and len(value) > MOST_PARTS:
        return f"an {'array' if isinstance(value, list) else 'object'} of {len(value)}"
    try:
        text = json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return "a number too large to repeat"
    return value if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
