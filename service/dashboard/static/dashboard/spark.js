// Sparklines: thirty minutes of heart rate and where it is now, as paths that the style sheet colors and sizes.

const MINUTES = 30;
const MINUTE = 60_000; // ms
const LEAST_RISE = 24; // beats/min that the height stands for at least, so that a calm heart looks calm
const BREAK = 4; // minutes without a reading that break the line

/** The points of a sparkline, [minutes from its beginning, beats/min or null]: averages, then the latest value. */
export function pointsOf(spark, heart, until) {
  const from = until - MINUTES * MINUTE;
  const points = [];
  spark?.rates.forEach((rate, minute) => {
    const at = spark.from + (minute + 0.5) * MINUTE;
    if (at >= from) points.push([(at - from) / MINUTE, rate]);
  });
  const at = heart ? Date.parse(heart.timestamp) : 0;
  const now = (Math.min(at, until) - from) / MINUTE;
  if (heart && now >= 0) {
    // The minute under way is not over: its latest value says more than its average so far.
    while (points.length && points.at(-1)[0] >= now - 0.5) points.pop();
    points.push([now, heart.value]);
  }
  return points;
}

/** Points as {line, dot}, the data of two paths in a box of 30 by 1; the line breaks where some minutes in a row have no reading. */
export function sparkOf(points) {
  const known = points.filter(([, rate]) => rate !== null);
  if (known.length === 0) return { line: "", dot: "" };
  let [low, high] = [Infinity, -Infinity];
  for (const [, rate] of known) [low, high] = [Math.min(low, rate), Math.max(high, rate)];
  const rise = Math.max(high - low, LEAST_RISE);
  const bottom = (low + high - rise) / 2;
  const place = ([minute, rate]) => `${minute.toFixed(2)} ${(1 - (rate - bottom) / rise).toFixed(3)}`;
  let line = "";
  known.forEach((point, i) => {
    const joins = i > 0 && point[0] - known[i - 1][0] <= BREAK;
    // Where a line begins it also ends, at first: one of no length is a dot.
    line += joins ? `L${place(point)}` : `M${place(point)}h0`;
  });
  return { line, dot: `M${place(known.at(-1))}h0` };
}
