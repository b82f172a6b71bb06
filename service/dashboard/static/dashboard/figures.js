// The figures of a range: to be read at a glance, and exactly to the last digit as their values and titles.

import { $, make, put, set, show } from "./dom.js";
import { BASIC, classOf, metricOf, unitOf } from "./metrics.js";
import { NOTHING, count, formatFigure, formatMilliseconds, formatMoment, formatNumber } from "./text.js";

const HOUR = 3_600_000; // ms
const SMALL = 1000; // below which a level has a decimal
const WORDS = { gauge: "Average", sum: "Total", latest: "Last" };

/** Over days, what a day has on average; otherwise what an hour has. */
function pace(total, { start, end }) {
  const [length, unit] = end - start >= 48 * HOUR ? [24 * HOUR, "a day"] : [HOUR, "an hour"];
  return `${formatFigure((total * length) / (end - start), 10)} ${unit}`;
}

/** The figures of a metric in a summary or a point; null where nothing was measured. */
export const figuresOf = ({ metrics = {}, heart_rate: heart, steps, calories }, name) => {
  if (!BASIC.includes(name)) return metrics[name] ?? null;
  if (name === "heart_rate") return heart;
  const total = name === "steps" ? steps : calories;
  return total === null ? null : { total };
};

/** What a figure says: its value, written, and what stands below it. */
function toldOf(name, figures, range, tz) {
  if (!figures) return { value: null, text: NOTHING, more: "not measured" };
  const { avg, min, max, count: values, total, last, timestamp } = figures;
  const unit = unitOf(name) ? ` ${unitOf(name)}` : "";
  const level = (number) => (name === "heart_rate" ? formatFigure(number, SMALL) : formatNumber(number));
  if (avg !== undefined) return { value: avg, text: level(avg), more: `${level(min)} to ${level(max)}${unit}, ${count(values, "value")}` };
  if (total !== undefined) return { value: total, text: formatFigure(total, name === "calories" ? 100 : 10), more: pace(total, range) };
  return { value: last, text: formatNumber(last), more: formatMoment(timestamp, tz) };
}

const titleOf = (name) => {
  const { title, kind } = metricOf(name);
  return BASIC.includes(name) ? `${WORDS[kind]} ${title.toLowerCase()}` : `${title}, ${WORDS[kind].toLowerCase()}`;
};

const IDS = { heart_rate: "average", steps: "steps", calories: "calories" };

function makeFigure(name) {
  const value = make("data", { id: IDS[name] ?? null });
  const unit = BASIC.includes(name) && name === "steps" ? "" : unitOf(name);
  const cell = make("dd", {}, value, ...(unit ? [" ", make("span", { class: "unit" }, unit)] : []));
  return make("div", { class: `figure ${classOf(name)}`, "data-metric": name }, make("dt", {}, titleOf(name)), cell, make("dd", { class: "more" }));
}

/** Show a summary: a figure of each metric, in place where it is there already. */
export function writeFigures(body, metrics, range, tz) {
  const last = $("first").closest(".figure");
  const there = new Map([...last.parentElement.querySelectorAll("[data-metric]")].map((each) => [each.dataset.metric, each]));
  const figures = metrics.map((name) => there.get(name) ?? makeFigure(name));
  if ([...there.values()].some((each, i) => each !== figures[i]) || there.size !== figures.length) last.parentElement.replaceChildren(...figures, last);
  metrics.forEach((name, i) => {
    const { value, text, more } = toldOf(name, figuresOf(body, name), range, tz);
    const element = figures[i].querySelector("data");
    put(element, text);
    element.value = value ?? "";
    set(element, "title", String(value ?? ""));
    put(figures[i].querySelector(".more"), more);
  });
  put($("first"), body.first ? formatMoment(body.first, tz) : NOTHING);
  put($("last"), body.last ? formatMoment(body.last, tz) : NOTHING);
}

const from = (sources) => (sources.length > 0 ? ` from ${sources.join(", ")}` : "");

/** Tell which resolutions answered, each in how many ms, and all together; a summary that holds no reading took none. */
export function writeSources(summary, series, took) {
  const { points, bucket, sources } = series.body;
  const what = bucket === "raw" ? count(points.length, "reading") : `${count(points.length, "bucket")} of ${bucket}`;
  put($("points"), `${what}${from(sources)}, in ${formatMilliseconds(series.took)}`);
  put($("took"), `Figures${from(summary.body.sources)}, in ${formatMilliseconds(summary.took)}`);
  show($("took"), summary.body.sources.length > 0);
  $("points").title = `All answers together: ${formatMilliseconds(took)}`;
}
