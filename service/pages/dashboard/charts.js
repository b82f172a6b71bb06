// The charts: heart rate as a band from min to max with its average, steps and calories as bars, one time axis; or, of
// each device alone, a line and bars of its own.

import { make } from "./dom.js";
import { drawBand, drawBars, drawLanes, drawLine } from "./drawing.js";
import { secondsOf } from "./points.js";
import { NOTHING, count, formatNumber } from "./text.js";
import { asIfHere, shown } from "./zone.js";

const HEIGHTS = { heart_rate: 280, steps: 150, calories: 150 };
const TITLES = { heart_rate: "Heart rate, bpm", steps: "Steps", calories: "Calories, kcal" };
const LEAST_DRAG = 6; // px
const FINE = 300; // points from which on a band is drawn by rectangles
export const DEVICE_COLORS = 5; // of the style sheet
const AXIS = 52; // px for the numbers beside a chart

const nextFrame = () => new Promise((done) => requestAnimationFrame(() => done()));

let library = null;

/** Load uPlot; rejects where it is not installed. As a script, since its module is not minified: 42 kB compressed, not 22. */
function loadLibrary() {
  library ??= new Promise((done, fail) => {
    const script = make("script", { src: "/libraries/uplot/dist/uPlot.iife.min.js", load: () => done(window.uPlot), error: fail });
    document.head.append(script);
  });
  library.catch(() => (library = null));
  return library;
}

/** Resolve the style sheet's colors for the canvas. */
function readInks(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "quiet", "edge", "field", "heart", "heart-band", "steps", "calories"];
  const inks = Object.fromEntries(names.map((name) => [name, read(name)]));
  inks.devices = Array.from({ length: DEVICE_COLORS }, (none, i) => read(`device-${i}`));
  inks.font = getComputedStyle(element).fontFamily;
  probe.remove();
  return inks;
}

/** Marks on the time axis: what a clock in the zone shows, days where it is midnight. */
function marks(tz) {
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  const month = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });
  return (plot, splits, axis, space, increment) =>
    splits.map((t) => {
      const wall = shown(t * 1000, tz);
      if (increment >= 28 * 86400) return month.format(wall);
      const text = new Date(wall).toISOString();
      if (increment >= 86400 || text.slice(11, 19) === "00:00:00") return day.format(wall);
      return increment >= 60 ? text.slice(11, 16) : text.slice(11, 19);
    });
}

/**
 * Keep charts in an element. zoom(start, end) in ms is called when a person drags over a part, point(index) when one is
 * pointed at, with null when none is. Returns draw(…), which rejects where the library is missing, and clear().
 */
export function makeCharts(element, zoom, point) {
  let plots = [];
  let drawing = 0;

  function clear() {
    drawing += 1;
    for (const plot of plots) plot.destroy();
    plots = [];
    element.replaceChildren();
  }

  /**
   * Draw parts over a range in ms, one chart in each frame: {device, columns}, on the same t, of each device, or a single
   * one of the best of all, whose devices are told apart in lanes below the heart rate. colors has the place of each
   * device among the colors.
   */
  async function draw(asked) {
    const mine = ++drawing;
    const Plot = await loadLibrary();
    if (mine !== drawing) return;
    const inks = readInks(element);
    const figures = asked.metrics.map((metric) => figureOf(metric));
    element.replaceChildren(...figures);
    const old = plots;
    plots = [];
    for (const plot of old) if (!figures.some((figure) => figure.contains(plot.root))) plot.destroy();
    for (const [i, metric] of asked.metrics.entries()) {
      await nextFrame();
      if (mine !== drawing) return;
      old.find((plot) => figures[i].contains(plot.root))?.destroy();
      plots.push(plotOf(Plot, inks, metric, i === asked.metrics.length - 1, asked, figures[i]));
    }
  }

  /** The figure of a metric: the one that is there, whose chart stays until the next one takes its place. */
  function figureOf(metric) {
    const known = element.querySelector(`[data-metric=${metric}]`);
    if (known) return known;
    const figure = make("figure", { "data-metric": metric }, make("figcaption", {}, TITLES[metric]));
    figure.style.minHeight = `calc(${HEIGHTS[metric]}px + 1.5em)`; // so that nothing moves when its chart is drawn
    return figure;
  }

  function plotOf(Plot, inks, metric, isLast, asked, figure) {
    const { parts, range, tz } = asked;
    const isEach = parts[0].device !== null;
    const made = metric !== "heart_rate" ? bars(inks, metric, asked) : isEach ? lines(inks, asked) : band(inks, asked);
    const options = {
      width: Math.max(200, element.clientWidth),
      height: HEIGHTS[metric] + (isLast ? 30 : 0),
      legend: { show: false },
      padding: [8, 16, isLast ? 0 : 6, 0],
      tzDate: (t) => asIfHere(t * 1000, tz),
      cursor: { sync: { key: "explore", setSeries: false }, drag: { x: true, y: false, setScale: false }, y: false, points: { show: false } },
      scales: { x: { time: true, range: [range.start / 1000, range.end / 1000] }, y: { range: made.range } },
      axes: axes(inks, isLast, tz),
      series: [{}, ...made.series],
      bands: made.bands,
      hooks: {
        setSelect: [select],
        setCursor: [(plot) => plot === plots[0] && point(plot.cursor.left >= 0 ? plot.cursor.idx : null)],
        drawAxes: made.drawBelow ? [made.drawBelow] : [],
        draw: made.draw ? [made.draw] : [],
      },
    };
    return new Plot(options, made.data, figure);
  }

  function select(plot) {
    const { left, width } = plot.select;
    if (width < LEAST_DRAG) return;
    const [start, end] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    for (const each of plots) each.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoom(start * 1000, end * 1000);
  }

  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: Math.max(200, element.clientWidth), height: plot.height });
  }).observe(element);

  return { draw, clear };
}

function axes(inks, isLast, tz) {
  const font = `12px ${inks.font}`;
  const line = { stroke: inks.edge, width: 1 };
  return [
    {
      stroke: inks.quiet,
      font,
      grid: line,
      ticks: { ...line, show: isLast, size: 4 },
      values: isLast ? marks(tz) : (plot, splits) => splits.map(() => null),
      size: isLast ? 30 : 0,
      space: 72,
    },
    { stroke: inks.quiet, font, grid: line, ticks: { show: false }, size: AXIS, space: 36, values: (plot, splits) => splits.map(formatNumber) },
  ];
}

const unseen = { stroke: "transparent", width: 0, paths: () => null, points: { show: false } };
const tens = (low, high, room) => (low === null ? [40, 160] : [Math.floor((low - 4 - room) / 10) * 10, Math.ceil((high + 2) / 10) * 10]);
const inkOf = (inks, colors) => (device) => inks.devices[colors.get(device)] ?? inks.field;

/** The heart rate of the best of all. */
function band(inks, { parts: [{ columns }], bucket, devices, colors }) {
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
    draw: (plot) => {
      drawLine(plot, columns.avg, inks.heart, !isRaw);
      if (room) drawLanes(plot, inkOf(inks, colors), columns.device, devices);
    },
  };
}

/** The average heart rate of each device alone. */
function lines(inks, { parts, bucket, colors }) {
  const draw = (plot) => {
    for (const { device, columns } of parts) drawLine(plot, columns.avg, inkOf(inks, colors)(device), bucket !== "raw");
  };
  const data = [parts[0].columns.t, ...parts.map(({ columns }) => columns.avg)];
  return { data, series: parts.map(() => unseen), bands: [], range: (plot, low, high) => tens(low, high, 0), draw };
}

function bars(inks, metric, { parts, bucket, colors }) {
  const columns = parts.map((part) => part.columns[metric]);
  const own = parts.map(({ device }) => (device === null ? inks[metric] : inkOf(inks, colors)(device)));
  return {
    data: [parts[0].columns.t, ...columns],
    series: parts.map(() => unseen),
    bands: [],
    range: (plot, low, high) => [0, high ? high * 1.08 : 1],
    draw: (plot) => drawBars(plot, columns, own, secondsOf(bucket)),
  };
}

/** What is at a point, as one line; of each device where there are several parts. */
export function tellPoint(parts, index, metrics, nameOf, when) {
  const told = parts.map(({ device, columns }) => {
    const values = valuesAt(columns, index, metrics, device === null ? nameOf : () => "");
    return device === null ? values || NOTHING : values && `${nameOf(device)} ${values}`;
  });
  return `${when(parts[0].columns.t[index] * 1000)}: ${told.filter(Boolean).join("; ") || NOTHING}`;
}

function valuesAt(columns, index, metrics, nameOf) {
  const told = [];
  if (metrics.includes("heart_rate") && columns.avg[index] !== null) {
    const [low, high] = [formatNumber(columns.min[index]), formatNumber(columns.max[index])];
    const spread = low === high ? "" : ` (${low}–${high})`;
    told.push(`${formatNumber(columns.avg[index])}${spread} bpm`, nameOf(columns.device[index]));
  }
  if (metrics.includes("steps") && columns.steps[index] !== null) told.push(count(columns.steps[index], "step"));
  if (metrics.includes("calories") && columns.calories[index] !== null) told.push(`${formatNumber(columns.calories[index])} kcal`);
  return told.filter(Boolean).join(", ");
}
