"""The database as other programs name it."""

from __future__ import annotations

import json
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from tests.sql.tools.document import blocks
from tests.sql.tools.world import NAME, World


def engine(sqlalchemy: Any, world: World, driver: str = "psycopg") -> Any:
    """Return an engine with the parameters that the document has for Superset."""
    (parameters,) = blocks("Superset", "json")
    return sqlalchemy.create_engine(
        address(world, f"postgresql+{driver}"), poolclass=sqlalchemy.pool.NullPool, **json.loads(parameters)
    )


def address(world: World, scheme: str = "postgresql") -> str:
    """Return the database's address as a URI."""
    parts = conninfo_to_dict(world.url)
    return f"{scheme}://{NAME}:tool@{parts['host']}:{parts['port']}/{parts['dbname']}"
