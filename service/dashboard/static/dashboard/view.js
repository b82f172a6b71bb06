// The view of Live: a filter, an order and pins. The address tells it; what an address does not tell is as it was, at first
// as the browser remembers it.

import { memory } from "./dom.js";
import { ORDERS } from "./order.js";

const LONGEST = 128; // characters of a filter, as of a user's or a device's id
const MOST_PINS = 50; // in an address; more, or longer ones, are only remembered
const LONGEST_PINS = 2000; // characters of all
const REST = 200; // ms without typing until the address follows

const isOrder = (name) => Object.hasOwn(ORDERS, name ?? "");

function rememberedPins() {
  try {
    return JSON.parse(memory.get("pins")).filter((pin) => typeof pin === "string");
  } catch {
    return [];
  }
}

function remembered() {
  const sort = memory.get("order");
  return { filter: "", sort: isOrder(sort) ? sort : "name", pins: new Set(rememberedPins()) };
}

function read(search, before) {
  const given = new URLSearchParams(search);
  const pins = given.getAll("pin").slice(0, MOST_PINS);
  return {
    filter: (given.get("filter") ?? before.filter).slice(0, LONGEST),
    sort: isOrder(given.get("sort")) ? given.get("sort") : before.sort,
    pins: pins.length ? new Set(pins) : before.pins,
  };
}

function write({ filter, sort, pins }) {
  const given = new URLSearchParams();
  if (filter.trim()) given.set("filter", filter);
  if (sort !== "name" || filter.trim() || pins.size) given.set("sort", sort);
  if (pins.size <= MOST_PINS && [...pins].join("").length <= LONGEST_PINS) for (const pin of pins) given.append("pin", pin);
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

/**
 * Keep the view. open(search) takes what an address tells, change(some) what a person chose, which is remembered but for the
 * filter. Both let the address follow, in place, so that going back leaves the page; settle() does so without a pause.
 */
export function makeView() {
  let view = remembered();
  let waiting = 0;

  function settle() {
    clearTimeout(waiting);
    waiting = 0;
    if (location.pathname !== "/") return; // another page is shown by now
    const address = write(view);
    if (address !== location.pathname + location.search) history.replaceState(null, "", address);
  }

  return {
    get now() {
      return view;
    },
    open(search) {
      clearTimeout(waiting);
      view = read(search, view);
      settle();
    },
    /** Where someone is typing, the address follows once that rests. */
    change(some) {
      view = { ...view, ...some };
      if ("sort" in some) memory.set("order", view.sort);
      if ("pins" in some) memory.set("pins", JSON.stringify([...view.pins]));
      clearTimeout(waiting);
      waiting = setTimeout(settle, REST);
    },
    settle() {
      if (waiting) settle();
    },
  };
}
