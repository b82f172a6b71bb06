"""`metrics=` of answers about a user: any metric beside heart rate, steps and calories."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.moments import DAY, HOUR, micros, moment
from tests.support.samples import Sample
from tests.support.wire import in_path, strict_json
from tests.support.wire import moment as said_moment

DEFAULT = "default"
WHOLE_DAY = {"start": said_moment("00:00:00"), "end": "2024-01-16T00:00:00Z"}
TEN = micros(moment(0)) + 19_737 * DAY + 10 * HOUR  # 2024-01-15T10:00:00Z


def ask(client: httpx.Client, what: str, user: str = "ada", **asked: Any) -> dict[str, Any]:
    params = asked if what == "latest" else WHOLE_DAY | asked
    answer = client.get(f"/v1/users/{in_path(user)}/{what}", params=params)
    assert answer.status_code == 200, answer.text
    return dict(strict_json(answer.text))


def sample(metric: str = "spo2", value: float = 97.0, at: int = 0, device: str = "watch", user: str = "ada") -> Sample:
    return Sample(user, device, metric, TEN + at, value)
