"""A registry of metrics without a database."""

from __future__ import annotations

from decimal import Decimal

from service.model.registry import Metric, Registry, Scale

FAHRENHEIT = Scale(Decimal(32), Decimal(5), Decimal(9))
METRICS = [
    Metric(1, "heart_rate", "/min", 30, 220, {}),
    Metric(2, "steps", "{steps}", 0, 100_000, {}),
    Metric(3, "calories", "kcal", 0, 10_000, {"kJ": Scale(Decimal(0), Decimal(1), Decimal("4.184"))}),
    Metric(9, "spo2", "%", 50, 100, {"fraction": Scale(Decimal(0), Decimal(100), Decimal(1))}),
    Metric(14, "body_temperature", "Cel", 30, 45, {"degF": FAHRENHEIT, "[degF]": FAHRENHEIT}),
    Metric(99, "warmth", "Cel", -10, 10, {"degF": FAHRENHEIT, "[degF]": FAHRENHEIT}),
    Metric(1001, "lactate", "mmol/L", 0, 30.5, {}, is_own=True),
]
REGISTRY = Registry({metric.name: metric for metric in METRICS})
REGISTRY.elsewhere = {"oxygensaturation": "spo2"}
