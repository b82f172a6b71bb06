// Asking for a day of a person: its figures, and the minutes from which its hours and its heart rates follow.

import { Refused, ask } from "./api.js";
import { iso } from "./question.js";
import { escapeName } from "./text.js";

const MOST_POINTS = 1500; // the minutes of a day of 25 hours
const FINE = 300_000; // ms for which a heart rate is drawn as one
const HOUR = 3_600_000; // ms

/** Ask for a day, a range in ms: {summary, series} as they were answered; null where nothing lies in it. */
export async function askDay(user, { start, end }, tz, signal) {
  const path = `/v1/users/${escapeName(user)}`;
  const range = `start=${iso(start)}&end=${iso(end)}`;
  try {
    const asked = [ask(`${path}/summary?${range}&metrics=all`, signal), ask(`${path}/series?${range}&max_points=${MOST_POINTS}&tz=${escapeName(tz)}`, signal)];
    const [summary, series] = await Promise.all(asked);
    return { summary: summary.body, series: series.body };
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

/** Add up points to {t, avg, min, max} of five minutes each, where there was a heart rate. */
export function heartRates(points, start) {
  const parts = new Map();
  for (const { t, heart_rate: heart } of points) {
    if (!heart) continue;
    const at = start + Math.floor((Date.parse(t) - start) / FINE) * FINE;
    const part = parts.get(at) ?? { t: at, sum: 0, count: 0, min: Infinity, max: -Infinity };
    part.sum += heart.avg * heart.count;
    part.count += heart.count;
    part.min = Math.min(part.min, heart.min);
    part.max = Math.max(part.max, heart.max);
    parts.set(at, part);
  }
  return [...parts.values()].map(({ sum, count, ...part }) => ({ ...part, avg: sum / count }));
}

/** What each hour of a range had: {t, steps, calories, avg, min, max}, null where nothing was measured. */
export function hoursOf(points, { start, end }) {
  const hours = [];
  for (let t = start; t < end; t += HOUR) hours.push({ t, steps: null, calories: null, sum: 0, count: 0, min: Infinity, max: -Infinity });
  for (const { t, heart_rate: heart, steps, calories } of points) {
    const hour = hours[Math.floor((Date.parse(t) - start) / HOUR)];
    if (!hour) continue;
    if (steps !== null) hour.steps += steps;
    if (calories !== null) hour.calories += calories;
    if (!heart) continue;
    hour.sum += heart.avg * heart.count;
    hour.count += heart.count;
    hour.min = Math.min(hour.min, heart.min);
    hour.max = Math.max(hour.max, heart.max);
  }
  return hours.map(({ sum, count, min, max, ...hour }) => ({ ...hour, ...(count ? { avg: sum / count, min, max } : { avg: null, min: null, max: null }) }));
}
