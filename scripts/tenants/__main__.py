"""List which database each tenant is in, and move a tenant from one to another while the service runs."""

from __future__ import annotations

import argparse
import sys

import psycopg

from scripts.backup.progress import Progress
from scripts.migrate import first_line
from scripts.run import CannotRun
from scripts.tenants.databases import CannotMove, addresses, session
from scripts.tenants.move import cancel, move, remove
from service.database.schema import query
from service.settings import HOME, BadSetting

EPILOG = """\
DATABASE_URL is the home database, which has the map, and SHARD_DATABASE_URLS names the others, as for the service.
A move that was interrupted goes on when it is started again.

examples:
  make tenants ARGS=list
  make tenants ARGS='move clinic --to eu'      copy, then switch: writes wait for some seconds
  make tenants ARGS='status clinic'
  make tenants ARGS='remove clinic'            what is left in the old database, once you have looked
  make tenants ARGS='cancel clinic'            before the switch: everything stays where it was"""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    top = argparse.ArgumentParser(
        prog="make tenants", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the tenants, the database of each, and moves under way")
    for name, what in (
        ("status", "say where a tenant is, and how far its move"),
        ("move", "move a tenant, or go on with its move"),
        ("remove", "remove what is left of a tenant in the database that it has moved from"),
        ("cancel", "end a move before its switch, and remove the copy"),
    ):
        command = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        command.add_argument("tenant", help="its tenant_id")
        if name == "move":
            command.add_argument(
                "--to", required=True, metavar="DATABASE", help=f"a name of SHARD_DATABASE_URLS, or {HOME}"
            )
    return top


def main() -> int:
    """Do what the arguments say."""
    chosen = parser().parse_args()
    try:
        run(chosen)
    except (BadSetting, CannotMove, CannotRun) as problem:
        return failed(str(problem))
    except psycopg.errors.UndefinedTable:
        return failed("A database has no map of tenants yet: run `make migrate` first.")
    except psycopg.OperationalError as error:
        return failed(f"{first_line(error)}. What is done so far stays; start it again to go on.")
    return 0


def failed(why: str) -> int:
    """Print why, and return the status to exit with."""
    print(f"tenants: {why}", file=sys.stderr)
    return 1


def run(chosen: argparse.Namespace) -> None:
    """Run a command."""
    if chosen.command in ("list", "status"):
        show(getattr(chosen, "tenant", None))
        return
    progress = Progress(f"{chosen.command} {chosen.tenant}")
    match chosen.command:
        case "move":
            if chosen.to not in addresses():
                raise CannotMove(
                    f"There is no database {chosen.to!r}: {', '.join(addresses())} are those of the environment."
                )
            move(chosen.tenant, chosen.to, progress.show)
            progress.end(f"{chosen.tenant} is in {chosen.to}; `remove` removes the copy that it has left behind.")
        case "remove":
            remove(chosen.tenant, progress.show)
            progress.end("removed")
        case "cancel":
            cancel(chosen.tenant, progress.show)
            progress.end("cancelled")


def show(tenant_id: str | None) -> None:
    """Print where tenants are."""
    with session(HOME) as home:
        rows = home.execute(query("list_tenant_shards")).fetchall()
    found = [row for row in rows if tenant_id in (None, row["tenant_id"])]
    if tenant_id is not None and not found:
        raise CannotMove(f"The home database knows no tenant {tenant_id!r}.")
    for row in found:
        print("  ".join(filter(None, (row["tenant_id"], row["shard"], row["move"]))))


if __name__ == "__main__":
    sys.exit(main())
