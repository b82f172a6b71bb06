/** How long a session may keep the single backend from the others. */

const SHARED_LIMIT =
  "The embedded database runs one transaction at a time: use autocommit, or end each transaction at once. " +
  "A lower idle_in_transaction_session_timeout ends it sooner, even a lone one; a higher one does not help.";
const OWN_LIMIT =
  "End transactions, or use autocommit; the client has set idle_in_transaction_session_timeout, or its role has.";
const HOLD_LIMIT =
  "The embedded database runs one transaction at a time. Ask for less at once; only the owner's statements have no limit.";

const seconds = (milliseconds) => milliseconds / 1000;

/**
 * Returns null, or why a session must give up the backend: {why, hint}, with `statement` where ending its running statement
 * suffices, and `idles`. All times are in ms; a limit of 0 is none.
 *
 * `idles`: it waits for its client between two statements of a transaction; `stalls`: in the middle of a COPY or of a result.
 * `quiet`, `held`: time since the last sign of its client, and since it has the backend. `waited`: for how long another
 * session has waited, null if none does. `own`: the limit that the session itself has for idling. `isOwner`: it belongs to
 * the owner, whose work (COPY, refreshes, upkeep, migrations) may take long.
 */
function overstay({ idles, stalls, quiet, held, waited, own, isOwner }, { idle, stall, hold }) {
  if (idles && own && quiet > own)
    return { idles, why: `it was idle in a transaction for ${seconds(own)} s, its own limit`, hint: OWN_LIMIT };
  if (waited === null) return null;
  if (idles && idle && quiet > idle)
    return { idles, why: `it was idle in a transaction for ${seconds(idle)} s while others waited`, hint: SHARED_LIMIT };
  if (stalls && stall && quiet > stall) {
    const where = "in the middle of a COPY or an answer without a sign of life";
    return { idles: true, why: `it was ${where} for ${seconds(stall)} s while others waited`, hint: SHARED_LIMIT };
  }
  if (isOwner || !hold || Math.min(held, waited) <= hold) return null;
  return { why: `it has kept others waiting for ${seconds(hold)} s`, hint: HOLD_LIMIT, statement: !idles };
}

export class Patience {
  #session;
  #log;
  #lastSign = Date.now();
  #heldSince = 0;
  #cancelled = null;

  constructor(session, log) {
    this.#session = session;
    this.#log = log;
  }

  /** The client has sent or read something. */
  sign() {
    this.#lastSign = Date.now();
  }

  /** The session gets the backend. */
  begin() {
    this.#heldSince = Date.now();
  }

  /**
   * Ends the session, or its statement, if it keeps the backend from others for too long. `running` is its unit of work, or
   * null; `limits` are `idle`, `stall` and `hold`; see `overstay` for the rest.
   */
  enforce(limits, { running, idles, stalls, isOwner }) {
    const session = this.#session;
    const { turns } = session.backend;
    const now = Date.now();
    const verdict = overstay(
      {
        idles,
        stalls,
        isOwner,
        quiet: now - this.#lastSign,
        held: now - this.#heldSince,
        waited: turns.holder === session ? turns.waited : null,
        own: session.preferences.limits.idle,
      },
      limits,
    );
    if (!verdict || (verdict.statement && this.#cancelled === running)) return;
    const name = session.preferences.state.values.get("application_name");
    const who = `${name ? `"${name}", ` : ""}user ${JSON.stringify(session.user)}`;
    this.#log(`connection ${session.id} (${who}) ${verdict.statement ? "loses its statement" : "is ended"}: ${verdict.why}`);
    if (verdict.statement) {
      this.#cancelled = running; // one that does not react is ended by the backend
      return session.cancel(`canceling statement: ${verdict.why}`);
    }
    const [code, timeout] = verdict.idles ? ["25P03", "idle-in-transaction"] : ["25P04", "transaction"];
    session.end(code, `terminating connection due to ${timeout} timeout: ${who}: ${verdict.why}`, verdict.hint);
  }
}
