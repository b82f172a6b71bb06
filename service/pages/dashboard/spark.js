// Sparklines: thirty minutes of heart rate and where it is now, drawn on a canvas.

const MINUTES = 30;
const MINUTE = 60_000; // ms
const LEAST_RISE = 24; // beats/min that the height stands for at least, so that a calm heart looks calm
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

/** Draw points into a canvas of that CSS size; the line breaks where a minute has no reading. */
export function drawSpark(canvas, points, color, width, height) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const values = points.filter(([, rate]) => rate !== null).map(([, rate]) => rate);
  if (values.length === 0) return;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const rise = Math.max(high - low, LEAST_RISE);
  const bottom = (low + high - rise) / 2;
  const x = (minute) => EDGE + (minute / MINUTES) * (width - 2 * EDGE);
  const y = (rate) => height - EDGE - ((rate - bottom) / rise) * (height - 2 * EDGE);
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 1.5;
  pen.lineJoin = pen.lineCap = "round";
  pen.beginPath();
  let down = false;
  points.forEach(([minute, rate], i) => {
    if (rate === null) return (down = false);
    const next = points[i + 1]?.[1] ?? null;
    // A minute alone between two without a reading is a line of no length: a dot.
    if (!down) pen.moveTo(x(minute), y(rate));
    if (down || next === null) pen.lineTo(x(minute), y(rate));
    down = true;
  });
  pen.stroke();
  const [minute, rate] = points.findLast(([, rate]) => rate !== null);
  pen.beginPath();
  pen.arc(x(minute), y(rate), 2.75, 0, 2 * Math.PI);
  pen.fill();
}
