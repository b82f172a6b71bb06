// The figures of a range: what a person asks in the form, what the service answers, and the same as a command.

import { now } from "./live.js";
import { formatMoment, formatNumber, inPath, put, putValue } from "./text.js";

/** Wire the form up; returns a function that asks for a user. */
export function makeRange(form, answer, curl, template, userIds) {
  const { user, start, end } = form.elements;
  let asking = null;

  const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  const utc = (input) => new Date(input.value).toISOString().replace(".000Z", "Z");
  const address = () =>
    `${location.origin}/v1/users/${inPath(user.value)}/summary?start=${utc(start)}&end=${utc(end)}`;

  function setHours(hours) {
    const minute = Math.ceil(now() / 60_000) * 60_000;
    start.value = local(minute - hours * 3_600_000);
    end.value = local(minute);
    writeCurl();
  }

  function writeCurl() {
    const complete = user.value && start.value && end.value;
    curl.parentElement.hidden = !complete;
    if (complete) put(curl, `curl '${address()}'`);
  }

  function say(text, className) {
    const line = document.createElement("p");
    line.className = className;
    put(line, text);
    answer.replaceChildren(line);
  }

  async function ask() {
    asking?.abort();
    const mine = (asking = new AbortController());
    answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(address(), { signal: mine.signal });
      const body = await response.json();
      if (response.ok) show(body);
      else say(body.detail ?? `The service answered ${response.status}.`, response.status === 404 ? "none" : "error");
    } catch (error) {
      if (error.name !== "AbortError") say("The service did not answer. Try again when it is back.", "error");
    } finally {
      if (mine === asking) answer.removeAttribute("aria-busy");
    }
  }

  function show({ heart_rate: heart, steps, calories, first, last, sources }) {
    const figures = template.content.cloneNode(true);
    const find = (id) => figures.getElementById(id);
    putValue(find("average"), heart && heart.avg);
    putValue(find("steps"), steps);
    putValue(find("calories"), calories);
    put(find("extremes"), heart ? `${formatNumber(heart.min)} to ${formatNumber(heart.max)} bpm` : "–");
    put(find("first"), formatMoment(first));
    put(find("last"), formatMoment(last));
    put(find("sources"), sources.join(", "));
    answer.replaceChildren(figures);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  form.addEventListener("input", writeCurl);
  for (const button of form.querySelectorAll("[data-hours]"))
    button.addEventListener("click", () => setHours(Number(button.dataset.hours)));
  user.addEventListener("focus", () =>
    user.list.replaceChildren(...userIds().map((userId) => new Option("", userId))));
  setHours(24);

  return (userId) => {
    user.value = userId;
    setHours(24);
    form.parentElement.focus();
    ask();
  };
}
