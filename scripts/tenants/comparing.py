"""Compares both copies of a moving tenant: what is past before its writes are fenced, the rest while they wait."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple, TypeAlias

from scripts.tenants.copying import FOREVER, NEVER, Copying
from scripts.tenants.databases import CannotMove, Connection, one
from service.database.schema import query

Digests: TypeAlias = dict[tuple[str, int | None], tuple[int, Any]]
TODAY = (
    "SELECT public.time_bucket(INTERVAL '1 day', copied_until)::text AS start"
    " FROM core.moving_tenant WHERE tenant_key = %s"
)


class Past(NamedTuple):
    """Until when both copies were compared, and of which users, by their keys in the source, they differed."""

    until: str
    doubtful: frozenset[int]


class Comparison:
    """Compares by user, since users who are written to meanwhile are compared again."""

    def __init__(self, copying: Copying) -> None:
        self.copying = copying
        self.names = copying.names
        self.past: Past | None = None

    def compare_past(self) -> None:
        """Compare what is before today; who is written to there from here on is compared again in the end."""
        until = one(self.names.source, TODAY, [self.names.source_key])["start"]
        self.copying.touched.clear()
        different = self.differences(None, NEVER, until)
        there = {after: before for before, after in self.names.users.items()}
        self.past = Past(until, frozenset(there[who] for _, who in different if who in there))

    def require_equal(self) -> None:
        """Raise CannotMove where the two copies are not the same; nothing is written meanwhile."""
        if self.past is None:
            self.require_none(self.differences(None, NEVER, FOREVER))
            return
        self.require_none(self.differences(None, self.past.until, FOREVER))
        again = self.past.doubtful | self.copying.touched
        self.require_none(self.differences([key for key in again if key in self.names.users], NEVER, self.past.until))

    def differences(self, user_keys: Collection[int] | None, start: str, end: str) -> dict[tuple[str, int | None], str]:
        """Return what differs, by its name and the key of the user in the target, with the rows on both sides."""
        keys = None if user_keys is None else list(user_keys)
        users = self.names.users
        here = {
            (what, None if who is None else users.get(who, who)): found
            for (what, who), found in self.digests(self.names.source, keys, start, end).items()
        }
        there = self.digests(self.names.target, None if keys is None else [users[key] for key in keys], start, end)
        return {
            each: f"{here.get(each, (0, 0))[0]} here, {there.get(each, (0, 0))[0]} there"
            for each in here.keys() | there.keys()
            if here.get(each) != there.get(each)
        }

    def digests(self, connection: Connection, user_keys: list[int] | None, start: str, end: str) -> Digests:
        """Return the number and the digest of rows in one database."""
        asked = {"tenant_id": self.names.tenant_id, "user_keys": user_keys, "range_start": start, "range_end": end}
        rows = connection.execute(query("move_digests"), asked).fetchall()
        return {(row["what"], row["who"]): (row["rows"], row["digest"]) for row in rows}

    def require_none(self, different: dict[tuple[str, int | None], str]) -> None:
        """Raise CannotMove that names the first difference."""
        for (what, _), counts in sorted(different.items(), key=str):
            raise CannotMove(
                f"The copy differs in {what}: {counts}. Writes still wait; `cancel` ends the move and lets them go on "
                "where they were."
            )
