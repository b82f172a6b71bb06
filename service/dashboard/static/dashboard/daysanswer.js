// Asking for the days of a year, and for a week day by day.

import { Refused, ask } from "./api.js";
import { addDays, startOf } from "./localdays.js";
import { BASIC } from "./metrics.js";
import { iso } from "./question.js";
import { escapeName } from "./text.js";

const NOTHING = { metrics: {} };

const rangeOf = (from, to, tz) => `start=${iso(startOf(from, tz))}&end=${iso(startOf(to, tz))}`;
const pathOf = (user) => `/v1/users/${escapeName(user)}`;

/** The series of a year by day, of one metric. */
export async function askYear({ user, metric, year, tz }, signal) {
  const named = BASIC.includes(metric) ? "" : `&metrics=${escapeName(metric)}`;
  const range = rangeOf(`${year}-01-01`, `${year + 1}-01-01`, tz);
  return (await ask(`${pathOf(user)}/series?${range}&bucket=1d&tz=${escapeName(tz)}${named}`, signal)).body;
}

/** A week: {days, quarters, summary}, its series by day of all metrics, by quarter of an hour, and its figures. */
export async function askWeek({ user, week, tz }, signal) {
  const range = rangeOf(week, addDays(week, 7), tz);
  const series = (bucket) => `${pathOf(user)}/series?${range}&tz=${escapeName(tz)}&bucket=${bucket}`;
  const [days, quarters, summary] = await Promise.all([
    ask(`${series("1d")}&metrics=all`, signal),
    ask(series("15m"), signal),
    ask(`${pathOf(user)}/summary?${range}&metrics=all`, signal).catch((error) => {
      if (error instanceof Refused && error.status === 404) return { body: NOTHING };
      throw error;
    }),
  ]);
  return { days: days.body, quarters: quarters.body, summary: summary.body };
}
