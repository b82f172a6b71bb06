"""A registry of metrics without a database."""

from __future__ import annotations

from decimal import Decimal

from service.model.registry import Metric, Registry, Scale

FAHRENHEIT = Scale(Decimal(32), Decimal(5), Decimal(9))
KILOJOULE = Scale(Decimal(0), Decimal(1), Decimal("4.184"))
KILO = Scale(Decimal(0), Decimal(1000), Decimal(1))
METRICS = [
    Metric(1, "heart_rate", "/min", 30, 220, {}),
    Metric(2, "steps", "{steps}", 0, 100_000, {}, is_sum=True, most_per_second=5, is_whole=True),
    Metric(3, "calories", "kcal", 0, 10_000, {"kJ": KILOJOULE}, is_sum=True, most_per_second=1),
    Metric(9, "spo2", "%", 50, 100, {"fraction": Scale(Decimal(0), Decimal(100), Decimal(1))}),
    Metric(14, "body_temperature", "Cel", 30, 45, {"degF": FAHRENHEIT, "[degF]": FAHRENHEIT}),
    Metric(28, "distance", "m", 0, 1_350_000, {"km": KILO}, is_sum=True, most_per_second=15),
    Metric(31, "floors", "{floors}", 0, 90_000, {}, is_sum=True, most_per_second=1, is_whole=True),
    Metric(33, "exercise_time", "min", 0, 1500, {}, is_sum=True, most_per_second=1 / 60),
    Metric(99, "warmth", "Cel", -10, 10, {"degF": FAHRENHEIT, "[degF]": FAHRENHEIT}),
    Metric(1001, "lactate", "mmol/L", 0, 30.5, {}, is_own=True),
]
REGISTRY = Registry({metric.name: metric for metric in METRICS})
REGISTRY.elsewhere = {"oxygensaturation": "spo2"}
