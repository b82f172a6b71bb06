// The page Explore: one person over any range, at any resolution. The address of the page is its state.

import { Refused, ask } from "./api.js";
import { makeCharts, tellPoint } from "./charts.js";
import { $, make, makeCopyable, put, show } from "./dom.js";
import { columnsOf, csvOf, devicesOf } from "./points.js";
import { METRICS, PRESETS, pathsOf, rangeOf, readQuestion, sqlOf, writeQuestion } from "./question.js";
import { NOTHING, count, escapeName, formatMilliseconds, formatMoment, formatNumber, formatWhole } from "./text.js";
import { fromLocal, toLocal, zones } from "./zone.js";

const HOUR = PRESETS["1h"];
const SHORTEST = 1000; // ms that a zoom shows at least
const LONGEST = 50 * PRESETS["1y"];
const MOST_ROWS = 500; // of the table
const SEVERAL = "several devices";
const nameOf = (device) => device || SEVERAL;

/** Begin; open(search) shows what an address asks for, go(address) is called to change it. */
export function startExplore(people, go) {
  const form = $("ask");
  const fields = form.elements;
  const charts = makeCharts($("charts"), zoomTo, pointAt);
  let question = readQuestion("");
  let range = rangeOf(question);
  let answer = null; // {summary, series, columns, devices} of what is shown
  let asking = null;
  let knownDevices = { user: "", devices: new Set() };

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

  async function open(search) {
    question = readQuestion(search);
    range = rangeOf(question);
    writeForm();
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
      const [summary, series] = await Promise.all([ask(paths.summary, mine.signal), ask(paths.series, mine.signal)]);
      if (mine === asking) await showAnswer(summary, series, performance.now() - began);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asking) return;
      answer = null;
      const isEmpty = error instanceof Refused && error.status === 404;
      if (isEmpty) showState("Nothing here", "No reading of that user lies in the range.", { isEmpty });
      else showState("That did not work", error.message, { isError: true });
    } finally {
      if (mine === asking) $("answer").removeAttribute("aria-busy");
    }
  }

  // Showing.

  function showState(title, text, { isError = false, isEmpty = false } = {}) {
    charts.clear();
    put($("no-answer-title"), title);
    put($("no-answer-text"), text);
    $("no-answer").classList.toggle("error", isError);
    show($("wider-empty"), isEmpty);
    show($("no-answer"), true);
    show($("result"), false);
    writeCommands(question.bucket === "auto" ? "auto" : question.bucket);
  }

  async function showAnswer(summary, series, took) {
    const columns = columnsOf(series.body);
    answer = { summary: summary.body, series: series.body, columns, devices: devicesOf(columns) };
    show($("no-answer"), false);
    show($("result"), true);
    writeFigures(summary.body);
    writeSources(summary, series, took);
    writeDevices();
    writeCommands(series.body.bucket);
    if ($("table").open) writeTable();
    put($("pointed"), "");
    await drawCharts();
  }

  async function drawCharts() {
    if (!answer) return;
    const { columns, devices, series } = answer;
    const metrics = question.metrics;
    try {
      await charts.draw({ columns, range, metrics, tz: question.tz, bucket: series.bucket, devices });
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
    put($("average"), heart ? formatNumber(heart.avg) : NOTHING);
    $("average").value = heart?.avg ?? "";
    put($("extremes"), heart ? `${formatNumber(heart.min)} to ${formatNumber(heart.max)} bpm, ${count(heart.count, "value")}` : "not measured");
    put($("steps"), formatWhole(steps));
    $("steps").value = steps ?? "";
    put($("steps-pace"), pace(steps));
    put($("calories-pace"), pace(calories));
    put($("calories"), formatNumber(calories));
    $("calories").value = calories ?? "";
    put($("first"), formatMoment(first, question.tz));
    put($("last"), formatMoment(last, question.tz));
  }

  function writeSources(summary, series, took) {
    const { points, bucket, sources } = series.body;
    const what = bucket === "raw" ? count(points.length, "reading") : `${count(points.length, "bucket")} of ${bucket}`;
    put($("points"), `${what} from ${sources.join(", ")}, in ${formatMilliseconds(series.took)}`);
    put($("took"), `Figures from ${summary.body.sources.join(", ")}, in ${formatMilliseconds(summary.took)}`);
    $("points").title = `Both answers together: ${formatMilliseconds(took)}`;
  }

  function writeDevices() {
    if (knownDevices.user !== question.user) knownDevices = { user: question.user, devices: new Set() };
    for (const device of answer?.devices ?? []) if (device) knownDevices.devices.add(device);
    if (question.device) knownDevices.devices.add(question.device);
    const options = [...knownDevices.devices].map((device) => new Option(device, device));
    fields.device.replaceChildren(new Option("The best of all", ""), ...options);
    fields.device.value = question.device;
    const many = (answer?.devices ?? []).length > 1;
    const swatch = (i) => make("span", { class: `swatch device-${many ? i % 5 : "only"}`, "aria-hidden": "true" });
    $("devices").replaceChildren(...(answer?.devices ?? []).map((device, i) => make("li", {}, swatch(i), nameOf(device))));
    show($("devices").parentElement, question.metrics.includes("heart_rate") && (answer?.devices ?? []).length > 0);
  }

  function writeCommands(bucket) {
    const { series } = pathsOf(question, range);
    show($("commands"), Boolean(question.user));
    put($("curl"), `curl '${location.origin}${series}'`);
    put($("sql"), sqlOf(question, range, bucket));
  }

  function writeTable() {
    const rows = (answer?.series.points ?? []).slice(0, MOST_ROWS).map(({ t, heart_rate: heart, steps, calories }) => {
      const cells = [heart?.avg, heart?.min, heart?.max].map(formatNumber).concat(heart ? nameOf(heart.device_id) : NOTHING);
      const values = [...cells, formatNumber(steps), formatNumber(calories)].map((text) => make("td", {}, text));
      return make("tr", {}, make("th", { scope: "row" }, formatMoment(t, question.tz)), ...values);
    });
    $("rows").replaceChildren(...rows);
    const all = answer?.series.points.length ?? 0;
    put($("rows-shown"), all > MOST_ROWS ? `The first ${formatWhole(MOST_ROWS)} of ${formatWhole(all)}; the CSV file has all.` : "");
  }

  function pointAt(index) {
    if (!answer || index === null || index === undefined) return put($("pointed"), "");
    const when = (ms) => formatMoment(ms, question.tz);
    put($("pointed"), tellPoint(answer.columns, index, question.metrics, nameOf, when));
  }

  function download() {
    const file = new Blob([csvOf(answer.series.points)], { type: "text/csv" });
    const name = question.user.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60);
    const link = make("a", { href: URL.createObjectURL(file), download: `${name}-${answer.series.bucket}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // The form.

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
  $("wider-empty").addEventListener("click", moves.wider);
  $("charts").addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: "earlier", ArrowRight: "later", "+": "closer", "=": "closer", "-": "wider" };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[keys[event.key]]();
  });
  $("download").addEventListener("click", download);
  $("table").addEventListener("toggle", () => $("table").open && writeTable());
  makeCopyable($("copy-curl"), $("curl"));
  makeCopyable($("copy-sql"), $("sql"));

  return { open, redraw: drawCharts, titleOf: () => (question.user ? `${question.user}: Explore` : "Explore") };
}

/** The address that explores someone's last day. */
export const addressOf = (userId) => `/explore?user=${escapeName(userId)}`;
