// Pages whose scripts are loaded once they are opened, so that the others begin sooner.

import { $, make } from "./dom.js";

/** Stand for a page in a section; load() resolves to what it is then: {open(search), follow(userId)}. */
export function later(section, load) {
  let page = null;
  let loading = null;
  let wanted = null; // the query string to show once the page is there
  let left = []; // what is to be done with it then

  function start() {
    loading ??= load().then(
      (loaded) => {
        page = loaded;
        if (wanted !== null) page.open(wanted);
        for (const act of left.splice(0)) act(page);
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
    /** Do something with the page, once it is there. */
    use(act) {
      if (page) act(page);
      else left.push(act);
    },
    follow: (userId) => wanted !== null && page?.follow?.(userId),
  };
}
