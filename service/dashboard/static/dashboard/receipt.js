// The receipt of a file: what became of it, by the kinds that it holds.

import { make } from "./dom.js";
import { count, formatWhole } from "./text.js";

const MOST_ERRORS = 20; // that are shown
const OUTCOMES = [["inserted", "New"], ["updated", "Changed"], ["unchanged", "Known"], ["rejected", "Rejected"]];

/** A table with a row for each list of cells, which are texts or made already. */
function table(name, heads, rows) {
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const body = rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((cell) => typeof cell === "string" ? make("td", {}, cell) : cell)));
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, make("table", { class: "numbers" }, head, make("tbody", {}, ...body)));
}

/** What an import did, in a sentence. */
export function sentenceOf({ received, inserted, updated, unchanged, rejected }) {
  const parts = [[inserted, "new"], [updated, "changed"], [unchanged, "known already"], [rejected, "rejected"]];
  const said = parts.filter(([number]) => number > 0).map(([number, word]) => `${formatWhole(number)} ${word}`);
  return received === 0 ? "The file holds nothing that a metric stands for." : `${count(received, "reading")}: ${said.join(", ")}.`;
}

const valueOf = ({ value }) => (value === undefined ? "" : `, is ${JSON.stringify(value)}`);

/** Make what is shown of a receipt below its sentence. */
export function partsOf({ kinds, skipped, errors, damage }, file) {
  const parts = [];
  if (damage) parts.push(make("p", { class: "problem" }, `The file could not be read from ${damage.at} on: ${damage.problem}. What stands before is stored; sending it again is safe.`));
  if (kinds.length > 0) {
    const rows = kinds.map((each) => [each.kind, ...OUTCOMES.map(([name]) => formatWhole(each[name]))]);
    parts.push(table(`Kinds of ${file}`, ["Kind", ...OUTCOMES.map(([, head]) => head)], rows));
  }
  if (skipped.length > 0) {
    parts.push(make("h3", {}, "Left out"));
    parts.push(table(`Left out of ${file}`, ["Kind", "Records", "Why"], skipped.map(({ kind, reason, count: times }) => [kind, formatWhole(times), make("td", { class: "why" }, reason)])));
  }
  if (errors.length > 0) {
    parts.push(make("h3", {}, "Rejected"));
    const items = errors.slice(0, MOST_ERRORS).map((error) => make("li", {}, `${error.at} ${error.problem}${valueOf(error)}`));
    parts.push(make("ul", { class: "errors" }, ...items));
    if (errors.length > MOST_ERRORS) parts.push(make("p", { class: "quiet" }, `and ${formatWhole(errors.length - MOST_ERRORS)} more.`));
  }
  return parts;
}
