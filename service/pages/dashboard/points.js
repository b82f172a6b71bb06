// The points of a series: as columns for the charts, as CSV, and as text.

const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400, "1w": 604800, "1mo": 2678400 };
const HEADER = "t,heart_rate_avg,heart_rate_min,heart_rate_max,heart_rate_count,heart_rate_device,steps,calories";

/** How long a bucket is at most, in seconds; a raw reading stands for the minute after it. */
export const secondsOf = (bucket) => SECONDS[bucket] ?? 60;

/** Columns for the charts: t in seconds, and null where nothing was measured, also between buckets that are apart. */
export function columnsOf({ points, bucket }) {
  const apart = secondsOf(bucket) * (bucket === "1d" || bucket === "1mo" ? 1.1 : 1.5);
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
  let before = null;
  for (const point of points) {
    const t = Date.parse(point.t) / 1000;
    if (before !== null && t - before > apart) add(before + apart / 1.5, null);
    add(t, point);
    before = t;
  }
  return columns;
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

/** The points as CSV with a header. */
export function csvOf(points) {
  const rows = points.map(({ t, heart_rate: heart, steps, calories }) =>
    [t, heart?.avg, heart?.min, heart?.max, heart?.count, heart?.device_id, steps, calories].map(cell).join(","),
  );
  return `${[HEADER, ...rows].join("\r\n")}\r\n`;
}
