"""Sessions and tickets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

KeyText = Annotated[str, Field(description="A key.", examples=["hp_…"])]


@with_config(ConfigDict(extra="forbid", title="SignIn"))
class SignIn(TypedDict):
    """The key to sign in with."""

    key: KeyText


class OpenDocument(TypedDict):
    """No key is needed."""

    open: Literal[True]


class SessionDocument(TypedDict):
    """Whose key a request came with; `tenant` null is all tenants, `expires_at` null never."""

    open: Literal[False]
    tenant: str | None
    scopes: list[Literal["ingest", "read", "admin", "operate"]]
    key_id: str
    name: str | None
    expires_at: str | None


class SignedOut(TypedDict):
    """Whether there was a session to end."""

    ended: bool


class TicketDocument(TypedDict):
    """A ticket, and for how many seconds it holds."""

    ticket: str
    seconds: int
