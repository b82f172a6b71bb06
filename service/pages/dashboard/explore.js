// The page Explore: one person over any range, at any resolution. The address of the page is its state.

import { Refused, ask } from "./api.js";
import { COLORS, makeCharts } from "./charts.js";
import { askDevices, askEach, writeEach } from "./devices.js";
import { $, make, makeCopyable, put, show } from "./dom.js";
import { readPoint } from "./pointed.js";
import { columnsOf, csvOf, devicesOf } from "./points.js";
import { METRICS, PRESETS, pathsOf, rangeOf, readQuestion, sqlOf, writeQuestion } from "./question.js";
import { NOTHING, count, escapeName, formatFigure, formatMilliseconds, formatMoment, formatNumber, formatWhole } from "./text.js";
import { makeTip } from "./tip.js";
import { fromLocal, toLocal, zones } from "./zone.js";

const HOUR = PRESETS["1h"];
const FOLLOW = 2000; // ms that a range until now stays as it is at least
const PIXELS = 1300; // of a chart: by one of them time goes on until it is drawn anew
const SHORTEST = 1000; // ms that a zoom shows at least
const LONGEST = 50 * PRESETS["1y"];
const SMALL = 1000; // below which a heart rate has a decimal
const MOST_ROWS = 500; // of the table
const SEVERAL = "several devices";
const EACH = 1; // which option means each device alone; no value does, since a device may be called anything
const nameOf = (device) => device || SEVERAL;

/** Begin; open(search) shows what an address asks for, go(address) is called to change it. */
export function startExplore(people, go) {
  const form = $("ask");
  const fields = form.elements;
  const charts = makeCharts($("charts"), zoomTo, pointAt);
  const tip = makeTip($("charts").closest(".chart"), $("pointed"));
  let question = readQuestion("");
  let range = rangeOf(question);
  let answer = null; // {summary, series, parts, each, devices} of what is shown
  let asking = null;
  let following = 0;
  let known = { user: "", devices: new Set() }; // whose place is that of their color, so that it stays the same

  fields.tz.append(...zones().map((name) => new Option(name, name)));
  for (const preset of Object.keys(PRESETS)) {
    const button = make("button", { type: "button", "data-preset": preset, "aria-pressed": "false" }, preset);
    button.addEventListener("click", () => change({ preset, start: null, end: null }));
    $("presets").append(button);
  }

  // Asking.

  /** Ask for something else; where only the view of the range moves, the page's history does not grow by each step. */
  const change = (some) => go(writeQuestion({ ...question, ...some }));

  function setRange(start, end) {
    const length = Math.min(LONGEST, Math.max(SHORTEST, end - start));
    const middle = (start + end) / 2;
    const round = (ms) => Math.round(ms / 1000) * 1000;
    change({ preset: null, start: round(middle - length / 2), end: round(middle + length / 2) });
  }

  function zoomTo(start, end) {
    setRange(start, end);
  }

  function move(share, factor = 1) {
    const length = range.end - range.start;
    const middle = range.start + length / 2 + share * length;
    setRange(middle - (length * factor) / 2, middle + (length * factor) / 2);
  }

  /** Let a range until now go on, as readings of its user arrive, while nobody points at it. */
  function follow(userId) {
    if (question.preset === null || userId !== question.user || !answer || following) return;
    const wait = Math.max(FOLLOW, (range.end - range.start) / PIXELS);
    following = setTimeout(() => {
      following = 0;
      const isShown = !$("explore-page").hidden && !document.hidden;
      if (isShown && !asking && !tip.isShown && !$("charts").matches(":hover")) open(location.search);
      else follow(userId);
    }, wait);
  }

  async function open(search) {
    const isSame = writeQuestion(question) === writeQuestion(readQuestion(search));
    question = readQuestion(search);
    range = rangeOf(question);
    if (isSame && answer) writeRange();
    else writeForm();
    clearTimeout(following);
    following = 0;
    asking?.abort();
    if (!question.user) {
      asking = null;
      answer = null;
      $("answer").removeAttribute("aria-busy");
      showState("Choose a user", "Their readings over any range appear here.");
      return;
    }
    const mine = (asking = new AbortController());
    const paths = pathsOf(question, range);
    $("answer").setAttribute("aria-busy", "true");
    if (!answer) showState("Loading", "Asking the service.");
    const began = performance.now();
    try {
      const [summary, series, worn] = await Promise.all([
        ask(paths.summary, mine.signal),
        ask(paths.series, mine.signal),
        askDevices(question, range, mine.signal),
      ]);
      const each = question.each ? await askEach(question, range, worn, mine.signal) : null;
      if (mine === asking) await showAnswer(summary, series, worn, each, performance.now() - began);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asking) return;
      answer = null;
      const isEmpty = error instanceof Refused && error.status === 404;
      if (isEmpty) showState("Nothing here", "No reading of that user lies in the range.", { isEmpty });
      else showState("That did not work", error.message, { isError: true });
    } finally {
      if (mine === asking) {
        asking = null;
        $("answer").removeAttribute("aria-busy");
      }
    }
  }

  // Showing.

  function showState(title, text, { isError = false, isEmpty = false } = {}) {
    charts.clear();
    tip.hide();
    put($("no-answer-title"), title);
    put($("no-answer-text"), text);
    $("no-answer").classList.toggle("error", isError);
    show($("wider-empty"), isEmpty);
    show($("again"), isError);
    show($("no-answer"), true);
    show($("result"), false);
    writeCommands(question.bucket === "auto" ? "auto" : question.bucket);
  }

  async function showAnswer(summary, series, worn, each, took) {
    const columns = columnsOf(series.body);
    const parts = each ?? [{ name: null, points: series.body.points, columns }];
    knowDevices(worn.map(({ device_id: device }) => device));
    const devices = each ? each.map(({ name }) => name) : inOrder(devicesOf(columns));
    answer = { summary: summary.body, series: series.body, parts, each, devices };
    show($("no-answer"), false);
    show($("result"), true);
    writeFigures(summary.body);
    writeSources(summary, series, took);
    writeDevices();
    writeEach(each, worn, swatchOf);
    writeCommands(series.body.bucket);
    if ($("table").open) writeTable();
    await drawCharts();
  }

  async function drawCharts() {
    if (!answer) return;
    tip.hide();
    const { parts, devices, series } = answer;
    const metrics = question.metrics;
    try {
      await charts.draw({ parts, range, metrics, tz: question.tz, bucket: series.bucket, devices, colors: colors() });
      show($("no-charts"), false);
    } catch {
      show($("no-charts"), true);
    }
  }

  /** Over days, what a day has on average; otherwise what an hour has. */
  function pace(total) {
    const [length, unit] = range.end - range.start >= 48 * HOUR ? [24 * HOUR, "a day"] : [HOUR, "an hour"];
    return total === null ? "not measured" : `${formatWhole((total * length) / (range.end - range.start))} ${unit}`;
  }

  function writeFigures({ heart_rate: heart, steps, calories, first, last }) {
    const spread = heart && `${formatFigure(heart.min, SMALL)} to ${formatFigure(heart.max, SMALL)} bpm, ${count(heart.count, "value")}`;
    writeFigure($("average"), heart?.avg ?? null, SMALL);
    put($("extremes"), spread ?? "not measured");
    writeFigure($("steps"), steps);
    put($("steps-pace"), pace(steps));
    writeFigure($("calories"), calories, 100);
    put($("calories-pace"), pace(calories));
    put($("first"), formatMoment(first, question.tz));
    put($("last"), formatMoment(last, question.tz));
  }

  /** To be read at a glance; exactly to the last digit as its value and its title. */
  function writeFigure(element, value, small) {
    put(element, formatFigure(value, small));
    element.value = value ?? "";
    element.title = value ?? "";
  }

  function writeSources(summary, series, took) {
    const { points, bucket, sources } = series.body;
    const what = bucket === "raw" ? count(points.length, "reading") : `${count(points.length, "bucket")} of ${bucket}`;
    put($("points"), `${what} from ${sources.join(", ")}, in ${formatMilliseconds(series.took)}`);
    put($("took"), `Figures from ${summary.body.sources.join(", ")}, in ${formatMilliseconds(summary.took)}`);
    $("points").title = `Both answers together: ${formatMilliseconds(took)}`;
  }

  function knowDevices(devices) {
    if (known.user !== question.user) known = { user: question.user, devices: new Set() };
    for (const device of [...devices, question.device]) if (device) known.devices.add(device);
  }

  /** By color, and several at once last. */
  const inOrder = (devices) => [...known.devices, ""].filter((device) => devices.includes(device));

  const colors = () => new Map([...known.devices].map((device, i) => [device, i % COLORS]));

  const kindOf = (name) => `series-${colors().get(name) ?? "several"}`;
  const swatchOf = (name) => make("span", { class: `swatch ${kindOf(name)}`, "aria-hidden": "true" });

  function writeDevices() {
    knowDevices([]);
    const options = [...known.devices].map((device) => new Option(device, device));
    fields.device.replaceChildren(new Option("The best of all", ""), new Option("Each alone", ""), ...options);
    if (question.device) fields.device.value = question.device;
    else fields.device.selectedIndex = question.each ? EACH : 0;
    const devices = answer?.devices ?? [];
    const isAlone = devices.length === 1 && !answer.each;
    const swatch = (device) => (isAlone ? make("span", { class: "swatch device-only", "aria-hidden": "true" }) : swatchOf(device));
    $("devices").replaceChildren(...devices.map((device) => make("li", {}, swatch(device), nameOf(device))));
    put($("devices-of"), answer?.each ? "Each alone" : "Heart rate from");
    show($("devices").parentElement, devices.length > 0 && (Boolean(answer.each) || question.metrics.includes("heart_rate")));
    show($("compare"), !answer?.each && !question.device && known.devices.size > 1);
  }

  function writeCommands(bucket) {
    const device = answer?.each?.[0]?.name ?? question.device;
    show($("commands"), Boolean(question.user));
    put($("commands-title"), answer?.each ? `The same from elsewhere, of ${device}` : "The same from elsewhere");
    put($("curl"), `curl '${location.origin}${pathsOf(question, range, device).series}'`);
    put($("sql"), sqlOf(question, range, bucket, device));
  }

  function writeTable() {
    const all = (answer?.parts ?? []).flatMap(({ name, points }) => points.map((point) => [name, point]));
    const rows = all.slice(0, MOST_ROWS).map(([name, { t, heart_rate: heart, steps, calories }]) => {
      const from = name ?? (heart ? nameOf(heart.device_id) : NOTHING);
      const cells = [heart?.avg, heart?.min, heart?.max].map(formatNumber).concat(from);
      const values = [...cells, formatNumber(steps), formatNumber(calories)].map((text) => make("td", {}, text));
      return make("tr", {}, make("th", { scope: "row" }, formatMoment(t, question.tz)), ...values);
    });
    $("rows").replaceChildren(...rows);
    put($("rows-shown"), all.length > MOST_ROWS ? `The first ${formatWhole(MOST_ROWS)} of ${formatWhole(all.length)}; the CSV file has all.` : "");
  }

  function pointAt(index, anchor) {
    if (!answer || index === null) return tip.hide();
    const point = readPoint(answer.parts, index, question.metrics, kindOf, answer.devices.length > 1 ? nameOf : null);
    tip.tell(point, anchor, formatMoment(point.t, question.tz));
  }

  function download() {
    const file = new Blob([csvOf(answer.parts)], { type: "text/csv" });
    const name = question.user.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60);
    const link = make("a", { href: URL.createObjectURL(file), download: `${name}-${answer.series.bucket}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // The form.

  /** What a person is writing stays. */
  function writeRange() {
    for (const [field, moment] of [[fields.start, range.start], [fields.end, range.end]]) {
      if (field !== document.activeElement) field.value = toLocal(moment, question.tz);
    }
  }

  function writeForm() {
    fields.user.value = question.user;
    fields.start.value = toLocal(range.start, question.tz);
    fields.end.value = toLocal(range.end, question.tz);
    fields.bucket.value = question.bucket;
    if (![...fields.tz.options].some((option) => option.value === question.tz)) fields.tz.append(new Option(question.tz, question.tz));
    fields.tz.value = question.tz;
    for (const name of METRICS) fields[name].checked = question.metrics.includes(name);
    for (const button of $("presets").children) button.setAttribute("aria-pressed", String(button.dataset.preset === question.preset));
    put($("range-problem"), "");
    writeDevices();
  }

  function readForm() {
    const metrics = METRICS.filter((name) => fields[name].checked);
    const some = {
      user: fields.user.value,
      bucket: fields.bucket.value,
      tz: fields.tz.value,
      device: fields.user.value === question.user ? fields.device.value : "",
      each: fields.device.selectedIndex === EACH,
      metrics: metrics.length ? metrics : METRICS,
    };
    const same = fields.start.value === toLocal(range.start, question.tz) && fields.end.value === toLocal(range.end, question.tz);
    if (same) return some;
    const [start, end] = [fromLocal(fields.start.value, question.tz), fromLocal(fields.end.value, question.tz)];
    if (start < end) return { ...some, preset: null, start, end };
    put($("range-problem"), "The end must come after the start.");
    return null;
  }

  function submit(event) {
    event?.preventDefault();
    const some = readForm();
    if (some) change(some);
  }

  form.addEventListener("submit", submit);
  for (const name of ["bucket", "tz", "device", ...METRICS]) fields[name].addEventListener("change", submit);
  for (const name of ["start", "end"]) fields[name].addEventListener("change", () => fields.user.value && submit());
  fields.user.addEventListener("change", () => fields.user.value && submit());
  fields.user.addEventListener("focus", () =>
    $("users").replaceChildren(...[...people.all.keys()].slice(0, 1000).map((userId) => new Option("", userId))),
  );
  const moves = { earlier: () => move(-0.5), later: () => move(0.5), closer: () => move(0, 0.5), wider: () => move(0, 2) };
  for (const [id, act] of Object.entries(moves)) $(id).addEventListener("click", act);
  $("charts").addEventListener("dblclick", moves.wider);
  $("again").addEventListener("click", () => open(location.search));
  $("wider-empty").addEventListener("click", moves.wider);
  $("charts").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { ArrowLeft: "earlier", ArrowRight: "later", "+": "closer", "=": "closer", "-": "wider" };
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    const act = event.shiftKey && steps[event.key] ? () => charts.step(steps[event.key]) : moves[keys[event.key]];
    if (!act) return;
    event.preventDefault();
    act();
  });
  $("charts").addEventListener("blur", charts.leave);
  addEventListener("keydown", (event) => event.key === "Escape" && tip.isShown && charts.leave());
  addEventListener("pointerdown", (event) => tip.isShown && !$("charts").contains(event.target) && charts.leave());
  $("compare").addEventListener("click", () => change({ each: true }));
  $("download").addEventListener("click", download);
  $("table").addEventListener("toggle", () => $("table").open && writeTable());
  makeCopyable($("copy-curl"), $("curl"));
  makeCopyable($("copy-sql"), $("sql"));

  return { open, follow, redraw: drawCharts, titleOf: () => (question.user ? `${question.user}: Explore` : "Explore") };
}

/** The address that explores someone's last day. */
export const addressOf = (userId) => `/explore?user=${escapeName(userId)}`;
