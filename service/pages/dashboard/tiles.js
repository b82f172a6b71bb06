// The grid: one tile per user. Messages only change what is known; a frame later, the tiles that are in view and
// that changed are written, each alone.

import { now } from "./live.js";
import { addPoint, drawSpark } from "./spark.js";
import { formatAge, formatMoment, put, putValue } from "./text.js";

export const MOST_TILES = 1000;
const STALE = 60_000; // ms
const METRICS = { heart_rate: ["heart", 0], steps: ["steps", 0], calories: ["calories", 1] };
const names = new Intl.Collator(undefined, { numeric: true });
const byName = (a, b) => names.compare(a, b) || (a < b ? -1 : 1);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Make the grid in a list; pick(user_id) is called when a person chooses a tile, shown(count, of) when it changes. */
export function makeTiles(list, template, pick, shown) {
  const tiles = new Map();
  const order = [];
  const changed = new Set();
  let wanted = "";
  let frame = 0;

  // The browser itself knows which tiles it skips (content-visibility in the style sheet).
  list.addEventListener("contentvisibilityautostatechange", ({ target, skipped }) => {
    target.tile.inView = !skipped;
    if (!skipped) touch(target.tile);
  });

  function touch(tile) {
    changed.add(tile);
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      for (const tile of changed) if (tile.inView) write(tile);
      changed.clear();
    });
  }

  function add(userId) {
    const root = template.content.firstElementChild.cloneNode(true);
    const find = (selector) => root.querySelector(selector);
    const metrics = Object.entries(METRICS).map(([name, [className, digits]]) => {
      const element = find(`.${className}`);
      return { name, digits, element, value: element.children[0], when: element.children[2] };
    });
    const tile = { userId, root, metrics, points: [], latest: null, inView: true, arrived: false };
    Object.assign(tile, { age: find(".age"), device: find(".device"), line: find(".line"), dot: find(".dot") });
    root.tile = tile;
    put(find(".who"), userId);
    find(".who").title = `${userId}: ask for a range`;
    find(".who").addEventListener("click", () => pick(userId));
    tiles.set(userId, tile);
    return tile;
  }

  function place(tile) {
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byName(order[middle].userId, tile.userId) < 0) low = middle + 1;
      else high = middle;
    }
    const next = order.slice(low).find(fits);
    order.splice(low, 0, tile);
    if (fits(tile)) list.insertBefore(tile.root, next?.root ?? null);
  }

  function remove(tile) {
    tile.root.remove();
    order.splice(order.indexOf(tile), 1);
    tiles.delete(tile.userId);
    changed.delete(tile);
  }

  /** Take in what is known of a user; those beyond the most tiles get none. */
  function update(userId, latest, arrived) {
    const isNew = !tiles.has(userId);
    if (isNew && tiles.size >= MOST_TILES) return;
    const tile = tiles.get(userId) ?? add(userId);
    tile.latest = latest;
    tile.arrived ||= arrived;
    const heart = latest.heart_rate;
    if (heart) addPoint(tile.points, Date.parse(heart.timestamp), heart.value);
    const newest = Object.keys(METRICS).map((name) => latest[name]).filter(Boolean);
    tile.deviceId = newest.reduce((a, b) => (Date.parse(b.timestamp) > Date.parse(a.timestamp) ? b : a)).device_id;
    touch(tile);
    if (isNew) place(tile);
  }

  function write(tile) {
    for (const { name, digits, element, value } of tile.metrics) {
      const metric = tile.latest[name];
      putValue(value, metric && metric.value, digits);
      const title = metric ? `${metric.value}, ${formatMoment(metric.timestamp)}, ${metric.device_id}` : "Not measured";
      if (element.title !== title) element.title = title;
    }
    put(tile.device, tile.deviceId);
    tile.device.title = tile.deviceId;
    drawSpark(tile.line, tile.dot, tile.points);
    if (tile.arrived && !calm.matches) tile.dot.animate([{ strokeWidth: "14px", opacity: 0.5 }, { strokeWidth: "6px", opacity: 1 }], 600);
    tile.arrived = false;
    writeAge(tile);
  }

  function writeAge(tile) {
    const time = now();
    const age = time - Date.parse(tile.latest.last_seen);
    const stale = age > STALE;
    put(tile.age, stale ? `stale, ${formatAge(age).replace(" ago", "")}` : formatAge(age));
    tile.root.classList.toggle("stale", stale);
    for (const { name, element, when } of tile.metrics) {
      const metric = tile.latest[name];
      const old = metric && !stale && time - Date.parse(metric.timestamp) > STALE;
      put(when, old ? formatAge(time - Date.parse(metric.timestamp)) : "");
      element.classList.toggle("old", Boolean(old));
    }
  }

  const fits = (tile) => `${tile.userId}\n${tile.deviceId}`.toLowerCase().includes(wanted);
  const count = () => shown(list.children.length, tiles.size);

  return {
    /** Show exactly these users. */
    replace(users) {
      const known = new Set(users.map((user) => user.user_id));
      for (const tile of [...order]) if (!known.has(tile.userId)) remove(tile);
      for (const user of users) update(user.user_id, user.latest, false);
      count();
    },
    /** Take in a user's new latest values. */
    update(userId, latest) {
      const before = tiles.size;
      update(userId, latest, true);
      if (tiles.size !== before) count();
    },
    /** Let the ages go on. */
    tick() {
      for (const tile of order) if (tile.inView) writeAge(tile);
    },
    /** Show only users and devices whose name contains the text. */
    filter(text) {
      wanted = text.trim().toLowerCase();
      // Taken out rather than hidden: hiding a thousand tiles at once takes Chromium a second.
      list.replaceChildren(...order.filter(fits).map((tile) => tile.root));
      count();
    },
    userIds: () => order.map((tile) => tile.userId),
  };
}
