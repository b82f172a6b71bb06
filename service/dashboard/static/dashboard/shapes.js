// What a chart shows of a metric: its data, the range of its values, how it is drawn, and where the cursor has a dot.

import { drawBand, drawBars, drawLanes, drawLine, drawSteps, drawZones } from "./drawing.js";
import { metricOf } from "./metrics.js";
import { columnsOfMetric, secondsOf } from "./points.js";

const FINE = 300; // points from which on a band is drawn by rectangles
const ROOM = 0.08; // of the span of values, above and below them
const unseen = { stroke: "transparent", width: 0, paths: () => null, points: { show: false } };
const tens = (low, high, room) => (low === null ? [40, 160] : [Math.floor((low - 4 - room) / 10) * 10, Math.ceil((high + 2) / 10) * 10]);
const inkOf = (inks, colors) => (name) => inks.series[colors.get(name)] ?? inks.field;

/** The range of levels: heart rates by tens, others with some room. */
function levels(metric, lanes) {
  if (metric === "heart_rate") return (plot, low, high) => tens(low, high, lanes);
  return (plot, low, high) => {
    if (low === null) return [0, 1];
    const room = (high - low) * ROOM || Math.abs(high) * ROOM || 1;
    return [low - room, high + room];
  };
}

/** A level of the best of all: a band from the least to the most, with the mean as a line. */
function band(inks, metric, { parts: [{ columns }], bucket, devices, colors, zones }) {
  const { value, min, max } = columnsOfMetric(metric);
  const isRaw = bucket === "raw";
  const isFine = columns.t.length > FINE;
  const edge = isRaw || isFine ? unseen : { ...unseen, paths: undefined };
  const isHeart = metric === "heart_rate";
  const room = isHeart && devices.length > 1 ? devices.length : 0;
  const { line, area } = inks.of[metric];
  return {
    data: [columns.t, columns[max], columns[min], columns[value]],
    series: [edge, edge, unseen],
    bands: isRaw || isFine ? [] : [{ series: [1, 2], fill: area }],
    drawBelow: (plot) => {
      if (isHeart && zones) drawZones(plot, zones, inks.zones);
      if (isFine && !isRaw) drawBand(plot, area);
    },
    range: levels(metric, room),
    dots: [null, null, line],
    draw: (plot) => {
      drawLine(plot, columns[value], line, !isRaw);
      if (room) drawLanes(plot, inkOf(inks, colors), columns.device, devices);
    },
  };
}

/** The mean of each that is compared. */
function lines(inks, metric, { parts, bucket, colors, zones }) {
  const columns = parts.map((part) => part.columns[columnsOfMetric(metric).value]);
  const dots = parts.map(({ name }) => inkOf(inks, colors)(name));
  return {
    data: [parts[0].columns.t, ...columns],
    series: parts.map(() => unseen),
    bands: [],
    drawBelow: (plot) => metric === "heart_rate" && zones && drawZones(plot, zones, inks.zones),
    range: levels(metric, 0),
    dots,
    draw: (plot) => columns.forEach((values, i) => drawLine(plot, values, dots[i], bucket !== "raw")),
  };
}

/** An amount, of the best of all or of each that is compared. */
function bars(inks, metric, { parts, bucket, colors }) {
  const columns = parts.map((part) => part.columns[metric]);
  const own = ownInks(inks, metric, parts, colors);
  return {
    data: [parts[0].columns.t, ...columns],
    series: parts.map(() => unseen),
    bands: [],
    range: (plot, low, high) => [0, high ? high * 1.08 : 1],
    dots: [],
    draw: (plot) => drawBars(plot, columns, own, secondsOf(bucket)),
  };
}

/** A level that changes rarely, of the best of all or of each that is compared: its values, joined by steps. */
function steps(inks, metric, { parts, colors }) {
  const columns = parts.map((part) => part.columns[metric]);
  const own = ownInks(inks, metric, parts, colors);
  return {
    data: [parts[0].columns.t, ...columns],
    series: parts.map(() => unseen),
    bands: [],
    range: levels(metric, 0),
    dots: own,
    draw: (plot) => columns.forEach((values, i) => drawSteps(plot, values, own[i])),
  };
}

const ownInks = (inks, metric, parts, colors) => parts.map(({ name }) => (name === null ? inks.of[metric].line : inkOf(inks, colors)(name)));

/** What the chart of a metric shows, by its kind. */
export function shapeOf(inks, metric, asked) {
  const { kind } = metricOf(metric);
  if (kind === "sum") return bars(inks, metric, asked);
  if (kind === "latest") return steps(inks, metric, asked);
  return (asked.parts[0].name === null ? band : lines)(inks, metric, asked);
}
