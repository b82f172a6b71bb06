// Metrics as the registry has them: how the pages name, order, color and write each.

import { Refused, ask } from "./api.js";
import { formatNumber, formatWhole } from "./text.js";

/** Those that every answer has as fields; the others are asked for by name. */
export const BASIC = ["heart_rate", "steps", "calories"];
const TOPICS = {
  heart: "Heart",
  activity: "Activity",
  respiration: "Respiration",
  blood: "Blood",
  temperature: "Temperature",
  body: "Body",
  nutrition: "Nutrition",
  wellbeing: "Wellbeing",
  other: "Other",
};
const ORDER = Object.keys(TOPICS);
const UNITS = { Cel: "°C", "mm[Hg]": "mmHg", "kg/m2": "kg/m²", "{score}": "", "{count}": "" }; // UCUM codes that are not read as they are
const WORD = "[a-z][a-z0-9_]{0,62}";
const NAME = new RegExp(`^(${WORD}:)?${WORD}$`);
const LARGE = 1000; // from which on a value is written without decimals

const known = new Map([
  ["heart_rate", { name: "heart_rate", title: "Heart rate", topic: "heart", kind: "gauge", unit: "/min" }],
  ["steps", { name: "steps", title: "Steps", topic: "activity", kind: "sum", unit: "{steps}" }],
  ["calories", { name: "calories", title: "Calories", topic: "activity", kind: "sum", unit: "kcal" }],
]);
let asked = null;

/** Whether a text can be the name of a metric. */
export const isName = (text) => NAME.test(text);

/** Learn the registry, once until a name turns up that it does not have. Throws as ask does. */
export async function learnMetrics(names = []) {
  if (names.some((name) => !known.has(name))) asked = null;
  asked ??= ask("/v1/metrics").catch((error) => {
    asked = null;
    throw error;
  });
  for (const metric of (await asked).body.metrics) if (!BASIC.includes(metric.name)) known.set(metric.name, metric);
}

/** What is known of a metric; of a name that the registry does not have a guess, so that it can be shown while it is asked. */
export const metricOf = (name) => known.get(name) ?? { name, title: name, topic: "other", kind: "gauge", unit: "" };

export const topicOf = (name) => TOPICS[metricOf(name).topic] ?? TOPICS.other;

/** Order names by topic, the basic ones first in theirs, and then by title. */
export function inOrder(names) {
  const place = (name) => {
    const at = ORDER.indexOf(metricOf(name).topic);
    return at < 0 ? ORDER.length : at;
  };
  const basic = (name) => (BASIC.includes(name) ? BASIC.indexOf(name) : BASIC.length);
  const byTitle = (a, b) => metricOf(a).title.localeCompare(metricOf(b).title);
  return [...new Set(names)].sort((a, b) => place(a) - place(b) || basic(a) - basic(b) || byTitle(a, b));
}

/** Names by topic, as [title of the topic, names], in order. */
export const byTopic = (names) => [...Map.groupBy(inOrder(names), topicOf)];

/** The unit of a metric in words; "" where it counts something that its title says. */
export function unitOf(name) {
  const { topic, unit } = metricOf(name);
  if (unit === "/min") return topic === "heart" ? "bpm" : "a minute";
  return UNITS[unit] ?? unit.replace(/^\{(.*)\}$/, "$1");
}

/** The title with the unit, where that says more. */
export function headingOf(name) {
  const [{ title }, unit] = [metricOf(name), unitOf(name)];
  return unit && unit.toLowerCase() !== title.toLowerCase() ? `${title}, ${unit}` : title;
}

/** The class that gives an element the color of a metric, as --own. */
export const classOf = (name) => ({ heart_rate: "heart", steps: "steps", calories: "calories" })[name] ?? `topic-${metricOf(name).topic}`;

/** Write a value of a metric, without its unit. */
export const formatValue = (name, value) => (Math.abs(value ?? 0) >= LARGE ? formatWhole(value) : formatNumber(value));

/** Of figures, as a summary or a point has them, the one that stands for the metric: mean, total or last value; null where there is none. */
export const mainOf = (figures) => figures?.avg ?? figures?.total ?? figures?.last ?? null;

/** The metrics that there are values of, of a user; none of one who is not known. */
export async function metricsOfUser(path, signal) {
  try {
    const { body } = await ask(`${path}/latest?metrics=all`, signal);
    return Object.keys(body.metrics);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return [];
    throw error;
  }
}
