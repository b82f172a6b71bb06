// The cursor of the charts: at which point it is, and how a finger and keys move it.

import { columnsOfMetric } from "./points.js";

const NEAR = 0.5; // px by which a cursor may miss the beginning of a bucket

/** The index of what is at a moment t: of the bucket that it lies in, or else of the nearest reading. */
export function placeAt(plot, nearest, t, bucket) {
  if (nearest === null || bucket === "raw") return nearest;
  const reach = plot.posToVal(NEAR, "x") - plot.posToVal(0, "x");
  return nearest > 0 && plot.data[0][nearest] > t + reach ? nearest - 1 : nearest;
}

/** Let a finger that moves across a chart take the cursor along; move(left) gets where it is, in px from the chart's left edge. */
export function followFinger(over, move) {
  const follow = (event) => {
    if (event.pointerType === "mouse") return;
    const { left, width } = over.getBoundingClientRect();
    move(Math.min(width, Math.max(0, event.clientX - left)));
  };
  over.addEventListener("pointerdown", follow);
  over.addEventListener("pointermove", follow);
}

/** The next point after (by 1) or before (by -1) one at which something was measured; the last or the first one to begin with, -1 where none is. */
export function nextMeasured({ parts, metrics }, index, by) {
  const columns = metrics.map((metric) => columnsOfMetric(metric).value);
  const isMeasured = (i) => parts.some((part) => columns.some((name) => (part.columns[name][i] ?? null) !== null));
  const length = parts[0].columns.t.length;
  let next = (index ?? (by > 0 ? -1 : length)) + by;
  while (next >= 0 && next < length && !isMeasured(next)) next += by;
  return next < length ? next : -1;
}
