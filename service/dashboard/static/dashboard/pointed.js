// What is at a point of the charts: rows with a cell for each value, shown as a tooltip or said as a sentence.

import { NOTHING, formatNumber } from "./text.js";

const METRICS = {
  heart_rate: { name: "Heart rate", unit: "bpm", column: "avg", swatch: "heart" },
  steps: { name: "Steps", unit: "steps", column: "steps", swatch: "steps" },
  calories: { name: "Calories", unit: "kcal", column: "calories", swatch: "calories" },
};

/**
 * What parts have at an index: {t, units, rows}, t in ms. Of the best of all a row for each value, also of the device where
 * they are told apart, by deviceOf; of parts that are compared a row for each of them, and units, which head the columns.
 * A row is {swatch, name, cells}, a cell {text, unit}.
 */
export function readPoint(parts, index, metrics, swatchOf, deviceOf) {
  const t = parts[0].columns.t[index] * 1000;
  if (parts[0].name === null) return { t, units: null, rows: rowsOfMetrics(parts[0].columns, index, metrics, swatchOf, deviceOf) };
  const rows = parts.map(({ name, columns }) => ({
    swatch: swatchOf(name),
    name,
    cells: metrics.map((metric) => cellOf(METRICS[metric], columns, index)),
  }));
  return { t, units: metrics.map((metric) => METRICS[metric].unit), rows };
}

const cellOf = ({ column, unit }, columns, index) => ({ text: formatNumber(columns[column][index]), unit });

function rowsOfMetrics(columns, index, metrics, swatchOf, deviceOf) {
  return metrics.flatMap((metric) => {
    const { name, column, swatch } = METRICS[metric];
    if (columns[column][index] === null) return [];
    const cell = cellOf(METRICS[metric], columns, index);
    const row = { swatch, name, cells: [metric === "steps" ? { ...cell, unit: "" } : cell] };
    return metric === "heart_rate" ? [row, ...rowsOfHeart(columns, index, swatchOf, deviceOf)] : [row];
  });
}

function rowsOfHeart({ min, max, device }, index, swatchOf, deviceOf) {
  const [low, high] = [formatNumber(min[index]), formatNumber(max[index])];
  const rows = [];
  if (low !== high) rows.push({ swatch: "heart-band", name: "Least to most", cells: [{ text: `${low}–${high}`, unit: "bpm" }] });
  if (deviceOf) rows.push({ swatch: swatchOf(device[index]), name: "Device", cells: [{ text: deviceOf(device[index]), unit: "" }] });
  return rows;
}

const wordsOf = ({ text, unit }) => (unit ? `${text} ${unit}` : text);

/** Say what is at a point; of what is compared only what was measured. */
export function sentenceOf({ rows }) {
  const told = rows.map(({ name, cells }) => [name, cells.filter(({ text }) => text !== NOTHING).map(wordsOf)]);
  const said = told.filter(([, words]) => words.length > 0).map(([name, words]) => `${name} ${words.join(", ")}`);
  return said.join("; ") || "nothing measured";
}
