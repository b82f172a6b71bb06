// What can be compared: the devices of a person, or people. How the page speaks of either, and the figures of each.

import { $, make, put, show } from "./dom.js";
import { figuresOf } from "./figures.js";
import { headingOf, mainOf, metricOf } from "./metrics.js";
import { NOTHING, formatFigure, formatNumber, formatWhole } from "./text.js";

/** The priority of a device, and those of single metrics: "2, steps 5". */
const prioritiesOf = ({ priority, metrics }) =>
  [priority, ...Object.entries(metrics).map(([metric, other]) => `${metricOf(metric).title.toLowerCase()} ${other}`)].join(", ");

const DEVICES = {
  head: "Device",
  key: "device_id",
  legend: "Each alone",
  title: "Each device alone",
  note:
    "What each reported by itself. Where several report in the same minute, only the best of them, the one with the smallest " +
    "priority, counts in the figures above, so these need not add up to them.",
  column: "Priority",
  tell: ({ name }, worn) => prioritiesOf(worn.find(({ device_id: device }) => device === name)),
  left: (parts, worn) => (worn.length > parts.length ? `The best ${parts.length} of ${worn.length} devices are shown.` : ""),
};
const PEOPLE = {
  head: "User",
  key: "user_id",
  legend: "Compared",
  title: "Each user",
  note: "All over the same range. The figures above, and what is copied below, are those of the first.",
  column: "Least to most bpm",
  tell: ({ summary: { body } }) => (body.heart_rate ? `${formatFigure(body.heart_rate.min, 1000)}–${formatFigure(body.heart_rate.max, 1000)}` : NOTHING),
  left: () => "",
};

/** What a question compares; null where it compares nothing. */
export const comparedIn = (question) => (question.others.length > 0 ? PEOPLE : question.each ? DEVICES : null);

const HEADS = { heart_rate: "Average bpm", steps: "Steps", calories: "kcal" };

/** What heads the column of a metric. */
export const headOf = (name) => HEADS[name] ?? headingOf(name);

const formatMain = (name, figures) => (name === "steps" ? formatWhole : formatNumber)(mainOf(figures));

/** Show the figures of each part beside each other; none where nothing is compared. */
export function writeEach(kind, parts, metrics, worn, swatchOf) {
  show($("each"), Boolean(parts));
  if (!parts) return;
  put($("each-title"), kind.title);
  put($("each-note"), `${kind.note} ${kind.left(parts, worn)}`.trim());
  const heads = [kind.head, kind.column, ...metrics.map(headOf)];
  $("each-head").replaceChildren(...heads.map((head) => make("th", { scope: "col" }, head)));
  $("each-rows").replaceChildren(
    ...parts.map((part) => {
      const cells = [kind.tell(part, worn), ...metrics.map((name) => formatMain(name, figuresOf(part.summary.body, name)))];
      return make("tr", {}, make("th", { scope: "row" }, swatchOf(part.name), part.name), ...cells.map((cell) => make("td", {}, cell)));
    }),
  );
}
