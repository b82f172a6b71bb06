"""Who sends a request: the holder of a key, a session or a ticket; or anyone, where no key is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.types import Scope

from service.auth.failure_budget import FailureBudget
from service.auth.key import Presented, read_key, read_ticket
from service.auth.key_cache import KeyCache
from service.auth.local import is_local
from service.auth.principal import ANYBODY, SCRAPER, Principal
from service.auth.session_cookie import require_same_origin, session_of
from service.database.pool import fetch_all
from service.errors import Overloaded, Unauthenticated
from service.settings import Auth

HOW = "Send one as `Authorization: Bearer hp_…`; `make keys` makes them."
NO_LONGER = "The key is not known, was revoked or has expired; `make keys ARGS=list` lists those in force."
SIGNED_OUT = "The session has ended: sign in again."
TICKET = b"ticket="  # in the query string of a WebSocket
WITHOUT_DATABASE = "/prometheus"  # is answered while the database is away
SOON_SECONDS = 1.0


class Authenticator:
    """Answers who sends a request; addresses that fail too often are made to wait."""

    def __init__(self, mode: Auth, keys: KeyCache, most_failures: int) -> None:
        self.mode = mode
        self.keys = keys
        self.failures = FailureBudget(most_failures)

    async def principal(self, scope: Scope) -> Principal:
        """Return who sends a request; Unauthenticated where that is not known.

        A ticket is taken out of the query string, so that nothing behind sees it.
        """
        ticket = take_ticket(scope)
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if sent:
            return await self.of_header(sent, address_of(scope))
        if self.mode == "off":
            return ANYBODY
        if self.mode == "auto":
            if scope["path"] == WITHOUT_DATABASE and is_local(scope):
                if await self.is_open_or_unknown():
                    return SCRAPER
            elif not await self.keys.keys_exist():
                if is_local(scope):
                    return ANYBODY
                raise Unauthenticated(f"Without a key only this machine itself may ask, and no proxy on it. {HOW}")
        if ticket is not None:
            return await self.of_ticket(ticket, address_of(scope))
        session = session_of(scope)
        if session is not None:
            require_same_origin(scope)
            return await self.of_session(session, address_of(scope))
        raise Unauthenticated(f"This needs a key. {HOW}")

    async def is_open_or_unknown(self) -> bool:
        """Return whether there is no key, or the database does not answer soon whether there is one."""
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return not await self.keys.keys_exist()
        except (TimeoutError, Overloaded):
            return True

    async def of_header(self, sent: Collection[bytes], address: str) -> Principal:
        """Return whose key the header Authorization holds."""
        scheme, _, text = next(iter(sent)).partition(b" ")
        presented = read_key(text.strip()) if scheme.lower() == b"bearer" and len(sent) == 1 else None
        if presented is None:
            raise self.failed(address, f"The header Authorization holds no key. {HOW}")
        return await self.of_key(presented, address)

    async def of_key(self, presented: Presented | None, address: str) -> Principal:
        """Return whose key this is."""
        if presented is not None:
            if not self.keys.is_known(presented.id):
                self.failures.require(address)
                await self.keys.look_up(presented.id)
            principal = self.keys.principal_of(presented)
            if principal is not None:
                return principal
        raise self.failed(address, NO_LONGER)

    async def of_session(self, presented: Presented, address: str) -> Principal:
        """Return whose session this is; one that has ended fails once, though open pages ask on for a while."""
        was_known = self.keys.is_known(presented.id)
        if not was_known:
            self.failures.require(address)
            await self.keys.look_up(presented.id)
        principal = self.keys.principal_of(presented)
        if principal is not None:
            return principal
        raise Unauthenticated(SIGNED_OUT) if was_known else self.failed(address, SIGNED_OUT)

    async def of_ticket(self, text: bytes, address: str) -> Principal:
        """Use a ticket up, and return whose it was."""
        self.failures.require(address)
        digest = read_ticket(text)
        used = [] if digest is None else await fetch_all(self.keys.pool, "use_ticket", digest=digest)
        for row in used:
            if not self.keys.is_known(row["id"]):
                await self.keys.look_up(row["id"])
            principal = self.keys.principal_by_id(row["id"])
            if principal is not None:
                return principal
        raise self.failed(address, "The ticket is not known, was used or has expired: ask for another one.")

    def failed(self, address: str, why: str) -> Unauthenticated:
        """Count a failure, and return what to raise; RateLimited where there were too many."""
        self.failures.require(address)
        self.failures.spend(address)
        return Unauthenticated(why)


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from; empty where there is none."""
    return scope["client"][0] if scope.get("client") else ""


def take_ticket(scope: Scope) -> bytes | None:
    """Take the ticket out of the query string of a WebSocket; None where there is none."""
    if scope["type"] != "websocket" or TICKET not in scope["query_string"]:
        return None
    arguments = scope["query_string"].split(b"&")
    scope["query_string"] = b"&".join(one for one in arguments if not one.startswith(TICKET))
    tickets = [one.removeprefix(TICKET) for one in arguments if one.startswith(TICKET)]
    return b"".join(tickets) if tickets else None  # several are none
