// The page Import: files that are dropped or chosen, one after another, each with its progress and its receipt.

import { $, make, put, set, show } from "./dom.js";
import { chooseZone, suggestUsers } from "./fields.js";
import { partsOf, sentenceOf } from "./receipt.js";
import { escapeName, formatBytes } from "./text.js";
import { upload } from "./upload.js";
import { here, isZone } from "./zone.js";

const LONGEST = 128; // characters of a name

/** Read from a query string whose file it is. */
function readImport(search) {
  const given = new URLSearchParams(search);
  return { user: (given.get("user") ?? "").slice(0, LONGEST), tz: isZone(given.get("tz") || "?") ? given.get("tz") : here() };
}

/** Begin; open(search) shows the page, take(files) imports some. */
export function startImport(people) {
  const form = $("import-form");
  const fields = form.elements;
  const waiting = [];
  let isBusy = false;

  function open(search) {
    const { user, tz } = readImport(search);
    if (user || !fields.user.value) fields.user.value = user;
    chooseZone(fields.tz, tz);
  }

  /** Make the card of a file that waits for its turn. */
  function cardOf(file) {
    const stop = new AbortController();
    const bar = make("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
    const said = make("p", { role: "status" }, "Waiting");
    const button = make("button", { type: "button", "aria-label": `Stop ${file.name}`, click: () => stopCard(card) }, "Stop");
    const body = make("div");
    const head = make("div", { class: "head" }, make("h2", {}, file.name, " ", make("small", { class: "quiet" }, formatBytes(file.size))), button);
    const root = make("li", { class: "card file" }, head, bar, said, body);
    const card = { file, stop, bar, said, button, body, root };
    return card;
  }

  /** Take files, which are sent in turn once it is known whose they are. */
  function take(files) {
    for (const file of files) {
      const card = cardOf(file);
      $("files").prepend(card.root);
      waiting.push(card);
    }
    next();
  }

  function end(card, text, isError = false) {
    card.stop.abort();
    const place = waiting.indexOf(card);
    if (place >= 0) waiting.splice(place, 1);
    put(card.said, text);
    card.said.classList.toggle("problem", isError);
    card.bar.remove();
    card.button.remove();
  }

  /** Stop a file: one that is being sent ends when its request does. */
  function stopCard(card) {
    if (waiting.includes(card)) end(card, "Stopped before it was sent.");
    else card.stop.abort();
  }

  async function next() {
    if (isBusy || waiting.length === 0) return;
    const user = fields.user.value;
    put($("import-problem"), user ? "" : "Say whose files these are.");
    if (!user) {
      fields.user.focus();
      return;
    }
    isBusy = true;
    const card = waiting.shift();
    const { file } = card;
    put(card.said, "Sending");
    const device = fields.device.value ? `&device_id=${escapeName(fields.device.value)}` : "";
    const path = `/v1/import/auto?user_id=${escapeName(user)}&tz=${escapeName(fields.tz.value)}${device}&filename=${escapeName(file.name.slice(-LONGEST))}`;
    try {
      const receipt = await upload(path, file, card.stop.signal, (share) => progress(card, share));
      end(card, `${sentenceOf(receipt)} Read as ${receipt.format}.`, receipt.received > 0 && receipt.received === receipt.rejected);
      card.body.replaceChildren(...partsOf(receipt, file.name), linksOf(user, fields.tz.value));
    } catch (error) {
      if (error.name === "AbortError") end(card, "Stopped. What the service has stored until then stays; sending it again is safe.");
      else end(card, error.message, true);
    } finally {
      isBusy = false;
      next();
    }
  }

  function progress(card, share) {
    if (share < 1) {
      card.bar.value = share;
      put(card.said, `Sending, ${Math.floor(share * 100)} %`);
    } else {
      card.bar.removeAttribute("value");
      put(card.said, "Sent; the service is reading it");
    }
  }

  function linksOf(user, tz) {
    const given = new URLSearchParams({ user, ...(tz !== here() && { tz }) });
    const link = (path, text) => make("a", { href: `${path}?${given}` }, text);
    return make("p", { class: "links" }, link("/days", `Days of ${user}`), " ", link("/explore", `Explore ${user}`));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    next();
  });
  fields.user.addEventListener("change", next);
  fields.file.addEventListener("change", () => {
    take([...fields.file.files]);
    fields.file.value = "";
  });
  suggestUsers([fields.user], people);
  show(form, true);

  return { open, take, mark: (isOver) => set($("drop"), "data-over", String(isOver)) };
}
