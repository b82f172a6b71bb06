// A figure of a metric as a person reads it: in the unit that suits its size.

import { formatValue, mainOf, metricOf, unitOf } from "./metrics.js";
import { NOTHING, formatFigure, formatHours, formatNumber, formatWhole } from "./text.js";

const LARGER = { m: ["km", 1000], mL: ["L", 1000], g: ["kg", 1000] };
const HOUR = 60; // minutes

/** A value as {text, unit}: metres as kilometres where there are many, minutes as hours and minutes. */
export function readable(name, value) {
  if (value === null || value === undefined) return { text: NOTHING, unit: "" };
  const { unit, kind } = metricOf(name);
  if (unit === "min" && kind === "sum" && value >= HOUR) return { text: formatHours(Math.round(value) * 60), unit: "" };
  const [larger, size] = LARGER[unit] ?? [];
  if (larger && kind === "sum" && Math.abs(value) >= size) return { text: formatNumber(value / size), unit: larger };
  if (name === "heart_rate" || name === "calories") return { text: formatFigure(value, 100), unit: unitOf(name) };
  if (kind === "sum" && Number.isInteger(value)) return { text: formatWhole(value), unit: unitOf(name) };
  return { text: formatValue(name, value), unit: unitOf(name) };
}

/** The figure that stands for a metric, in words. */
export function wordsOf(name, figures) {
  const { text, unit } = readable(name, mainOf(figures));
  return unit ? `${text} ${unit}` : text;
}

/** What stands beside the mean of a level: from its least to its most. */
export function spreadOf(name, figures) {
  if (figures?.min === undefined || figures.min === figures.max) return "";
  return `${readable(name, figures.min).text} to ${readable(name, figures.max).text}`;
}
