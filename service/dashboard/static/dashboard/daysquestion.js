// What the page of days shows: read from its address, and written to it.

import { dayOf, isDay, mondayOf, today } from "./localdays.js";
import { isName } from "./metrics.js";
import { escapeName } from "./text.js";
import { here, isZone } from "./zone.js";

const LONGEST = 128; // characters of a name
const DEFAULT = "steps"; // the metric that colors the days
const YEAR = /^\d{4}$/;

/** Read a question; a year or a week that it does not name are those of today. */
export function readDays(search) {
  const given = new URLSearchParams(search);
  const tz = isZone(given.get("tz") || "?") ? given.get("tz") : here();
  const year = given.get("year") ?? "";
  const isYear = YEAR.test(year) && isDay(`${year}-01-01`);
  const week = isDay(given.get("week")) ? mondayOf(given.get("week")) : null;
  return {
    user: (given.get("user") ?? "").slice(0, LONGEST),
    metric: isName(given.get("metric") ?? "") ? given.get("metric") : DEFAULT,
    year: isYear ? Number(year) : Number(today(tz).slice(0, 4)),
    week: week ?? mondayOf(isYear && year !== today(tz).slice(0, 4) ? `${year}-12-31` : today(tz)),
    tz,
  };
}

/** Write a question as the page's address. */
export function writeDays({ user, metric, year, week, tz }) {
  const given = new URLSearchParams();
  if (user) given.set("user", user);
  if (metric !== DEFAULT) given.set("metric", metric);
  if (year !== Number(today(tz).slice(0, 4))) given.set("year", year);
  if (week !== mondayOf(today(tz))) given.set("week", week);
  if (tz !== here()) given.set("tz", tz);
  const text = given.toString();
  return text ? `/days?${text}` : "/days";
}

/** The address of a person's day. */
export const addressOfDay = (user, date, tz) => `/day?user=${escapeName(user)}&date=${date}${tz === here() ? "" : `&tz=${escapeName(tz)}`}`;

/** The values of a series by day, as a map of the days to points. */
export const byDay = ({ points, tz }) => new Map(points.map((point) => [dayOf(point.t, tz), point]));
