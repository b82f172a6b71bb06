"""The query strings of paths: their parameters, what each accepts, and how they are parsed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from starlette.requests import HTTPConnection, Request

from service.answers.cursors import Cursor
from service.answers.metrics_asked import Metrics
from service.errors import Fault, Invalid
from service.http.tenancy import DEFAULT_TENANT, bound_tenant, tenant_for
from service.model.fields import Name, Timestamp, between, digits
from service.model.timestamps import format_timestamp
from service.model.validation_errors import fault

QueryT = TypeVar("QueryT", bound="Query")

MOST_LIVE_USERS = 1000
MOST_ARGUMENTS = 2000

YEAR_ONE = datetime.min.replace(tzinfo=UTC)
START = Field(description="The beginning of the range.")
END = Field(description="The end of the range.")
WholeUser = Annotated[
    Name,
    BeforeValidator(digits),
    WithJsonSchema({"type": "integer"}),
    Field(description="A whole number.", examples=[303]),
]
TenantId = Annotated[
    Name, Field(description="Whose events. A request with a tenant's key may leave it out.", examples=["tenant_1"])
]
Source = Annotated[Name | None, Field(description="Only events of this source.", examples=["web"])]
EventType = Annotated[Name | None, Field(description="Only events of this type.", examples=["click"])]
Device = Annotated[Name | None, Field(description="Only this device, without any rule between devices.")]
# Which names there are, the database knows: api.time_zone.
TimeZone = Annotated[Name, Field(examples=["Europe/Berlin"])]
BucketSize = Annotated[Literal["minute", "hour", "day"], Field(description="The width of a bucket, in UTC.")]


def each_once(names: list[str]) -> list[str]:
    """Leave out repetitions."""
    return list(dict.fromkeys(names))


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name; ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin") from None


class Query(BaseModel):
    """The parameters of a query string."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class RangeSummary(Query):
    """`GET /metrics?user_id=…`: both ends of the range are included."""

    user_id: WholeUser
    start: Annotated[Timestamp, Field(validation_alias=AliasChoices("start_date", "start")), START]
    end: Annotated[Timestamp, Field(validation_alias=AliasChoices("end_date", "end")), END]


class HeartRateMinutes(Query):
    """`GET /metrics/heart-rate`: both ends of the range are included."""

    user_id: Name
    start: Annotated[Timestamp, START]
    end: Annotated[Timestamp, END]
    device_id: Device = None


class EventFilter(Query):
    """Which events of a tenant: both ends of the range are included, and each may be left out."""

    tenant_id: TenantId
    source: Source = None
    event_type: EventType = None
    start: Annotated[Timestamp | None, START] = None
    end: Annotated[Timestamp | None, END] = None


class EventsPage(EventFilter):
    """`GET /events`: one numbered page."""

    page: Annotated[int, BeforeValidator(digits), between("page"), Field(description="The page, from 1.")] = 1
    page_size: Annotated[int, BeforeValidator(digits), between("page_size"), Field(description="Events on a page.")] = (
        100
    )


class EventCounts(EventFilter):
    """`GET /metrics?tenant_id=…`: events counted by bucket."""

    bucket_size: BucketSize = "minute"


class HalfOpenRange(Query):
    """start <= t < end: end defaults to now, start to 24 hours before end."""

    start: Annotated[
        Timestamp | None, Field(description="First moment of the range; by default 24 hours before end.")
    ] = None
    end: Annotated[Timestamp | None, Field(description="First moment after the range; by default now.")] = None

    @property
    def range(self) -> tuple[datetime, datetime]:
        """The range with its defaults filled in; Invalid where it ends before it starts."""
        end = self.end or datetime.now(UTC)
        start = self.start or max(end, YEAR_ONE + timedelta(hours=24)) - timedelta(hours=24)
        require_order(start, end)
        return start, end


class Summary(HalfOpenRange):
    """`GET /v1/users/{user_id}/summary`."""

    device_id: Device = None
    metrics: Metrics = None


class WornDevices(HalfOpenRange):
    """`GET /v1/users/{user_id}/devices`."""


class Series(HalfOpenRange):
    """`GET /v1/users/{user_id}/series`."""

    bucket: Annotated[
        Literal["auto", "raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"],
        Field(description="The width of a bucket; auto picks the finest that fits max_points."),
    ] = "auto"
    tz: Annotated[TimeZone, Field(description="Days, weeks and months are local to this time zone.")] = "UTC"
    max_points: Annotated[
        int, BeforeValidator(digits), between("max_points"), Field(description="For auto: at most so many buckets.")
    ] = 1000
    fill: Annotated[
        Literal["none", "null"], Field(description="With null, buckets without a reading are there too.")
    ] = "none"
    device_id: Device = None
    metrics: Metrics = None


class Latest(Query):
    """`GET /v1/users/{user_id}/latest`."""

    metrics: Metrics = None


class ReadingsAfter(HalfOpenRange):
    """`GET /v1/users/{user_id}/readings`: the readings that come after a cursor; streams take all of the range."""

    device_id: Device = None
    limit: Annotated[int, BeforeValidator(digits), between("limit"), Field(description="At most so many readings.")] = (
        1000
    )
    cursor: Cursor = None
    metrics: Metrics = None


class ReadingsToDelete(Query):
    """`DELETE /v1/users/{user_id}/readings`: start <= t < end, of which neither has a default."""

    start: Annotated[Timestamp, Field(description="First moment of the range.")]
    end: Annotated[Timestamp, Field(description="First moment after the range.")]
    device_id: Annotated[Name | None, Field(description="Only readings of this device.")] = None


class Writing(Query):
    """`POST /v1/readings`: what becomes of a reading of which a metric is invalid."""

    invalid: Annotated[
        Literal["reject", "drop-field"],
        Field(description="With drop-field, a reading is kept without its metrics that are invalid."),
    ] = "reject"


class Importing(Query):
    """`POST /v1/import/{format}`: whose file it is, and what the file does not say."""

    user_id: Annotated[Name, Field(description="Whose readings they are.")]
    tz: Annotated[
        ZoneInfo | None,
        BeforeValidator(time_zone),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        Field(description="The clock of moments that have no offset in the file.", examples=["Europe/Berlin"]),
    ] = None
    device_id: Annotated[Name | None, Field(description="The device of readings for which the file names none.")] = None
    filename: Annotated[
        Name | None, Field(description="What the file is called: some formats say what they hold in their names.")
    ] = None
    precision: Annotated[
        Literal["ns", "us", "ms", "s"], Field(description="In what the timestamps of line protocol count.")
    ] = "ns"


class UsersAfter(Query):
    """`GET /v1/users`: the users that come after a cursor."""

    limit: Annotated[int, BeforeValidator(digits), between("limit"), Field(description="At most so many users.")] = 100
    cursor: Cursor = None


class LiveTenant(Query):
    """`WS /ws` and `WS /ws/{user_id}`: whose users to follow."""

    tenant_id: Annotated[
        Name, Field(description="Whose users. A request with a tenant's key has those of its tenant in any case.")
    ] = DEFAULT_TENANT


class LiveUsers(LiveTenant):
    """`GET /v1/live`: the users to follow; by default everyone."""

    user_id: Annotated[
        list[Name],
        Field(max_length=MOST_LIVE_USERS, description="Whom to tell of; may be repeated. By default everyone."),
        AfterValidator(each_once),
    ] = []
    metrics: Metrics = None


class Overview(Query):
    """`GET /v1/overview`: of whom, and where their day begins and ends."""

    user_id: Annotated[list[Name], Field(max_length=1000, description="Only these users; may be repeated.")] = []
    tz: Annotated[TimeZone, Field(description="Today is the day of this time zone.")] = "UTC"


class EventsAfter(HalfOpenRange):
    """`GET /v1/events`: the events that come after a cursor."""

    tenant_id: TenantId
    source: Source = None
    event_type: EventType = None
    limit: Annotated[int, BeforeValidator(digits), between("limit"), Field(description="At most so many events.")] = 100
    cursor: Cursor = None


class EventCountsAfter(HalfOpenRange):
    """`GET /v1/events/metrics`: events counted by bucket, those that come after a cursor."""

    tenant_id: TenantId
    bucket_size: BucketSize = "minute"
    source: Source = None
    event_type: EventType = None
    limit: Annotated[int, BeforeValidator(digits), between("limit"), Field(description="At most so many counts.")] = (
        1000
    )
    cursor: Cursor = None


def parse_live_query(connection: HTTPConnection, kind: type[QueryT]) -> QueryT:
    """Read whom live updates are asked for; Invalid says what is wrong, and Forbidden names a tenant of others."""
    if connection.scope["query_string"].count(b"&") > MOST_ARGUMENTS:
        raise Invalid(f"The query string has more than {MOST_ARGUMENTS} arguments.")
    tenant_id = tenant_for(connection, connection.query_params.get("tenant_id"))
    try:
        given = {name: value for name, value in connection.query_params.items() if name in kind.model_fields}
        return kind.model_validate({**given, **repeated(connection, kind), "tenant_id": tenant_id})
    except ValidationError as error:
        raise Invalid("The request is invalid.", [fault(details) for details in error.errors()]) from None


def parse_query(request: Request, kind: type[QueryT]) -> QueryT:
    """Parse a request's query string; Invalid names what is wrong, and Forbidden a tenant of others.

    A request that is bound to a tenant need not name it.
    """
    given: dict[str, Any] = {**request.query_params, **repeated(request, kind)}
    if "tenant_id" in kind.model_fields and bound_tenant(request) is not None:
        given["tenant_id"] = tenant_for(request, given.get("tenant_id"))
    try:
        query = kind.model_validate(given)
    except ValidationError as error:
        raise Invalid("The request is invalid.", [fault(details) for details in error.errors()]) from None
    start_name = "start_date" if "start_date" in request.query_params else "start"
    require_order(getattr(query, "start", None), getattr(query, "end", None), start_name)
    return query


def repeated(request: HTTPConnection, kind: type[Query]) -> dict[str, list[str]]:
    """Return the parameters that may be given several times."""
    lists = [name for name, field in kind.model_fields.items() if get_origin(field.annotation) is list]
    return {name: request.query_params.getlist(name) for name in lists}


def require_order(start: datetime | None, end: datetime | None, start_name: str = "start") -> None:
    """Refuse a range that ends before it starts."""
    if start is not None and end is not None and start > end:
        faults = [Fault(at=start_name, problem=f"is after end, {format_timestamp(end)}", value=format_timestamp(start))]
        raise Invalid("The request is invalid.", faults)


def flag(request: Request, name: str) -> bool:
    """Read a query argument that is true or false; by default false."""
    match request.query_params.get(name, "false").lower():
        case "true" | "1":
            return True
        case "false" | "0" | "":
            return False
        case other:
            raise Invalid(
                f"{name} must be true or false.", [Fault(at=name, problem="must be true or false", value=other[:100])]
            )
