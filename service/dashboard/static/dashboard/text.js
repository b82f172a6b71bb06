// How numbers, moments and names are written.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const formats = new Map(); // of moments, by style and zone: making one takes a while
const STYLES = {
  second: { dateStyle: "medium", timeStyle: "medium" },
  day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  minute: { timeStyle: "short" },
};
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const SIZES = ["B", "kB", "MB", "GB", "TB"];

export const NOTHING = "–";

/** Write a number with at most two decimals, or with none. */
export const formatNumber = (value) => (value === null || value === undefined ? NOTHING : plain.format(value));
export const formatWhole = (value) => (value === null || value === undefined ? NOTHING : whole.format(value));

/** Write a figure that is read at a glance: with a decimal while it is small, which for a heart rate is always. */
export function formatFigure(value, small = 10) {
  if (value === null || value === undefined) return NOTHING;
  return (value < small ? tenths : whole).format(value);
}

function formatIn(style, moment, tz) {
  const key = `${style} ${tz}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(undefined, { ...STYLES[style], timeZone: tz }));
  return formats.get(key).format(new Date(moment));
}

/** Write a moment (ms or ISO 8601) in a time zone, to the second. */
export const formatMoment = (moment, tz) => formatIn("second", moment, tz);

/** Write when a bucket begins, with its weekday: no finer than it is wide. */
export function formatBucket(moment, bucket, tz) {
  if (bucket === "raw") return formatMoment(moment, tz);
  const day = formatIn("day", moment, tz);
  return ["1d", "1w", "1mo"].includes(bucket) ? day : `${day}, ${formatIn("minute", moment, tz)}`;
}

/** Write seconds by their largest unit: "4 s", "3 min", "2 h". */
export function formatSpan(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** Write seconds by two units where one is coarse: "1 h 12 min", "2 d 3 h". */
export function formatLong(seconds) {
  if (seconds < 3600) return formatSpan(seconds);
  const [size, rest] = seconds < 86400 ? [3600, 60] : [86400, 3600];
  const left = seconds % size;
  return left < rest ? formatSpan(seconds) : `${formatSpan(seconds)} ${formatSpan(left)}`;
}

/** Write seconds by hours and minutes, however many hours: "24 h", "5 h 15 min", "45 min". */
export function formatHours(seconds) {
  const minutes = Math.round(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours > 0 ? `${whole.format(hours)} h` : "", rest > 0 || hours === 0 ? `${rest} min` : ""].filter(Boolean).join(" ");
}

/** Say how long ago something was: "now", "4 s ago"; "in 2 min" where a clock is ahead. */
export function formatAge(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 1 || (ms < 0 && seconds < 3)) return "now";
  return ms < 0 ? `in ${formatSpan(seconds)}` : `${formatSpan(seconds)} ago`;
}

/** Write milliseconds: a decimal below ten. */
export const formatMilliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** Write a number of bytes in decimal units. */
export function formatBytes(bytes) {
  const step = bytes < 1000 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${step && value < 100 ? value.toPrecision(2 + (value >= 10)) : whole.format(value)} ${SIZES[step]}`;
}

/** "1 user", "2 users". */
export const count = (number, noun) => `${whole.format(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Escape a name for a path or a query, the apostrophe included, so that it also survives a shell's quotes. */
export const escapeName = (name) => encodeURIComponent(name).replaceAll("'", "%27");
