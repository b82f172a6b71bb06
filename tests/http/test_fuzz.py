"""Schemathesis reads /openapi.json and sends what it allows and what it forbids; the service keeps its word.

FUZZ_EXAMPLES says how many requests of each kind an operation gets.
"""

import os

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.wire import PATIENCE

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
LONGEST_QUERY = 5_000  # characters, each of them up to twelve once encoded; a URL of 64 kB is no HTTP to the server
JUDGED_PIECE_BY_PIECE = {  # where a wrong item is told of, or an argument of the other earlier service is not looked at
    "POST /metrics/heart-rate/batch",
    "POST /v1/readings",
    "POST /v1/events",
    "GET /metrics",
}

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_service_keeps_to_its_document(
    client: httpx.Client, base_url: str, subtests: pytest.Subtests, mode: GenerationMode
) -> None:
    document = schemathesis.openapi.from_url(base_url + "/openapi.json")
    operations: list[APIOperation] = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 12
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
            continue  # nothing can be wrong where nothing is said
        with subtests.test(operation=operation.label):
            keeps_its_word(operation, mode)


def keeps_its_word(operation: APIOperation, mode: GenerationMode) -> None:
    """Send one operation what its description allows, or forbids, and check every answer against the description."""
    refuses = mode is GenerationMode.NEGATIVE and operation.label not in JUDGED_PIECE_BY_PIECE
    checks = [*CHECKS, negative_data_rejection] if refuses else CHECKS

    @given(case=operation.as_strategy(generation_mode=mode))
    @bounded
    def answers_as_described(case: schemathesis.Case) -> None:
        assume(len(str(case.query)) < LONGEST_QUERY)
        case.call_and_validate(checks=checks, timeout=PATIENCE)

    answers_as_described()
