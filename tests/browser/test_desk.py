"""A test finds nothing of the one before, though they share a context."""

from __future__ import annotations

import httpx

from tests.browser.conftest import Desk


def test_pages_are_as_new(client: httpx.Client, desk: Desk) -> None:
    for _ in range(2):
        page = desk.take().new_page()
        page.goto(str(client.base_url))
        assert page.evaluate("[document.cookie, Object.keys(localStorage), Object.keys(sessionStorage)]") == [
            "",
            [],
            [],
        ]
        page.evaluate("document.cookie = localStorage.theme = sessionStorage.theme = 'dark'")
        desk.clear()
        assert page.is_closed()
