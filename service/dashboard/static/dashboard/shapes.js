// What a chart shows of a metric: its data, the range of its values, how it is drawn, and where the cursor has a dot.

import { drawBand, drawBars, drawLanes, drawLine } from "./drawing.js";
import { secondsOf } from "./points.js";

const FINE = 300; // points from which on a band is drawn by rectangles
const unseen = { stroke: "transparent", width: 0, paths: () => null, points: { show: false } };
const tens = (low, high, room) => (low === null ? [40, 160] : [Math.floor((low - 4 - room) / 10) * 10, Math.ceil((high + 2) / 10) * 10]);
const inkOf = (inks, colors) => (name) => inks.series[colors.get(name)] ?? inks.field;

/** The heart rate of the best of all. */
export function band(inks, { parts: [{ columns }], bucket, devices, colors }) {
  const isRaw = bucket === "raw";
  const isFine = columns.t.length > FINE;
  const edge = isRaw || isFine ? unseen : { ...unseen, paths: undefined };
  const room = devices.length > 1 ? devices.length : 0;
  return {
    data: [columns.t, columns.max, columns.min, columns.avg],
    series: [edge, edge, unseen],
    bands: isRaw || isFine ? [] : [{ series: [1, 2], fill: inks["heart-band"] }],
    drawBelow: isFine && !isRaw ? (plot) => drawBand(plot, inks["heart-band"]) : null,
    range: (plot, low, high) => tens(low, high, room),
    dots: [null, null, inks.heart],
    draw: (plot) => {
      drawLine(plot, columns.avg, inks.heart, !isRaw);
      if (room) drawLanes(plot, inkOf(inks, colors), columns.device, devices);
    },
  };
}

/** The average heart rate of each that is compared. */
export function lines(inks, { parts, bucket, colors }) {
  const dots = parts.map(({ name }) => inkOf(inks, colors)(name));
  const draw = (plot) => {
    parts.forEach(({ columns }, i) => drawLine(plot, columns.avg, dots[i], bucket !== "raw"));
  };
  const data = [parts[0].columns.t, ...parts.map(({ columns }) => columns.avg)];
  return { data, series: parts.map(() => unseen), bands: [], range: (plot, low, high) => tens(low, high, 0), dots, draw };
}

/** Steps or calories, of the best of all or of each that is compared. */
export function bars(inks, metric, { parts, bucket, colors }) {
  const columns = parts.map((part) => part.columns[metric]);
  const own = parts.map(({ name }) => (name === null ? inks[metric] : inkOf(inks, colors)(name)));
  return {
    data: [parts[0].columns.t, ...columns],
    series: parts.map(() => unseen),
    bands: [],
    range: (plot, low, high) => [0, high ? high * 1.08 : 1],
    dots: [],
    draw: (plot) => drawBars(plot, columns, own, secondsOf(bucket)),
  };
}
