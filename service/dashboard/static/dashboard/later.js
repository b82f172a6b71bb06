// Pages whose scripts are loaded once they are opened, so that the others begin sooner.

import { $, make } from "./dom.js";

/** Stand for a page in a section; load() resolves to what it is then: {open(search), follow(userId)}. */
export function later(section, load) {
  let page = null;
  let loading = null;
  let wanted = null; // the query string to show once the page is there

  function start() {
    loading ??= load().then(
      (loaded) => {
        page = loaded;
        if (wanted !== null) page.open(wanted);
      },
      () => {
        loading = null;
        const again = make("button", { type: "button", click: () => (note.remove(), start()) }, "Try again");
        const note = make("div", { class: "note error", role: "alert" }, make("h2", {}, "The page did not load"), make("p", {}, "The service does not answer."), again);
        $(section).append(note);
      },
    );
  }

  return {
    open(search) {
      wanted = search;
      if (page) page.open(search);
      else start();
    },
    close() {
      wanted = null;
      page?.close?.();
    },
    follow: (userId) => wanted !== null && page?.follow?.(userId),
  };
}
