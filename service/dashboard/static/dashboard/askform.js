// The form of Explore: it shows a question, and a question is read from it.

import { COLORS } from "./colors.js";
import { $, make, put } from "./dom.js";
import { chooseZone, suggestUsers } from "./fields.js";
import { BASIC, byTopic, classOf, inOrder, metricOf } from "./metrics.js";
import { MOST_METRICS, PRESETS } from "./question.js";
import { fromLocal, toLocal } from "./zone.js";

const EACH = 1; // which option means each device alone; no value does, since a device may be called anything

/** Make the form; ask(some) is called with what a person changed of the question, and people are suggested. */
export function makeForm(people, ask) {
  const form = $("ask");
  const fields = form.elements;
  let question = null;
  let range = null;
  let offered = ""; // the metrics among which to choose

  for (const preset of Object.keys(PRESETS)) {
    const button = make("button", { type: "button", "data-preset": preset, "aria-pressed": "false" }, preset);
    button.addEventListener("click", () => ask({ preset, start: null, end: null }));
    $("presets").append(button);
  }

  /** Show where a range until now has gone; what a person is writing stays. */
  function writeRange(some) {
    range = some;
    for (const [field, moment] of [[fields.start, range.start], [fields.end, range.end]]) {
      if (field !== document.activeElement) field.value = toLocal(moment, question.tz);
    }
  }

  function write(some, itsRange) {
    [question, range] = [some, itsRange];
    fields.user.value = question.user;
    fields.with.value = "";
    fields.start.value = toLocal(range.start, question.tz);
    fields.end.value = toLocal(range.end, question.tz);
    fields.bucket.value = question.bucket;
    chooseZone(fields.tz, question.tz);
    for (const box of boxes()) box.checked = question.metrics.includes(box.value);
    for (const button of $("presets").children) button.setAttribute("aria-pressed", String(button.dataset.preset === question.preset));
    put($("range-problem"), "");
  }

  const boxes = () => $("metrics").querySelectorAll("input");

  /** Offer metrics to choose from, by topic. */
  function writeMetrics(names) {
    const groups = byTopic([...BASIC, ...names, ...question.metrics]);
    const next = JSON.stringify(groups);
    if (next === offered) return;
    offered = next;
    const box = (name) => make("input", { type: "checkbox", value: name, checked: question.metrics.includes(name), change: submit });
    const label = (name) => make("label", { class: classOf(name) }, box(name), ` ${metricOf(name).title}`);
    const group = ([topic, some]) => make("div", { role: "group", "aria-label": topic }, make("span", { class: "topic", "aria-hidden": "true" }, topic), ...some.map(label));
    $("metrics").replaceChildren(...groups.map(group));
  }

  /** Offer devices to choose from. */
  function writeDevices(devices) {
    const options = [...devices].map((device) => new Option(device, device));
    fields.device.replaceChildren(new Option("The best of all", ""), new Option("Each alone", ""), ...options);
    if (question.device) fields.device.value = question.device;
    else fields.device.selectedIndex = question.each ? EACH : 0;
  }

  /** Why whoever is written cannot be compared with those who are; "" where they can. */
  function problemOf(other) {
    const there = [fields.user.value, ...question.others];
    if (other && there.includes(other)) return `${other} is there already.`;
    return other && there.length >= COLORS ? `${COLORS} people at most: remove one first.` : "";
  }

  function read() {
    const problem = problemOf(fields.with.value);
    if (problem) {
      put($("range-problem"), problem);
      fields.with.value = "";
      return null;
    }
    const metrics = [...boxes()].filter(({ checked }) => checked).map(({ value }) => value);
    if (metrics.length > MOST_METRICS) {
      put($("range-problem"), `${MOST_METRICS} metrics at most: leave one out first.`);
      for (const box of boxes()) box.checked = question.metrics.includes(box.value);
      return null;
    }
    const each = fields.device.selectedIndex === EACH;
    const some = {
      user: fields.user.value,
      others: each && !question.each ? [] : [...question.others, fields.with.value],
      bucket: fields.bucket.value,
      tz: fields.tz.value,
      device: fields.user.value === question.user ? fields.device.value : "",
      each,
      metrics: metrics.length ? inOrder(metrics) : BASIC,
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
    const some = read();
    if (some) ask(some);
  }

  form.addEventListener("submit", submit);
  for (const name of ["bucket", "tz", "device"]) fields[name].addEventListener("change", submit);
  for (const name of ["user", "with", "start", "end"]) fields[name].addEventListener("change", () => fields.user.value && submit());
  suggestUsers([fields.user, fields.with], people);

  return { write, writeRange, writeDevices, writeMetrics };
}
