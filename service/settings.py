"""What the environment may set, read once at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.log_format import LogFormat

Auth: TypeAlias = Literal["auto", "keys", "off"]
ReadYourWrites: TypeAlias = Literal["machine", "everywhere"]
MOST = {
    "session_hours": (8784, "a year"),
    "statement_seconds": (2_147_483, "the most that PostgreSQL takes"),
    "lock_seconds": (2_147_483, "the most that PostgreSQL takes"),
    "port": (65_535, "the last one"),
    "pool_size": (1_000, "since each connection is a process of the server, and opened at the start"),
    "max_tenant_percent": (10_000, "which are a hundred processors"),
}
LEAST = {"max_tenant_percent": (5, "or a tenant that asks for little would wait, too")}
MOST_DIGITS = 18
SERVER = re.compile(r"[,\s]+(?=postgres(?:ql)?://)")  # before an address, which may have commas itself
HOME = "home"
SHARD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LISTS = ("allowed_hosts", "allowed_origins", "trusted_proxies")


class BadSetting(Exception):
    """An environment variable holds what cannot be used; the message names it, its value and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings. Sizes in bytes, times in seconds; None switches off."""

    database_url: str
    direct_database_url: str | None = None
    read_database_url: tuple[str, ...] = ()
    read_your_writes: ReadYourWrites = "machine"
    replica_wait_ms: int = 200
    replica_max_lag_seconds: int = 30
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    worker_silence_seconds: int = 30
    drain_seconds: int | None = None
    stop_seconds: int = 2
    max_connections: int = 5_000
    max_connections_per_address: int | None = 1_000
    head_seconds: int = 20
    max_header_bytes: int = 64 * 1024
    max_header_fields: int = 100
    max_requests: int = 1_000
    max_tenant_percent: int = 50
    max_body_bytes: int = 32 * 1024 * 1024
    max_compression_ratio: int = 300
    body_idle_seconds: int = 15
    min_body_rate: int = 500
    max_slow_bodies: int = 1_000
    max_body_seconds: int = 300
    max_stream_seconds: int = 4 * 3600
    max_answer_bytes: int = 64 * 1024 * 1024
    max_event_counts: int = 100_000
    min_answer_rate: int = 500
    answer_idle_seconds: int = 30
    max_bytes_in_flight: int = 40 * 1024 * 1024
    max_queued_readings: int = 56_000
    max_queue_seconds: int = 3
    max_atomic_readings: int = 50_000
    pool_size: int = 8
    writers: int = 2
    statement_seconds: int = 30
    lock_seconds: int = 5
    max_live_clients: int = 2_000
    max_streams: int = 20
    max_imports: int = 4
    max_import_bytes: int = 4 * 1024**3
    live_heartbeat_seconds: int = 15
    live_slow_seconds: int = 10
    refresh_seconds: int | None = 2
    access_log: bool = False
    auth: Auth = "auto"
    max_key_failures: int = 20
    session_hours: int = 12
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    shard_database_urls: tuple[tuple[str, str], ...] = ()
    """Names and addresses of the databases beside the home database."""

    @property
    def session_url(self) -> str:
        """The database's address for what lasts longer than a transaction."""
        return self.direct_database_url or self.database_url


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read DATABASE_URL (required) and the variables named like the fields of Settings, in capitals."""
    if not environment.get("DATABASE_URL"):
        raise BadSetting("DATABASE_URL is not set. Name a TimescaleDB, or start with `make run` for the embedded one.")
    numbers: dict[str, int | None] = {
        name: read_number(environment, name.upper())
        for name, kind in Settings.__annotations__.items()
        if kind == "int" and environment.get(name.upper())
    }
    for name, (most, why) in MOST.items():
        if (numbers.get(name) or 0) > most:
            raise BadSetting(f"{name.upper()} is {numbers[name]}; it must be at most {most}, {why}.")
    for name, (least, why) in LEAST.items():
        if (numbers.get(name) or least) < least:
            raise BadSetting(f"{name.upper()} is {numbers[name]}; it must be at least {least}, {why}.")
    numbers |= {
        name: read_number_or_off(environment, name.upper())
        for name, kind in Settings.__annotations__.items()
        if kind == "int | None" and environment.get(name.upper())
    }
    others: dict[str, Any] = {
        name: read_list(environment[name.upper()]) for name in LISTS if environment.get(name.upper())
    }
    if environment.get("SHARD_DATABASE_URLS"):
        others["shard_database_urls"] = read_shards(environment["SHARD_DATABASE_URLS"])
    if environment.get("ACCESS_LOG"):
        others["access_log"] = read_switch(environment, "ACCESS_LOG")
    if environment.get("HOST"):
        others["host"] = environment["HOST"]
    if environment.get("DIRECT_DATABASE_URL"):
        others["direct_database_url"] = environment["DIRECT_DATABASE_URL"]
    if environment.get("READ_DATABASE_URL"):
        others["read_database_url"] = read_servers(environment["READ_DATABASE_URL"])
    if environment.get("READ_YOUR_WRITES"):
        others["read_your_writes"] = read_reach(environment["READ_YOUR_WRITES"])
    if environment.get("AUTH"):
        others["auth"] = read_auth(environment["AUTH"])
    settings = Settings(environment["DATABASE_URL"], **numbers, **others)  # type: ignore[arg-type]
    require_addresses(settings)
    return settings


def require_addresses(settings: Settings) -> None:
    """Raise BadSetting where an address cannot be read, or two names stand for one database."""
    place_of(settings.database_url, "DATABASE_URL")
    if settings.direct_database_url is not None:
        place_of(settings.direct_database_url, "DIRECT_DATABASE_URL")
    for url in settings.read_database_url:
        place_of(url, "READ_DATABASE_URL")
    names = {place_of(settings.session_url, "DATABASE_URL"): HOME}
    for name, url in settings.shard_database_urls:
        other = names.setdefault(place_of(url, "SHARD_DATABASE_URLS"), name)
        if other != name:
            raise BadSetting(
                f"SHARD_DATABASE_URLS names one database {other!r} and {name!r}: every name stands for one of its own."
            )


def place_of(url: str, setting: str) -> tuple[str, ...]:
    """Return where an address leads; what is wrong with it is not repeated, since it may have a password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {"port": "none"}
    ports = str(given.get("port") or 5432).split(",")
    if not all(port.isascii() and port.isdigit() and len(port) <= 5 for port in ports if port):
        raise BadSetting(f"{setting} has no address of a database; one is such as postgresql://host:5432/database.")
    host = str(given.get("hostaddr") or given.get("host") or "")
    return (host, ",".join(ports), str(given.get("dbname") or given.get("user") or ""), str(given.get("service") or ""))


def read_list(text: str) -> tuple[str, ...]:
    """Read words between commas or blanks."""
    return tuple(text.replace(",", " ").split())


def read_servers(text: str) -> tuple[str, ...]:
    """Read addresses of databases between commas; what is wrong is not repeated, since it may have a password."""
    servers = tuple(SERVER.split(text.strip(", \n")))
    if not all(server.startswith(("postgres://", "postgresql://")) for server in servers):
        raise BadSetting("READ_DATABASE_URL must be addresses such as postgresql://host/database, with commas between.")
    return servers


def read_reach(text: str) -> ReadYourWrites:
    """Read through which processes a sender reads its own writes."""
    for known in get_args(ReadYourWrites):
        if text == known:
            return cast(ReadYourWrites, known)
    raise BadSetting(f"READ_YOUR_WRITES is {text!r}; it must be machine or everywhere.")


def read_shards(text: str) -> tuple[tuple[str, str], ...]:
    """Read pairs NAME=URL between blanks; an address may hold a password, so only names are repeated."""
    shards: dict[str, str] = {}
    for number, pair in enumerate(text.split(), 1):
        name, found, url = pair.partition("=")
        if not found or not SHARD_NAME.fullmatch(name) or not url.startswith(("postgresql://", "postgres://")):
            raise BadSetting(
                f"SHARD_DATABASE_URLS has no NAME=postgresql://… in place {number}; a name is a lower-case letter and "
                "up to 62 more, digits, hyphens or underscores."
            )
        if name == HOME or name in shards:
            raise BadSetting(
                f"SHARD_DATABASE_URLS names {name!r} a second time: every name stands for one database, and {HOME} for "
                "that of DATABASE_URL."
            )
        shards[name] = url
    return tuple(shards.items())


def read_auth(text: str) -> Auth:
    """Read who is asked for a key."""
    for known in get_args(Auth):
        if text == known:
            return cast(Auth, known)
    raise BadSetting(f"AUTH is {text!r}; it must be auto, keys or off.")


def read_log_format(environment: Mapping[str, str]) -> LogFormat | None:
    """Read LOG_FORMAT; None where it is not set."""
    match environment.get("LOG_FORMAT", ""):
        case "":
            return None
        case "json" | "text" as chosen:
            return chosen
        case other:
            raise BadSetting(f"LOG_FORMAT is {other!r}; it must be json or text.")


def read_switch(environment: Mapping[str, str], name: str) -> bool:
    """Read 1 for on or 0 for off."""
    if environment[name] not in ("0", "1"):
        raise BadSetting(f"{name} is {environment[name]!r}; it must be 1 or 0.")
    return environment[name] == "1"


def read_number_or_off(environment: Mapping[str, str], name: str) -> int | None:
    """Read a positive whole number, or None where it says off."""
    if environment[name].lower() == "off":
        return None
    try:
        return read_number(environment, name)
    except BadSetting:
        raise BadSetting(f"{name} is {environment[name]!r}; it must be a whole number above 0, or off.") from None


def read_number(environment: Mapping[str, str], name: str) -> int:
    """Read a positive whole number."""
    value = environment[name]
    if len(value) > MOST_DIGITS:
        raise BadSetting(f"{name} has {len(value)} characters; it must be a whole number above 0, in a few digits.")
    if not value.isascii() or not value.isdigit() or int(value) == 0:
        raise BadSetting(f"{name} is {value!r}; it must be a whole number above 0.")
    return int(value)
