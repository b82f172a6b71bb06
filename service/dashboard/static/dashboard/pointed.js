// What is at a point of the charts: rows with a cell for each value, shown as a tooltip or said as a sentence.

import { classOf, metricOf, unitOf } from "./metrics.js";
import { columnsOfMetric } from "./points.js";
import { NOTHING, formatNumber } from "./text.js";

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
    cells: metrics.map((metric) => cellOf(metric, columns, index)),
  }));
  return { t, units: metrics.map((metric) => unitOf(metric) || metricOf(metric).title), rows };
}

const at = (columns, name, index) => columns[name][index] ?? null;
const cellOf = (metric, columns, index) => ({ text: formatNumber(at(columns, columnsOfMetric(metric).value, index)), unit: unitOf(metric) });

function rowsOfMetrics(columns, index, metrics, swatchOf, deviceOf) {
  return metrics.flatMap((metric) => {
    if (at(columns, columnsOfMetric(metric).value, index) === null) return [];
    const { title, kind } = metricOf(metric);
    const cell = cellOf(metric, columns, index);
    const row = { swatch: classOf(metric), name: title, cells: [metric === "steps" ? { ...cell, unit: "" } : cell] };
    const rows = kind === "gauge" ? [row, ...rowsOfSpread(metric, columns, index)] : [row];
    if (metric === "heart_rate" && deviceOf) {
      const device = columns.device[index];
      rows.push({ swatch: swatchOf(device), name: "Device", cells: [{ text: deviceOf(device), unit: "" }] });
    }
    return rows;
  });
}

function rowsOfSpread(metric, columns, index) {
  const { min, max } = columnsOfMetric(metric);
  const [low, high] = [formatNumber(at(columns, min, index)), formatNumber(at(columns, max, index))];
  if (low === high) return [];
  return [{ swatch: `${classOf(metric)} area`, name: "Least to most", cells: [{ text: `${low}–${high}`, unit: unitOf(metric) }] }];
}

const wordsOf = ({ text, unit }) => (unit ? `${text} ${unit}` : text);

/** Say what is at a point; of what is compared only what was measured. */
export function sentenceOf({ rows }) {
  const told = rows.map(({ name, cells }) => [name, cells.filter(({ text }) => text !== NOTHING).map(wordsOf)]);
  const said = told.filter(([, words]) => words.length > 0).map(([name, words]) => `${name} ${words.join(", ")}`);
  return said.join("; ") || "nothing measured";
}
