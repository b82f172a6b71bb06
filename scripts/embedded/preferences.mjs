/** What one connection has set. Its statements tell when that may have changed; PostgreSQL tells what it is then. */
import {
  BASE_STATE,
  CAPTURE,
  captureInvented,
  IDENTITY,
  identifier,
  inventedNames,
  LIMITS,
  makeState,
  restoreBase,
} from "./settings.mjs";

const MOST_INVENTED = 500;

const RESETS_USER = /\bdiscard\s+all|\breset\s+session\s+auth|\bsession\s+authorization\s+default/i;
const SETS = /\bset_config\b/i;
const SETTING_TAGS = new Set(["SET", "RESET", "DISCARD ALL", "DO", "CALL"]);

export class Preferences {
  /** What the backend is brought into for this connection. */
  state = BASE_STATE;

  /** Time limits in milliseconds; 0 is none. */
  limits = { statement: 0, idle: 0 };

  #dirty = false;
  #invented = new Set();

  /** Looks at what ran: its command tags, the text of its statements, and all that was sent. */
  note(tags, text, sent) {
    if (![...tags].some((tag) => SETTING_TAGS.has(tag)) && !SETS.test(text)) return;
    this.#dirty = true;
    this.#noteInvented(text);
    if (SETS.test(text)) this.#noteInvented(sent.toString("latin1"));
  }

  /** Puts right what a statement did in a transaction that goes on. */
  async duringTransaction(backend, login, tags, text) {
    if (tags.has("RESET")) await this.#afterReset(backend, login, text);
    if (/_timeout/i.test(text)) await this.#readLimits(backend);
  }

  /** Remembers what is set, now that no transaction can take it back. */
  async betweenTransactions(backend, login, tags, text) {
    if (!this.#dirty) return;
    if (tags.has("RESET") || tags.has("DISCARD ALL") || /\bdefault\b/i.test(text))
      await this.#afterReset(backend, login, text);
    await this.#capture(backend);
    this.#dirty = false;
  }

  /** Remembers the settings of these names, and all others, that the handshake has made. */
  async adopt(backend, names) {
    for (const name of names) this.#noteInvented(name);
    await this.#capture(backend);
  }

  /** A reset went to the package's defaults, and left the user as it was: both are put right. */
  async #afterReset(backend, loggedIn, text) {
    const [[user, role]] = await backend.sql(IDENTITY);
    const login = RESETS_USER.test(text) ? loggedIn : user;
    await backend.sql(restoreBase(login, login === user ? role : null));
    if (login !== user) await backend.sql(`SET SESSION AUTHORIZATION ${identifier(login)}`);
  }

  async #capture(backend) {
    const [[user, role]] = await backend.sql(IDENTITY);
    const values = await backend.sql(CAPTURE);
    if (this.#invented.size) values.push(...(await backend.sql(captureInvented(this.#invented))));
    this.state = makeState(user, role, values);
    backend.state = this.state;
    await this.#readLimits(backend);
  }

  async #readLimits(backend) {
    const limits = new Map(await backend.sql(LIMITS));
    this.limits.statement = Number(limits.get("statement_timeout") ?? 0);
    this.limits.idle = Number(limits.get("idle_in_transaction_session_timeout") ?? 0);
  }

  /** Remembers names that may be invented settings, which may also be parameters of set_config. */
  #noteInvented(text) {
    for (const name of inventedNames(text)) if (this.#invented.size < MOST_INVENTED) this.#invented.add(name);
  }
}
