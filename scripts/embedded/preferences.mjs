/** The settings of one connection. They are read from PostgreSQL after statements that may have changed them. */
import {
  BASE_STATE,
  CAPTURE,
  captureInvented,
  IDENTITY,
  inventedNames,
  LIMITS,
  makeState,
  restore,
} from "./settings.mjs";

const MOST_INVENTED = 500;

const RESETS = /\b(?:reset|default)\b/i;
const RESETS_USER = /\bdiscard\s+all|\breset\s+session\s+auth|\bsession\s+authorization\s+default/i;
const RESETS_ROLE = /\breset\s+role\b|\brole\s*(?:to\s|=)\s*default\b/i;
const LOCAL = /\bset\s+local\b/i;
const SETS = /\bset_config\b/i;
const SETTING_TAGS = new Set(["SET", "RESET", "DISCARD ALL", "DO", "CALL"]);

const isSetting = (tags) => [...tags].some((tag) => SETTING_TAGS.has(tag));
const resets = (tags, text) => tags.has("RESET") || tags.has("DISCARD ALL") || (isSetting(tags) && RESETS.test(text));

export class Preferences {
  /** The state of the backend for this connection. */
  state = BASE_STATE;

  /** Time limits in milliseconds; 0 means none. */
  limits = { statement: 0, idle: 0 };

  /** The initial state of the connection, to which a reset returns. */
  #home = BASE_STATE;
  #dirty = false;
  #invented = new Set();

  /** Examines executed work: its command tags, the text of its statements, and all bytes sent. */
  note(tags, text, sent) {
    if (!isSetting(tags) && !SETS.test(text)) return;
    this.#dirty = true;
    this.#noteInvented(text);
    if (SETS.test(text)) this.#noteInvented(sent.toString("latin1"));
  }

  /** Corrects the effects of a statement while its transaction stays open. */
  async duringTransaction(backend, tags, text) {
    if (resets(tags, text)) await this.#afterReset(backend, text, !tags.has("RESET") && LOCAL.test(text));
    if (/_timeout/i.test(text)) await this.#readLimits(backend);
  }

  /** Stores the settings, which no transaction can roll back now. */
  async betweenTransactions(backend, tags, text) {
    if (!this.#dirty) return;
    if (resets(tags, text)) await this.#afterReset(backend, text);
    await this.#capture(backend);
    this.#dirty = false;
  }

  /** Begins the connection like another one, with additional values. */
  beginLike(other, values) {
    const { user, role } = other.#home;
    this.state = makeState(user, role, [...other.#home.values, ...values]);
    this.#home = this.state;
    this.#invented = new Set(other.#invented);
    this.limits = { ...other.limits };
  }

  /** Begins the connection with all settings of the handshake, including invented ones with these names. */
  async adopt(backend, names) {
    for (const name of names) this.#noteInvented(name);
    await this.#capture(backend);
    this.#home = this.state;
  }

  /** Corrects a reset, which restores the package's defaults and keeps the user. */
  async #afterReset(backend, text, local = false) {
    const [[user, role]] = await backend.sql(IDENTITY);
    const before = { user, role };
    const home = this.#home;
    let after = before;
    if (RESETS_USER.test(text)) after = home;
    else if (RESETS_ROLE.test(text) && user === home.user) after = { user, role: home.role };
    await backend.sqlAsOwner(restore(home.values, before, after, local));
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

  /** Records names that may be invented settings, including parameters of set_config. */
  #noteInvented(text) {
    for (const name of inventedNames(text)) if (this.#invented.size < MOST_INVENTED) this.#invented.add(name);
  }
}
