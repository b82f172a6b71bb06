// The grid of tiles. Only the rows that are seen, and two beside them, exist: a thousand tiles cost no more than forty.

import { make, memory, set } from "./dom.js";
import { age, makeTile, write } from "./tile.js";

const SPARE_ROWS = 1;
const MOST_SPARE = 100;
const REORDER = 3000; // ms between two orderings while the values that they depend on change
const names = new Intl.Collator(undefined, { numeric: true });
const byName = (a, b) => names.compare(a.userId, b.userId) || (a.userId < b.userId ? -1 : 1);
const down = (value) => (value === null || value === undefined ? Infinity : -value);
const ORDERS = {
  name: () => 0,
  heart_rate: (someone) => down(someone.latest.heart_rate?.value),
  steps: (someone) => down(someone.day?.steps),
  calories: (someone) => down(someone.day?.calories),
  last_seen: (someone) => -someone.lastSeen,
};

/** Make the grid in a list; shown(count, of) is called when the number of tiles changes. */
export function makeGrid(list, template, people, shown) {
  const tiles = new Map(); // of those that are rendered, by user id
  const spare = []; // tiles that nobody needs now: a canvas is dear to make
  const changed = new Set();
  const pinned = new Set(readPins());
  let order = [];
  let orderedAt = 0;
  let version = -1;
  let wanted = "";
  let by = ORDERS[memory.get("order")] ? memory.get("order") : "name";
  let frame = 0;
  let layout = null;
  let inks = null;

  function readPins() {
    try {
      return JSON.parse(memory.get("pins")).filter((pin) => typeof pin === "string");
    } catch {
      return [];
    }
  }

  const fits = (someone) => `${someone.userId}\n${someone.deviceId}`.toLowerCase().includes(wanted);

  function reorder() {
    const key = ORDERS[by];
    const keyed = [...people.all.values()].filter(fits).map((someone) => [pinned.has(someone.userId) ? 0 : 1, key(someone), someone]);
    keyed.sort((a, b) => a[0] - b[0] || (a[1] === b[1] ? 0 : a[1] - b[1]) || byName(a[2], b[2]));
    order = keyed.map(([, , someone]) => someone);
    orderedAt = performance.now();
    version = people.version;
    shown(order.length, people.all.size);
  }

  // A probe tile, never seen by a person, tells how large tiles are: that depends on the width and on the text size.
  function measure() {
    const probe = makeTile(template);
    const row = make("ul", { class: "tiles probe", "aria-hidden": "true" }, probe.root);
    list.after(row);
    const style = getComputedStyle(row);
    const columns = style.gridTemplateColumns.split(" ").length;
    const gap = parseFloat(style.rowGap);
    layout = { columns, gap, pitch: probe.root.offsetHeight + gap };
    inks = {
      color: getComputedStyle(probe.canvas).color,
      staleColor: getComputedStyle(probe.ageText).color,
      width: probe.canvas.offsetWidth,
      height: probe.canvas.offsetHeight,
    };
    row.remove();
  }

  function range() {
    const rows = Math.ceil(order.length / layout.columns);
    const top = -list.getBoundingClientRect().top;
    const first = Math.max(0, Math.min(rows, Math.floor(top / layout.pitch) - SPARE_ROWS));
    const last = Math.min(rows, Math.ceil((top + innerHeight) / layout.pitch) + SPARE_ROWS);
    return { rows, first, last: Math.max(first, last) };
  }

  function render(all) {
    frame = 0;
    if (list.offsetParent === null) return;
    if (!layout) measure();
    if (version !== people.version) reorder();
    const { rows, first, last } = range();
    list.style.height = `${Math.max(0, rows * layout.pitch - layout.gap)}px`;
    list.style.paddingTop = `${first * layout.pitch}px`;
    const seen = order.slice(first * layout.columns, last * layout.columns);
    const kept = new Set(seen.map((someone) => someone.userId));
    for (const [userId, tile] of tiles) {
      if (kept.has(userId)) continue;
      tile.root.remove();
      tiles.delete(userId);
      spare.push(tile);
    }
    let before = null;
    seen.forEach((someone, i) => {
      let tile = tiles.get(someone.userId);
      const isNew = !tile;
      if (isNew) tiles.set(someone.userId, (tile = spare.pop() ?? makeTile(template)));
      if (isNew || all || changed.has(someone)) write(tile, someone, pinned.has(someone.userId), inks);
      set(tile.root, "aria-setsize", String(order.length));
      set(tile.root, "aria-posinset", String(first * layout.columns + i + 1));
      const next = before ? before.nextSibling : list.firstChild;
      if (next !== tile.root) list.insertBefore(tile.root, next);
      before = tile.root;
    });
    changed.clear();
    spare.length = Math.min(spare.length, MOST_SPARE);
  }

  function draw() {
    frame ||= requestAnimationFrame(() => render(false));
  }

  function drawAnew() {
    layout = null;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => render(true));
  }

  function orderAnew() {
    version = -1;
    draw();
  }

  function pin(userId) {
    if (!pinned.delete(userId)) pinned.add(userId);
    memory.set("pins", JSON.stringify([...pinned]));
    version = -1;
    cancelAnimationFrame(frame);
    render(true);
    tiles.get(userId)?.pin.focus();
  }

  const at = (target) => order.findIndex((someone) => someone.userId === target.closest(".tile")?.querySelector(".who").textContent);

  function step(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: layout.columns, ArrowUp: -layout.columns };
    const next = at(event.target) + (steps[event.key] ?? NaN);
    if (!order[next] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const top = list.getBoundingClientRect().top + scrollY + Math.floor(next / layout.columns) * layout.pitch;
    const room = innerHeight - layout.pitch;
    if (top < scrollY + layout.pitch || top > scrollY + room) scrollTo(0, top - room / 2);
    cancelAnimationFrame(frame);
    render(false);
    tiles.get(order[next].userId)?.who.focus({ preventScroll: true });
  }

  list.addEventListener("click", ({ target }) => {
    const button = target.closest(".pin");
    if (button) pin(button.closest(".tile").querySelector(".who").textContent);
  });
  list.addEventListener("keydown", step);
  addEventListener("scroll", draw, { passive: true });
  new ResizeObserver(drawAnew).observe(list.parentElement);

  return {
    draw,
    drawAnew,
    get order() {
      return by;
    },
    /** Write these people's tiles in the next frame. */
    touch(some) {
      for (const someone of some) if (someone) changed.add(someone);
      draw();
    },
    orderAnew,
    /** Let the ages go on, and the order follow the values unless a person is at a tile. */
    tick() {
      for (const tile of tiles.values()) if (age(tile)) changed.add(tile.someone);
      const busy = list.matches(":hover") || list.contains(document.activeElement);
      if (by !== "name" && !busy && performance.now() - orderedAt > REORDER) version = -1;
      draw();
    },
    /** Show only users and devices whose name contains the text. */
    filter(text) {
      wanted = text.trim().toLowerCase();
      orderAnew();
    },
    /** Order by name, heart_rate, steps, calories or last_seen; those pinned come first. */
    sort(name) {
      by = name;
      memory.set("order", name);
      orderAnew();
    },
    /** Whoever has a tile now. */
    seen: () => [...tiles.values()].map((tile) => tile.someone),
  };
}
