// The grid of tiles. Only tiles near the screen exist, placed by their position; one that scrolls away becomes another
// person's, without being taken out of the document. What a frame may cost is bounded: the rest waits for the next one.

import { make, set } from "./dom.js";
import { byName, orderOf } from "./order.js";
import { age, makeTile, write } from "./tile.js";

const SPARE_ROWS = 1; // above and below those seen
const BUDGET = 4; // ms of writing that a frame may take
const LEAST = 6; // tiles that a frame writes all the same
const MOVES = 12; // tiles that a frame moves within the document
const SETTLED = 200; // ms without scrolling after which the document has the order of the eye
const REORDER = 3000; // ms between two orderings while the values that they depend on change

/** Make the grid in a list, of the people that a view shows; shown(count, of) is called when the number of tiles changes. */
export function makeGrid(list, template, people, view, shown) {
  const tiles = new Map(); // by person; also of some that have scrolled away
  const changed = new Set(); // people whose tile says something old
  let named = []; // everyone by name
  let order = []; // those shown
  let near = { rows: 0, from: 0, to: 0, seenFrom: 0, seenTo: 0 }; // rows, and a range of places in the order
  let orderedAt = 0;
  let version = -1; // of people, of which `named` is
  let isOrdered = false;
  let isSettled = true; // whether the document has no other tiles than those near, in the order of the eye
  let frame = 0;
  let settling = 0;
  let layout = null;

  function reorder() {
    if (version !== people.version) named = byName(people.all.values());
    version = people.version;
    order = orderOf(named, view.now);
    orderedAt = performance.now();
    isOrdered = true;
    shown(order.length, people.all.size);
  }

  // A probe tile, never seen by a person, tells how large tiles are: that depends on the width and on the text size.
  function measure() {
    const probe = makeTile(template);
    const row = make("ul", { class: "probe", "aria-hidden": "true" }, probe.root);
    list.after(row);
    const style = getComputedStyle(row);
    const columns = style.gridTemplateColumns.split(" ").length;
    const gap = parseFloat(style.rowGap);
    const width = Math.floor((row.clientWidth - gap * (columns - 1)) / columns);
    layout = { columns, gap, width, across: (row.clientWidth + gap) / columns, pitch: probe.root.offsetHeight + gap };
    row.remove();
  }

  /** Which places are near the screen. */
  function look() {
    const rows = Math.ceil(order.length / layout.columns);
    const top = -list.getBoundingClientRect().top;
    const within = (row) => Math.max(0, Math.min(rows, row)) * layout.columns;
    const [first, last] = [Math.floor(top / layout.pitch), Math.ceil((top + innerHeight) / layout.pitch)];
    const [seenFrom, seenTo] = [within(first), within(last)];
    return { rows, seenFrom, seenTo, from: within(first - SPARE_ROWS), to: Math.max(seenFrom, within(last + SPARE_ROWS)) };
  }

  /** Places near the screen, those seen first. */
  function* placesNear() {
    for (let place = near.seenFrom; place < Math.min(near.seenTo, order.length); place += 1) yield place;
    for (let place = near.from; place < near.seenFrom; place += 1) yield place;
    for (let place = near.seenTo; place < Math.min(near.to, order.length); place += 1) yield place;
  }

  /** Draw what is due, in this frame as much as fits into it. */
  function render(all = false, budget = BUDGET) {
    frame = 0;
    if (list.offsetParent === null) return;
    if (!layout) measure();
    const isNew = !isOrdered || version !== people.version;
    if (isNew) reorder();
    near = look();
    const height = `${Math.max(0, near.rows * layout.pitch - layout.gap)}px`;
    if (list.style.height !== height) list.style.height = height;
    const free = freeTiles();
    const until = performance.now() + budget;
    let written = 0;
    let isLate = false;
    for (const place of placesNear()) {
      const someone = order[place];
      const tile = tiles.get(someone);
      if (tile && tile.isNear && !all && !changed.has(someone)) moveTo(tile, place);
      else if (written >= LEAST && performance.now() > until) isLate = true;
      else {
        give(someone, place, tile ?? free.pop());
        written += 1;
      }
    }
    if (isNew) for (const tile of free) drop(tile);
    isSettled &&= !isNew && !all;
    if (isLate) draw();
    else if (!isSettled) settle();
  }

  /** Tiles that are not near the screen; one that has the focus is kept for its person. */
  function freeTiles() {
    const places = new Set(order.slice(near.from, near.to));
    const free = [];
    for (const [someone, tile] of tiles) {
      if (places.has(someone)) continue;
      tile.isNear = false;
      const place = tile.root.contains(document.activeElement) ? order.indexOf(someone) : -1;
      if (place >= 0) moveTo(tile, place);
      else free.push(tile);
    }
    return free;
  }

  function give(someone, place, tile = makeTile(template)) {
    if (tile.someone !== someone) {
      if (tile.someone) tiles.delete(tile.someone);
      tiles.set(someone, tile);
    }
    write(tile, someone, view.now.pins.has(someone.userId));
    changed.delete(someone);
    tile.isNear = true;
    moveTo(tile, place);
    if (!tile.root.isConnected) list.append(tile.root);
  }

  function drop(tile) {
    if (tiles.get(tile.someone) !== tile || tile.isNear) return;
    tiles.delete(tile.someone);
    tile.root.remove();
  }

  function moveTo(tile, place) {
    const { columns, across, pitch, width } = layout;
    const at = `${place} ${order.length} ${columns} ${across} ${pitch}`;
    if (tile.at === at) return;
    tile.at = at;
    tile.place = place;
    const style = tile.root.style;
    style.left = `${Math.round((place % columns) * across)}px`;
    style.top = `${Math.floor(place / columns) * pitch}px`;
    style.width = `${width}px`;
    set(tile.root, "aria-setsize", String(order.length));
    set(tile.root, "aria-posinset", String(place + 1));
  }

  /** Give the document the order that is seen, for those who go by it, and forget tiles that have scrolled away. */
  function settle() {
    for (const tile of freeTiles()) drop(tile);
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    let next = list.firstElementChild;
    let moves = 0;
    for (const { root } of [...tiles.values()].sort((a, b) => a.place - b.place)) {
      if (root === next) next = next.nextElementSibling;
      else if (moves < MOVES) {
        list.insertBefore(root, next);
        moves += 1;
      }
    }
    if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true });
    isSettled = moves < MOVES;
    if (!isSettled) draw();
  }

  function draw() {
    frame ||= requestAnimationFrame(() => render());
  }

  function drawNow(budget = Infinity) {
    cancelAnimationFrame(frame);
    render(false, budget);
  }

  function drawAnew() {
    layout = null;
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => render(true));
  }

  function orderAnew() {
    isOrdered = false;
    draw();
  }

  function pin(someone) {
    const pins = new Set(view.now.pins);
    if (!pins.delete(someone.userId)) pins.add(someone.userId);
    view.change({ pins });
    isOrdered = false;
    changed.add(someone);
    drawNow();
    tiles.get(someone)?.pin.focus();
  }

  /** Whose tile something is in. */
  function ownerOf(target) {
    const root = target.closest(".tile");
    return [...tiles.values()].find((tile) => tile.root === root)?.someone;
  }

  function step(event) {
    const places = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: layout.columns, ArrowUp: -layout.columns };
    const next = order.indexOf(ownerOf(event.target)) + (places[event.key] ?? NaN);
    if (!order[next] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const top = list.getBoundingClientRect().top + scrollY + Math.floor(next / layout.columns) * layout.pitch;
    const room = innerHeight - layout.pitch;
    if (top < scrollY + layout.pitch || top > scrollY + room) scrollTo(0, top - room / 2);
    drawNow();
    tiles.get(order[next])?.who.focus({ preventScroll: true });
  }

  list.addEventListener("click", ({ target }) => {
    if (target.closest(".pin")) pin(ownerOf(target));
  });
  function scrolled() {
    draw();
    clearTimeout(settling);
    settling = setTimeout(() => requestAnimationFrame(settle), SETTLED);
  }

  list.addEventListener("keydown", step);
  addEventListener("scroll", scrolled, { passive: true });
  new ResizeObserver(drawAnew).observe(list.parentElement);

  return {
    draw,
    drawAnew,
    /** Write these people's tiles in the next frame. */
    touch(some) {
      for (const someone of some) if (someone) changed.add(someone);
      draw();
    },
    orderAnew,
    /** Let the ages go on, and the order follow the values unless a person is at a tile. */
    tick() {
      for (const [someone, tile] of tiles) if (tile.isNear && age(tile)) changed.add(someone);
      for (const someone of changed) if (!tiles.get(someone)?.isNear) changed.delete(someone);
      const busy = list.matches(":hover") || list.contains(document.activeElement);
      const isLive = view.now.sort !== "name" || view.now.filter.trim();
      if (isLive && !busy && performance.now() - orderedAt > REORDER) isOrdered = false;
      draw();
    },
    /** Whoever has a tile now. */
    seen: () => [...tiles].filter(([, tile]) => tile.isNear).map(([someone]) => someone),
  };
}
