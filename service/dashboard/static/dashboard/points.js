// The points of a series: as columns for the charts, as CSV, and as text.

import { mainOf, metricOf } from "./metrics.js";

const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400, "1w": 604800, "1mo": 2678400 };
const HEADER = ["t", "heart_rate_avg", "heart_rate_min", "heart_rate_max", "heart_rate_count", "heart_rate_device", "steps", "calories"];
const OF_GAUGE = ["avg", "min", "max", "count"];

/** How long a bucket is at most, in seconds; a raw reading stands for the minute after it. */
export const secondsOf = (bucket) => SECONDS[bucket] ?? 60;

/** How far apart points are that no line may join: more than is usual among them, or than a bucket is long. */
function leastGap(times, bucket) {
  const steps = times.slice(1).map((t, i) => t - times[i]);
  const usual = steps.sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  return Math.max(usual * 2.5, secondsOf(bucket) * 1.5);
}

/** The columns of a metric: its value, a mean, total or last value; of a gauge also the least and the most. */
export const columnsOfMetric = (name) =>
  name === "heart_rate" ? { value: "avg", min: "min", max: "max" } : { value: name, min: `${name} min`, max: `${name} max` };

/**
 * Columns for the charts, with those of other metrics: t in seconds, and null where nothing was measured, also between
 * points that are far apart.
 */
export function columnsOf({ points, bucket }, others = []) {
  const times = points.map((point) => Date.parse(point.t) / 1000);
  const apart = leastGap(times, bucket);
  const columns = { t: [], avg: [], min: [], max: [], device: [], steps: [], calories: [] };
  for (const name of others) for (const column of Object.values(columnsOfMetric(name))) columns[column] = [];
  const add = (t, point) => {
    columns.t.push(t);
    columns.avg.push(point?.heart_rate?.avg ?? null);
    columns.min.push(point?.heart_rate?.min ?? null);
    columns.max.push(point?.heart_rate?.max ?? null);
    columns.device.push(point?.heart_rate ? (point.heart_rate.device_id ?? "") : null);
    columns.steps.push(point?.steps ?? null);
    columns.calories.push(point?.calories ?? null);
    for (const name of others) {
      const figures = point?.metrics?.[name];
      const { value, min, max } = columnsOfMetric(name);
      columns[value].push(mainOf(figures));
      columns[min].push(figures?.min ?? null);
      columns[max].push(figures?.max ?? null);
    }
  };
  points.forEach((point, i) => {
    if (i > 0 && times[i] - times[i - 1] > apart) add(times[i - 1] + secondsOf(bucket), null);
    add(times[i], point);
  });
  for (const name of others) joinSparse(columns, columnsOfMetric(name), bucket);
  return columns;
}

/** What is measured more seldom than the rest has a line all the same: between its own neighbours nothing is said, undefined. */
function joinSparse(columns, { value, min, max }, bucket) {
  const places = columns[value].flatMap((each, i) => (each === null ? [] : [i]));
  const apart = leastGap(places.map((i) => columns.t[i]), bucket);
  places.forEach((to, n) => {
    const from = places[n - 1];
    if (n === 0 || columns.t[to] - columns.t[from] > apart) return;
    for (const name of [value, min, max]) columns[name].fill(undefined, from + 1, to);
  });
}

/** The same columns on one t, the union of theirs; undefined where another has a point, which says nothing of these. */
export function align(all) {
  const t = [...new Set(all.flatMap((columns) => columns.t))].sort((a, b) => a - b);
  const places = new Map(t.map((moment, i) => [moment, i]));
  return all.map((columns) => {
    const aligned = Object.fromEntries(Object.keys(columns).map((name) => [name, new Array(t.length).fill(undefined)]));
    columns.t.forEach((moment, i) => {
      const at = places.get(moment);
      // Raw readings may share a moment: one without a value does not take another's away.
      for (const name of Object.keys(columns)) aligned[name][at] = columns[name][i] ?? aligned[name][at] ?? null;
    });
    return { ...aligned, t };
  });
}

/** The devices that gave heart rates, in the order in which they appear; "" stands for several at once. */
export const devicesOf = (columns) => [...new Set(columns.device)].filter((device) => device !== null);

// A spreadsheet runs what begins like a formula, so such a name gets an apostrophe.
const cell = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const cellsOf = ({ t, heart_rate: heart, steps, calories }) => [t, heart?.avg, heart?.min, heart?.max, heart?.count, heart?.device_id, steps, calories];
const isGauge = (name) => metricOf(name).kind === "gauge";
const headsOf = (name) => (isGauge(name) ? OF_GAUGE.map((figure) => `${name}_${figure}`) : [name]);
const cellsOfMetric = (name, figures) => (isGauge(name) ? OF_GAUGE.map((figure) => figures?.[figure]) : [mainOf(figures)]);

/**
 * The points of parts as CSV with a header, with other metrics behind the basic ones; of parts that are compared with the
 * name of each before them, as the key says.
 */
export function csvOf(parts, key, others = []) {
  const header = [...(key ? [key] : []), ...HEADER, ...others.flatMap(headsOf)];
  const rest = ({ metrics }) => others.flatMap((name) => cellsOfMetric(name, metrics?.[name]));
  const rows = parts.flatMap(({ name, points }) => points.map((point) => [...(key ? [name] : []), ...cellsOf(point), ...rest(point)]));
  const lines = [header.join(","), ...rows.map((row) => row.map(cell).join(","))];
  return `${lines.join("\r\n")}\r\n`;
}
