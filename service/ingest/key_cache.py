"""A cache of the keys of users and devices, so that a batch need not ask for them.

Keys hold under a version of names: erasing a user changes it, and a transaction that finds another version than the
one its rows were packed under is rolled back and repeated. Only keys whose registration is committed are cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from service.database.pool import Connection, statement
from service.ingest.copy_rows import pack_key
from service.model.reading import DEFAULT_TENANT, Row

MOST_KEPT = 100_000  # users, and as many devices: some 15 MB each


class Names:
    """Packed keys by name, under one version of names."""

    def __init__(self, version: int = -1) -> None:
        self.version = version
        self.users: dict[str, bytes] = {}
        self.devices: dict[str, bytes] = {}

    def keep(self, users: Mapping[str, bytes], devices: Mapping[str, bytes]) -> None:
        """Add keys; forget the oldest where there are too many."""
        for kept, new in ((self.users, users), (self.devices, devices)):
            kept.update(new)
            for name in list(islice(kept, max(0, len(kept) - MOST_KEPT))):
                del kept[name]


class Keys:
    """The keys that a batch needs, packed, and the version of names that they hold under."""

    def __init__(self, version: int, users: Mapping[str, bytes], devices: Mapping[str, bytes]) -> None:
        self.version = version
        self.users = users
        self.devices = devices


class KeyCache:
    """The keys that one process knows, shared by its writers."""

    def __init__(self) -> None:
        self.names = Names()

    def forget(self, version: int) -> None:
        """Drop every key that was learnt under another version of names."""
        if self.names.version != version:
            self.names = Names(version)

    async def keys(self, connection: Connection, rows: Iterable[Row]) -> Keys:
        """Return the keys of the names in rows; those not known are asked for, in one transaction of its own."""
        # In order of first appearance, which breaks ties between devices.
        user_ids = dict.fromkeys(row.user_id for row in rows)
        device_ids = dict.fromkeys(row.device_id for row in rows)
        while True:
            names = self.names
            users = {name: names.users[name] for name in user_ids if name in names.users}
            devices = {name: names.devices[name] for name in device_ids if name in names.devices}
            new_users = [name for name in user_ids if name not in users]
            # All of them if one is new: those that are known may be of an earlier version, and gone, and would then
            # be registered after those that came after them.
            asked_devices = [] if len(devices) == len(device_ids) else list(device_ids)
            if not new_users and not asked_devices:
                return Keys(names.version, users, devices)
            cursor = await connection.execute(
                statement("enrol_names"),
                {"tenant_id": DEFAULT_TENANT, "user_ids": new_users, "device_ids": asked_devices},
            )
            row = await cursor.fetchone()
            assert row is not None
            learnt_users = dict(zip(new_users, map(pack_key, row["user_keys"] or ()), strict=True))
            learnt_devices = dict(zip(asked_devices, map(pack_key, row["device_keys"] or ()), strict=True))
            if row["names_version"] == names.version:
                names.keep(learnt_users, learnt_devices)
                return Keys(names.version, users | learnt_users, devices | learnt_devices)
            # What was known is of an earlier version; with what was learnt alone, the loop asks for the rest.
            self.forget(row["names_version"])
            self.names.keep(learnt_users, learnt_devices)
