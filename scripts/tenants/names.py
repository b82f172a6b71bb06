"""Names of a tenant in the database that it moves to: users, devices and metrics, each with its key there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg.types.json import Jsonb

from scripts.tenants.databases import Connection

USERS = "SELECT user_key, user_id, registered_at, time_zone FROM core.app_user WHERE tenant_key = %s ORDER BY user_key"
DEVICES = (
    "SELECT d.device_key, d.device_id, d.registered_at, d.priority, d.name, coalesce("
    " (SELECT jsonb_object_agg(m.name, p.value::int) FROM jsonb_each_text(d.metric_priorities) AS p (metric_key, value)"
    "   JOIN core.metric AS m ON m.metric_key = p.metric_key::int), '{}') AS metrics"
    " FROM core.device AS d WHERE d.tenant_key = %s ORDER BY d.device_key"
)
METRICS = "SELECT * FROM core.metric WHERE tenant_key = %s ORDER BY metric_key"
GOALS = (
    "SELECT u.user_id, g.metric, g.target FROM core.goal AS g JOIN core.app_user AS u USING (user_key)"
    " WHERE u.tenant_key = %s"
)
BUILT_IN = "SELECT metric_key FROM core.metric WHERE tenant_key IS NULL"
DECLARED = ("unit", "kind", "lowest", "highest", "most_per_second", "title", "topic", "loinc")


class Names:
    """Keeps the names of a tenant the same in two databases, and the keys of both side by side in the source's session.

    A user is the same one where the name and the moment of registration are: one that was erased and came back is not.
    """

    def __init__(self, source: Connection, target: Connection, tenant_id: str, keys: tuple[int, int]) -> None:
        self.source = source
        self.target = target
        self.tenant_id = tenant_id
        self.source_key, self.target_key = keys
        self.fresh: set[int] = set()
        """Users, by their keys in the source, of which the target has nothing yet."""
        self.users: dict[int, int] = {}
        """Keys of users in the target by those in the source."""
        self.devices: dict[int, int] = {}
        self.metrics: dict[int, int] = {}
        for what in ("user", "device", "metric"):
            source.execute(f"CREATE TEMPORARY TABLE moved_{what} (key_here int PRIMARY KEY, key_there int)".encode())

    def synchronize(self) -> None:
        """Register, change and erase in the target what was in the source since the last time."""
        self.synchronize_metrics()
        self.synchronize_devices()
        self.synchronize_users()
        self.synchronize_goals()

    def synchronize_users(self) -> None:
        """Bring users up to date; those that were erased are erased with all that was copied of them."""
        here = self.source.execute(USERS, [self.source_key]).fetchall()
        present = {(row["user_id"], row["registered_at"]) for row in here}
        for row in self.target.execute(USERS, [self.target_key]).fetchall():
            if (row["user_id"], row["registered_at"]) not in present:
                self.target.execute("SELECT * FROM api.erase_user(%s, %s)", [self.tenant_id, row["user_id"]])
        there = {row["user_id"]: row for row in self.target.execute(USERS, [self.target_key]).fetchall()}
        new = [row for row in here if row["user_id"] not in there]
        with self.target.transaction():
            self.target.cursor().executemany(
                "INSERT INTO core.app_user (registered_at, tenant_key, user_id, time_zone) VALUES (%s, %s, %s, %s)",
                [(row["registered_at"], self.target_key, row["user_id"], row["time_zone"]) for row in new],
            )
        for row in here:
            if row["user_id"] in there and there[row["user_id"]]["time_zone"] != row["time_zone"]:
                self.target.execute(
                    "UPDATE core.app_user SET time_zone = %s WHERE user_key = %s",
                    [row["time_zone"], there[row["user_id"]]["user_key"]],
                )
        self.fresh |= {row["user_key"] for row in new}
        there = {row["user_id"]: row for row in self.target.execute(USERS, [self.target_key]).fetchall()}
        pairs = {row["user_key"]: there[row["user_id"]]["user_key"] for row in here}
        self.users = self.paired("user", self.users, pairs)

    def synchronize_devices(self) -> None:
        """Bring devices up to date, in the order of their registration, which decides between those of one priority."""
        here = self.source.execute(DEVICES, [self.source_key]).fetchall()
        there = {row["device_id"]: row for row in self.target.execute(DEVICES, [self.target_key]).fetchall()}
        with self.target.transaction():
            self.target.cursor().executemany(
                "INSERT INTO core.device (registered_at, tenant_key, device_id, priority, name)"
                " VALUES (%s, %s, %s, %s, %s)",
                [
                    (row["registered_at"], self.target_key, row["device_id"], row["priority"], row["name"])
                    for row in here
                    if row["device_id"] not in there
                ],
            )
        for row in here:
            known = there.get(row["device_id"], row | {"metrics": {}})
            columns = ("priority", "name", "metrics")
            if any(known[column] != row[column] for column in columns):
                # Null takes away what the source has no more.
                metrics = dict.fromkeys(known["metrics"]) | row["metrics"]
                self.target.execute(
                    "SELECT api.set_device(%s, %s, %s, %s, %s)",
                    [self.tenant_id, row["device_id"], row["name"], row["priority"], Jsonb(metrics)],
                )
        there = {row["device_id"]: row for row in self.target.execute(DEVICES, [self.target_key]).fetchall()}
        pairs = {row["device_key"]: there[row["device_id"]]["device_key"] for row in here}
        self.devices = self.paired("device", self.devices, pairs)

    def synchronize_metrics(self) -> None:
        """Declare the tenant's own metrics as they are; those that are built in have one key in every database."""
        here = self.source.execute(METRICS, [self.source_key]).fetchall()
        for row in here:
            self.target.execute(
                "SELECT api.set_metric(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [self.tenant_id, row["name"], *(row[column] for column in DECLARED)],
            )
        there = {row["name"]: row["metric_key"] for row in self.target.execute(METRICS, [self.target_key]).fetchall()}
        built_in = {row["metric_key"]: row["metric_key"] for row in self.source.execute(BUILT_IN).fetchall()}
        pairs = built_in | {row["metric_key"]: there[row["name"]] for row in here}
        self.metrics = self.paired("metric", self.metrics, pairs)

    def synchronize_goals(self) -> None:
        """Set the goals of users as they are."""

        def goals(connection: Connection, tenant_key: int) -> dict[tuple[str, str], float]:
            rows = connection.execute(GOALS, [tenant_key]).fetchall()
            return {(row["user_id"], row["metric"]): row["target"] for row in rows}

        here, there = goals(self.source, self.source_key), goals(self.target, self.target_key)
        for user_id, metric in there.keys() | here.keys():
            if there.get((user_id, metric)) != (target := here.get((user_id, metric))):
                self.target.execute("SELECT api.set_goal(%s, %s, %s, %s)", [self.tenant_id, user_id, metric, target])

    def paired(self, what: str, before: dict[int, int], now: dict[int, int]) -> dict[int, int]:
        """Add what is new to the table of pairs in the source's session; return the pairs as they are now."""
        copy_pairs(self.source, what, ((here, there) for here, there in now.items() if before.get(here) != there))
        return now


def copy_pairs(source: Connection, what: str, pairs: Iterable[tuple[int, int]]) -> None:
    """Add pairs of keys to a temporary table."""
    new: list[Any] = list(pairs)
    if not new:
        return
    with source.cursor().copy(f"COPY moved_{what} (key_here, key_there) FROM STDIN".encode()) as copy:
        for pair in new:
            copy.write_row(pair)
    source.execute(f"ANALYZE moved_{what}".encode())
