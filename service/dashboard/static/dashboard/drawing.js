// What is drawn on a chart, by rectangles and short strokes: one long path takes ten times as long without a GPU.

const LANE = 5; // px of a device's line below the heart rate
const DOT = 3; // px
const STEP_DOT = 6; // px
const PIECE = 32; // points of a line that are drawn at once
const NARROW = 5; // px of a bucket whose bar fills it
const WIDEST = 40; // px of a bar
const FILLED = 0.82; // share of a bucket that its bars fill
const SLIM = 3; // px of a bar below which bars leave no gap between buckets

/** Values as a line, and as dots where there is no neighbour to draw it to; null ends it, undefined, a moment of others, does not. */
export function drawLine(plot, values, ink, joins) {
  const { ctx: pen, bbox, data } = plot;
  const scale = devicePixelRatio || 1;
  const t = data[0];
  const hasNeighbour = (i, by) => {
    let next = i + by;
    while (next >= 0 && next < values.length && values[next] === undefined) next += by;
    return joins && (values[next] ?? null) !== null;
  };
  let drawn = 0;
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
    if ((value ?? null) === null) return;
    const [x, y] = [plot.valToPos(t[i], "x", true), plot.valToPos(value, "y", true)];
    if (hasNeighbour(i, -1)) pen.lineTo(x, y);
    else if (hasNeighbour(i, 1)) pen.moveTo(x, y);
    else pen.fillRect(Math.round(x - dot / 2), Math.round(y - dot / 2), dot, dot);
    drawn += 1;
    if (drawn % PIECE) return;
    pen.stroke();
    pen.beginPath();
    pen.moveTo(x, y);
  });
  pen.stroke();
  pen.restore();
}

/** The band from min to max of many buckets, by a rectangle each. */
export function drawBand(plot, ink) {
  const { ctx: pen, bbox } = plot;
  const [t, high, low] = plot.data; // undefined where another metric has a point, as null
  pen.save();
  pen.fillStyle = ink;
  let left = Math.round(plot.valToPos(t[0], "x", true));
  t.forEach((at, i) => {
    const right = Math.round(plot.valToPos(t[i + 1] ?? at, "x", true));
    const from = Math.max(bbox.left, left);
    if ((high[i] ?? null) !== null && right > from) {
      const top = Math.round(plot.valToPos(high[i], "y", true));
      pen.fillRect(from, top, right - from, Math.max(1, Math.round(plot.valToPos(low[i], "y", true)) - top));
    }
    left = right;
  });
  pen.restore();
}

/** Zones behind a curve, as {from, to} in its unit, each in the ink of its place. */
export function drawZones(plot, zones, inks) {
  const { ctx: pen, bbox } = plot;
  const { min, max } = plot.scales.y;
  pen.save();
  zones.forEach(({ from, to }, i) => {
    const [low, high] = [Math.max(from, min), Math.min(to, max)];
    if (high <= low) return;
    const top = Math.round(plot.valToPos(high, "y", true));
    pen.fillStyle = inks[i];
    pen.fillRect(bbox.left, top, bbox.width, Math.round(plot.valToPos(low, "y", true)) - top);
  });
  pen.restore();
}

/** Values that hold until the next one: a thin step from each to the next, and a dot for each. */
export function drawSteps(plot, values, ink) {
  const { ctx: pen, bbox, data } = plot;
  const scale = devicePixelRatio || 1;
  const dot = STEP_DOT * scale;
  let before = null;
  pen.save();
  pen.beginPath();
  pen.rect(bbox.left - dot, bbox.top - dot, bbox.width + 2 * dot, bbox.height + 2 * dot);
  pen.clip();
  pen.fillStyle = ink;
  values.forEach((value, i) => {
    if ((value ?? null) === null) return;
    const [x, y] = [Math.round(plot.valToPos(data[0][i], "x", true)), Math.round(plot.valToPos(value, "y", true))];
    if (before) {
      pen.globalAlpha = 0.55;
      pen.fillRect(before.x, before.y, x - before.x, scale);
      pen.fillRect(x, Math.min(before.y, y), scale, Math.abs(y - before.y) + scale);
      pen.globalAlpha = 1;
    }
    pen.beginPath();
    pen.arc(x, y, dot / 2, 0, 2 * Math.PI);
    pen.fill();
    before = { x, y };
  });
  pen.restore();
}

/** Below the line, a lane for each device, drawn where that device gave the heart rate. */
export function drawLanes(plot, inkOf, column, devices) {
  const { ctx: pen, bbox } = plot;
  const scale = devicePixelRatio || 1;
  const t = plot.data[0];
  pen.save();
  devices.forEach((device, lane) => {
    pen.fillStyle = inkOf(device);
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

/** Bars that begin where their bucket does; those of several columns share its width. Narrow ones leave no gap, which would flicker. */
export function drawBars(plot, columns, inks, seconds) {
  const { ctx: pen, bbox, data } = plot;
  const scale = devicePixelRatio || 1;
  const [first, last] = [bbox.left, bbox.left + bbox.width];
  const floor = plot.valToPos(0, "y", true);
  const { min, max } = plot.scales.x;
  const bucket = (seconds / (max - min)) * bbox.width;
  const isNarrow = bucket < NARROW * scale && columns.length === 1;
  const each = bucket / columns.length;
  const filled = each * FILLED < SLIM * scale ? each : each * FILLED;
  const width = Math.max(scale, Math.floor(Math.min(WIDEST * scale, filled)));
  pen.save();
  columns.forEach((values, place) => {
    pen.fillStyle = inks[place];
    data[0].forEach((t, i) => {
      const value = values[i];
      if (!value) return;
      const at = Math.round(plot.valToPos(t, "x", true)) + place * width;
      const end = isNarrow ? Math.max(at + scale, Math.round(plot.valToPos(t + seconds, "x", true))) : at + width;
      const [left, right] = [Math.max(first, at), Math.min(last, end)];
      const top = Math.min(Math.round(plot.valToPos(value, "y", true)), floor - scale);
      if (right > left) pen.fillRect(left, top, right - left, floor - top);
    });
  });
  pen.restore();
}
