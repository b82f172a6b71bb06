"""What a request writes, noted where it is written, so that it can be read afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar

MOST_USERS = 256


class Written:
    """Whose data a request has touched, committed or not; what is of many users counts as of the tenant."""

    def __init__(self) -> None:
        self.anything = False
        self.users: set[tuple[str, str]] = set()
        self.tenants: set[str] = set()

    def note_users(self, tenant_id: str, user_ids: Iterable[str]) -> None:
        """Note users of a tenant."""
        self.anything = True
        if tenant_id in self.tenants:
            return
        self.users.update((tenant_id, user_id) for user_id in user_ids)
        if len(self.users) > MOST_USERS:
            self.tenants.update(tenant for tenant, _ in self.users)
            self.users.clear()


# Of the request at hand; None where none of its kind is followed, as where there are no replicas.
WRITTEN: ContextVar[Written | None] = ContextVar("written", default=None)


def note_tenant(tenant_id: str) -> None:
    """Note that all answers of a tenant may change."""
    written = WRITTEN.get()
    if written is not None:
        written.anything = True
        written.tenants.add(tenant_id)


def note_events() -> None:
    """Note that the sender wrote what concerns no user."""
    written = WRITTEN.get()
    if written is not None:
        written.anything = True
