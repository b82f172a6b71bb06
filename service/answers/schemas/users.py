"""Users at a glance, their devices and latest values, and receipts of erasures."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class UserOverview(TypedDict):
    """What a user did today, and the average heart rate of each of the last 30 minutes; null where nothing was."""

    user_id: str
    steps: int | None
    calories: float | None
    heart_rate: list[float | None]


class OverviewDocument(TypedDict):
    """Users at a glance: today is day_start <= t < day_end, and the first minute begins at first_minute."""

    tz: str
    day_start: str | None
    day_end: str | None
    first_minute: str | None
    users: list[UserOverview]


class DeviceDocument(TypedDict):
    """A device; metrics has the priorities of single metrics, which hold in place of the device's."""

    device_id: str
    name: str | None
    priority: int
    metrics: dict[str, int]


class WornDevicesDocument(TypedDict):
    """The devices of a user in a range, the best first."""

    user_id: str
    start: str
    end: str
    devices: list[DeviceDocument]


class SeenUser(TypedDict):
    """A user, and when the latest reading was measured; null where there is none."""

    user_id: str
    last_seen: str | None


class UsersAfterDocument(TypedDict):
    """Users after a cursor; next_cursor is null at the end."""

    users: list[SeenUser]
    next_cursor: str | None


class RollupsErased(TypedDict):
    """Rows erased from each rollup."""

    user_15m: int
    user_1h: int
    user_4h: int
    user_1d: int
    device_15m: int
    device_1h: int
    device_4h: int
    device_1d: int
    sample_15m: int
    sample_1h: int
    sample_1d: int
    sample_device_15m: int
    sample_device_1h: int
    sample_device_1d: int


class ErasureReceipt(TypedDict):
    """Rows erased in each place; names is 1 where the user was known."""

    user_id: str
    readings: int
    samples: int
    intervals: int
    stale_days: int
    names: int
    rollups: RollupsErased


class LatestValue(TypedDict):
    """A metric's latest value, when it was measured and by which device."""

    value: float
    timestamp: str
    device_id: str


class LatestInUnit(LatestValue):
    """The same, in its unit."""

    unit: str


class Ahead(TypedDict):
    """The last reading whose timestamp lies after now: a clock is wrong."""

    timestamp: str
    device_id: str


class LatestDocument(TypedDict):
    """Each metric's latest value; null where it was never measured.

    ahead is there where a reading lies after now, metrics where it is asked for.
    """

    user_id: str
    last_seen: str | None
    heart_rate: LatestValue | None
    steps: LatestValue | None
    calories: LatestValue | None
    ahead: NotRequired[Ahead]
    metrics: NotRequired[dict[str, LatestInUnit | None]]
