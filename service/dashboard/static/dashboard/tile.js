// One person's tile.

import { put, set, show } from "./dom.js";
import { now } from "./live.js";
import { pointsOf, sparkOf } from "./spark.js";
import { escapeName, formatAge, formatFigure, formatMoment, formatSpan, formatWhole } from "./text.js";
import { here } from "./zone.js";

export const STALE = 60_000; // ms
const FRESH = 900; // ms for which an arrival is shown: less than the second between two looks at the ages

/** Make an empty tile from the template; write and age fill it. */
export function makeTile(template) {
  const root = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  return {
    root,
    someone: null,
    isNear: false,
    place: -1,
    at: "",
    who: find(".who"),
    pin: find(".pin"),
    heart: find(".heart .value"),
    heartAge: find(".heart .when"),
    line: find(".line"),
    dot: find(".dot"),
    steps: find(".steps .value"),
    calories: find(".calories .value"),
    device: find(".device"),
    ageText: find(".age"),
  };
}

/** Write all that is known of a person into a tile. */
export function write(tile, someone, pinned) {
  const isOther = tile.someone !== someone;
  tile.someone = someone;
  const { userId, latest, day, deviceId } = someone;
  if (isOther) {
    put(tile.who, userId);
    set(tile.who, "href", `/explore?user=${escapeName(userId)}`);
    set(tile.who, "title", userId);
    set(tile.pin, "aria-label", `Pin ${userId}`);
  }
  set(tile.pin, "aria-pressed", String(pinned));
  const heart = latest.heart_rate;
  putValue(tile.heart, heart?.value ?? null);
  set(tile.heart, "title", heart ? `${heart.value} bpm, ${formatMoment(heart.timestamp, here())}` : "Not measured");
  putValue(tile.steps, day ? day.steps : null);
  putValue(tile.calories, day ? day.calories : null, formatFigure);
  put(tile.device, deviceId);
  set(tile.device, "title", deviceId);
  age(tile);
  const { line, dot } = sparkOf(pointsOf(someone.spark, heart, now()));
  set(tile.line, "d", line);
  set(tile.dot, "d", dot);
}

function putValue(element, value, format = formatWhole) {
  put(element, format(value));
  element.value = value ?? "";
}

/** Let the ages in a tile go on; returns whether it went stale or came back. */
export function age(tile) {
  const { latest, lastSeen, arrivedAt } = tile.someone;
  const time = now();
  tile.root.classList.toggle("fresh", time - arrivedAt < FRESH);
  const stale = time - lastSeen > STALE;
  put(tile.ageText, lastSeen === 0 ? "nothing yet" : stale ? `stale, ${formatSpan((time - lastSeen) / 1000)}` : formatAge(time - lastSeen));
  const ahead = latest.ahead ? Date.parse(latest.ahead.timestamp) - time : 0;
  if (ahead > 0) put(tile.ageText, `${tile.ageText.textContent}; a clock is ${formatSpan(ahead / 1000)} ahead`);
  const changed = tile.root.classList.contains("stale") !== stale;
  if (changed) tile.root.classList.toggle("stale", stale);
  const heart = latest.heart_rate;
  const old = Boolean(heart) && !stale && time - Date.parse(heart.timestamp) > STALE;
  show(tile.heartAge, old);
  if (old) put(tile.heartAge, formatAge(time - Date.parse(heart.timestamp)));
  return changed;
}
