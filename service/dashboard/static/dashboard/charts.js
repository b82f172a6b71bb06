// The charts, a metric each on one time axis: levels as a band from min to max with the average, amounts as bars, what
// changes rarely as steps; or, of each device alone and of each who is compared, a line, bars and steps of its own.

import { COLORS } from "./colors.js";
import { followFinger, nextMeasured, placeAt } from "./cursor.js";
import { make } from "./dom.js";
import { classOf, headingOf, metricOf } from "./metrics.js";
import { shapeOf } from "./shapes.js";
import { formatNumber } from "./text.js";
import { asIfHere, shown } from "./zone.js";

const HEIGHTS = { gauge: 200, sum: 150, latest: 150 };
const heightOf = (metric) => (metric === "heart_rate" ? 280 : (HEIGHTS[metricOf(metric).kind] ?? HEIGHTS.gauge));
const ZONES = 5;
const LEAST_DRAG = 6; // px
const AXIS = 52; // px for the numbers beside a chart
const DOT = 9; // px

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

/** Resolve the style sheet's colors for the canvas; of has those of each metric. */
function readInks(element, metrics) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["quiet", "edge", "field", "surface"];
  const inks = Object.fromEntries(names.map((name) => [name, read(name)]));
  inks.series = Array.from({ length: COLORS }, (none, i) => read(`series-${i}`));
  inks.zones = Array.from({ length: ZONES }, (none, i) => read(`zone-${i + 1}-area`));
  inks.of = {};
  for (const metric of metrics) {
    probe.className = classOf(metric);
    inks.of[metric] = { line: read("own"), area: read("own-area") };
  }
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
 * Keep charts in an element. zoom(start, end) in ms is called when a person drags over a part, point(index, anchor) when one
 * is pointed at, with null when none is; the anchor is {x, y, plot} in px of the screen. Returns draw(…), which rejects
 * where the library is missing, clear(), step(by), which moves the cursor to the next point, and leave(), which ends pointing.
 */
export function makeCharts(element, zoom, point) {
  const plots = new Map(); // {plot, asked} by metric, asked being what it shows; until it is destroyed, whatever is drawn since
  let drawing = 0;
  let shownNow = null; // what was asked to be drawn
  let pointed = null; // the index of what is
  let pointer = null; // where one is, {x, y} in px of the screen; null while keys move the cursor

  function clear() {
    drawing += 1;
    shownNow = null;
    for (const metric of [...plots.keys()]) remove(metric);
    element.replaceChildren();
  }

  function remove(metric) {
    plots.get(metric)?.plot.destroy();
    plots.delete(metric);
  }

  /** The charts of what is asked now, from above; not those that still show what was asked before. */
  function current() {
    const ofMetrics = (shownNow?.metrics ?? []).map((metric) => plots.get(metric));
    return ofMetrics.filter((chart) => chart?.asked === shownNow).map(({ plot }) => plot);
  }

  /**
   * Draw parts over a range in ms, one chart in each frame: {name, columns}, on the same t, of each that is compared, or a
   * single one without a name, of the best of all, whose devices are told apart in lanes below the heart rate. colors has
   * the place of each name among the colors, and zones, where there are some, lie behind the heart rate.
   */
  async function draw(asked) {
    const mine = ++drawing;
    const Plot = await loadLibrary();
    if (mine !== drawing) return;
    const inks = readInks(element, asked.metrics);
    const figures = asked.metrics.map((metric) => figureOf(metric));
    element.replaceChildren(...figures);
    shownNow = asked;
    for (const metric of [...plots.keys()]) if (!asked.metrics.includes(metric)) remove(metric);
    for (const [i, metric] of asked.metrics.entries()) {
      await nextFrame();
      if (mine !== drawing) return;
      remove(metric);
      plots.set(metric, { plot: plotOf(Plot, inks, metric, i === asked.metrics.length - 1, asked, figures[i]), asked });
    }
    pointAnew();
  }

  /** Tell what is under a pointer that rests while another answer comes. */
  function pointAnew() {
    const [first] = current();
    if (!first || pointer === null || !element.matches(":hover")) return;
    const { left, right } = first.over.getBoundingClientRect();
    if (pointer.x >= left && pointer.x <= right) moveTo(pointer.x - left);
  }

  /** The figure of a metric: the one that is there, whose chart stays until the next one takes its place. */
  function figureOf(metric) {
    const known = element.querySelector(`[data-metric="${metric}"]`);
    if (known) return known;
    const figure = make("figure", { "data-metric": metric }, make("figcaption", {}, headingOf(metric)));
    figure.style.minHeight = `calc(${heightOf(metric)}px + 1.5em)`; // so that nothing moves when its chart is drawn
    return figure;
  }

  function plotOf(Plot, inks, metric, isLast, asked, figure) {
    const { range, tz } = asked;
    const made = shapeOf(inks, metric, asked);
    const options = {
      width: Math.max(200, element.clientWidth),
      height: heightOf(metric) + (isLast ? 30 : 0),
      legend: { show: false },
      padding: [8, 16, isLast ? 0 : 6, 0],
      tzDate: (t) => asIfHere(t * 1000, tz),
      cursor: {
        sync: { key: "explore", setSeries: false },
        drag: { x: true, y: false, setScale: false },
        y: false,
        dataIdx: (plot, i, nearest, t) => placeAt(plot, nearest, t, asked.bucket),
        points: { show: (plot, i) => made.dots[i - 1] && make("div"), size: DOT, fill: (plot, i) => made.dots[i - 1], stroke: inks.surface },
      },
      scales: { x: { time: true, range: [range.start / 1000, range.end / 1000] }, y: { range: made.range } },
      axes: axes(inks, isLast, tz),
      series: [{}, ...made.series],
      bands: made.bands,
      hooks: {
        setSelect: [select],
        setCursor: [(plot) => plot === current()[0] && tell(plot, asked.bucket)],
        drawAxes: made.drawBelow ? [made.drawBelow] : [],
        draw: made.draw ? [made.draw] : [],
      },
    };
    const plot = new Plot(options, made.data, figure);
    followFinger(plot.over, (left) => moveTo(left));
    return plot;
  }

  /** Tell what is at the cursor, or at an index where points are too close for it to tell them apart. */
  function tell(plot, bucket, index) {
    const { left, idx: nearest } = plot.cursor;
    const isOff = !(left >= 0) || nearest === null || nearest === undefined;
    pointed = isOff ? null : (index ?? placeAt(plot, nearest, plot.posToVal(left, "x"), bucket));
    if (isOff) return point(null);
    // By keys it is the first chart; by a pointer the one that has it, or else the nearest.
    const boxes = current().map((each) => each.over.getBoundingClientRect());
    const box = (pointer && boxes.findLast(({ top }) => pointer.y >= top)) || boxes[0];
    point(pointed, { x: box.left + left, y: pointer?.y ?? box.top + box.height / 2, plot: box });
  }

  function moveTo(left) {
    for (const plot of current().toReversed()) plot.setCursor({ left, top: left < 0 ? left : 0 });
  }

  function step(by) {
    const [plot] = current();
    if (!plot) return;
    const next = nextMeasured(shownNow, pointed, by);
    if (next < 0) return;
    pointer = null;
    moveTo(Math.min(plot.over.clientWidth, Math.max(0, plot.valToPos(plot.data[0][next], "x"))));
    tell(plot, shownNow.bucket, next);
  }

  for (const kind of ["pointerdown", "pointermove"]) element.addEventListener(kind, ({ clientX: x, clientY: y }) => (pointer = { x, y }), true);

  function select(plot) {
    const { left, width } = plot.select;
    if (width < LEAST_DRAG) return;
    const [start, end] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    for (const { plot: each } of plots.values()) each.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoom(start * 1000, end * 1000);
  }

  new ResizeObserver(() => {
    for (const { plot } of plots.values()) plot.setSize({ width: Math.max(200, element.clientWidth), height: plot.height });
  }).observe(element);

  return { draw, clear, step, leave: () => moveTo(-10) };
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
