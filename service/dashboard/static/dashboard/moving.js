// Moving and zooming the range that the charts show, by buttons and keys.

import { $ } from "./dom.js";

const SHORTEST = 1000; // ms that a zoom shows at least
const KEYS = { ArrowLeft: "earlier", ArrowRight: "later", "+": "closer", "=": "closer", "-": "wider" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1 }; // with Shift, from point to point

/** Round a range to seconds, no shorter and no longer than can be shown. */
export function boundRange(start, end, longest) {
  const length = Math.min(longest, Math.max(SHORTEST, end - start));
  const middle = (start + end) / 2;
  const round = (ms) => Math.round(ms / 1000) * 1000;
  return { preset: null, start: round(middle - length / 2), end: round(middle + length / 2) };
}

/** Let buttons and the keys of charts move a range(), by set(start, end); step(by) goes to the next point. */
export function makeMoves(charts, range, set, step) {
  function move(share, factor = 1) {
    const { start, end } = range();
    const length = end - start;
    const middle = start + length / 2 + share * length;
    set(middle - (length * factor) / 2, middle + (length * factor) / 2);
  }
  const moves = { earlier: () => move(-0.5), later: () => move(0.5), closer: () => move(0, 0.5), wider: () => move(0, 2) };

  for (const [id, act] of Object.entries(moves)) $(id).addEventListener("click", act);
  $("wider-empty").addEventListener("click", moves.wider);
  charts.addEventListener("dblclick", moves.wider);
  charts.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = event.shiftKey && STEPS[event.key] ? () => step(STEPS[event.key]) : moves[KEYS[event.key]];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
