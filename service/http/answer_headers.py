"""What browsers and proxies may do with answers: keep none, guess at no type, and show none to other sites' pages."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_STORE = ("Cache-Control", "no-store")
ALWAYS = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))
PRIVATE = dict((NO_STORE, *ALWAYS))

RAW_NO_STORE, *RAW_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in (NO_STORE, *ALWAYS)]
MAY_BE_KEPT = frozenset((b"cache-control", b"etag"))


class AnswerHeaders:
    """Middleware that adds these headers where an answer does not have them.

    It stands behind the fast path, whose receipts are counts of what was sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                names = {name for name, _ in headers}
                added = [field for field in RAW_ALWAYS if field[0] not in names]
                if MAY_BE_KEPT.isdisjoint(names):
                    added.append(RAW_NO_STORE)
                message["headers"] = [*headers, *added]
            await send(message)

        await self.app(scope, receive, answer)
