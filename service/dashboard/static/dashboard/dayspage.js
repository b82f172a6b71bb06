// The page of days: a year as a calendar, and a week as a table. The address of the page is its state.

import { makeCalendarKeys, writeYear } from "./calendar.js";
import { askWeek, askYear } from "./daysanswer.js";
import { byDay, readDays, writeDays } from "./daysquestion.js";
import { $, put, set, show } from "./dom.js";
import { chooseZone, suggestUsers } from "./fields.js";
import { addDays, isDay, mondayOf, today } from "./localdays.js";
import { BASIC, byTopic, learnMetrics, metricOf, metricsOfUser } from "./metrics.js";
import { count, escapeName } from "./text.js";
import { writeWeek } from "./week.js";

/** Begin; open(search) shows the days of an address, go(address) is called to change it. */
export function startDays(people, go) {
  const form = $("days-form");
  const fields = form.elements;
  const enterCalendar = makeCalendarKeys($("calendar"));
  let question = readDays("");
  let asking = null;

  const change = (some) => go(writeDays({ ...question, ...some }));

  async function open(search) {
    question = readDays(search);
    writeForm([]);
    asking?.abort();
    if (!question.user) {
      asking = null;
      return showState("Choose a user", "Their days appear here.");
    }
    const mine = (asking = new AbortController());
    $("days-answer").setAttribute("aria-busy", "true");
    if ($("days-result").hidden) showState("Loading", "Asking the service for the days.");
    try {
      const asked = [learnMetrics([question.metric]), metricsOfUser(`/v1/users/${escapeName(question.user)}`, mine.signal)];
      const [, names] = await Promise.all(asked);
      const [year, week] = await Promise.all([askYear(question, mine.signal), askWeek(question, mine.signal)]);
      if (mine === asking) showDays(names, year, week);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asking) return;
      showState("That did not work", error.message, true);
    } finally {
      if (mine === asking) {
        asking = null;
        $("days-answer").removeAttribute("aria-busy");
      }
    }
  }

  function showState(title, text, isError = false) {
    put($("days-state-title"), title);
    put($("days-state-text"), text);
    $("days-state").classList.toggle("error", isError);
    show($("days-again"), isError);
    show($("days-state"), true);
    show($("days-result"), false);
  }

  function showDays(names, year, week) {
    if (names.length === 0) return showState("No days yet", `No value of ${question.user} is stored.`);
    writeForm(names);
    show($("days-state"), false);
    show($("days-result"), true);
    const days = writeYear(question, byDay(year));
    const { title } = metricOf(question.metric);
    put($("year-title"), `${title}, ${question.year}`);
    put($("year-count"), days ? `${count(days, "day")} with a value` : `No value in ${question.year}`);
    const hasWeek = writeWeek(question, week);
    show($("week-table"), hasWeek);
    show($("week-empty"), !hasWeek);
    enterCalendar();
  }

  function writeForm(names) {
    fields.user.value = question.user;
    fields.year.value = question.year;
    fields.week.value = question.week;
    chooseZone(fields.tz, question.tz);
    writeMetrics(names);
    const thisYear = Number(today(question.tz).slice(0, 4));
    const turn = (id, some) => set($(id), "href", writeDays({ ...question, ...some }));
    turn("year-before", { year: question.year - 1 });
    turn("year-after", { year: question.year + 1 });
    show($("year-after"), question.year < thisYear);
    turn("week-before", { week: addDays(question.week, -7) });
    turn("week-after", { week: addDays(question.week, 7) });
    show($("week-after"), question.week < mondayOf(today(question.tz)));
  }

  function writeMetrics(names) {
    const groups = byTopic([...(names.length > 0 ? names : BASIC), question.metric]);
    fields.metric.replaceChildren(
      ...groups.map(([topic, some]) => {
        const group = document.createElement("optgroup");
        group.label = topic;
        group.append(...some.map((name) => new Option(metricOf(name).title, name)));
        return group;
      }),
    );
    fields.metric.value = question.metric;
  }

  function submit(event) {
    event?.preventDefault();
    if (!form.reportValidity()) return;
    const week = isDay(fields.week.value) ? mondayOf(fields.week.value) : question.week;
    change({ user: fields.user.value, metric: fields.metric.value, year: Number(fields.year.value), week, tz: fields.tz.value });
  }

  form.addEventListener("submit", submit);
  for (const name of ["user", "metric", "year", "tz", "week"]) fields[name].addEventListener("change", () => fields.user.value && submit());
  suggestUsers([fields.user], people);
  $("days-again").addEventListener("click", () => open(location.search));

  return { open };
}
