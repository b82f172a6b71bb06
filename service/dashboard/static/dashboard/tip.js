// The tooltip of the charts: beside what is pointed at, never over it, never off the screen.

import { make, put, show } from "./dom.js";
import { sentenceOf } from "./pointed.js";

const GAP = 14; // px between the cursor and the tooltip
const EDGE = 6; // px that stay free at the edges of the screen
const REST = 250; // ms that the cursor must rest until what it points at is said

/**
 * Where a box of a size goes: right of the cursor at x, else left of it; where neither has room, above the plot, or else
 * below it. plot and room, what is seen, are {left, right, top, bottom} in px, as is y, about which the box is centered.
 */
export function placeOf({ x, y, plot }, { width, height }, room) {
  const within = (value, low, high) => Math.max(low, Math.min(value, high));
  const top = within(y - height / 2, room.top, room.bottom - height);
  if (x + GAP + width <= room.right) return { left: x + GAP, top };
  if (x - GAP - width >= room.left) return { left: x - GAP - width, top };
  const left = within(x - width / 2, room.left, room.right - width);
  const above = plot.top - EDGE - height;
  return { left, top: above >= room.top ? above : plot.bottom + EDGE };
}

const swatch = (kind) => make("span", { class: `swatch ${kind}` });

function rowOf({ swatch: kind, name, cells }, hasUnits) {
  const values = cells.map(({ text, unit }) => make("td", {}, text, unit && hasUnits ? make("small", {}, ` ${unit}`) : null));
  return make("tr", {}, make("th", {}, swatch(kind), name), ...values);
}

/**
 * Make the tooltip of a card; saying is a live region. tell(point, anchor, when) shows a point, where it is in px of the
 * screen and its moment in words; hide() ends that.
 */
export function makeTip(card, saying) {
  const head = make("p");
  const body = make("tbody");
  const units = make("thead");
  const tip = make("div", { class: "tip", "aria-hidden": "true", hidden: true }, head, make("table", {}, units, body));
  card.append(tip);
  let told = "";
  let resting = 0;

  function say(text) {
    clearTimeout(resting);
    if (text) resting = setTimeout(() => put(saying, text), REST);
    else put(saying, "");
  }

  function write(point, when) {
    const text = `${when}: ${sentenceOf(point)}`;
    if (text === told) return; // moving within a bucket changes nothing
    told = text;
    put(head, when);
    units.replaceChildren(...(point.units ? [make("tr", {}, make("th"), ...point.units.map((unit) => make("th", {}, unit)))] : []));
    const rows = point.rows.map((row) => rowOf(row, point.units === null));
    body.replaceChildren(...(rows.length ? rows : [make("tr", {}, make("th", {}, "Nothing measured"))]));
    say(text);
  }

  function place(anchor) {
    const { left, top } = card.getBoundingClientRect();
    const header = document.querySelector("header").getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const room = { left: EDGE, right: clientWidth - EDGE, top: Math.max(0, header.bottom) + EDGE, bottom: clientHeight - EDGE };
    const at = placeOf(anchor, { width: tip.offsetWidth, height: tip.offsetHeight }, room);
    const [x, y] = [at.left - left - card.clientLeft, at.top - top - card.clientTop];
    tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }

  return {
    get isShown() {
      return !tip.hidden;
    },
    tell(point, anchor, when) {
      write(point, when);
      show(tip, true);
      place(anchor);
    },
    hide() {
      show(tip, false);
      told = "";
      say("");
    },
  };
}
