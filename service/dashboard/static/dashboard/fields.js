// Fields that several forms have: users, who are suggested, and time zones.

import { $ } from "./dom.js";
import { zones } from "./zone.js";

const MOST_NAMES = 1000; // that are suggested

/** Suggest people where a user is to be named. */
export function suggestUsers(fields, people) {
  const suggest = () => $("users").replaceChildren(...[...people.all.keys()].slice(0, MOST_NAMES).map((userId) => new Option("", userId)));
  for (const field of fields) field.addEventListener("focus", suggest);
}

/** Show a time zone in a select, which has all of them, and also one that only an address knows. */
export function chooseZone(select, tz) {
  if (select.options.length === 0) select.append(...zones().map((name) => new Option(name, name)));
  if (![...select.options].some((option) => option.value === tz)) select.append(new Option(tz, tz));
  select.value = tz;
}
