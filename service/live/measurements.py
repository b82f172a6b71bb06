"""Latest values of any metric, for clients that name metrics: read from the database whenever they are sent.

Of how many series one query reads the latest values is bounded, however many metrics users have: users beyond that wait
for the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from service.answers.latest_values import Measurements, others_of
from service.answers.metrics_asked import MetricsAsked
from service.database.pool import Pool, fetch_all
from service.model.latest import latest_of

MAX_SERIES = 5_000  # in one query: metrics, for each device that measured them

User: TypeAlias = tuple[str, str]  # of a tenant, by name
Asked: TypeAlias = MetricsAsked


def all_asked(asked: Iterable[Asked]) -> Asked:
    """Return what is asked for by at least one."""
    names: dict[str, None] = {}
    for each in asked:
        if each.names is None:
            return each
        names.update(dict.fromkeys(each.names))
    return MetricsAsked(tuple(names))


def names_of(asked: Asked) -> str | None:
    """Return the metrics besides those of readings as the queries take them."""
    return None if asked.others is None else ",".join(asked.others)


async def measurements_of(pool: Pool, asked: Mapping[User, Asked]) -> dict[User, Measurements]:
    """Query the latest values of users, in that order: of as many as one query may read, and of one at least."""
    rows = await fetch_all(
        pool,
        "latest_measurements_of_named",
        tenant_ids=[tenant_id for tenant_id, _ in asked],
        user_ids=[user_id for _, user_id in asked],
        metrics=[names_of(each) for each in asked.values()],
        most=MAX_SERIES,
    )
    found: dict[User, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["tenant_id"], row["user_id"]].append(row)
    return {user: gathered(of_user) for user, of_user in found.items()}


async def measurements_of_everyone(
    pool: Pool, tenant_id: str, asked: Asked, limit: int
) -> tuple[dict[str, Measurements], bool]:
    """Query the latest values of a tenant's first users, as many as one query may read, and whether these are all."""
    rows = await fetch_all(
        pool,
        "latest_measurements_of_everyone",
        tenant_id=tenant_id,
        metrics=names_of(asked),
        limit=limit + 1,
        most=MAX_SERIES,
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["user_id"]].append(row)
    people = rows[0]["people"] if rows else 0
    first = list(found.items())[:limit]
    return {user_id: gathered(of_user) for user_id, of_user in first}, len(first) == people


def gathered(rows: Sequence[dict[str, Any]]) -> Measurements:
    """Gather the rows of one user."""
    return Measurements(
        latest_of(row for row in rows if row["metric"] is not None and row["metric_key"] is None),
        others_of(row for row in rows if row["metric_key"] is not None),
    )
