"""Each step of the protocol is needed: without it some answer is wrong, and a scenario notices.

A mutant is a function or view of sql/ with one step taken out. Each scenario finds nothing wrong in the functions
as they are, and something in every mutant that it is named with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from tests.support.interleaving import Stage, install, script

Scenario: TypeAlias = Callable[[Stage], list[str]]


@dataclass(frozen=True)
class Mutant:
    """A file of sql/, and the regular expressions whose matches are replaced in it, each once; and others beside it."""

    name: str
    changes: dict[str, str]
    beside: tuple[Mutant, ...] = ()

    def text(self) -> str:
        text = script(self.name)
        for pattern, replacement in self.changes.items():
            text, times = re.subn(pattern, replacement, text, flags=re.DOTALL)
            assert times == 1, f"{pattern} is {times} times in {self.name}: fit the mutant to the file again"
        return text


Cases: TypeAlias = list[tuple[Scenario, list[tuple[str, Mutant]]]]

REFRESHERS = r"LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;"
WRITERS = r"LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;"
SHARED = r"LOCK TABLE core.horizon_lock IN ROW SHARE MODE;"
HEEDLESS = "PERFORM api_internal.try_share_refresh();"
PIECE = r"IF NOT api_internal.try_share_refresh\(\) THEN.*?END IF;"


def named(cases: Cases) -> Any:
    return pytest.mark.parametrize(
        ("scenario", "mutant"),
        [
            pytest.param(scenario, mutant, id=f"{scenario.__name__}-{name}")
            for scenario, mutants in cases
            for name, mutant in [("functions as they are", None), *mutants]
        ],
    )


def judge(stage: Stage, scenario: Scenario, mutant: Mutant | None) -> None:
    if mutant is None:
        assert scenario(stage) == []
        return
    parts = (mutant, *mutant.beside)
    try:
        for part in parts:
            install(stage.db, part.text())
        assert scenario(stage) != [], "no answer was wrong"
    finally:
        for part in parts:
            install(stage.db, script(part.name))
