"""Manage the keys that clients of the service present: make, list, revoke and rotate them.

Only a digest of a key is stored, so that a key is printed once, when it is made.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from scripts.psql import address
from service.auth.key import new_key
from service.auth.principal import ALL_SCOPES
from service.database.schema import query

LIMITS = {
    "requests_per_second": "requests",
    "readings_per_second": "readings and events",
    "bytes_per_day": "bytes of bodies",
}
COLUMNS = ("key_id", "state", "tenant_id", "scopes", "limits", "name", "created_at", "expires_at", "last_used_at")
EXAMPLES = """examples:
  make keys ARGS='create --tenant clinic --scope ingest --name gateway-7'
  make keys ARGS='create --scope operate --name prometheus --valid-for 90d'
  make keys ARGS='rotate 3f9c01d2ab77 --grace 1d'
"""


class CannotManage(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    top = argparse.ArgumentParser(
        prog="make keys", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key, and print it once")
    create.add_argument(
        "--tenant", help="bind it to this tenant, which is registered if it is new; otherwise it is for all"
    )
    create.add_argument(
        "--scope",
        action="append",
        choices=sorted(ALL_SCOPES),
        required=True,
        help="what it may do, repeatable: ingest (write), read, admin (erase, set devices), operate (metrics and "
        "state of the installation; only without --tenant)",
    )
    create.add_argument("--name", help="for whom or what it is, at most 128 characters")
    create.add_argument("--valid-for", metavar="INTERVAL", help="after which it expires, such as 90d or '6 months'")
    for limit, what in LIMITS.items():
        create.add_argument(
            f"--{limit.replace('_', '-')}", type=positive, metavar="NUMBER", help=f"{what} that it may send"
        )
    commands.add_parser("list", help="list all keys, without their secrets")
    revoke = commands.add_parser("revoke", help="end a key; what is open with it ends within five seconds")
    revoke.add_argument("key_id", help="the id: the 12 characters behind hp_")
    rotate = commands.add_parser("rotate", help="make a key like another, which ends after a while")
    rotate.add_argument("key_id", help="the id of the key to replace")
    rotate.add_argument(
        "--grace", metavar="INTERVAL", default="1 day", help="for which the old one still holds (1 day)"
    )
    return top


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def main() -> int:
    """Do what the arguments say, on the database of DATABASE_URL or the embedded one that runs."""
    chosen = parser().parse_args()
    try:
        with psycopg.connect(address(), connect_timeout=10, autocommit=True, row_factory=dict_row) as connection:
            run(chosen, connection)
    except CannotManage as problem:
        return failed(str(problem))
    except psycopg.errors.UndefinedTable:
        return failed("The database has no table of keys yet: run `make migrate` first.")
    except (psycopg.errors.InvalidDatetimeFormat, psycopg.errors.DatetimeFieldOverflow) as error:
        return failed(f"{error.diag.message_primary}; an interval is written like 90d or '6 months'.")
    except psycopg.errors.CheckViolation as error:
        return failed(f"The key breaks the rule {error.diag.constraint_name}.")
    except psycopg.OperationalError as error:
        return failed(
            f"The database cannot be reached: {str(error).strip().splitlines()[0]}. Start it, or check DATABASE_URL."
        )
    return 0


def failed(why: str) -> int:
    """Print why, and return the status to exit with."""
    print(f"keys: {why}", file=sys.stderr)
    return 1


def run(chosen: argparse.Namespace, connection: psycopg.Connection[DictRow]) -> None:
    """Run a command."""
    match chosen.command:
        case "create":
            create(connection, chosen)
        case "list":
            show(connection.execute(query("list_keys")).fetchall())
        case "revoke":
            if not connection.execute(query("revoke_key"), {"key_id": chosen.key_id}).fetchall():
                raise CannotManage(f"There is no key {chosen.key_id!r}; `make keys ARGS=list` lists them.")
            print(f"Revoked {chosen.key_id}; what is open with it ends within five seconds.")
        case "rotate":
            rotate(connection, chosen)


def create(connection: psycopg.Connection[DictRow], chosen: argparse.Namespace) -> None:
    """Make a key."""
    if chosen.tenant is not None and "operate" in chosen.scope:
        raise CannotManage("The scope operate is for the whole installation: leave out --tenant, or the scope.")
    key = new_key()
    values = {
        "tenant_id": chosen.tenant,
        "name": chosen.name,
        "valid_for": chosen.valid_for,
        "scopes": sorted({*chosen.scope}),
        **{limit: getattr(chosen, limit) for limit in LIMITS},
    }
    connection.execute(query("add_key"), {**values, "key_id": key.id, "digest": key.digest})
    print_once(key.text)


def rotate(connection: psycopg.Connection[DictRow], chosen: argparse.Namespace) -> None:
    """Replace a key."""
    key = new_key()
    values: dict[str, Any] = {"key_id": chosen.key_id, "grace": chosen.grace}
    if not connection.execute(query("rotate_key"), {**values, "new_id": key.id, "digest": key.digest}).fetchall():
        raise CannotManage(f"There is no key {chosen.key_id!r} in force; `make keys ARGS=list` lists them.")
    print_once(key.text)


def print_once(text: str) -> None:
    """Print a key alone on standard output, so that it can be handed on by a pipe."""
    print("It is shown only now; send it as `Authorization: Bearer KEY`.", file=sys.stderr)
    print(text)


def show(rows: list[DictRow]) -> None:
    """Print a table."""
    texts = [COLUMNS, *(tuple("" if row[name] is None else str(row[name]) for name in COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
