"""A reading, as a FastAPI service would validate it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class Reading(BaseModel):
    """What a device measured for a user at a moment."""

    user_id: str = Field(min_length=1, max_length=128)
    device_id: str = Field(min_length=1, max_length=128)
    timestamp: datetime
    heart_rate: float | None = Field(default=None, ge=30, le=220)
    steps: int | None = Field(default=None, ge=0, le=100_000)
    calories: float | None = Field(default=None, ge=0, le=10_000)
