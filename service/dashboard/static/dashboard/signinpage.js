// The view to sign in, which takes the place of a page; and in the header who is signed in.

import { Refused } from "./api.js";
import { $, make, memory, put, set, show } from "./dom.js";
import { session, signIn, signOut } from "./session.js";
import { formatMoment } from "./text.js";
import { here } from "./zone.js";

const ENDED = "The session has ended: it expired, was signed out elsewhere, or its key was revoked. Sign in to go on where you were.";
const WRONG = "That key is not known, was revoked or has expired.";
const PLAIN = "This page came over plain HTTP from another machine. A key would be readable on the way, so sign in over HTTPS, or on the machine where the service runs.";

/** Begin. */
export function startSignIn() {
  const form = $("sign-in");
  const { key } = form.elements;
  const button = form.querySelector("button");
  let isBusy = false;

  function tell(problem) {
    put($("sign-in-problem"), problem);
    set(key, "aria-invalid", String(Boolean(problem)));
  }

  async function submit(event) {
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    tell("");
    put(button, "Signing in");
    try {
      await signIn(key.value.trim());
      key.value = "";
    } catch (error) {
      tell(error instanceof Refused && error.status === 401 ? WRONG : error.message);
      key.focus();
      key.select();
    } finally {
      isBusy = false;
      put(button, "Sign in");
    }
  }

  async function leave() {
    try {
      await signOut();
    } catch (error) {
      put($("sign-out-problem").firstElementChild, `You are still signed in. ${error.message}`);
      show($("sign-out-problem"), true);
      return;
    }
    memory.set("pins", "[]"); // which name people
    location.replace("/"); // so that nothing of what was shown stays, neither here nor in the address
  }

  form.addEventListener("submit", submit);
  $("sign-out").addEventListener("click", leave);
  $("other-key").addEventListener("click", leave);

  return {
    /** Show the view, or hide it. */
    show(visible) {
      const isNew = visible && $("sign-in-page").hidden;
      show($("sign-in-page"), visible);
      if (!isNew) return;
      const asked = ["This service asks for a key. On its machine, ", make("code", {}, "make keys"), " makes them."];
      $("sign-in-why").replaceChildren(...(session.hasEnded ? [ENDED] : asked));
      tell("");
      for (const element of [key.parentElement, button]) show(element, isSecureContext);
      if (isSecureContext) key.focus();
      else put($("sign-in-problem"), PLAIN);
    },
  };
}

const nameOf = ({ name, key_id: id }) => name ?? `key ${id}`;
const inWords = (scopes) => new Intl.ListFormat("en").format(scopes);

/** Write into the header who is signed in. */
export function writeWho() {
  const { who } = session;
  show($("signed-in"), who !== null);
  show($("sign-out-problem"), false);
  if (!who) return;
  const until = who.expires_at ? ` The session ends at ${formatMoment(who.expires_at, here())}.` : "";
  put($("signed-in-as"), `${nameOf(who)}, ${who.tenant ?? "all tenants"}`);
  set($("signed-in-as"), "title", `${nameOf(who)} of ${who.tenant ?? "all tenants"}: ${inWords(who.scopes)}.${until}`);
}

/** Say that a page takes a scope that the key lacks. */
export function writeLack(title, scope) {
  put($("no-access-title"), `${title} needs another key`);
  put($("no-access-text"), `It takes a key with the scope ${scope}; yours has ${inWords(session.who.scopes)}.`);
}
