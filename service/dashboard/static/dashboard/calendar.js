// A year of days: a cell for each, colored by a metric, and the same as a table.

import { addressOfDay } from "./daysquestion.js";
import { $, make, put } from "./dom.js";
import { figuresOf } from "./figures.js";
import { spreadOf, wordsOf } from "./figure.js";
import { addDays, daysBetween, formatDay, mondayOf, today } from "./localdays.js";
import { classOf, mainOf, metricOf } from "./metrics.js";

const LEVELS = 5; // of color, beside none
const NONE = "nothing measured";
const WEEK = daysBetween("2024-01-01", "2024-01-08").map((date) => formatDay(date, { weekday: "narrow" }));

/** Values above which a next level begins: those that part the days of a year into equal numbers. */
export function stepsOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const steps = Array.from({ length: LEVELS - 1 }, (none, i) => sorted[Math.ceil(((i + 1) * sorted.length) / LEVELS) - 1]);
  return [...new Set(steps)];
}

const levelOf = (value, steps) => (value === null ? 0 : 1 + steps.filter((step) => value > step).length);

/** A month: its name, the days of the week, and a cell for each day; those to come are no links. */
function monthOf(first, cell) {
  const next = addDays(`${first.slice(0, 7)}-28`, 4).slice(0, 7);
  const days = daysBetween(first, `${next}-01`).map(cell);
  days[0].style.gridColumnStart = daysBetween(mondayOf(first), first).length + 1;
  const names = WEEK.map((name) => make("span", { class: "weekday", "aria-hidden": "true" }, name));
  return make("section", { class: "month" }, make("h3", {}, formatDay(first, { month: "long" })), make("div", { class: "month-days" }, ...names, ...days));
}

/** Show a year of points by day. Returns how many days have a value. */
export function writeYear({ user, metric, year, tz }, points) {
  const valueOf = (date) => mainOf(points.has(date) ? figuresOf(points.get(date), metric) : null);
  const all = daysBetween(`${year}-01-01`, `${year + 1}-01-01`);
  const values = all.map(valueOf).filter((value) => value !== null);
  const steps = stepsOf(values);
  const last = today(tz);
  const words = (date) => (valueOf(date) === null ? NONE : wordsOf(metric, figuresOf(points.get(date), metric)));
  const cell = (date) => {
    const text = String(Number(date.slice(8)));
    if (date > last) return make("span", { class: "date to-come" }, text);
    const label = `${formatDay(date)}: ${words(date)}`;
    const attributes = { href: addressOfDay(user, date, tz), "data-date": date, "aria-label": label, title: label, tabindex: -1 };
    return make("a", { ...attributes, class: `date level-${levelOf(valueOf(date), steps)}` }, text);
  };
  const months = Array.from({ length: 12 }, (none, i) => monthOf(`${year}-${String(i + 1).padStart(2, "0")}-01`, cell));
  $("calendar").className = `calendar ${classOf(metric)}`;
  $("calendar").setAttribute("aria-label", `${metricOf(metric).title}, the days of ${year}. Arrow keys go from day to day.`);
  $("calendar").replaceChildren(...months);
  writeLevels(metric, steps, values.length);
  writeRows(metric, all.filter((date) => valueOf(date) !== null), (date) => figuresOf(points.get(date), metric), { user, tz });
  return values.length;
}

function writeLevels(metric, steps, days) {
  const swatch = (level) => make("span", { class: `swatch date level-${level}`, "aria-hidden": "true" });
  const wording = (value) => wordsOf(metric, { last: value });
  const known = steps.map((step, i) => make("li", {}, swatch(i + 1), `up to ${wording(step)}`));
  const more = make("li", {}, swatch(steps.length + 1), "more");
  $("levels").className = `levels ${classOf(metric)}`;
  $("levels").replaceChildren(make("li", {}, swatch(0), NONE), ...(days ? [...known, more] : []));
}

function writeRows(metric, dates, figures, { user, tz }) {
  const rows = dates.map((date) => {
    const cells = [wordsOf(metric, figures(date)), spreadOf(metric, figures(date))];
    const link = make("a", { href: addressOfDay(user, date, tz) }, formatDay(date));
    return make("tr", {}, make("th", { scope: "row" }, link), ...cells.map((text) => make("td", {}, text)));
  });
  put($("year-head"), metricOf(metric).title);
  $("year-rows").replaceChildren(...rows);
}

/** Let keys go from day to day; the calendar is a single stop of the tab key. */
export function makeCalendarKeys(element) {
  const DAYS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  const cells = () => [...element.querySelectorAll("a.date")];
  const enter = (cell) => {
    for (const other of element.querySelectorAll("a[tabindex='0']")) other.tabIndex = -1;
    if (cell) cell.tabIndex = 0;
  };

  element.addEventListener("keydown", (event) => {
    const all = cells();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const ends = { Home: 0, End: all.length - 1 };
    const next = event.key in DAYS ? at + DAYS[event.key] : ends[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const cell = all[Math.min(all.length - 1, Math.max(0, next))];
    enter(cell);
    cell.focus();
  });
  element.addEventListener("focusin", (event) => event.target.matches("a.date") && enter(event.target));
  /** Make a day the one that the tab key reaches: the last one that is there. */
  return () => enter(cells().at(-1));
}
