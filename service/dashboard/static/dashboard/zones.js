// Zones of heart rate: shares of a maximum that the reader may set, and how long a heart rate was in each.

const DEFAULT = 190; // bpm, where no maximum is set: what 220 less the age makes of an age of 30
const [LOWEST, HIGHEST] = [100, 240]; // of what can be set, bpm
const NAMES = ["Very light", "Light", "Moderate", "Hard", "Maximum"];
const FIRST = 5; // tenths of the maximum at which the first zone begins; each is a tenth wide
const HOLDS = 600; // seconds for which a heart rate holds at most
export const BOUNDS = { lowest: LOWEST, highest: HIGHEST };

/** The maximum that a text tells; the default where it tells none that can be. */
export function maximumOf(text) {
  const value = /^\d{3}$/.test(text ?? "") ? Number(text) : DEFAULT;
  return value >= LOWEST && value <= HIGHEST ? value : DEFAULT;
}

/** Write a maximum into the arguments of an address, where it is not the default. */
export function writeMaximum(given, maximum) {
  if (maximum !== DEFAULT) given.set("max", maximum);
}

/** The zones of a maximum, ascending, as {place, name, from, to} in bpm: from <= rate < to, the last one without an end. */
export function zonesOf(maximum) {
  const edge = (tenth) => Math.round((maximum * tenth) / 10);
  return NAMES.map((name, i) => {
    const to = i + 1 < NAMES.length ? edge(FIRST + i + 1) : Infinity;
    return { place: i + 1, name, from: edge(FIRST + i), to };
  });
}

/** The bounds of a zone in words: from its first to its last whole rate. */
export const boundsOf = ({ from, to }) => (to === Infinity ? `${from} and more` : `${from}–${to - 1}`);

/**
 * How many seconds heart rates lay in each zone, and below them all: {below, zones, measured}. The average of a bucket, so
 * many seconds long, holds until the next one where that follows within ten minutes, since many devices measure so often.
 */
export function secondsInZones(points, seconds, maximum) {
  const zones = zonesOf(maximum);
  const within = zones.map(() => 0);
  let [below, measured] = [0, 0];
  const rates = points.filter(({ heart_rate: heart }) => heart);
  rates.forEach(({ t, heart_rate: { avg } }, i) => {
    const gap = i + 1 < rates.length ? (Date.parse(rates[i + 1].t) - Date.parse(t)) / 1000 : Infinity;
    const held = gap <= HOLDS ? gap : seconds;
    const place = zones.findLastIndex(({ from }) => avg >= from);
    measured += held;
    if (place < 0) below += held;
    else within[place] += held;
  });
  return { below, zones: within, measured };
}
