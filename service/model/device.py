"""What can be said of a device."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.model.fields import Name, between, whole

Priority = Annotated[
    int, between("priority"), BeforeValidator(whole), Field(description="The smaller one wins.", examples=[1])
]

MetricPriorities = Annotated[
    dict[str, Priority | None],
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
