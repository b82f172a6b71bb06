"""Run a backup or a restore. See --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psycopg

from scripts.backup import base
from scripts.backup.dump import back_up, default_folder
from scripts.backup.embedded_files import back_up_embedded, restore_embedded
from scripts.backup.errors import CannotBackUp
from scripts.backup.manifest import EMBEDDED, Manifest, read
from scripts.backup.progress import size
from scripts.backup.restore import restore
from scripts.migrate import first_line
from scripts.run import CannotRun, Options, read_options
from service import __version__

DESCRIPTION = """\
Back up and restore. `dump` and `restore` move one database between servers; `base` and `recover` copy a whole server
and bring it to a point in time (docs/backup.md).

The database is that of DATABASE_URL, or without it the embedded one in DATA, which must not run meanwhile. A password
in DATABASE_URL reaches PostgreSQL's programs in a private file; they are looked for on the PATH and where
distributions put them, or in PG_BIN. Everything that is written is for its owner only: it is health data."""

EXAMPLES = """\
examples:
  DATABASE_URL=postgresql://owner@host/hyperpulse make backup
  DATABASE_URL=postgresql://postgres@other/hyperpulse make restore ARGS=backups/hyperpulse-20261130T021500Z
  python -m scripts.backup base /backup/base-1
  python -m scripts.backup recover /backup/base-1 --archive /backup/wal --to /var/lib/postgresql/17/restored \\
    --until 2026-11-30T02:15:00Z"""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    top = argparse.ArgumentParser(
        prog="python -m scripts.backup",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True)
    dumping = commands.add_parser("dump", help="write a portable backup of the database (make backup)")
    dumping.add_argument("--to", type=Path, metavar="DIRECTORY", help="which is created (backups/hyperpulse-TIME)")
    restoring = commands.add_parser("restore", help="restore a portable backup (make restore)")
    restoring.add_argument("backup", type=Path, metavar="DIRECTORY", help="that `make backup` made")
    restoring.add_argument("--replace", action="store_true", help="replace a database that has data")
    restoring.add_argument(
        "--verify",
        type=users,
        default=100,
        metavar="USERS",
        help="for how many users rollups are compared with readings, at random: a number, or all (100)",
    )
    copying = commands.add_parser("base", help="copy a whole server while it runs, by pg_basebackup")
    copying.add_argument("directory", type=Path, help="which is created")
    recovering = commands.add_parser("recover", help="make a data directory that recovers to a point in time")
    recovering.add_argument("base", type=Path, help="the directory of a base backup, which stays as it is")
    recovering.add_argument("--archive", type=Path, required=True, metavar="DIRECTORY", help="with the archived WAL")
    recovering.add_argument("--to", type=Path, required=True, metavar="DIRECTORY", help="the data directory to make")
    recovering.add_argument(
        "--until", type=moment, metavar="TIME", help="with its offset from UTC; without it, as far as the archive goes"
    )
    return top


def users(text: str) -> int | None:
    """Read a number of users; None for all."""
    return None if text == "all" else int(text)


def moment(text: str) -> datetime:
    """Read a moment of ISO 8601."""
    return datetime.fromisoformat(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 1 and a sentence where that is impossible."""
    chosen = parser().parse_args(arguments)
    try:
        run(chosen, read_options(None))
    except (CannotBackUp, CannotRun) as error:
        return failed(str(error))
    except psycopg.Error as error:
        return failed(f"The database refuses: {first_line(error)}.")
    except OSError as error:
        return failed(f"{error.filename}: {error.strerror}.")
    except KeyboardInterrupt:
        return failed("stopped; nothing is changed.")
    return 0


def failed(why: str) -> int:
    """Print why, and return the status to exit with."""
    print(f"backup: {why}", file=sys.stderr)
    return 1


def run(chosen: argparse.Namespace, options: Options) -> None:
    """Run a command."""
    match chosen.command:
        case "dump":
            folder = (chosen.to or default_folder(Path("backups"))).absolute()
            url = options.database_url
            manifest = back_up_embedded(options.data, folder) if url is None else back_up(url, folder)
            print(f"{folder}: {size(manifest.bytes)}, as of {manifest.taken_at:%Y-%m-%d %H:%M:%SZ}")
        case "restore":
            put_back(chosen, options, read(chosen.backup))
        case "base":
            base.take(required(options), chosen.directory)
            print(f"{chosen.directory} is whole.")
        case "recover":
            base.recover(chosen.base, chosen.archive.absolute(), chosen.to, chosen.until)
            print(f"Start it as its owner: pg_ctl -D {chosen.to} start. It opens for writes once it is recovered.")


def required(options: Options) -> str:
    """Return DATABASE_URL."""
    if options.database_url is None:
        raise CannotBackUp("Name the server in DATABASE_URL: the embedded database has no base backups.")
    return options.database_url


def put_back(chosen: argparse.Namespace, options: Options, manifest: Manifest) -> None:
    """Restore a portable backup."""
    url = options.database_url
    if (manifest.file == EMBEDDED) != (url is None):
        raise CannotBackUp(
            f"{chosen.backup} is of the embedded database: unset DATABASE_URL, and name its directory in DATA."
            if url is not None
            else f"{chosen.backup} is of a database of its own: name one in DATABASE_URL to restore it as."
        )
    if url is None:
        restore_embedded(options.data, chosen.backup, manifest, replace=chosen.replace)
    else:
        restore(url, chosen.backup, manifest, chosen.verify, replace=chosen.replace)
    print(f"Restored as of {manifest.taken_at:%Y-%m-%d %H:%M:%SZ}.")
    if manifest.hyperpulse != __version__:
        print(f"It was made by Hyperpulse {manifest.hyperpulse}: run make migrate before the service.")


if __name__ == "__main__":
    sys.exit(main())
