"""The metrics of the service, asked for when a file first has another than heart_rate, steps and calories."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import httpx

from scripts.client_key import key_headers
from scripts.load.errors import CannotSend
from service.model.registry import Metric, Registry, metric_of


class ServiceRegistry(Registry):
    """The registry that GET /v1/metrics answers; CannotSend where it does not."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self.elsewhere = {}

    @cached_property
    def by_name(self) -> Mapping[str, Metric]:  # type: ignore[override]  # read when it is needed
        """The metrics by name."""
        try:
            answer = httpx.get(f"{self.url}/v1/metrics", headers=key_headers(), timeout=self.timeout, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            hint = " The key needs the scope read." if error.response.status_code == 403 else ""
            raise CannotSend(
                f"A file has further metrics, and GET /v1/metrics answers {error.response.status_code}.{hint}"
            ) from None
        except httpx.HTTPError:
            raise CannotSend(
                f"A file has further metrics, and no service at {self.url} says which there are; is that --url right?"
            ) from None
        return {row["name"]: metric_of(row) for row in answer.json()["metrics"]}
