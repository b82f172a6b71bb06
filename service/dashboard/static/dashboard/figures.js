// The figures of a range: to be read at a glance, and exactly to the last digit as their values and titles.

import { $, put, show } from "./dom.js";
import { NOTHING, count, formatFigure, formatMilliseconds, formatMoment, formatWhole } from "./text.js";

const HOUR = 3_600_000; // ms
const SMALL = 1000; // below which a heart rate has a decimal

/** Over days, what a day has on average; otherwise what an hour has. */
function pace(total, { start, end }) {
  const [length, unit] = end - start >= 48 * HOUR ? [24 * HOUR, "a day"] : [HOUR, "an hour"];
  return total === null ? "not measured" : `${formatWhole((total * length) / (end - start))} ${unit}`;
}

function writeFigure(element, value, small) {
  put(element, formatFigure(value, small));
  element.value = value ?? "";
  element.title = value ?? "";
}

/** Show a summary. */
export function writeFigures({ heart_rate: heart, steps, calories, first, last }, range, tz) {
  const spread = heart && `${formatFigure(heart.min, SMALL)} to ${formatFigure(heart.max, SMALL)} bpm, ${count(heart.count, "value")}`;
  writeFigure($("average"), heart?.avg ?? null, SMALL);
  put($("extremes"), spread ?? "not measured");
  writeFigure($("steps"), steps);
  put($("steps-pace"), pace(steps, range));
  writeFigure($("calories"), calories, 100);
  put($("calories-pace"), pace(calories, range));
  put($("first"), first ? formatMoment(first, tz) : NOTHING);
  put($("last"), last ? formatMoment(last, tz) : NOTHING);
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
