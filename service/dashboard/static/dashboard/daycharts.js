// The drawings of a day: the heart rate with its zones, and the steps by hour.

import { at, draw, drawing } from "./svg.js";
import { formatWhole } from "./text.js";
import { shown } from "./zone.js";
import { zonesOf } from "./zones.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [40, 8, 12, 24]; // px around a plot
const HEIGHTS = { heart: 280, steps: 150 }; // px
const HOUR = 3_600_000; // ms
const APART = 1200; // seconds between values that a line joins at most
const ROOM = 15; // px that the name of a zone needs
const NARROW = 560; // px below which fewer hours are named
const LEAST_SPAN = 60; // bpm that are drawn
const NEAR = 26; // px of a label at an edge

const clock = (ms, tz) => new Date(shown(ms, tz)).toISOString().slice(11, 16);

/** The hours below a plot, as a clock shows them. */
function hours({ start, end }, tz, width, height) {
  const x = (ms) => LEFT + ((ms - start) / (end - start)) * (width - LEFT - RIGHT);
  const every = width < NARROW ? 6 : 3;
  const marks = [];
  for (let ms = start; ms <= end; ms += HOUR) {
    const text = clock(ms, tz);
    if (Number(text.slice(0, 2)) % every || !text.endsWith(":00")) continue;
    const anchor = x(ms) > width - NEAR ? "end" : x(ms) < LEFT + 4 ? "start" : "middle";
    marks.push(draw("line", { class: "grid", x1: x(ms), x2: x(ms), y1: TOP, y2: height - BOTTOM }));
    marks.push(draw("text", { x: x(ms), y: height - 6, "text-anchor": anchor }, text));
  }
  return { x, marks };
}

const level = (value, y, width) => [
  draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
  draw("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, formatWhole(value)),
];

/** Cut points where a line ends. */
function pieces(points) {
  const all = [];
  points.forEach((point, i) => {
    if (i === 0 || point.t - points[i - 1].t > APART * 1000) all.push([]);
    all.at(-1).push(point);
  });
  return all;
}

/** Draw heart rates, {t, avg, min, max} ascending, over a range in ms; null where there is none. */
export function drawHeart(points, range, tz, maximum, width) {
  if (points.length === 0) return null;
  const height = HEIGHTS.heart;
  const [lowest, highest] = [Math.min(...points.map(({ min }) => min)), Math.max(...points.map(({ max }) => max))];
  const from = Math.floor((lowest - 4) / 10) * 10;
  const to = Math.max(from + LEAST_SPAN, Math.ceil((highest + 6) / 10) * 10);
  const y = (rate) => height - BOTTOM - ((rate - from) / (to - from)) * (height - TOP - BOTTOM);
  const { x, marks } = hours(range, tz, width, height);
  const zones = zonesOf(maximum).flatMap((zone) => {
    const [low, high] = [Math.max(zone.from, from), Math.min(zone.to, to)];
    if (high <= low) return [];
    const tall = y(low) - y(high);
    const box = draw("rect", { class: `zone-${zone.place} area`, x: LEFT, y: y(high), width: width - LEFT - RIGHT, height: tall });
    return tall < ROOM ? [box] : [box, draw("text", { class: "faint", x: width - RIGHT - 6, y: y(low) - 4, "text-anchor": "end" }, zone.name)];
  });
  const ticks = [];
  for (let rate = Math.ceil(from / 20) * 20; rate <= to; rate += 20) ticks.push(...level(rate, y(rate), width));
  const curves = pieces(points).flatMap((some) => {
    const along = (name) => some.map((point) => at(x(point.t), y(point[name])));
    const area = draw("path", { class: "heart band", d: `M${along("max").join("L")}L${along("min").reverse().join("L")}Z` });
    return [area, draw("path", { class: "heart curve", d: `M${along("avg").join("L")}${some.length === 1 ? "h.1" : ""}` })];
  });
  const peak = points.find(({ max }) => max === highest);
  const label = `Heart rate over the day: from ${formatWhole(lowest)} to ${formatWhole(highest)} bpm, the most at ${clock(peak.t, tz)}`;
  const near = x(peak.t) > width - 60 ? { x: x(peak.t) - 8, "text-anchor": "end" } : { x: x(peak.t) + 8 };
  const top = [draw("circle", { class: "heart dot", cx: x(peak.t), cy: y(highest), r: 4 }), draw("text", { class: "strong", ...near, y: y(highest) + 4 }, `${formatWhole(highest)} bpm`)];
  return drawing(width, height, label, ...zones, ...marks, ...ticks, ...curves, ...top);
}

/** Draw amounts of hours, {t, total}, over a range in ms; null where there is none. */
export function drawHours(name, amounts, range, tz, width) {
  const most = Math.max(0, ...amounts.map(({ total }) => total ?? 0));
  if (most === 0) return null;
  const height = HEIGHTS.steps;
  const y = (value) => height - BOTTOM - (value / (most * 1.12)) * (height - TOP - BOTTOM);
  const { x, marks } = hours(range, tz, width, height);
  const wide = x(range.start + HOUR) - x(range.start);
  const unit = 10 ** Math.floor(Math.log10(most));
  const step = [5, 2, 1, 0.5].map((share) => share * unit).find((size) => most / size >= 2) ?? unit;
  const ticks = [];
  for (let value = 0; value <= most; value += step) ticks.push(...level(value, y(value), width));
  const bars = amounts.filter(({ total }) => total).map(({ t, total }) => {
    const high = Math.max(1, y(0) - y(total));
    const tip = draw("title", {}, `${clock(t, tz)}: ${formatWhole(total)} ${name}`);
    return draw("rect", { class: "steps bar", x: x(t) + wide * 0.12, y: y(0) - high, width: wide * 0.76, height: high, rx: 2 }, tip);
  });
  const best = amounts.find(({ total }) => total === most);
  const label = `${name[0].toUpperCase()}${name.slice(1)} by hour: the most, ${formatWhole(most)}, from ${clock(best.t, tz)}`;
  return drawing(width, height, label, ...marks, ...ticks, ...bars);
}
