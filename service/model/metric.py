"""What a tenant declares of a metric of its own; what contradicts itself, or what is stored, the database refuses."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from service.model.fields import Name, between
from service.model.limits import RANGES

Kind = Annotated[
    Literal["gauge", "sum", "latest"],
    Field(
        description="gauge: a level, of which mean, lowest and highest are asked; sum: an amount, which adds up; "
        "latest: only the last value counts. It never changes."
    ),
]
Topic = Annotated[
    Literal["heart", "respiration", "blood", "temperature", "body", "activity", "nutrition", "wellbeing", "other"],
    Field(description="The heading to show it under."),
]
Unit = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,32}$"),
    Field(description="The unit of values, a UCUM code. It never changes.", examples=["mmol/L"]),
]
Loinc = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}-[0-9]$"), Field(description="The LOINC code.")]
Rate = Annotated[
    float,
    Field(gt=0, le=RANGES["most_per_second"][1], description="Of a sum: the most that may be counted in a second."),
]


@with_config(ConfigDict(strict=True, extra="forbid", title="MetricDeclaration"))
class MetricDeclaration(TypedDict):
    """A metric of a tenant's own. Declared again it becomes what is sent, but its bounds only widen."""

    unit: Unit
    kind: Kind
    lowest: Annotated[float, between("lowest"), Field(description="The lowest valid value.")]
    highest: Annotated[float, between("highest"), Field(description="The highest valid value.")]
    most_per_second: NotRequired[Rate | None]
    title: NotRequired[Annotated[Name, Field(description="A name for display; by default the name.")] | None]
    topic: NotRequired[Topic | None]
    loinc: NotRequired[Loinc | None]


METRIC_DECLARATION: TypeAdapter[Any] = TypeAdapter(MetricDeclaration)
FIELDS = tuple(MetricDeclaration.__annotations__)
