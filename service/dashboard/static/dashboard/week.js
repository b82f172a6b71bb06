// A week as a table: day by day what the user has, with a bar for each amount, and the week's own figures below.

import { addressOfDay, byDay } from "./daysquestion.js";
import { $, make, put } from "./dom.js";
import { readable, wordsOf } from "./figure.js";
import { addDays, dayOf, daysBetween, formatDay, today } from "./localdays.js";
import { classOf, inOrder, mainOf, metricOf } from "./metrics.js";
import { NOTHING, formatHours } from "./text.js";

const FIRST = ["steps", "distance", "resting_heart_rate", "heart_rate"];
const QUARTER = 900; // seconds
const WORN = "Worn"; // a column that is no metric

/** How many seconds of each day had a heart rate, to the quarter of an hour, as a map. */
export function wornByDay({ points, tz }) {
  const worn = new Map();
  for (const { t, heart_rate: heart } of points) {
    if (heart) worn.set(dayOf(t, tz), (worn.get(dayOf(t, tz)) ?? 0) + QUARTER);
  }
  return worn;
}

/** The columns: what comes first in most questions, the time worn, and all else by topic. */
function columnsOf(metrics) {
  const names = Object.keys(metrics).filter((name) => metrics[name]);
  const first = FIRST.filter((name) => names.includes(name));
  const worn = names.includes("heart_rate") ? [WORN] : [];
  return [...first, ...worn, ...inOrder(names.filter((name) => !FIRST.includes(name)))];
}

/** A figure in words; of steps, which the head of their column counts, the number alone. */
const textOf = (name, figures) => (name === "steps" ? readable(name, mainOf(figures)).text : wordsOf(name, figures));

function cellOf(text, share, kind) {
  const bar = share > 0 ? make("span", { class: `bar ${kind}`, "aria-hidden": "true" }) : null;
  if (bar) bar.style.width = `${(share * 100).toFixed(1)}%`;
  return make("td", {}, text, bar);
}

/** Show a week that was answered. Returns whether anything was measured in it. */
export function writeWeek({ user, week, tz }, { days, quarters, summary }) {
  const points = byDay(days);
  const worn = wornByDay(quarters);
  const columns = columnsOf(summary.metrics);
  const dates = daysBetween(week, addDays(week, 7)).filter((date) => date <= today(tz));
  const figures = (date, name) => (points.has(date) ? (points.get(date).metrics[name] ?? null) : null);
  const value = (date, name) => (name === WORN ? (worn.get(date) ?? null) : mainOf(figures(date, name)));
  const words = (date, name) => (value(date, name) === null ? NOTHING : name === WORN ? formatHours(worn.get(date)) : textOf(name, figures(date, name)));
  const isAmount = (name) => name === WORN || metricOf(name).kind === "sum";
  const most = new Map(columns.filter(isAmount).map((name) => [name, Math.max(...dates.map((date) => value(date, name) ?? 0))]));
  const share = (date, name) => (most.get(name) ? (value(date, name) ?? 0) / most.get(name) : 0);
  const kindOf = (name) => (name === WORN ? "heart" : classOf(name));

  const heads = ["Day", ...columns.map((name) => (name === WORN ? WORN : metricOf(name).title))];
  $("week-head").replaceChildren(...heads.map((head) => make("th", { scope: "col" }, head)));
  $("week-rows").replaceChildren(
    ...dates.map((date) => {
      const link = make("a", { href: addressOfDay(user, date, tz) }, formatDay(date, { weekday: "short", day: "numeric", month: "short" }));
      return make("tr", {}, make("th", { scope: "row" }, link), ...columns.map((name) => cellOf(words(date, name), share(date, name), kindOf(name))));
    }),
  );
  const total = [...worn.values()].reduce((sum, seconds) => sum + seconds, 0);
  const whole = columns.map((name) => (name === WORN ? formatHours(total) : textOf(name, summary.metrics[name])));
  $("week-whole").replaceChildren(make("th", { scope: "row" }, "Week"), ...whole.map((text) => make("td", {}, text)));
  put($("week-title"), `Week of ${formatDay(week, { day: "numeric", month: "long", year: "numeric" })}`);
  return columns.length > 0;
}
