// The page Explore: one person, or several, over any range, at any resolution. The address of the page is its state.

import { makeForm } from "./askform.js";
import { download, writeBuckets } from "./buckets.js";
import { makeCharts } from "./charts.js";
import { makeColors } from "./colors.js";
import { comparedIn, writeEach } from "./comparison.js";
import { $, make, makeCopyable, put, show } from "./dom.js";
import { writeFigures, writeSources } from "./figures.js";
import { boundRange, makeMoves } from "./moving.js";
import { makeOffered } from "./offered.js";
import { askAll, isMeasured } from "./parts.js";
import { readPoint } from "./pointed.js";
import { devicesOf } from "./points.js";
import { PRESETS, othersOfBasic, pathsOf, rangeOf, readQuestion, sqlOf, writeQuestion } from "./question.js";
import { keyForShell } from "./session.js";
import { formatBucket } from "./text.js";
import { makeTip } from "./tip.js";
import { makeZoneLegend } from "./zonelegend.js";
import { zonesOf } from "./zones.js";

const FOLLOW = 2000; // ms that a range until now stays as it is at least
const PIXELS = 1300; // of a chart: by one of them time goes on until it is drawn anew
const LONGEST = 50 * PRESETS["1y"];
const SEVERAL = "several devices";
const nameOf = (device) => device || SEVERAL;
const usersOf = (question) => [question.user, ...question.others];

/** Begin; open(search) shows what an address asks for, go(address) is called to change it. */
export function startExplore(people, go) {
  const form = makeForm(people, change);
  const charts = makeCharts($("charts"), setRange, pointAt);
  const offered = makeOffered();
  const zones = makeZoneLegend((maximum) => change({ maximum }));
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
    change(boundRange(start, end, LONGEST));
  }

  /** Let a range until now go on, as readings of its users arrive, while nobody points at it. */
  function follow(userId) {
    if (question.preset === null || !usersOf(question).includes(userId) || !answer || following) return;
    const wait = Math.max(FOLLOW, (range.end - range.start) / PIXELS);
    following = setTimeout(() => {
      following = 0;
      const isShown = !$("explore-page").hidden && !document.hidden;
      if (isShown && !asking && !tip.isShown && !$("charts").matches(":hover")) open(location.search, true);
      else follow(userId);
    }, wait);
  }

  async function open(search, isFollowing = false) {
    const isSame = writeQuestion(question) === writeQuestion(readQuestion(search));
    question = readQuestion(search);
    range = rangeOf(question);
    if (isSame && answer) form.writeRange(range);
    else writeForm();
    if (!isFollowing) offered.forget();
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
      question.metrics = await offered.learn(usersOf(question), question.metrics, mine.signal);
      form.writeMetrics(offered.names);
      const answered = await askAll(question, range, mine.signal);
      if (mine === asking) await showAnswer(answered, performance.now() - began, mine.signal);
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

  async function showAnswer({ best, worn, compared }, took, signal) {
    const parts = compared ?? [best];
    if (!parts.some(isMeasured)) {
      answer = null;
      const whose = question.others.length > 0 ? "any of these users" : "that user";
      return showState("Nothing here", `No reading of ${whose} lies in the range.`, { isEmpty: true });
    }
    knowDevices(worn.map(({ device_id: device }) => device));
    const kind = compared && comparedIn(question);
    answer = { best, kind, parts, names: compared ? parts.map(({ name }) => name) : byColor(devicesOf(best.columns)) };
    show($("no-answer"), false);
    show($("result"), true);
    put($("figures-of"), question.others.length > 0 ? question.user : "");
    writeFigures(best.summary.body, question.metrics, range, question.tz);
    writeSources(best.summary, best.series, took);
    writeLegend();
    writeEach(kind, compared, question.metrics, worn, swatchOf);
    writeCommands(best.series.body.bucket);
    if ($("table").open) writeTable();
    if (question.metrics.includes("heart_rate")) await Promise.all([drawCharts(), zones.write(question, range, best, signal)]);
    else {
      zones.hide();
      await drawCharts();
    }
  }

  async function drawCharts() {
    if (!answer) return;
    tip.hide();
    const { best, parts, names } = answer;
    const { metrics, tz, maximum } = question;
    const { bucket } = best.series.body;
    try {
      await charts.draw({ parts, range, metrics, tz, bucket, devices: names, colors: places(), zones: zonesOf(maximum) });
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
  const byColor = (devices) => [...colors.devices.places.keys(), ""].filter((device) => devices.includes(device));

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

  const writeTable = () => writeBuckets(answer?.parts ?? [], question, answer?.kind?.head, nameOf);

  function pointAt(index, anchor) {
    if (!answer || index === null) return tip.hide();
    const point = readPoint(answer.parts, index, question.metrics, kindOf, answer.names.length > 1 ? nameOf : null);
    tip.tell(point, anchor, formatBucket(point.t, answer.best.series.body.bucket, question.tz));
  }

  function writeForm() {
    form.write(question, range);
    form.writeMetrics(offered.names);
    knowDevices([]);
  }

  makeMoves($("charts"), () => range, setRange, charts.step);
  $("again").addEventListener("click", () => open(location.search));
  $("charts").addEventListener("blur", charts.leave);
  addEventListener("keydown", (event) => event.key === "Escape" && tip.isShown && charts.leave());
  addEventListener("pointerdown", (event) => tip.isShown && !$("charts").contains(event.target) && charts.leave());
  $("compare").addEventListener("click", () => change({ each: true }));
  $("download").addEventListener("click", () => {
    const { parts, kind, best } = answer;
    download(parts, kind?.key, othersOfBasic(question), usersOf(question), best.series.body.bucket);
  });
  $("table").addEventListener("toggle", () => $("table").open && writeTable());
  makeCopyable($("copy-curl"), $("curl"));
  makeCopyable($("copy-sql"), $("sql"));

  return { open, follow, redraw: drawCharts, titleOf: () => titleOf(question) };
}

function titleOf({ user, others }) {
  if (!user) return "Explore";
  return others.length > 0 ? `${user} and ${others.length} more: Explore` : `${user}: Explore`;
}
