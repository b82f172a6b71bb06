"""Every answer equals brute force over the readings sent, to the last digit, whatever happened before.

Histories and questions are random, each from its seed.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.exactness.extent import EACH, FIRST, QUESTIONS
from tests.exactness.histories import Storyteller, today
from tests.exactness.player import play
from tests.support import sql_client
from tests.support.moments import DAY
from tests.support.reference_model import Model


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, QUESTIONS // EACH)))
def test_answers_are_exact(calm: psycopg.Connection[Any], seed: int) -> None:
    story = Storyteller(seed, today())
    sql_client.place_horizon(calm, story.horizon)
    model = Model()
    for number, step in enumerate(story.tell(min(EACH, QUESTIONS))):
        difference = play(calm, model, step)
        assert difference is None, f"seed {seed}, step {number}, {step}\n{difference}"
    assert sql_client.drift(calm, story.middle - 60 * DAY, story.middle + 60 * DAY) == []
