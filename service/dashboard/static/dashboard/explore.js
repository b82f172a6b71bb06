// The page Explore: one person, or several, over any range, at any resolution. The address of the page is its state.

import { makeForm } from "./askform.js";
import { makeCharts } from "./charts.js";
import { makeColors } from "./colors.js";
import { comparedIn, writeEach } from "./comparison.js";
import { $, make, makeCopyable, put, show } from "./dom.js";
import { writeFigures, writeSources } from "./figures.js";
import { askAll, isMeasured } from "./parts.js";
import { readPoint } from "./pointed.js";
import { csvOf, devicesOf } from "./points.js";
import { PRESETS, pathsOf, rangeOf, readQuestion, sqlOf, writeQuestion } from "./question.js";
import { keyForShell } from "./session.js";
import { NOTHING, formatBucket, formatMoment, formatNumber, formatWhole } from "./text.js";
import { makeTip } from "./tip.js";

const FOLLOW = 2000; // ms that a range until now stays as it is at least
const PIXELS = 1300; // of a chart: by one of them time goes on until it is drawn anew
const SHORTEST = 1000; // ms that a zoom shows at least
const LONGEST = 50 * PRESETS["1y"];
const MOST_ROWS = 500; // of the table
const SEVERAL = "several devices";
const nameOf = (device) => device || SEVERAL;
const usersOf = (question) => [question.user, ...question.others];

/** Begin; open(search) shows what an address asks for, go(address) is called to change it. */
export function startExplore(people, go) {
  const form = makeForm(people, change);
  const charts = makeCharts($("charts"), setRange, pointAt);
  const tip = makeTip($("charts").closest(".chart"), $("pointed"));
  const colors = { devices: makeColors(), people: makeColors() };
  let question = readQuestion("");
  let range = rangeOf(question);
  let answer = null; // {best, kind, parts, names} of what is shown: what is compared, or the best of all
  let asking = null;
  let following = 0;
  let wearer = ""; // whose devices have colors

  // Asking.

  /** Ask for something else. */
  function change(some) {
    go(writeQuestion({ ...question, ...some }));
  }

  function setRange(start, end) {
    const length = Math.min(LONGEST, Math.max(SHORTEST, end - start));
    const middle = (start + end) / 2;
    const round = (ms) => Math.round(ms / 1000) * 1000;
    change({ preset: null, start: round(middle - length / 2), end: round(middle + length / 2) });
  }

  function move(share, factor = 1) {
    const length = range.end - range.start;
    const middle = range.start + length / 2 + share * length;
    setRange(middle - (length * factor) / 2, middle + (length * factor) / 2);
  }

  /** Let a range until now go on, as readings of its users arrive, while nobody points at it. */
  function follow(userId) {
    if (question.preset === null || !usersOf(question).includes(userId) || !answer || following) return;
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
    if (isSame && answer) form.writeRange(range);
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
    $("answer").setAttribute("aria-busy", "true");
    if (!answer) showState("Loading", "Asking the service.");
    const began = performance.now();
    try {
      const answered = await askAll(question, range, mine.signal);
      if (mine === asking) await showAnswer(answered, performance.now() - began);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asking) return;
      answer = null;
      showState("That did not work", error.message, { isError: true });
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
    writeCommands(question.bucket);
  }

  async function showAnswer({ best, worn, compared }, took) {
    const parts = compared ?? [best];
    if (!parts.some(isMeasured)) {
      answer = null;
      const whose = question.others.length > 0 ? "any of these users" : "that user";
      return showState("Nothing here", `No reading of ${whose} lies in the range.`, { isEmpty: true });
    }
    knowDevices(worn.map(({ device_id: device }) => device));
    const kind = compared && comparedIn(question);
    answer = { best, kind, parts, names: compared ? parts.map(({ name }) => name) : inOrder(devicesOf(best.columns)) };
    show($("no-answer"), false);
    show($("result"), true);
    put($("figures-of"), question.others.length > 0 ? question.user : "");
    writeFigures(best.summary.body, range, question.tz);
    writeSources(best.summary, best.series, took);
    writeLegend();
    writeEach(kind, compared, worn, swatchOf);
    writeCommands(best.series.body.bucket);
    if ($("table").open) writeTable();
    await drawCharts();
  }

  async function drawCharts() {
    if (!answer) return;
    tip.hide();
    const { best, parts, names } = answer;
    const { metrics, tz } = question;
    const { bucket } = best.series.body;
    try {
      await charts.draw({ parts, range, metrics, tz, bucket, devices: names, colors: places() });
      show($("no-charts"), false);
    } catch {
      show($("no-charts"), true);
    }
  }

  function knowDevices(devices) {
    if (wearer !== question.user) colors.devices.keep([]);
    wearer = question.user;
    colors.devices.add([...devices, question.device].filter(Boolean));
    colors.people.keep(usersOf(question));
    colors.people.add(usersOf(question));
    form.writeDevices(colors.devices.places.keys());
  }

  /** By color, and several at once last. */
  const inOrder = (devices) => [...colors.devices.places.keys(), ""].filter((device) => devices.includes(device));

  const places = () => (question.others.length > 0 ? colors.people : colors.devices).places;
  const kindOf = (name) => `series-${places().get(name) ?? "several"}`;
  const swatchOf = (name) => make("span", { class: `swatch ${kindOf(name)}`, "aria-hidden": "true" });

  function writeLegend() {
    const { kind, names } = answer;
    const isAlone = names.length === 1 && !kind;
    const swatch = (name) => (isAlone ? make("span", { class: "swatch device-only", "aria-hidden": "true" }) : swatchOf(name));
    $("devices").replaceChildren(...names.map((name) => make("li", {}, swatch(name), nameOf(name), removerOf(name))));
    put($("devices-of"), kind ? kind.legend : "Heart rate from");
    show($("devices").parentElement, names.length > 0 && (kind !== null || question.metrics.includes("heart_rate")));
    show($("compare"), !kind && !question.device && colors.devices.places.size > 1);
  }

  /** A button that ends comparing with someone. */
  function removerOf(name) {
    if (!question.others.includes(name)) return null;
    const remove = () => change({ others: question.others.filter((other) => other !== name) });
    return make("button", { type: "button", class: "remove", "aria-label": `Compare no longer with ${name}`, click: remove }, "×");
  }

  /** What is offered for elsewhere: of what is compared the first. */
  function writeCommands(bucket) {
    const asked = answer?.parts[0].question ?? question;
    show($("commands"), Boolean(question.user));
    put($("commands-title"), answer?.kind ? `The same from elsewhere, of ${answer.names[0]}` : "The same from elsewhere");
    put($("curl"), `curl${keyForShell()} '${location.origin}${pathsOf(asked, range).series}'`);
    put($("sql"), sqlOf(asked, range, bucket));
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
    put($("rows-of"), answer?.kind?.head ?? "Device");
    put($("rows-shown"), all.length > MOST_ROWS ? `The first ${formatWhole(MOST_ROWS)} of ${formatWhole(all.length)}; the CSV file has all.` : "");
  }

  function pointAt(index, anchor) {
    if (!answer || index === null) return tip.hide();
    const point = readPoint(answer.parts, index, question.metrics, kindOf, answer.names.length > 1 ? nameOf : null);
    tip.tell(point, anchor, formatBucket(point.t, answer.best.series.body.bucket, question.tz));
  }

  function download() {
    const file = new Blob([csvOf(answer.parts, answer.kind?.key)], { type: "text/csv" });
    const name = usersOf(question).join(" ").replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60);
    const link = make("a", { href: URL.createObjectURL(file), download: `${name}-${answer.best.series.body.bucket}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function writeForm() {
    form.write(question, range);
    knowDevices([]);
  }

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

  return { open, follow, redraw: drawCharts, titleOf: () => titleOf(question) };
}

function titleOf({ user, others }) {
  if (!user) return "Explore";
  return others.length > 0 ? `${user} and ${others.length} more: Explore` : `${user}: Explore`;
}
