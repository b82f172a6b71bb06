"""Which format an Accept header asks for."""

import pytest

from service.errors import NotAcceptable, Problem
from service.http.negotiation import choose

OFFERED = ["application/json", "text/csv", "application/x-ndjson"]
JSON, CSV, NDJSON = OFFERED


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", JSON),
        (" ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv; charset=utf-8; header=present", CSV),
        ("application/x-ndjson", NDJSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/csv;q=0.5, application/x-ndjson;q=0.6", NDJSON),
        ("application/json;q=0.1, text/csv;q=0.2", CSV),
        ("application/json;q=0, */*", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv;q=1.0, */*;q=0.1", CSV),
        ("application/x-ndjson;q=nonsense, text/csv;q=0.001", CSV),
        (",,text/csv,,", CSV),
    ],
)
def test_the_format_preferred_is_chosen(header: str, chosen: str) -> None:
    assert choose(header, OFFERED) == chosen


@pytest.mark.parametrize(
    "header",
    [
        "text/html",
        "image/*",
        "*/*;q=0",
        "text/csv;q=0",
        "text/csv;q=nan",
        "text/csv;q=2",
        "text/csv;q=-1",
        "csv",
        ";",
        "*",
        "/" * 5000,
        ",",
    ],
)
def test_what_takes_none_is_a_406(header: str) -> None:
    with pytest.raises(Problem, match="accept application/json, text/csv, application/x-ndjson") as caught:
        choose(header, OFFERED)
    assert type(caught.value) is NotAcceptable
    assert len(caught.value.detail) < 300
