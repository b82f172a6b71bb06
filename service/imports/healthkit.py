"""What HealthKit measures, and in which units it writes it: what its exports have in common."""

from __future__ import annotations

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
    "ml/(kg·min)": "mL/kg/min",
    "km/hr": "km/h",
    "kmph": "km/h",
    "mi/hr": "mi/h",
    "mph": "mi/h",
    "fl_oz_us": "fl_oz",
    "hr": "h",
}
# What is counted without a unit of its own: "count" of anything else is passed on, and refused.
COUNTED: Final = frozenset(("steps", "floors", "wheelchair_pushes", "swim_strokes", "bmi"))
PLAIN: Final = frozenset(
    [("heart_rate", "count/min"), ("heart_rate", "bpm"), *((metric, "count") for metric in COUNTED)]
)


def with_unit(metric: str, value: float, unit: str) -> Any:
    """Return a value as a field of a reading, with its unit, but for counts."""
    return value if (metric, unit) in PLAIN else {"value": value, "unit": UNITS.get(unit, unit)}
