// What Explore shows as a table, and gives away as a file: the buckets.

import { headOf } from "./comparison.js";
import { $, make, put } from "./dom.js";
import { figuresOf } from "./figures.js";
import { mainOf, metricOf } from "./metrics.js";
import { csvOf } from "./points.js";
import { NOTHING, formatMoment, formatNumber, formatWhole } from "./text.js";

const MOST_ROWS = 500; // of the table
const KEPT = 10_000; // ms until a file that was given away is let go

const isGauge = (name) => metricOf(name).kind === "gauge";
const headsOf = (name) => (isGauge(name) ? [headOf(name), "Least", "Most"] : [headOf(name)]);
const cellsOf = (name, figures) => (isGauge(name) ? [figures?.avg, figures?.min, figures?.max] : [mainOf(figures)]).map(formatNumber);

/** Show the buckets of parts; nameOf tells the device of one, for parts that have no name themselves. */
export function writeBuckets(parts, { metrics, tz }, head, nameOf) {
  const all = parts.flatMap(({ name, points }) => points.map((point) => [name, point]));
  const rows = all.slice(0, MOST_ROWS).map(([name, point]) => {
    const from = name ?? (point.heart_rate ? nameOf(point.heart_rate.device_id) : NOTHING);
    const cells = metrics.flatMap((metric) => cellsOf(metric, figuresOf(point, metric)));
    return make("tr", {}, make("th", { scope: "row" }, formatMoment(point.t, tz)), ...[from, ...cells].map((text) => make("td", {}, text)));
  });
  const heads = ["From", head ?? "Device", ...metrics.flatMap(headsOf)];
  $("rows-head").replaceChildren(...heads.map((text) => make("th", { scope: "col" }, text)));
  $("rows").replaceChildren(...rows);
  put($("rows-shown"), all.length > MOST_ROWS ? `The first ${formatWhole(MOST_ROWS)} of ${formatWhole(all.length)}; the CSV file has all.` : "");
}

/** Have the browser save the points of parts, named after users and a bucket. */
export function download(parts, key, others, users, bucket) {
  const file = new Blob([csvOf(parts, key, others)], { type: "text/csv" });
  const name = users.join(" ").replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60);
  const link = make("a", { href: URL.createObjectURL(file), download: `${name}-${bucket}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}
