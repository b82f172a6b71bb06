// The page Live: what arrives over the socket goes to the tiles, the connection's state to the header.

import { keepDays } from "./day.js";
import { $, makeCopyable, put, show } from "./dom.js";
import { makeGrid } from "./grid.js";
import { keepLive, now } from "./live.js";
import { makePeople } from "./people.js";
import { makeRate } from "./rate.js";
import { check, keyForShell, session } from "./session.js";
import { STALE } from "./tile.js";
import { count, formatMoment, formatSpan, formatWhole } from "./text.js";
import { makeView } from "./view.js";
import { here } from "./zone.js";

const SOCKET = "/v1/live";
const WORDS = { loading: "Connecting", live: "Live", reconnecting: "Reconnecting", offline: "Offline" };
const READING = `{"user_id": "101", "timestamp": "'$(date -u +%FT%TZ)'", "heart_rate": 72, "steps": 12, "calories": 1.4}`;

/**
 * Begin; heardOf(userId) is called for each whose readings changed. Returns what the other pages need: the people known, and
 * how to show the view of an address, to draw anew, and to let the address follow at once.
 */
export function startLive(heardOf) {
  const people = makePeople();
  const rate = makeRate();
  const view = makeView();
  const grid = makeGrid($("tiles"), $("tile"), people, view, showCount);
  const needsAll = () => view.now.sort === "steps" || view.now.sort === "calories";
  const ready = () => !$("live-page").hidden;
  const askDays = keepDays(people, () => (ready() ? grid.seen() : []), () => ready() && needsAll(), takeDays, refuseDays);
  let state = "loading";
  let asking = 0;
  let heardAt = null; // when the last message came
  let newest = 0; // when the newest reading was measured

  function hear(message) {
    heardAt = now();
    if (message.type === "state") {
      const later = people.replace(message.users);
      if (message.count === undefined) rate.reset();
      else takeMany(later, message.count);
      newest = 0;
      for (const someone of people.all.values()) newest = Math.max(newest, someone.lastSeen);
      grid.touch(people.all.values());
    } else {
      const someone = people.update(message.user_id, message.latest);
      grid.touch([someone]);
      rate.add(message.count);
      if (someone) someone.arrivedAt = heardAt;
      newest = Math.max(newest, someone?.lastSeen ?? 0);
      heardOf(message.user_id);
    }
    asking ||= setTimeout(askSoon, 50); // once the tiles that it is for are there
  }

  // While readings press, a state stands for so many of them.
  function takeMany(later, readings) {
    rate.add(readings);
    for (const someone of later) {
      someone.arrivedAt = heardAt;
      heardOf(someone.userId);
    }
  }

  function askSoon() {
    asking = 0;
    askDays();
  }

  function takeDays(some, everyone) {
    show($("no-days"), false);
    grid.touch(some);
    if (everyone) grid.orderAnew();
  }

  function refuseDays(why) {
    put($("no-days"), `The day so far and the last half hour are not known. ${why}`);
    show($("no-days"), true);
  }

  function change(next, reason) {
    if (next === state && next === "live") return;
    state = next;
    document.body.dataset.connection = state;
    put($("connection"), WORDS[state]);
    explain(reason);
    if (state !== "live" || session.state === "unknown") check().then((why) => why && state !== "live" && explain(why));
  }

  function explain(reason) {
    const why = reason || (navigator.onLine ? "The service cannot be reached" : "This device has no network");
    const known = heardAt ? `What you see is from ${formatMoment(heardAt, here())}.` : "Nothing was received so far.";
    put($("banner").firstElementChild, `${why.replace(/\.?$/, ".")} ${known} Trying again by itself.`);
    show($("banner"), state !== "live");
    if (heardAt === null) {
      put($("waiting-title"), state === "offline" ? "Offline" : "Not connected yet");
      put($("waiting-text"), "Tiles appear here as soon as the service answers.");
    }
  }

  function showCount(some, of) {
    if (heardAt === null) return;
    show($("waiting"), false);
    show($("empty"), of === 0);
    show($("nobody"), of > 0 && some === 0);
    put($("shown"), of === 0 ? "" : some === of ? count(of, "user") : `${formatWhole(some)} of ${count(of, "user")}`);
  }

  function choose(some) {
    view.change(some);
    grid.orderAnew();
    if (some.sort) askDays();
  }

  /** Show the view that an address tells. */
  function open(search) {
    view.open(search);
    if ($("filter").value !== view.now.filter) $("filter").value = view.now.filter;
    $("order").value = view.now.sort;
    grid.orderAnew();
    grid.drawAnew();
  }

  function tick() {
    const perSecond = rate.perSecond();
    put($("rate"), state === "live" ? perSecond.toFixed(perSecond < 10 ? 1 : 0) : "–");
    const behind = Math.max(0, now() - newest) / 1000;
    $("newest").parentElement.classList.toggle("old", newest > 0 && behind > STALE / 1000);
    put($("newest"), newest && state === "live" ? (behind < 1 ? "now" : `${formatSpan(behind)} ago`) : "–");
    grid.tick();
    askDays();
  }

  function writeCommand() {
    put($("first-reading"), `curl${keyForShell()} -H 'Content-Type: application/json' -d '${READING}' '${location.origin}/v1/readings'`);
  }

  const connection = keepLive(SOCKET, hear, change);

  /** Listen while that is allowed. */
  function admit(isAllowed) {
    show(document.querySelector(".pulse"), isAllowed);
    writeCommand();
    if (isAllowed) return connection.start();
    connection.stop();
    state = document.body.dataset.connection = "loading";
    put($("connection"), WORDS[state]);
    show($("banner"), false);
  }

  makeCopyable($("copy-first"), $("first-reading"));
  $("filter").addEventListener("input", ({ target }) => choose({ filter: target.value }));
  $("order").addEventListener("change", ({ target }) => choose({ sort: target.value }));
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || !ready() || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    $("filter").focus();
  });
  $("retry").addEventListener("click", connection.retry);
  setInterval(tick, 1000);

  return { people, open, admit, redraw: grid.drawAnew, settle: view.settle };
}
