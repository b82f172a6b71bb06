// The page of a person's day: what one would show a friend. The address of the page is its state.

import { askDay, heartRates, hoursOf } from "./dayanswer.js";
import { drawHeart, drawHours } from "./daycharts.js";
import { writeDayFigures, writeHourTable, writeZoneTimes } from "./dayfigures.js";
import { $, put, set, show } from "./dom.js";
import { chooseZone, suggestUsers } from "./fields.js";
import { addDays, formatDay, isDay, startOf, today } from "./localdays.js";
import { learnMetrics } from "./metrics.js";
import { iso } from "./question.js";
import { escapeName } from "./text.js";
import { here, isZone } from "./zone.js";
import { maximumOf, writeMaximum } from "./zones.js";

const FOLLOW = 10_000; // ms that today stays as it is at least
const LONGEST = 128; // characters of a name
const NARROWEST = 280; // px of a drawing

/** Read a day from a query string; one that names none is today. */
export function readDay(search) {
  const given = new URLSearchParams(search);
  return {
    user: (given.get("user") ?? "").slice(0, LONGEST),
    date: isDay(given.get("date")) ? given.get("date") : null,
    tz: isZone(given.get("tz") || "?") ? given.get("tz") : here(),
    maximum: maximumOf(given.get("max")),
  };
}

/** Write a day as the page's address. */
export function writeDay({ user, date, tz, maximum }) {
  const given = new URLSearchParams();
  if (user) given.set("user", user);
  if (date) given.set("date", date);
  if (tz !== here()) given.set("tz", tz);
  if (maximum) writeMaximum(given, maximum);
  const text = given.toString();
  return text ? `/day?${text}` : "/day";
}

/** Begin; open(search) shows the day of an address, go(address) is called to change it. */
export function startDay(people, go) {
  const form = $("day-form");
  const fields = form.elements;
  let question = readDay("");
  let range = null;
  let answer = null;
  let asking = null;
  let following = 0;

  const change = (some) => go(writeDay({ ...question, ...some }));
  const date = () => question.date ?? today(question.tz);

  async function open(search, isFollowing = false) {
    question = readDay(search);
    range = { start: startOf(date(), question.tz), end: startOf(addDays(date(), 1), question.tz) };
    if (!isFollowing) writeForm();
    clearTimeout(following);
    following = 0;
    asking?.abort();
    if (!question.user) {
      answer = null;
      return showState("Choose a user", "Their day appears here.");
    }
    const mine = (asking = new AbortController());
    $("day-answer").setAttribute("aria-busy", "true");
    if (!isFollowing) showState("Loading", "Asking the service for the day.");
    try {
      const [answered] = await Promise.all([askDay(question.user, range, question.tz, mine.signal), learnMetrics()]);
      if (mine === asking) showDay(answered);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asking) return;
      answer = null;
      showState("That did not work", error.message, true);
    } finally {
      if (mine === asking) {
        asking = null;
        $("day-answer").removeAttribute("aria-busy");
      }
    }
  }

  function showState(title, text, isError = false) {
    put($("day-state-title"), title);
    put($("day-state-text"), text);
    $("day-state").classList.toggle("error", isError);
    show($("day-again"), isError);
    show($("day-state"), true);
    show($("day-result"), false);
  }

  function showDay(answered) {
    answer = answered;
    if (!answer) return showState("Nothing on this day", `No value of ${question.user} lies on ${formatDay(date())}.`);
    show($("day-state"), false);
    show($("day-result"), true);
    put($("day-of"), question.user);
    put($("day-name"), formatDay(date(), { weekday: "long", day: "numeric", month: "long", year: "numeric" }));
    put($("day-zone"), question.tz);
    const given = new URLSearchParams({ user: question.user, start: iso(range.start), end: iso(range.end), tz: question.tz });
    writeMaximum(given, question.maximum);
    set($("day-explore"), "href", `/explore?${given}`);
    writeDayFigures(answer.summary);
    writeZoneTimes(answer.series, question.maximum);
    writeHourTable(hoursOf(answer.series.points, range), question.tz);
    drawAll();
  }

  function drawAll() {
    if (!answer || $("day-page").hidden) return;
    const { points } = answer.series;
    const width = Math.max(NARROWEST, $("day-charts").clientWidth);
    const heart = drawHeart(heartRates(points, range.start), range, question.tz, question.maximum, width);
    const amounts = hoursOf(points, range).map(({ t, steps }) => ({ t, total: steps }));
    const steps = drawHours("steps", amounts, range, question.tz, width);
    for (const [id, drawn] of [["day-heart", heart], ["day-steps", steps]]) {
      $(`${id}-chart`).replaceChildren(...(drawn ? [drawn] : []));
      show($(id), Boolean(drawn));
    }
  }

  /** Let today go on as readings arrive. */
  function follow(userId) {
    if (userId !== question.user || following || date() !== today(question.tz)) return;
    following = setTimeout(() => {
      following = 0;
      if (!$("day-page").hidden && !document.hidden && !asking) open(location.search, true);
    }, FOLLOW);
  }

  function writeForm() {
    fields.user.value = question.user;
    fields.date.value = date();
    fields.max.value = question.maximum;
    chooseZone(fields.tz, question.tz);
    const isLast = date() >= today(question.tz);
    for (const [id, days] of [["day-before", -1], ["day-after", 1]]) set($(id), "href", writeDay({ ...question, date: addDays(date(), days) }));
    show($("day-after"), !isLast);
    const given = new URLSearchParams({ ...(question.user && { user: question.user }), year: date().slice(0, 4), week: date() });
    if (question.tz !== here()) given.set("tz", question.tz);
    set($("day-calendar"), "href", `/days?${given}`);
    show($("day-calendar"), Boolean(question.user));
  }

  function submit(event) {
    event?.preventDefault();
    if (!form.reportValidity() || !fields.user.value) return;
    const day = isDay(fields.date.value) ? fields.date.value : date();
    change({ user: fields.user.value, date: day, tz: fields.tz.value, maximum: maximumOf(fields.max.value) });
  }

  form.addEventListener("submit", submit);
  for (const name of ["user", "date", "tz", "max"]) fields[name].addEventListener("change", () => submit());
  suggestUsers([fields.user], people);
  $("day-again").addEventListener("click", () => open(location.search));
  $("day-print").addEventListener("click", () => print());
  new ResizeObserver(drawAll).observe($("day-charts"));

  return { open, follow };
}
