// Who is signed in. Where the service needs no key, nothing of this is seen. The key itself is kept nowhere:
// the browser has a cookie that scripts cannot read.

import { Refused, ask, whenKeyIsRefused } from "./api.js";

const PATH = "/v1/session";

let state = "unknown"; // also "open" where no key is needed, "in" and "out"
let who = null; // {tenant, scopes, key_id, name, expires_at} of the key that is signed in, or was until now
let asking = null;
let changed = () => {};

export const session = {
  get state() {
    return state;
  },
  get who() {
    return state === "in" ? who : null;
  },
  /** Whether someone was signed in, who is not any more. */
  get hasEnded() {
    return state === "out" && who !== null;
  },
  /** Whether what takes a scope can be asked for, as far as is known. */
  may: (scope) => state !== "out" && (state !== "in" || who.scopes.includes(scope)),
};

/** What a command for a shell needs to send with a request. */
export const keyForShell = () => (state === "in" ? ` -H "Authorization: Bearer $KEY"` : "");

function become(next, whose) {
  const isOther = who !== null && whose !== null && (who.key_id !== whose.key_id || who.tenant !== whose.tenant);
  if (isOther) location.reload(); // what is here was for another key
  else if (next !== state || JSON.stringify(whose) !== JSON.stringify(who)) {
    [state, who] = [next, whose];
    changed();
  }
}

async function look() {
  try {
    const { body } = await ask(PATH);
    if (body.open) become("open", null);
    else become("in", body);
    return "";
  } catch (error) {
    if (!(error instanceof Refused)) return "";
    if (error.status !== 401 && error.status !== 403) return error.message;
    become("out", who);
    return "";
  }
}

/** Ask who is signed in; one question at a time. Returns why the service cannot tell, "" otherwise. */
export function check() {
  asking ??= look().finally(() => (asking = null));
  return asking;
}

/** Sign in with a key. Throws as ask does. */
export async function signIn(key) {
  const { body } = await ask(PATH, undefined, { method: "POST", body: { key } });
  become("in", body);
}

/** Sign out. Throws as ask does. */
export async function signOut() {
  await ask(PATH, undefined, { method: "DELETE" });
}

/** Begin; change() is called after every change. Returns once the service was asked, whatever it said. */
export function startSession(change) {
  changed = change;
  whenKeyIsRefused(check);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && state === "out" && check());
  return check();
}
