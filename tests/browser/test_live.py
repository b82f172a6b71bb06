"""Live updates as a browser's own EventSource reads them."""

from __future__ import annotations

import httpx
import pytest

from tests.support.wire import in_path, post, reading

pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")

from playwright.sync_api import Page

HEAR = """([url, count]) => new Promise((resolve, reject) => {
  const source = new EventSource(url);
  const heard = [];
  source.onerror = () => reject("an error");
  source.onmessage = ({ data, lastEventId }) => {
    heard.push([JSON.parse(data), lastEventId]);
    if (heard.length === 1) fetch("/v1/readings", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"user_id": "ü&b", "timestamp": "2024-01-15T10:00:07Z", "heart_rate": 80}',
    });
    if (heard.length === count) { source.close(); resolve(heard); }
  };
})"""


def test_an_event_source_hears_the_state_and_what_changes(client: httpx.Client, page: Page) -> None:
    post(client, "/v1/readings", reading(user_id="ü&b"))
    page.goto(f"{client.base_url}/docs")
    (state, first), (told, second) = page.evaluate(HEAR, [f"/v1/live?user_id={in_path('ü&b')}", 2])
    assert state["users"][0]["latest"]["heart_rate"]["value"] == 75
    assert (told["type"], told["user_id"], told["latest"]["heart_rate"]["value"]) == ("readings", "ü&b", 80)
    assert int(second) > int(first)
