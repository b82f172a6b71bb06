// A sparkline of what arrived while the page is open: a path for the line, one of no length for its end.

const WINDOW = 10 * 60_000; // ms
const SHORTEST = 60_000; // ms that the width stands for at least
const GAP = 60_000; // ms without a reading that break the line
const MOST_POINTS = 240;
const LEAST_RISE = 20; // beats/min that the height stands for at least, so that a calm heart looks calm

/** Add a point {t, value}; the same moment again corrects it, an earlier one is not drawn. */
export function addPoint(points, t, value) {
  const last = points.at(-1);
  if (last && t < last.t) return;
  if (last?.t === t) points.pop();
  points.push({ t, value });
  while (points.length > MOST_POINTS || points[0].t < t - WINDOW) points.shift();
}

/** Draw the points into the two paths, over a width of 100 and a height of 28. */
export function drawSpark(line, dot, points) {
  if (points.length === 0) return;
  const values = points.map((point) => point.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rise = Math.max(high - low, LEAST_RISE);
  const bottom = (low + high - rise) / 2;
  const end = points.at(-1).t;
  const width = Math.max(end - points[0].t, SHORTEST);
  const place = ({ t, value }) =>
    `${(100 - ((end - t) / width) * 100).toFixed(1)} ${(26 - ((value - bottom) / rise) * 24).toFixed(1)}`;
  line.setAttribute(
    "d",
    points.map((point, i) => (i && point.t - points[i - 1].t <= GAP ? "L" : "M") + place(point)).join(""),
  );
  dot.setAttribute("d", `M${place(points.at(-1))}h0`);
}
