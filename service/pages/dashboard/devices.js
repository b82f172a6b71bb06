// Each device alone: what it reported, without the rule by which only the best of several counts.

import { ask } from "./api.js";
import { $, make, put, show } from "./dom.js";
import { align, columnsOf } from "./points.js";
import { pathsOf } from "./question.js";
import { NOTHING, formatNumber, formatWhole } from "./text.js";

const MOST = 5; // devices: as many as there are colors

/** Ask for the devices of a range, the best first; none where it holds no reading. */
export async function askDevices(question, range, signal) {
  const { body } = await ask(pathsOf(question, range).devices, signal);
  return body.devices;
}

/** Ask what each of the best devices reported: {name, summary, points, columns}, all on the same t. */
export async function askEach(question, range, devices, signal) {
  const parts = await Promise.all(
    devices.slice(0, MOST).map(async ({ device_id: name }) => {
      const paths = pathsOf(question, range, name);
      const [summary, series] = await Promise.all([ask(paths.summary, signal), ask(paths.series, signal)]);
      return { name, summary: summary.body, points: series.body.points, columns: columnsOf(series.body) };
    }),
  );
  const aligned = align(parts.map((part) => part.columns));
  return parts.map((part, i) => ({ ...part, columns: aligned[i] }));
}

/** Show the figures of each device beside those of the best of all. */
export function writeEach(parts, devices, swatch) {
  show($("each"), Boolean(parts));
  if (!parts) return;
  const priorities = new Map(devices.map(({ device_id: device, priority }) => [device, priority]));
  $("each-rows").replaceChildren(
    ...parts.map(({ name, summary: { heart_rate: heart, steps, calories } }) => {
      const cells = [priorities.get(name), heart ? formatNumber(heart.avg) : NOTHING, formatWhole(steps), formatNumber(calories)];
      return make("tr", {}, make("th", { scope: "row" }, swatch(name), name), ...cells.map((cell) => make("td", {}, String(cell))));
    }),
  );
  const left = devices.length - parts.length;
  put($("each-left"), left > 0 ? `The best ${parts.length} of ${devices.length} devices are shown.` : "");
}
