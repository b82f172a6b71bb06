// Time zones: what a clock shows somewhere, and the moment at which it shows that.

const clocks = new Map();
const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"; // asked for once: asking takes a while

/** The browser's own time zone. */
export const here = () => own;

/** All time zones that the browser knows, UTC first. */
export const zones = () => ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];

/** Whether a name is a time zone. */
export function isZone(name) {
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

function clockOf(tz) {
  if (!clocks.has(tz)) {
    const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
    clocks.set(tz, new Intl.DateTimeFormat("en-US", { ...parts, hourCycle: "h23", timeZone: tz, calendar: "gregory" }));
  }
  return clocks.get(tz);
}

/** What a clock shows at a moment, as ms since 1970 had it been UTC; whole seconds. */
export function shown(ms, tz) {
  const part = {};
  for (const { type, value } of clockOf(tz).formatToParts(ms)) part[type] = Number(value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
}

/** A Date whose own getters, which tell the browser's zone, tell what a clock shows elsewhere; for the chart library. */
export function asIfHere(ms, tz) {
  const wall = new Date(shown(ms, tz));
  const [year, month, day] = [wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()];
  return new Date(year, month, day, wall.getUTCHours(), wall.getUTCMinutes(), wall.getUTCSeconds());
}

/** Write a moment as the value of a datetime-local input, to the second where there is one. */
export function toLocal(ms, tz) {
  const text = new Date(shown(ms, tz)).toISOString();
  return text.slice(0, text.slice(17, 19) === "00" ? 16 : 19);
}

/** The moment (ms) that the value of a datetime-local input names; NaN where it names none. */
export function fromLocal(text, tz) {
  const wall = Date.parse(`${text}Z`);
  if (Number.isNaN(wall)) return NaN;
  const near = wall - (shown(wall, tz) - wall);
  return wall - (shown(near, tz) - Math.floor(near / 1000) * 1000);
}
