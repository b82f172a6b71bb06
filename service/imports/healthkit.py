"""What HealthKit measures, and in which units it writes it: what its exports have in common."""

from __future__ import annotations

import re
from math import floor, isfinite
from typing import Any, Final

# By the type, without its prefix. Sums are of an interval, the others of a moment.
SUMS: Final = {
    "StepCount": "steps",
    "ActiveEnergyBurned": "active_energy",
    "BasalEnergyBurned": "basal_energy",
    "DistanceWalkingRunning": "distance",
    "DistanceCycling": "distance_cycling",
    "DistanceSwimming": "distance_swimming",
    "FlightsClimbed": "floors",
    "AppleExerciseTime": "exercise_time",
    "AppleStandTime": "stand_time",
    "TimeInDaylight": "daylight",
    "PushCount": "wheelchair_pushes",
    "SwimmingStrokeCount": "swim_strokes",
    "DietaryWater": "hydration",
    "DietaryEnergyConsumed": "energy_intake",
}
LEVELS: Final = {
    "HeartRate": "heart_rate",
    "RestingHeartRate": "resting_heart_rate",
    "WalkingHeartRateAverage": "walking_heart_rate",
    "HeartRateVariabilitySDNN": "hrv_sdnn",
    "HeartRateVariabilityRMSSD": "hrv_rmssd",
    "OxygenSaturation": "spo2",
    "RespiratoryRate": "respiratory_rate",
    "BloodPressureSystolic": "bp_systolic",
    "BloodPressureDiastolic": "bp_diastolic",
    "BloodGlucose": "blood_glucose",
    "BodyTemperature": "body_temperature",
    "AppleSleepingWristTemperature": "wrist_temperature",
    "BodyMass": "body_weight",
    "Height": "body_height",
    "BodyMassIndex": "bmi",
    "BodyFatPercentage": "body_fat",
    "LeanBodyMass": "lean_body_mass",
    "WaistCircumference": "waist",
    "VO2Max": "vo2max",
    "WalkingSpeed": "speed",
    "RunningSpeed": "speed",
    "CyclingSpeed": "speed",
    "RunningPower": "power",
    "CyclingPower": "power",
    "CyclingCadence": "cadence",
}
# As they are written, those that the registry has by another name. HealthKit writes a percentage as a fraction.
UNITS: Final = {
    "count/min": "/min",
    "bpm": "/min",
    "rpm": "/min",
    "Cal": "kcal",
    "%": "fraction",
    "degC": "Cel",
    "ºC": "Cel",
    "°C": "Cel",
    "ºF": "degF",
    "°F": "degF",
    "mmHg": "mm[Hg]",
    "mmol<180.1558800000541>/L": "mmol/L",
    "mL/min·kg": "mL/kg/min",
    "mL/kg·min": "mL/kg/min",
    "ml/(kg·min)": "mL/kg/min",
    "ml/kg/min": "mL/kg/min",
    "km/hr": "km/h",
    "kmph": "km/h",
    "mi/hr": "mi/h",
    "mph": "mi/h",
    "fl_oz_us": "fl_oz",
    "hr": "h",
}
# What is counted without a unit of its own: "count" of anything else is passed on, and refused.
WHOLE: Final = frozenset(("steps", "floors", "wheelchair_pushes", "swim_strokes"))
COUNTED: Final = WHOLE | {"bmi"}
PLAIN: Final = frozenset(
    [("heart_rate", "count/min"), ("heart_rate", "bpm"), *((metric, "count") for metric in COUNTED)]
)
LARGEST_FRACTIONS: Final = {"spo2": 1}
MOST_SERIES = 1_000

# As phones write moments that show twelve hours, or are set to some regions, and as the first releases of iOS did.
OF_TWELVE_HOURS = re.compile(r"(\d{4}-\d\d-\d\d)\s+(0?\d|1[0-2])(:\d\d:\d\d)\s*([AaPp])\.?\s?[Mm]\.?\s+([+-]\d{4})")
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([+-]\d{4})")


def with_unit(metric: str, value: float, unit: str) -> Any:
    """Return a value as a field of a reading, with its unit, but for counts and percentages."""
    # Some apps write a percentage as one. No valid percentage is as small as a fraction, so the two are told apart.
    is_percentage = unit == "%" and value > LARGEST_FRACTIONS.get(metric, 0.999)
    return value if is_percentage or (metric, unit) in PLAIN else {"value": value, "unit": UNITS.get(unit, unit)}


def moment_of(text: str) -> str:
    """Return a moment in the 24 hours of ISO 8601 where it is written otherwise; anything else as it is."""
    if text[13:14] == ":" and text[-5:-4] in ("+", "-") and len(text) == 25:
        return text
    if found := OF_TWELVE_HOURS.fullmatch(text):
        day, hour, rest, half, offset = found.groups()
        return f"{day} {int(hour) % 12 + (12 if half in 'Pp' else 0):02}{rest} {offset}"
    if found := COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, offset = found.groups()
        return f"{year}-{month}-{day} {hour}:{minute}:{second} {offset}"
    return text


class WholeCounts:
    """Whole numbers in place of counts with a fraction, which apps make that share out what was counted.

    What is rounded off of one counts with the next of the same series, so that sums stay what they were.
    """

    def __init__(self) -> None:
        self.rests: dict[tuple[str, str | None], float] = {}

    def whole(self, metric: str, device: str | None, value: float) -> float:
        """Return a value of a metric as a whole number, where it is counted in such."""
        if metric not in WHOLE or not isfinite(value) or value == (nearest := floor(value)):
            return value
        rest = self.rests.pop((metric, device), 0.5) + value - nearest
        if len(self.rests) == MOST_SERIES:
            self.rests.clear()
        self.rests[metric, device] = rest % 1
        return nearest + floor(rest)
