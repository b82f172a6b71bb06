// Days of a calendar, as texts like 2026-01-15, and when they are somewhere.

import { now } from "./live.js";
import { fromLocal, shown } from "./zone.js";

const DAY = 86_400_000; // ms of a day in UTC
const HOUR = 3_600_000; // ms
const TEXT = /^\d{4}-\d{2}-\d{2}$/;
const [FIRST, LAST] = ["1900-01-01", "9998-12-31"]; // days that can be asked for
const styles = new Map();

const utc = (date) => Date.parse(`${date}T00:00Z`);
const textOf = (ms) => new Date(ms).toISOString().slice(0, 10);

/** Whether a text is a day that can be asked for. */
export const isDay = (text) => TEXT.test(text ?? "") && text >= FIRST && text <= LAST && !Number.isNaN(utc(text)) && textOf(utc(text)) === text;

export const addDays = (date, days) => textOf(utc(date) + days * DAY);

/** The Monday of a day's week. */
export const mondayOf = (date) => addDays(date, -((new Date(utc(date)).getUTCDay() + 6) % 7));

/** The days from one to another, which is not among them. */
export const daysBetween = (from, to) => Array.from({ length: Math.max(0, Math.round((utc(to) - utc(from)) / DAY)) }, (none, i) => addDays(from, i));

/** The day that a calendar shows somewhere at a moment (ms or ISO 8601). */
export const dayOf = (moment, tz) => textOf(shown(new Date(moment).getTime(), tz));

export const today = (tz) => dayOf(now(), tz);

/** The first moment of a day somewhere (ms), also where clocks skip midnight or show it twice. */
export function startOf(date, tz) {
  const wall = utc(date);
  const at = fromLocal(`${date}T00:00`, tz);
  const late = at + Math.max(0, wall - shown(at, tz));
  return shown(late - HOUR, tz) >= wall ? late - HOUR : late;
}

/** Write a day by the parts of Intl.DateTimeFormat. */
export function formatDay(date, parts = { weekday: "short", day: "numeric", month: "short", year: "numeric" }) {
  const key = JSON.stringify(parts);
  if (!styles.has(key)) styles.set(key, new Intl.DateTimeFormat(undefined, { ...parts, timeZone: "UTC" }));
  return styles.get(key).format(utc(date));
}
