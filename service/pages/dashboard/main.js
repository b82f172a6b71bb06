// The dashboard: what arrives over the socket goes to the tiles, the connection's state to the header.

import { keepLive } from "./live.js";
import { makeRange } from "./range.js";
import { formatMoment, makeCopyable, put, putValue } from "./text.js";
import { makeTiles, MOST_TILES } from "./tiles.js";

const RATE_SECONDS = 10;
const WORDS = { loading: "Connecting", live: "Live", reconnecting: "Reconnecting", offline: "Offline" };
const $ = (id) => document.getElementById(id);

const askFor = makeRange($("ask"), $("answer"), $("curl"), $("figures"), () => tiles.userIds());
const tiles = makeTiles($("tiles"), $("tile"), askFor, showCount);
const [bannerText, retryButton] = $("banner").children;
let state = "loading";
let heardAt = null; // when the last message came
let arrived = 0; // readings since the last tick
let seconds = []; // of the last ten: {took, count}
let tickedAt = performance.now();

function hear(message) {
  heardAt = Date.now();
  if (message.type === "state") {
    tiles.replace(message.users);
    arrived = 0;
    seconds = [];
  } else if (message.type === "readings") {
    tiles.update(message.user_id, message.latest);
    arrived += message.count;
  }
}

function change(next, reason) {
  if (next === state && next === "live") return;
  state = next;
  document.body.dataset.connection = state;
  put($("connection"), WORDS[state]);
  const known = heardAt ? `What you see is from ${formatMoment(heardAt)}.` : "Nothing was received so far.";
  const why = reason || (navigator.onLine ? "The service cannot be reached." : "This device has no network.");
  put(bannerText, `${why.replace(/\.?$/, ".")} ${known} Trying again by itself.`);
  $("banner").hidden = state === "live";
  if (heardAt === null) {
    put($("note").querySelector("h3"), state === "offline" ? "Offline" : "Not connected yet");
    put($("note").querySelector("p"), "Tiles appear here as soon as the service answers.");
  }
}

function showCount(count, of) {
  $("note").hidden = true;
  $("empty").hidden = of > 0;
  const some = of >= MOST_TILES ? `the first ${of} users` : `${of} ${of === 1 ? "user" : "users"}`;
  put($("shown"), of === 0 ? "" : count === of ? some : `${count} of ${some}`);
}

function tick() {
  const time = performance.now();
  seconds = [...seconds, { took: (time - tickedAt) / 1000, count: arrived }].slice(-RATE_SECONDS);
  tickedAt = time;
  arrived = 0;
  const sum = (name) => seconds.reduce((total, second) => total + second[name], 0);
  const rate = sum("count") / sum("took");
  putValue($("rate"), state === "live" ? rate : null, rate < 10 ? 1 : 0);
  tiles.tick();
}

const reading = `{"user_id": "101", "timestamp": "'$(date -u +%FT%TZ)'", "heart_rate": 72, "steps": 12, "calories": 1.4}`;
put($("empty").querySelector("pre"), `curl -H 'Content-Type: application/json' -d '${reading}' '${location.origin}/v1/readings'`);
put($("zone"), Intl.DateTimeFormat().resolvedOptions().timeZone);
document.querySelectorAll(".copyable").forEach(makeCopyable);
$("filter").addEventListener("input", ({ target }) => tiles.filter(target.value));
retryButton.addEventListener("click", keepLive("/ws", hear, change));
setInterval(tick, 1000);
