"""FastAPI, Celery and Redis: a task for each reading, as queues are often used; answered before stored."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from celery import Celery
from fastapi import FastAPI

from scripts.bench.peers.model import Reading

INSERT = """
    INSERT INTO bench.peer_reading (user_id, device_id, timestamp, heart_rate, steps, calories)
    VALUES (%(user_id)s, %(device_id)s, %(timestamp)s, %(heart_rate)s, %(steps)s, %(calories)s)
    ON CONFLICT DO NOTHING
"""

tasks = Celery("peer", broker=os.environ["PEER_BROKER_URL"])
tasks.conf.update(task_ignore_result=True, task_acks_late=True)
app = FastAPI()
connections: list[psycopg.Connection[Any]] = []


@tasks.task
def store(reading: dict[str, Any]) -> None:
    """Store one reading over the connection of this worker process."""
    if not connections:
        connections.append(psycopg.connect(os.environ["PEER_DATABASE_URL"], autocommit=True))
    connections[0].execute(INSERT, reading)


@app.post("/readings", status_code=202)
def readings(items: list[Reading]) -> dict[str, int]:
    """Queue readings."""
    for item in items:
        store.delay(item.model_dump(mode="json"))
    return {"accepted": len(items)}
