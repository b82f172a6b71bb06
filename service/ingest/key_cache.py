"""A cache of the keys of users and devices, so that a batch need not ask for them.

Keys hold under a version of names: erasing a user changes it, and a transaction that finds another version than the
one its rows were packed under is rolled back and repeated. Only keys whose registration is committed are cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from service.database.pool import Connection, statement
from service.fair_share import fair_share
from service.ingest.copy_rows import pack_key
from service.ingest.sample_series import Known, SampleDay, Series
from service.model.reading import Row

MOST_KEPT = 100_000  # users, and as many devices, of all tenants: some 15 MB each
MOST_TENANTS = 20_000  # of some 700 bytes each, beside their names


class TenantNames(NamedTuple):
    """Packed keys of a tenant's users and devices, by name."""

    users: dict[str, bytes]
    devices: dict[str, bytes]


class Wanted(NamedTuple):
    """A tenant's users and devices in order of first appearance, which breaks ties between devices."""

    users: dict[str, None]
    devices: dict[str, None]


UNKNOWN = TenantNames({}, {})


class Names:
    """Packed keys by tenant and name, under one version of names."""

    def __init__(self, version: int = -1) -> None:
        self.version = version
        self.tenants: dict[str, TenantNames] = {}

    def of(self, tenant_id: str) -> TenantNames:
        """Return what is known of a tenant, to be read only."""
        return self.tenants.get(tenant_id, UNKNOWN)

    def entry(self, tenant_id: str) -> TenantNames:
        """Return what is known of a tenant, to be added to."""
        return self.tenants.setdefault(tenant_id, TenantNames({}, {}))

    def add(self, other: Names) -> None:
        """Add names of the same version."""
        for tenant_id, names in other.tenants.items():
            entry = self.entry(tenant_id)
            entry.users.update(names.users)
            entry.devices.update(names.devices)

    def keep(self, learnt: Names) -> None:
        """Add names; where there are too many, forget the oldest of the tenants that have more than a fair share.

        Each tenant has a share, so tenants that were learnt first are forgotten where these are too many.
        """
        self.add(learnt)
        while len(self.tenants) > MOST_TENANTS:
            del self.tenants[next(iter(self.tenants))]
        for kept in ([each.users for each in self.tenants.values()], [each.devices for each in self.tenants.values()]):
            if sum(map(len, kept)) > MOST_KEPT:
                share = fair_share(map(len, kept), MOST_KEPT)
                for names in kept:
                    for name in list(islice(names, max(0, len(names) - share))):
                        del names[name]


class KeyCache:
    """The keys that one process knows, shared by its writers."""

    def __init__(self) -> None:
        self.names = Names()
        self.series = Known[Series]()
        self.sample_days = Known[SampleDay]()
        self.samples_are_known = False
        """Whether samples of the last batch were known, so that those of the next may be, too."""

    def forget(self, version: int) -> None:
        """Drop every key that was learnt under another version of names."""
        if self.names.version != version:
            self.names = Names(version)

    async def keys(self, connection: Connection, parts: Iterable[tuple[str, Sequence[Row]]]) -> Names:
        """Return the keys of the names in the rows of tenants.

        Those not known are asked for, of all tenants at once, in one transaction of its own.
        """
        wanted = names_in(parts)
        while True:
            names = self.names
            found, users, devices = look_up(names, wanted)
            if not users and not devices:
                return found
            learnt = await enrol(connection, users, devices)
            if learnt.version == names.version:
                names.keep(learnt)
                found.add(learnt)
                return found
            # What was known is of an earlier version; with what was learnt alone, the loop asks for the rest.
            self.forget(learnt.version)
            self.names.keep(learnt)


def names_in(parts: Iterable[tuple[str, Sequence[Row]]]) -> dict[str, Wanted]:
    """Return the names in the rows of tenants."""
    wanted: dict[str, Wanted] = {}
    for tenant_id, rows in parts:
        of_tenant = wanted.setdefault(tenant_id, Wanted({}, {}))
        of_tenant.users.update(dict.fromkeys(row.user_id for row in rows))
        of_tenant.devices.update(dict.fromkeys(row.device_id for row in rows))
    return wanted


def look_up(names: Names, wanted: dict[str, Wanted]) -> tuple[Names, list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the wanted keys that are known, and the users and devices to ask for, each by tenant and name."""
    found = Names(names.version)
    asked_users: list[tuple[str, str]] = []
    asked_devices: list[tuple[str, str]] = []
    for tenant_id, (users, devices) in wanted.items():
        known, entry = names.of(tenant_id), found.entry(tenant_id)
        entry.users.update({name: known.users[name] for name in users if name in known.users})
        entry.devices.update({name: known.devices[name] for name in devices if name in known.devices})
        asked_users += [(tenant_id, name) for name in users if name not in entry.users]
        # All of a tenant's if one is new: those that are known may be of an earlier version, and gone, and would then
        # be registered after those that came after them.
        if len(entry.devices) < len(devices):
            asked_devices += [(tenant_id, name) for name in devices]
    return found, asked_users, asked_devices


async def enrol(connection: Connection, users: Sequence[tuple[str, str]], devices: Sequence[tuple[str, str]]) -> Names:
    """Return the keys of users and devices, each given by tenant and name; unknown ones are registered."""
    cursor = await connection.execute(
        statement("enrol_names"),
        {
            "user_tenants": [tenant_id for tenant_id, _ in users],
            "user_ids": [name for _, name in users],
            "device_tenants": [tenant_id for tenant_id, _ in devices],
            "device_ids": [name for _, name in devices],
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    learnt = Names(row["names_version"])
    for (tenant_id, name), key in zip(users, row["user_keys"] or (), strict=True):
        learnt.entry(tenant_id).users[name] = pack_key(key)
    for (tenant_id, name), key in zip(devices, row["device_keys"] or (), strict=True):
        learnt.entry(tenant_id).devices[name] = pack_key(key)
    return learnt
