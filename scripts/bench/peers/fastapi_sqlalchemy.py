"""FastAPI, SQLAlchemy and asyncpg, in three common ways: add_all, and bulk INSERT with either ON CONFLICT."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scripts.bench.peers.model import Reading

KEY = ("user_id", "device_id", "timestamp")
MOST_ROWS = 5000
"""Of one INSERT: PostgreSQL takes 65535 parameters, asyncpg 32767."""


class Base(DeclarativeBase):
    """Declarative base of the tables."""


class Stored(Base):
    """A stored reading."""

    __tablename__ = "peer_reading"
    __table_args__ = ({"schema": "bench"},)

    user_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    heart_rate: Mapped[float | None]
    steps: Mapped[int | None]
    calories: Mapped[float | None]


engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=8)
session = async_sessionmaker(engine)
app = FastAPI()


@app.post("/add_all")
async def add_all(readings: list[Reading]) -> dict[str, int]:
    """Store readings as mapped objects."""
    async with session() as opened, opened.begin():
        opened.add_all(Stored(**reading.model_dump()) for reading in readings)
    return {"stored": len(readings)}


@app.post("/nothing")
async def nothing(readings: list[Reading]) -> dict[str, int]:
    """Store readings, and skip those that are stored already."""
    return await execute(readings, lambda statement: statement.on_conflict_do_nothing())


@app.post("/update")
async def update(readings: list[Reading]) -> dict[str, int]:
    """Store readings, and overwrite those that are stored already."""

    def over(statement: Any) -> Any:
        new = statement.excluded
        values = {name: getattr(new, name) for name in ("heart_rate", "steps", "calories")}
        return statement.on_conflict_do_update(index_elements=KEY, set_=values)

    return await execute(readings, over)


async def execute(readings: Sequence[Reading], resolve: Any) -> dict[str, int]:
    """Send one INSERT of many rows, or several if there are too many parameters for one."""
    rows = [reading.model_dump() for reading in readings]
    async with session() as opened, opened.begin():
        for first in range(0, len(rows), MOST_ROWS):
            await opened.execute(resolve(insert(Stored).values(rows[first : first + MOST_ROWS])))
    return {"stored": len(rows)}
