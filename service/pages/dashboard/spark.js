// Sparklines: thirty minutes of heart rate and where it is now, drawn on a canvas.

const MINUTES = 30;
const MINUTE = 60_000; // ms
const LEAST_RISE = 24; // beats/min that the height stands for at least, so that a calm heart looks calm
const BREAK = 4; // minutes without a reading that break the line
const EDGE = 4; // px kept free for the dot at the end

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

/** Draw points into a canvas of that CSS size; the line breaks where some minutes in a row have no reading. */
export function drawSpark(canvas, points, color, width, height) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const known = points.filter(([, rate]) => rate !== null);
  if (known.length === 0) return;
  const values = known.map(([, rate]) => rate);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rise = Math.max(high - low, LEAST_RISE);
  const bottom = (low + high - rise) / 2;
  const x = (minute) => EDGE + (minute / MINUTES) * (width - 2 * EDGE);
  const y = (rate) => height - EDGE - ((rate - bottom) / rise) * (height - 2 * EDGE);
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 1.5;
  pen.lineJoin = pen.lineCap = "round";
  pen.beginPath();
  known.forEach(([minute, rate], i) => {
    const joins = i > 0 && minute - known[i - 1][0] <= BREAK;
    if (!joins) pen.moveTo(x(minute), y(rate));
    // Also where a line begins: one of no length is a dot.
    pen.lineTo(x(minute), y(rate));
  });
  pen.stroke();
  const [minute, rate] = known.at(-1);
  pen.beginPath();
  pen.arc(x(minute), y(rate), 2.75, 0, 2 * Math.PI);
  pen.fill();
}
