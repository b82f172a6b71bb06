"""Create, list and drop logins for BI tools: a tenant's, which sees that tenant only, or an operator's."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import errors, sql
from psycopg.rows import DictRow, dict_row

from scripts.migrate import first_line, without_password
from scripts.psql import address
from scripts.run import CannotRun
from service.database.schema import SQL, query

SUPERUSER_SCRIPT = SQL / "superuser.sql"
NOTE = "SELECT api_internal.note_act(%s, %s, jsonb_build_object('login', %s::text))"
LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer ones
EPILOG = """\
examples:
  make roles ARGS='create acme_bi --tenant acme'                a tenant's login; its password is printed once
  make roles ARGS='create grafana --operator'                   an operator's login
  python -m scripts.roles superuser-script | psql -X "$URL"     what only a superuser can revoke"""

Connection = psycopg.Connection[DictRow]


class CannotDo(Exception):
    """A login cannot be created or dropped; the message says why and what to do."""


class Login(NamedTuple):
    """A login to create; `tenant` is None for an operator's. Times in seconds."""

    name: str
    tenant: str | None
    connections: int
    statement_seconds: int
    idle_seconds: int
    temp_file_limit: str

    def settings(self) -> dict[str, str]:
        """Return the settings of its sessions, which it may change but for temp_file_limit."""
        return {
            "default_transaction_read_only": "on",
            # With the next one: no query is planned before its snapshot is taken, see docs/bi.md.
            "default_transaction_isolation": "repeatable read",
            "plan_cache_mode": "force_custom_plan",
            "timezone": "UTC",
            "statement_timeout": f"{self.statement_seconds}s",
            "idle_in_transaction_session_timeout": f"{self.idle_seconds}s",
        }


def create(connection: Connection, login: Login, password: str) -> str | None:
    """Create a login; return what a superuser has yet to do, if anything."""
    if not 0 < len(login.name.encode()) <= LONGEST_NAME:
        raise CannotDo(
            f"The name {login.name!r} has {len(login.name.encode())} bytes; it must have 1 to {LONGEST_NAME}."
        )
    role = sql.Identifier(login.name)
    with connection.transaction():
        # The server never sees the password, so no log of it does.
        verifier = connection.pgconn.encrypt_password(password.encode(), login.name.encode(), b"scram-sha-256")
        try:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} CONNECTION LIMIT {} IN ROLE {}").format(
                    role,
                    verifier.decode(),
                    login.connections,
                    sql.Identifier("bi_reader" if login.tenant is None else "bi_tenant"),
                )
            )
        except errors.DuplicateObject:
            raise CannotDo(
                f"The role {login.name} exists. Choose another name, or drop it: make roles ARGS='drop NAME'"
            ) from None
        become_member(connection, role)
        for name, value in login.settings().items():
            connection.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(name), value))
        if login.tenant is not None:
            parameters = {"name": login.name, "tenant": login.tenant}
            if connection.execute(query("bind_bi_login"), parameters).fetchone() is None:
                raise CannotDo(
                    f"There is no tenant {login.tenant}. A tenant is registered with its first key, reading or event."
                )
        connection.execute(NOTE, ["create BI login", login.tenant, login.name])
    return limit_temp_files(connection, role, login.temp_file_limit)


def become_member(connection: Connection, role: sql.Identifier) -> None:
    """Become a member of a login unless as a superuser, so that this role sees its sessions and may end them."""
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is not None and not row["rolsuper"]:
        inheriting = "WITH INHERIT TRUE" if connection.info.server_version >= 160000 else ""
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER {}").format(role, sql.SQL(inheriting)))


def limit_temp_files(connection: Connection, role: sql.Identifier, limit: str) -> str | None:
    """Limit the temporary files of a login, if this role may; return what a superuser has to do otherwise."""
    statement = sql.SQL("ALTER ROLE {} SET temp_file_limit = {}").format(role, limit)
    try:
        connection.execute(statement)
    except errors.InsufficientPrivilege:
        return f"have a superuser limit its temporary files: {statement.as_string(connection)};"
    return None


def drop(connection: Connection, name: str) -> None:
    """Drop a BI login, and end its sessions."""
    found = next((row for row in logins(connection) if row["name"] == name), None)
    if found is None:
        raise CannotDo(f"{name} is no BI login. `make roles ARGS=list` shows them.")
    role = sql.Identifier(name)
    # Committed first: no session begins after those of now are ended.
    connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
    connection.execute(query("end_sessions_of"), {"name": name})
    with connection.transaction():
        connection.execute("DELETE FROM core.bi_login WHERE role = quote_ident(%s)::regrole", [name])
        connection.execute(NOTE, ["drop BI login", found["tenant"], name])
        connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def logins(connection: Connection) -> list[DictRow]:
    """Return the BI logins of the server: name, tenant, is_operator, most (-1: any number), connected."""
    return connection.execute(query("bi_logins")).fetchall()


def show(row: DictRow) -> str:
    """Return a BI login as a line."""
    sees = f"tenant {row['tenant']}" if row["tenant"] else "all tenants" if row["is_operator"] else "nothing here"
    most = "any number of" if row["most"] < 0 else row["most"]
    return f"{row['name']}: {sees}; {row['connected']} of {most} connections"


@contextmanager
def connect(database_url: str) -> Iterator[Connection]:
    """Open an autocommit connection; CannotDo says what the database refuses, and the remedy."""
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10, row_factory=dict_row) as connection:
            yield connection
    except errors.InsufficientPrivilege as error:
        raise CannotDo(
            f"The user of DATABASE_URL may not do this: {first_line(error)}. It must own the database, and have "
            "CREATEROLE: ALTER ROLE owner CREATEROLE"
        ) from error
    except (errors.UndefinedTable, errors.UndefinedObject, errors.InvalidSchemaName) as error:
        raise CannotDo(f"The database is not migrated: {first_line(error)}. Run make migrate.") from error
    except psycopg.OperationalError as error:
        raise CannotDo(
            f"The database {without_password(database_url)} cannot be reached: {first_line(error)}. Start it, or check "
            "DATABASE_URL."
        ) from error
    except psycopg.Error as error:
        raise CannotDo(f"The database {without_password(database_url)} refuses: {first_line(error)}.") from error


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="make roles", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database-url", help="(default: DATABASE_URL, or the embedded database that runs)")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("create", help="create a login for a BI tool, and print its password")
    made.add_argument("name")
    sees = made.add_mutually_exclusive_group(required=True)
    sees.add_argument("--tenant", metavar="ID", help="the one tenant that it sees")
    sees.add_argument("--operator", action="store_true", help="it sees all tenants, settings and failures")
    made.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    made.add_argument("--connections", type=int, default=10, metavar="N", help="at once (10)")
    made.add_argument("--statement-seconds", type=int, default=120, metavar="N", help="of a statement (120)")
    made.add_argument("--idle-seconds", type=int, default=60, metavar="N", help="idle in a transaction (60)")
    made.add_argument("--temp-file-limit", default="1GB", metavar="SIZE", help="of temporary files (1GB)")
    commands.add_parser("list", help="list the BI logins of the server")
    commands.add_parser("drop", help="drop a BI login, and end its sessions").add_argument("name")
    commands.add_parser("superuser-script", help="print what a superuser has to run")
    return parser.parse_args(arguments)


def read_password() -> str:
    """Return the first line of standard input."""
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CannotDo("The password on standard input is empty.")
    return password


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    if options.command == "superuser-script":
        print(SUPERUSER_SCRIPT.read_text(encoding="utf-8"), end="")
        return
    with connect(options.database_url or address()) as connection:
        if options.command == "create":
            password = read_password() if options.password_stdin else secrets.token_urlsafe(24)
            fields: dict[str, Any] = {name: getattr(options, name) for name in Login._fields}
            rest = create(connection, Login(**fields), password)
            sees = "all tenants" if options.operator else options.tenant
            print(f"roles: created {options.name}, which sees {sees}", file=sys.stderr)
            if not options.password_stdin:
                print(password)
            if rest:
                print(f"roles: {rest}", file=sys.stderr)
        elif options.command == "drop":
            drop(connection, options.name)
            print(f"dropped {options.name}")
        else:
            print("\n".join(map(show, logins(connection))) or "no BI logins")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the command line; 1 and a sentence where it cannot be done."""
    options = parse(arguments)
    try:
        run(options)
    except (CannotDo, CannotRun) as error:
        print(f"roles: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
