// What is explored: read from the address of the page, written to it, and as paths, commands and SQL.

import { COLORS } from "./colors.js";
import { now } from "./live.js";
import { BASIC, isName } from "./metrics.js";
import { escapeName } from "./text.js";
import { here, isZone } from "./zone.js";
import { maximumOf, writeMaximum } from "./zones.js";

const MINUTE = 60_000; // ms
const HOUR = 60 * MINUTE;
export const PRESETS = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR, "30d": 720 * HOUR, "1y": 8760 * HOUR };
export const BUCKETS = ["auto", "raw", "1m", "5m", "15m", "1h", "1d", "1w", "1mo"];
const MOST_POINTS = 1500; // for auto: a day by the minute
const MOST_POINTS_EACH = 200; // of each that is compared, so that their bars have room beside each other
const LONGEST = 128; // characters of a name
export const MOST_METRICS = 12; // charts below each other
const [FIRST, LAST] = [Date.parse("0001-01-01T00:00:00Z"), Date.parse("9999-12-31T23:59:59Z")]; // years that can be asked for

/** Whom to compare a user with: everyone once, as many as there are colors. */
function othersOf(user, names) {
  const some = new Set(names.filter((name) => name && name !== user && name.length <= LONGEST));
  return user ? [...some].slice(0, COLORS - 1) : [];
}

/** The moment (ms) that a text tells; NaN where it tells none, or one that the service knows no name for. */
function momentOf(text) {
  const moment = Date.parse(text);
  return moment >= FIRST && moment <= LAST ? moment : NaN;
}

/** Read a question from a query string; what it does not say, or says wrong, has a default. */
export function readQuestion(search) {
  const given = new URLSearchParams(search);
  const [start, end] = [momentOf(given.get("start")), momentOf(given.get("end"))];
  const fixed = start < end;
  const metrics = [...new Set((given.get("metric") ?? "").split(",").filter(isName))].slice(0, MOST_METRICS);
  const user = given.get("user") ?? "";
  const others = othersOf(user, given.getAll("with"));
  return {
    user,
    others,
    preset: fixed ? null : Object.hasOwn(PRESETS, given.get("range") ?? "") ? given.get("range") : "24h",
    start: fixed ? start : null,
    end: fixed ? end : null,
    metrics: metrics.length ? metrics : BASIC,
    bucket: BUCKETS.includes(given.get("bucket")) ? given.get("bucket") : "auto",
    tz: isZone(given.get("tz") || "?") ? given.get("tz") : here(),
    device: given.get("device") ?? "",
    // Each device alone, in place of the best of all.
    each: given.get("by") === "device" && !given.get("device") && others.length === 0,
    maximum: maximumOf(given.get("max")),
  };
}

/** Write a question as the page's address; only what differs from the defaults. */
export function writeQuestion(question) {
  const given = new URLSearchParams();
  const others = othersOf(question.user, question.others);
  if (question.user) given.set("user", question.user);
  for (const other of others) given.append("with", other);
  if (question.preset === null) {
    given.set("start", iso(question.start));
    given.set("end", iso(question.end));
  } else if (question.preset !== "24h") given.set("range", question.preset);
  if (question.metrics.join() !== BASIC.join()) given.set("metric", question.metrics.join(","));
  if (question.bucket !== "auto") given.set("bucket", question.bucket);
  if (question.tz !== here()) given.set("tz", question.tz);
  if (question.device) given.set("device", question.device);
  else if (question.each && others.length === 0) given.set("by", "device");
  writeMaximum(given, question.maximum);
  const text = given.toString();
  return text ? `/explore?${text}` : "/explore";
}

/** The half-open range in ms; one until now ends with the minute under way. */
export function rangeOf({ preset, start, end }) {
  if (preset === null) return { start, end };
  const next = Math.ceil((now() + 1) / MINUTE) * MINUTE;
  return { start: next - PRESETS[preset], end: next };
}

export const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

/** The metrics of a question that answers have only where they are named. */
export const othersOfBasic = ({ metrics }) => metrics.filter((name) => !BASIC.includes(name));

/** The paths that answer a question over a range, of its user: of the best of all, or of one device alone. */
export function pathsOf(question, { start, end }) {
  const user = `/v1/users/${escapeName(question.user)}`;
  const alone = question.device ? `&device_id=${escapeName(question.device)}` : "";
  const range = `start=${iso(start)}&end=${iso(end)}`;
  const isCompared = question.each || question.others.length > 0;
  const most = question.bucket === "auto" ? `&max_points=${isCompared ? MOST_POINTS_EACH : MOST_POINTS}` : "";
  const others = othersOfBasic(question);
  const named = others.length > 0 ? `&metrics=${others.map(escapeName).join(",")}` : "";
  return {
    user,
    summary: `${user}/summary?${range}${alone}${named}`,
    series: `${user}/series?${range}&bucket=${question.bucket}${most}&tz=${escapeName(question.tz)}${alone}${named}`,
    devices: `${user}/devices?${range}`,
  };
}

const quote = (text) => `'${text.replaceAll("'", "''")}'`;

/** The same question for psql, of a bucket that is known. The tenant is that of the user, which the page does not know. */
export function sqlOf(question, { start, end }, bucket) {
  const device = question.device ? `, device_id => ${quote(question.device)}` : "";
  const range = [iso(start), iso(end)].map(quote).join(", ");
  const how = [bucket, question.tz].map(quote).join(", ");
  const whose = ` WHERE u.user_id = ${quote(question.user)};`;
  const select = (columns, call) => `SELECT ${columns}\n  FROM api.users AS u, api.${call}\n${whose}`;
  const columns = "t, heart_rate_avg, heart_rate_min, heart_rate_max, heart_rate_device, steps, calories";
  const basic = select(columns, `series(u.tenant_id, u.user_id, ${range}, ${how}${device})`);
  const others = othersOfBasic(question);
  if (others.length === 0) return basic;
  return `${basic}\n${select("s.*", `metric_series(u.tenant_id, u.user_id, ${range}, '{${others.join(",")}}', ${how}${device}) AS s`)}`;
}
