// The figures of a day: the first ones large, the others by topic; the time in zones, and the hours as a table.

import { $, make, put, show } from "./dom.js";
import { readable, spreadOf } from "./figure.js";
import { byTopic, classOf, mainOf, metricOf } from "./metrics.js";
import { secondsOf } from "./points.js";
import { formatHours, formatNumber } from "./text.js";
import { shown } from "./zone.js";
import { itemsOf } from "./zonelegend.js";
import { secondsInZones, zonesOf } from "./zones.js";

const LARGE = ["steps", "heart_rate", "distance", "calories", "resting_heart_rate", "active_energy", "exercise_time", "floors"];
const MOST_LARGE = 4;

function figure(name, figures) {
  const { text, unit: itsUnit } = readable(name, mainOf(figures));
  const unit = name === "steps" ? "" : itsUnit; // which its title says
  const value = make("data", { value: String(mainOf(figures)) }, text);
  const spread = spreadOf(name, figures);
  return make(
    "div",
    { class: `figure ${classOf(name)}`, "data-metric": name },
    make("dt", {}, metricOf(name).title),
    make("dd", {}, value, ...(unit ? [" ", make("span", { class: "unit" }, unit)] : [])),
    ...(spread ? [make("dd", { class: "more" }, spread)] : []),
  );
}

/** Show the figures of a summary. */
export function writeDayFigures({ metrics }) {
  const names = Object.keys(metrics).filter((name) => metrics[name]);
  const large = LARGE.filter((name) => names.includes(name)).slice(0, MOST_LARGE);
  $("day-figures").replaceChildren(...large.map((name) => figure(name, metrics[name])));
  const groups = byTopic(names.filter((name) => !large.includes(name)));
  $("day-others").replaceChildren(
    ...groups.map(([topic, some]) => make("section", {}, make("h3", {}, topic), make("dl", {}, ...some.map((name) => figure(name, metrics[name]))))),
  );
  show($("day-others"), groups.length > 0);
}

/** Show how long the heart rate was in each zone, as a bar and in words. */
export function writeZoneTimes({ points, bucket }, maximum) {
  const times = secondsInZones(points, secondsOf(bucket), maximum);
  const part = (seconds, kind) => {
    const span = make("span", { class: kind });
    span.style.flexGrow = seconds;
    return span;
  };
  const parts = [part(times.below, "under"), ...zonesOf(maximum).map(({ place }, i) => part(times.zones[i], `zone-${place}`))];
  $("day-zone-bar").replaceChildren(...parts);
  $("day-zones").replaceChildren(...itemsOf(maximum, times));
  put($("day-measured"), `A heart rate in ${formatHours(times.measured)} of the day, by averages of ${bucket === "1m" ? "minutes" : bucket}.`);
}

/** Show the hours as a table. */
export function writeHourTable(hours, tz) {
  const measured = hours.filter(({ steps, avg, calories }) => steps !== null || avg !== null || calories !== null);
  $("day-hours").replaceChildren(
    ...measured.map(({ t, steps, calories, avg, min, max }) => {
      const from = new Date(shown(t, tz)).toISOString().slice(11, 16);
      return make("tr", {}, make("th", { scope: "row" }, from), ...[avg, min, max, steps, calories].map((value) => make("td", {}, formatNumber(value))));
    }),
  );
}
