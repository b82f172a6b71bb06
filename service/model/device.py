"""What can be said of a device."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.model.fields import NAME_LENGTH, Name, between, whole, without_nul
from service.model.limits import RANGES

LOWEST, HIGHEST = RANGES["priority"]

Priority = Annotated[
    int, between("priority"), BeforeValidator(whole), Field(description="The smaller one wins.", examples=[1])
]


def in_range(priority: int) -> int:
    """Refuse a priority that stands under the name of a metric, by which the model would say another range."""
    if not LOWEST <= priority <= HIGHEST:
        raise ValueError(f"must be between {LOWEST} and {HIGHEST}")
    return priority


MetricPriority = Annotated[
    int,
    AfterValidator(in_range),
    BeforeValidator(whole),
    Field(description="The smaller one wins.", examples=[1], json_schema_extra={"minimum": LOWEST, "maximum": HIGHEST}),
]


def named(value: object) -> object:
    """Refuse names that the database could not be asked for; which metrics there are is known there."""
    for name in value if isinstance(value, dict) else ():
        if len(name) > NAME_LENGTH:
            raise ValueError(f"has a name of more than {NAME_LENGTH} characters")
        without_nul(name)
    return value


MetricPriorities = Annotated[
    dict[str, MetricPriority | None],
    BeforeValidator(named),
    Field(
        description="Priorities of single metrics, which hold in place of the device's; null takes one away.",
        examples=[{"steps": 5}],
    ),
]


@with_config(ConfigDict(strict=True, extra="forbid", title="DeviceChange"))
class DeviceChange(TypedDict):
    """What to change of a device; what is left out stays."""

    name: NotRequired[Name | None]
    priority: NotRequired[Priority | None]
    metrics: NotRequired[MetricPriorities | None]


DEVICE_CHANGE: TypeAdapter[Any] = TypeAdapter(DeviceChange)
