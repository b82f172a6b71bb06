// The charts: heart rate as a band from min to max with its average, steps and calories as bars, one time axis.

import { make } from "./dom.js";
import { secondsOf } from "./points.js";
import { NOTHING, formatNumber } from "./text.js";
import { asIfHere, shown } from "./zone.js";

const HEIGHTS = { heart_rate: 280, steps: 150, calories: 150 };
const TITLES = { heart_rate: "Heart rate, bpm", steps: "Steps", calories: "Calories, kcal" };
const LANE = 5; // px of a device's line below the heart rate
const LEAST_DRAG = 6; // px
const FINE = 300; // points from which on a band is drawn by rectangles
const DOT = 3; // px
const PIECE = 32; // points of a line that are drawn at once
const WIDEST = 40; // px of a bar
const FILLED = 0.82; // share of a bucket that its bar fills
const AXIS = 52; // px for the numbers beside a chart

const nextFrame = () => new Promise((done) => requestAnimationFrame(() => done()));

let library = null;

/** Load uPlot; rejects where it is not installed. */
function loadLibrary() {
  library ??= import("/libraries/uplot/dist/uPlot.esm.js").then((module) => module.default);
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
  const names = ["ink", "quiet", "edge", "heart", "heart-band", "steps", "calories"];
  const inks = Object.fromEntries(names.map((name) => [name, read(name)]));
  inks.devices = [0, 1, 2, 3, 4].map((i) => read(`device-${i}`));
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

  /** Draw columns over a range in ms, one chart in each frame; devices are told apart in lanes below the heart rate. */
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
    return figure;
  }

  function plotOf(Plot, inks, metric, isLast, { columns, range, tz, bucket, devices }, figure) {
    const made = metric === "heart_rate" ? heartRate(inks, columns, bucket, devices) : bars(inks, metric, columns, bucket);
    const options = {
      width: Math.max(200, element.clientWidth),
      height: HEIGHTS[metric] + (isLast ? 30 : 0),
      legend: { show: false },
      padding: [8, 8, isLast ? 0 : 6, 0],
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
    { show: isLast, stroke: inks.quiet, font, grid: { show: false }, ticks: { ...line, size: 4 }, values: marks(tz), size: 30, space: 72 },
    { stroke: inks.quiet, font, grid: line, ticks: { show: false }, size: AXIS, space: 36, values: (plot, splits) => splits.map(formatNumber) },
  ];
}

function heartRate(inks, columns, bucket, devices) {
  const isRaw = bucket === "raw";
  const unseen = { stroke: "transparent", width: 0, paths: () => null, points: { show: false } };
  const isFine = columns.t.length > FINE;
  const edge = isRaw || isFine ? unseen : { ...unseen, paths: undefined };
  const room = devices.length > 1 ? devices.length : 0;
  return {
    data: [columns.t, columns.max, columns.min, columns.avg],
    series: [edge, edge, unseen],
    bands: isRaw || isFine ? [] : [{ series: [1, 2], fill: inks["heart-band"] }],
    drawBelow: isFine && !isRaw ? (plot) => drawBand(plot, inks["heart-band"]) : null,
    range: (plot, low, high) => (low === null ? [40, 160] : [Math.floor((low - 4 - room) / 10) * 10, Math.ceil((high + 2) / 10) * 10]),
    draw: (plot) => {
      drawLine(plot, inks.heart, !isRaw);
      if (room) drawLanes(plot, inks, columns.device, devices);
    },
  };
}

/** The average as a line, and as dots where there is no neighbour to draw it to. In pieces: one long path takes ten times as long without a GPU. */
function drawLine(plot, ink, joins) {
  const { ctx: pen, bbox, data } = plot;
  const scale = devicePixelRatio || 1;
  const [t, values] = [data[0], data.at(-1)];
  const isThere = (i) => joins && (values[i] ?? null) !== null;
  const dot = DOT * scale;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  pen.clip();
  pen.strokeStyle = pen.fillStyle = ink;
  pen.lineWidth = 1.75 * scale;
  pen.lineJoin = pen.lineCap = "round";
  pen.beginPath();
  values.forEach((value, i) => {
    if (value === null) return;
    const [x, y] = [plot.valToPos(t[i], "x", true), plot.valToPos(value, "y", true)];
    if (isThere(i - 1)) pen.lineTo(x, y);
    else if (isThere(i + 1)) pen.moveTo(x, y);
    else pen.fillRect(Math.round(x - dot / 2), Math.round(y - dot / 2), dot, dot);
    if (i % PIECE) return;
    pen.stroke();
    pen.beginPath();
    pen.moveTo(x, y);
  });
  pen.stroke();
  pen.restore();
}

/** The band from min to max of many buckets, by a rectangle each: a polygon of as many takes 150 ms without a GPU. */
function drawBand(plot, ink) {
  const { ctx: pen, bbox } = plot;
  const [t, high, low] = plot.data;
  pen.save();
  pen.fillStyle = ink;
  let left = Math.round(plot.valToPos(t[0], "x", true));
  t.forEach((at, i) => {
    const right = Math.round(plot.valToPos(t[i + 1] ?? at, "x", true));
    const from = Math.max(bbox.left, left);
    if (high[i] !== null && right > from) {
      const top = Math.round(plot.valToPos(high[i], "y", true));
      pen.fillRect(from, top, right - from, Math.max(1, Math.round(plot.valToPos(low[i], "y", true)) - top));
    }
    left = right;
  });
  pen.restore();
}

/** Below the line, a lane for each device, drawn where that device gave the heart rate. */
function drawLanes(plot, inks, column, devices) {
  const { ctx: pen, bbox } = plot;
  const scale = devicePixelRatio || 1;
  const t = plot.data[0];
  pen.save();
  devices.forEach((device, lane) => {
    pen.fillStyle = inks.devices[lane % inks.devices.length];
    const y = bbox.top + bbox.height - (devices.length - lane) * (LANE + 2) * scale;
    for (let from = 0; from < t.length; from += 1) {
      if (column[from] !== device) continue;
      let to = from;
      while (column[to + 1] === device) to += 1;
      const left = plot.valToPos(t[from], "x", true);
      const right = plot.valToPos(t[to + 1] ?? t[to] + (t[to] - (t[to - 1] ?? t[to])), "x", true);
      pen.fillRect(left, y, Math.max(scale, right - left), LANE * scale);
      from = to;
    }
  });
  pen.restore();
}

function bars(inks, metric, columns, bucket) {
  return {
    data: [columns.t, columns[metric]],
    series: [{ paths: () => null, points: { show: false } }],
    bands: [],
    range: (plot, low, high) => [0, high ? high * 1.08 : 1],
    draw: (plot) => drawBars(plot, inks[metric], secondsOf(bucket)),
  };
}

/** Bars that begin where their bucket does. Rectangles on whole pixels: one path of a thousand takes 150 ms without a GPU. */
function drawBars(plot, ink, seconds) {
  const { ctx: pen, bbox, data } = plot;
  const scale = devicePixelRatio || 1;
  const [first, last] = [bbox.left, bbox.left + bbox.width];
  const floor = plot.valToPos(0, "y", true);
  const { min, max } = plot.scales.x;
  const width = Math.max(scale, Math.min(WIDEST * scale, Math.floor((seconds / (max - min)) * bbox.width * FILLED)));
  pen.save();
  pen.fillStyle = ink;
  data[0].forEach((t, i) => {
    const value = data[1][i];
    if (!value) return;
    const at = Math.round(plot.valToPos(t, "x", true));
    const [left, right] = [Math.max(first, at), Math.min(last, at + width)];
    const top = Math.min(Math.round(plot.valToPos(value, "y", true)), floor - scale);
    if (right > left) pen.fillRect(left, top, right - left, floor - top);
  });
  pen.restore();
}

/** What is at a point, as one line. */
export function tellPoint(columns, index, metrics, names, when) {
  const parts = [];
  if (metrics.includes("heart_rate") && columns.avg[index] !== null) {
    const [low, high] = [formatNumber(columns.min[index]), formatNumber(columns.max[index])];
    const spread = low === high ? "" : ` (${low}–${high})`;
    parts.push(`${formatNumber(columns.avg[index])}${spread} bpm, ${names(columns.device[index])}`);
  }
  if (metrics.includes("steps") && columns.steps[index] !== null) parts.push(`${formatNumber(columns.steps[index])} steps`);
  if (metrics.includes("calories") && columns.calories[index] !== null) parts.push(`${formatNumber(columns.calories[index])} kcal`);
  return `${when(columns.t[index] * 1000)}: ${parts.join(", ") || NOTHING}`;
}
