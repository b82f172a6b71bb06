"""Health Connect: JSON that apps make of its records. Two shapes are read.

- Records as react-native-health-connect returns them: `{"records": [{"recordType": "Steps", "startTime": …}]}`, a bare
  array of such, or an object of arrays by type. A quantity is an object of the same amount in several units
  (`inKilocalories`), or of a value and a unit, as records are written.
- What the app HC Webhook sends: arrays by type in lower case, `{"steps": [{"count": …, "start_time": …}]}`.

The export of Health Connect itself is an SQLite database, which is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from service.imports.adapter import Found, ImportContext, Item, Rejected, Sample, Skipped
from service.imports.json_stream import ANY, place, values_at

NO_METRIC = "has no metric"
# Members of a quantity, and the unit of each as the registry calls it. The first that is there is taken.
AMOUNTS: Final = {
    "inKilocalories": "kcal",
    "inMeters": "m",
    "inKilograms": "kg",
    "inMilliliters": "mL",
    "inCelsius": "Cel",
    "inMillimetersOfMercury": "mm[Hg]",
    "inMilligramsPerDeciliter": "mg/dL",
    "inMetersPerSecond": "m/s",
    "inWatts": "W",
}
UNITS: Final = {
    "kilocalories": "kcal",
    "kilojoules": "kJ",
    "joules": "J",
    "meters": "m",
    "kilometers": "km",
    "miles": "mi",
    "feet": "ft",
    "inches": "in",
    "kilograms": "kg",
    "grams": "g",
    "pounds": "lb",
    "liters": "L",
    "milliliters": "mL",
    "fluidOuncesUs": "fl_oz",
    "celsius": "Cel",
    "fahrenheit": "degF",
    "millimetersOfMercury": "mm[Hg]",
    "milligramsPerDeciliter": "mg/dL",
    "millimolesPerLiter": "mmol/L",
    "metersPerSecond": "m/s",
    "kilometersPerHour": "km/h",
    "milesPerHour": "mi/h",
    "watts": "W",
}


class Kind(NamedTuple):
    """A type of record: its fields by metric, whether it is a sum over its time, and where its samples stand."""

    fields: dict[str, str]
    is_sum: bool = False
    samples: str = ""


RECORDS: Final = {
    "Steps": Kind({"steps": "count"}, is_sum=True),
    "Distance": Kind({"distance": "distance"}, is_sum=True),
    "ActiveCaloriesBurned": Kind({"active_energy": "energy"}, is_sum=True),
    "TotalCaloriesBurned": Kind({"calories": "energy"}, is_sum=True),
    "FloorsClimbed": Kind({"floors": "floors"}, is_sum=True),
    "ElevationGained": Kind({"elevation_gain": "elevation"}, is_sum=True),
    "WheelchairPushes": Kind({"wheelchair_pushes": "count"}, is_sum=True),
    "Hydration": Kind({"hydration": "volume"}, is_sum=True),
    "Nutrition": Kind({"energy_intake": "energy"}, is_sum=True),
    "HeartRate": Kind({"heart_rate": "beatsPerMinute"}, samples="samples"),
    "Speed": Kind({"speed": "speed"}, samples="samples"),
    "Power": Kind({"power": "power"}, samples="samples"),
    "CyclingPedalingCadence": Kind({"cadence": "revolutionsPerMinute"}, samples="samples"),
    "RestingHeartRate": Kind({"resting_heart_rate": "beatsPerMinute"}),
    "HeartRateVariabilityRmssd": Kind({"hrv_rmssd": "heartRateVariabilityMillis"}),
    "OxygenSaturation": Kind({"spo2": "percentage"}),
    "RespiratoryRate": Kind({"respiratory_rate": "rate"}),
    "BloodPressure": Kind({"bp_systolic": "systolic", "bp_diastolic": "diastolic"}),
    "BloodGlucose": Kind({"blood_glucose": "level"}),
    "BodyTemperature": Kind({"body_temperature": "temperature"}),
    "Weight": Kind({"body_weight": "weight"}),
    "Height": Kind({"body_height": "height"}),
    "BodyFat": Kind({"body_fat": "percentage"}),
    "LeanBodyMass": Kind({"lean_body_mass": "mass"}),
    "BoneMass": Kind({"bone_mass": "mass"}),
    "BodyWaterMass": Kind({"body_water_mass": "mass"}),
    "Vo2Max": Kind({"vo2max": "vo2MillilitersPerMinuteKilogram"}),
}


class Sent(NamedTuple):
    """A type of HC Webhook: its members by metric, their unit where it is not the metric's, whether it is a sum."""

    fields: dict[str, str]
    unit: str | None = None
    is_sum: bool = False


WEBHOOK: Final = {
    "steps": Sent({"steps": "count"}, is_sum=True),
    "distance": Sent({"distance": "meters"}, is_sum=True),
    "active_calories": Sent({"active_energy": "calories"}, is_sum=True),
    "total_calories": Sent({"calories": "calories"}, is_sum=True),
    "hydration": Sent({"hydration": "liters"}, "L", is_sum=True),
    "nutrition": Sent({"energy_intake": "calories"}, is_sum=True),
    "heart_rate": Sent({"heart_rate": "bpm"}),
    "heart_rate_variability": Sent({"hrv_rmssd": "rmssd_millis"}),
    "resting_heart_rate": Sent({"resting_heart_rate": "bpm"}),
    "oxygen_saturation": Sent({"spo2": "percentage"}),
    "respiratory_rate": Sent({"respiratory_rate": "rate"}),
    "blood_pressure": Sent({"bp_systolic": "systolic", "bp_diastolic": "diastolic"}),
    "blood_glucose": Sent({"blood_glucose": "mmol_per_liter"}, "mmol/L"),
    "body_temperature": Sent({"body_temperature": "celsius"}),
    "weight": Sent({"body_weight": "kilograms"}),
    "height": Sent({"body_height": "meters"}, "m"),
    "body_fat": Sent({"body_fat": "percentage"}),
    "lean_body_mass": Sent({"lean_body_mass": "kilograms"}),
    "body_water_mass": Sent({"body_water_mass": "kilograms"}),
    "bone_mass": Sent({"bone_mass": "kilograms"}),
    "vo2_max": Sent({"vo2max": "ml_per_kg_per_min"}),
    "skin_temperature": Sent({"skin_temp_deviation": "delta_celsius"}),
}


class HealthConnect:
    """Records of Health Connect as JSON."""

    name = "health-connect"
    title = "Health Connect, records as JSON or what HC Webhook sends"

    def sniffs(self, sample: Sample) -> bool:
        """Return whether records of known types, or what HC Webhook puts first, stand in the beginning."""
        head = sample.head
        has_moment = any(name in head for name in (b'"startTime"', b'"time"', b'"start_time"'))
        is_sent = b'"app_version"' in head[:1000]
        return has_moment and (is_sent or b'"recordType"' in head or has_known_type(head))

    def read(self, source: BinaryIO, context: ImportContext) -> Iterator[Item]:
        """Yield what the records hold."""
        patterns = [(ANY, ANY)] if begins_object(source) else [(ANY,)]
        for path, record in values_at(source, *patterns):
            at = place(path)
            group = path[0] if isinstance(path[0], str) else ""
            if not isinstance(path[-1], int):  # a member of an object, in which no records are
                continue
            if not isinstance(record, dict):
                yield Rejected(group or "record", at, "is no record", record)
            elif group.islower() and group not in ("records", "result"):
                yield from read_sent(group, record, at, context)
            else:
                kind = record.get("recordType") or record.get("type") or group
                yield from read_record(str(kind).removesuffix("Record"), record, at, context)


def has_known_type(head: bytes) -> bool:
    """Return whether arrays of known types are named, or known types as values."""
    return b'"metadata"' in head and any(f'"{name}"'.encode() in head for name in RECORDS)


def begins_object(source: BinaryIO) -> bool:
    """Return whether a document is an object; go back to its beginning."""
    begins = source.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    source.seek(0)
    return begins


def read_record(name: str, record: dict[str, Any], at: str, context: ImportContext) -> Iterator[Item]:
    """Yield what a record holds."""
    kind = RECORDS.get(name)
    if kind is None:
        yield Skipped(name[:100], NO_METRIC)
        return
    device = device_of(record, "dataOrigin")
    if not kind.samples:
        moment = record.get("startTime") if kind.is_sum else record.get("time")
        fields = {metric: quantity(record.get(member)) for metric, member in kind.fields.items()}
        yield item_of(name, fields, moment, record.get("endTime") if kind.is_sum else None, device, at, context)
        return
    samples = record.get(kind.samples)
    if not isinstance(samples, list):
        yield Rejected(name, at, "has no samples", samples)
        return
    for index, sample in enumerate(samples):
        place_of_sample = f"{at}.samples[{index}]"
        if not isinstance(sample, dict):
            yield Rejected(name, place_of_sample, "is no sample", sample)
            continue
        fields = {metric: quantity(sample.get(member)) for metric, member in kind.fields.items()}
        yield item_of(name, fields, sample.get("time"), None, device, place_of_sample, context)


def read_sent(name: str, record: dict[str, Any], at: str, context: ImportContext) -> Iterator[Item]:
    """Yield what an element of HC Webhook holds; where it sums up several samples, their mean."""
    sent = WEBHOOK.get(name)
    if sent is None:
        yield Skipped(name[:100], NO_METRIC)
        return
    fields: dict[str, Any] = {}
    for metric, member in sent.fields.items():
        value = quantity(record.get(member, record.get("avg", record.get(f"avg_{member}"))))
        fields[metric] = value if sent.unit is None or value is None else {"value": value, "unit": sent.unit}
    moment, end = (record.get("start_time"), record.get("end_time")) if sent.is_sum else (record.get("time"), None)
    yield item_of(name, fields, moment, end, device_of(record, "data_origin"), at, context)


def item_of(
    kind: str, fields: dict[str, Any], moment: Any, end: Any, device: str | None, at: str, context: ImportContext
) -> Item:
    """Return the reading of values at a moment, or up to an end."""
    if not isinstance(moment, str):
        return Rejected(kind, at, "has no moment", moment)
    for metric, value in fields.items():
        if value is None and metric == "energy_intake":
            return Skipped(kind, "has no energy")
        if value is None:
            return Rejected(kind, at, f"has no number for {metric}")
    reading = {"timestamp": moment, **fields}
    if isinstance(end, str) and end != moment:
        reading["end"] = end
    if device is not None:
        reading["device_id"] = device
    return Found(kind, context.on_device(reading), at)


def quantity(value: Any) -> Any:
    """Return an amount as a field of a reading; None where it is none. Kilocalories are plain, as all energy is."""
    if is_number(value):
        return value
    if not isinstance(value, dict):
        return None
    for member, unit in AMOUNTS.items():
        if is_number(value.get(member)):
            return value[member] if unit == "kcal" else {"value": value[member], "unit": unit}
    amount, unit_of_amount = value.get("value"), value.get("unit")
    if is_number(amount) and isinstance(unit_of_amount, str):
        return {"value": amount, "unit": UNITS.get(unit_of_amount, unit_of_amount)}
    return None


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def device_of(record: dict[str, Any], origin: str) -> str | None:
    """Return what measured a record: its device, by maker and model, else the app that wrote it."""
    metadata = record.get("metadata")
    if not isinstance(metadata, dict):
        return None
    device = metadata.get("device")
    if isinstance(device, dict):
        named = [device[part] for part in ("manufacturer", "model") if isinstance(device.get(part), str)]
        if name := " ".join(part for part in named if part):
            return name
    written_by = metadata.get(origin)
    if isinstance(written_by, dict):
        written_by = written_by.get("packageName")
    return written_by if isinstance(written_by, str) and written_by else None
