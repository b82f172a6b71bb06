// The dashboard: pages in one document, each with an address.

import { $, memory, put, show } from "./dom.js";
import { acceptFiles } from "./dropping.js";
import { startExplore } from "./explore.js";
import { later } from "./later.js";
import { startLive } from "./livepage.js";
import { session, startSession } from "./session.js";
import { startSignIn, writeLack, writeWho } from "./signinpage.js";
import { startSystem } from "./systempage.js";

const PAGES = { "/": "live", "/explore": "explore", "/days": "days", "/day": "day", "/import": "import", "/system": "system" };
const NEEDS = { live: "read", explore: "read", days: "read", day: "read", import: "ingest", system: "operate" }; // scopes
const TITLES = { live: "Live", explore: "Explore", days: "Days", day: "Day", import: "Import", system: "System" };
const OF_ONE = ["explore", "days", "day", "import"]; // pages of a user
const PARTS = { day: "days" }; // pages that belong to another one, as the links say
const THEMES = ["auto", "light", "dark"];

const live = startLive((userId) => {
  if (page === "explore") explore.follow(userId);
  more[page]?.follow(userId);
});
const explore = startExplore(live.people, (address) => go(address));
const system = startSystem();
const more = {
  days: later("days-page", async () => (await import("./dayspage.js")).startDays(live.people, (address) => go(address))),
  day: later("day-page", async () => (await import("./daypage.js")).startDay(live.people, (address) => go(address))),
  import: later("import-page", async () => (await import("./importpage.js")).startImport(live.people)),
};
const signIn = startSignIn();
let page = null;
let gate = ""; // what is shown in place of the page: "out" or "scope"

function go(address) {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  route(false);
}

/** What is shown in place of a page. */
const gateOf = (name) => (session.state === "out" ? "out" : session.may(NEEDS[name]) ? "" : "scope");

/** Follow a change of who is signed in. */
function admit() {
  writeWho();
  live.admit(session.may("read"));
  if (gateOf(page) !== gate) route(true);
}

/** Show the page of the address; `isNew` pages take the focus, so that it is not left on what is gone. */
function route(isNew) {
  const next = PAGES[location.pathname.replace(/(.)\/$/, "$1")] ?? "live";
  const changed = next !== page || gateOf(next) !== gate;
  page = next;
  gate = gateOf(page);
  if (gate === "scope") writeLack(TITLES[page], NEEDS[page]);
  show($("no-access"), gate === "scope");
  signIn.show(gate === "out");
  for (const name of Object.values(PAGES)) {
    $(`${name}-page`).hidden = name !== page || gate !== "";
    const link = linkTo(name);
    if (!link) continue;
    if (name === (PARTS[page] ?? page)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (page === "live" && !gate) live.open(location.search);
  if (page === "explore" && !gate) explore.open(location.search);
  if (page !== "system" || gate) system.close();
  else if (changed) system.open();
  for (const [name, each] of Object.entries(more)) {
    if (name === page && !gate) each.open(location.search);
    else each.close();
  }
  const user = OF_ONE.includes(page) && !gate ? new URLSearchParams(location.search).get("user") : "";
  if (user) carry(user);
  const title = page === "explore" && !gate ? explore.titleOf() : user ? `${user}: ${TITLES[page]}` : TITLES[page];
  document.title = `${gate === "out" ? "Sign in" : title} · Hyperpulse`;
  if (isNew && changed) {
    scrollTo(0, 0);
    if (gate !== "out") $(gate ? "no-access-title" : `${page}-title`).focus({ preventScroll: true });
  }
}

const linkTo = (name) => document.querySelector(`nav [data-page=${name}]`);

/** Have the links to the pages of a user lead to those of this one. */
function carry(user) {
  for (const link of OF_ONE.map(linkTo)) if (link) link.search = new URLSearchParams({ user }).toString();
}

/** Show where files go that are dragged over the page. */
function showDrop(isOver) {
  if (isOver && page !== "import") {
    const user = OF_ONE.includes(page) ? new URLSearchParams(location.search).get("user") : "";
    history.pushState(null, "", user ? `/import?${new URLSearchParams({ user })}` : "/import");
    route(true);
  }
  more.import.use((each) => each.mark(isOver));
}

function setTheme(theme) {
  memory.set("theme", theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  put($("theme-name"), theme[0].toUpperCase() + theme.slice(1));
  repaint();
}

// What is drawn on a canvas has the colors of the theme under which it was drawn.
function repaint() {
  live.redraw();
  if (page === "explore" && !gate) explore.redraw();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.origin !== location.origin || !(link.pathname in PAGES) || link.hash || link.download) return;
  event.preventDefault();
  live.settle();
  history.pushState(null, "", link.href);
  route(true);
});
addEventListener("popstate", () => route(false));
acceptFiles(() => session.state !== "out" && session.may("ingest"), showDrop, (files) => more.import.use((each) => (each.mark(false), each.take(files))));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
$("theme").addEventListener("click", () => {
  const known = THEMES.indexOf(memory.get("theme") ?? document.documentElement.dataset.theme ?? "auto");
  setTheme(THEMES[(Math.max(0, known) + 1) % THEMES.length]);
});
put($("theme-name"), (document.documentElement.dataset.theme ?? "auto").replace(/^./, (first) => first.toUpperCase()));
route(false);
startSession(admit).then(() => live.admit(session.may("read")));
document.body.dataset.ready = "";
