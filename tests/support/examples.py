"""How many examples Hypothesis tries; EXAMPLES says how many in place of a hundred."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

USUAL = 100
QUICK = 20
# Of what writes to a database: nothing is kept between runs, and nothing is too slow.
unhurried = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = int(os.environ.get("EXAMPLES", str(USUAL)))


def register_profiles() -> None:
    """Register `suite`, which every run uses, and `quick`, which `make unit` asks for."""
    # The same examples each time, however long one takes on a busy machine.
    settings.register_profile("suite", derandomize=True, deadline=None, max_examples=MANY)
    settings.register_profile("quick", settings.get_profile("suite"), max_examples=QUICK)
    settings.load_profile("suite")


def examples(number: int) -> int:
    """Return a number of examples, or its share where the profile has fewer or more than usual."""
    return max(1, number * settings.default.max_examples // USUAL)
