// The points of a series: as columns for the charts, as CSV, and as text.

const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400, "1w": 604800, "1mo": 2678400 };
const HEADER = "t,heart_rate_avg,heart_rate_min,heart_rate_max,heart_rate_count,heart_rate_device,steps,calories";

/** How long a bucket is at most, in seconds; a raw reading stands for the minute after it. */
export const secondsOf = (bucket) => SECONDS[bucket] ?? 60;

/** How far apart points are that no line may join: more than is usual among them, or than a bucket is long. */
function leastGap(times, bucket) {
  const steps = times.slice(1).map((t, i) => t - times[i]);
  const usual = steps.sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  return Math.max(usual * 2.5, secondsOf(bucket) * 1.5);
}

/** Columns for the charts: t in seconds, and null where nothing was measured, also between points that are far apart. */
export function columnsOf({ points, bucket }) {
  const times = points.map((point) => Date.parse(point.t) / 1000);
  const apart = leastGap(times, bucket);
  const columns = { t: [], avg: [], min: [], max: [], device: [], steps: [], calories: [] };
  const add = (t, point) => {
    columns.t.push(t);
    columns.avg.push(point?.heart_rate?.avg ?? null);
    columns.min.push(point?.heart_rate?.min ?? null);
    columns.max.push(point?.heart_rate?.max ?? null);
    columns.device.push(point?.heart_rate ? (point.heart_rate.device_id ?? "") : null);
    columns.steps.push(point?.steps ?? null);
    columns.calories.push(point?.calories ?? null);
  };
  points.forEach((point, i) => {
    if (i > 0 && times[i] - times[i - 1] > apart) add(times[i - 1] + secondsOf(bucket), null);
    add(times[i], point);
  });
  return columns;
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

/** The points of parts as CSV with a header; of parts that are compared with the name of each before them, as the key says. */
export function csvOf(parts, key) {
  const rows = parts.flatMap(({ name, points }) => points.map((point) => [...(key ? [name] : []), ...cellsOf(point)]));
  const lines = [key ? `${key},${HEADER}` : HEADER, ...rows.map((row) => row.map(cell).join(","))];
  return `${lines.join("\r\n")}\r\n`;
}
