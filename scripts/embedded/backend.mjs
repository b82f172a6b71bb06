/** One database and its single session, which connections share in turns; its thread is replaced after a crash. */
import fs from "node:fs";
import path from "node:path";
import { Commons, HIDE, IS_HIDDEN } from "./commons.mjs";
import { KnownLogins } from "./known_logins.mjs";
import { listenAll } from "./notifications.mjs";
import { errorFields, messagesIn, query, readRow } from "./protocol.mjs";
import { BASE_STATE, REPORTED, transition } from "./settings.mjs";
import { LEFT_BEHIND, lookUpAgain, NO_SCHEMAS, NOTHING_TEMPORARY } from "./temporary.mjs";
import { BackendLost, Thread } from "./thread.mjs";
import { OWNER } from "./variables.mjs";
import { Turns } from "./turns.mjs";

const START_ATTEMPTS = 3;
const UNKNOWN_SCHEMAS = [-1, -1];

/** PostgreSQL refused a statement; `code` is its SQLSTATE. */
export class SqlError extends Error {
  constructor({ C: code, M: text }) {
    super(text);
    this.code = code;
  }
}

export class Backend {
  /** Counts starts of the thread and losses of all prepared statements: older statements must be prepared again. */
  epoch = 0;
  /** Counts starts of the thread. */
  starts = 0;
  /** The session whose unnamed prepared statement PostgreSQL holds. */
  unnamedOwner = null;
  /** The session settings in force. */
  state = BASE_STATE;
  /** The role that has logged in to whom the next unit of work belongs. */
  login = OWNER;
  /** The temporary schemas in force. */
  schemas = NO_SCHEMAS;
  /** The version of the list of databases in the instance's pg_database. */
  catalogVersion = -1;
  sessions = new Set();

  #options;
  #thread;
  #ready = false;
  #stopping = false;
  #gateway = { login: OWNER, temporary: NOTHING_TEMPORARY, isGateway: true };
  #occupant = this.#gateway;
  #lastLogin = OWNER;
  #commons = new Commons();
  #logins;

  /** `options`: name, directory, wasm, zones, log, turnTimeout, onNotification(backend, sender, body), onGone(backend, why). */
  constructor(options) {
    this.#options = options;
    this.name = options.name;
    this.directory = options.directory;
    this.log = options.log;
    this.turns = new Turns(options.turnTimeout);
    this.#logins = new KnownLogins(options.name);
    this.#thread = new Thread(options, (lost, running) => this.#onLost(lost, running));
  }

  /** Opens the database, creating it in an empty directory. */
  async start() {
    const fresh = !fs.existsSync(path.join(this.directory, "PG_VERSION"));
    if (fresh) await this.#initialise();
    await this.#boot("postgres");
    await this.#prepare();
    this.#ready = true;
  }

  /** A new directory opens as template1; the database postgres needs a second opening. */
  async #initialise() {
    fs.mkdirSync(this.directory, { recursive: true });
    await this.#boot("template1");
    await this.#thread.halt();
  }

  async #boot(database) {
    this.epoch++;
    this.starts++;
    this.login = OWNER;
    this.schemas = NO_SCHEMAS;
    this.#occupant = this.#gateway;
    this.#commons = new Commons();
    this.unnamedOwner = null;
    await this.#thread.start(database);
  }

  /** LOAD must come first: without it the instance traps, or works under the wrong licence. */
  async #prepare() {
    const statements = [
      "LOAD 'timescaledb'",
      "CREATE EXTENSION IF NOT EXISTS timescaledb",
      ...transition(null, BASE_STATE),
      listenAll(this),
    ];
    for (const statement of statements) await this.#ask(query(statement));
    for (const [statement] of await this.#ask(query(LEFT_BEHIND))) await this.#ask(query(statement));
    const [[hidden]] = await this.#ask(query(IS_HIDDEN));
    if (hidden === "f") await this.#ask(query(HIDE));
    this.state = BASE_STATE;
    this.catalogVersion = -1;
    await this.readLogins();
  }

  /** Reads what logins depend on, after it may have changed. Begins and ends in the base state. */
  async readLogins() {
    this.state = null;
    await this.#logins.read({ sql: (statement) => this.#ask(query(statement)) });
    this.state = BASE_STATE;
  }

  /** Forgets what logins depend on: it may have changed, and must be read before the turn ends. */
  forgetLogins() {
    this.#logins.forget();
  }

  /** The default settings of a superuser's connection, which can then begin without a turn; null if they may have changed. */
  get superuser() {
    return this.#logins.superuser;
  }

  /** What the database keeps of the password of a role: null if there is none, undefined if there is no such role. */
  passwordOf(role) {
    return this.#logins.passwordOf(role);
  }

  /** The present values of the settings that are reported to a connection at its start. */
  async readReported() {
    return new Map(await this.sql(REPORTED));
  }

  #onLost(lost, running) {
    const served = this.#ready;
    this.#ready = false;
    if (this.#stopping) return running?.resolve();
    this.log(`database ${this.name}: the instance crashed (${lost.message})`);
    this.turns.pause();
    running?.reject(lost);
    if (served) this.#restart();
  }

  /** Restarts the thread, with a second attempt if the first fails. */
  async #restart() {
    const began = Date.now();
    for (let left = START_ATTEMPTS; left > 0 && !this.#stopping; left--) {
      try {
        await this.start();
        this.log(`database ${this.name}: restarted in ${Date.now() - began} ms`);
        return this.turns.resume();
      } catch (error) {
        if (left === 1 && !this.#stopping) this.#options.onGone(this, error.message);
      }
    }
  }

  /**
   * Runs one unit of work. `sink` receives PostgreSQL's messages as they arrive; `sender` is the session that notifications
   * name as their origin; `onTaken` receives the number of consumed bytes of a COPY.
   */
  run(bytes, { sink, sender = null, onTaken }) {
    if (!this.#ready) return Promise.reject(new BackendLost("it is not running"));
    return this.#dispatch(bytes, { sink, sender, onTaken });
  }

  #dispatch(bytes, { sink, sender, onTaken }) {
    const onSchemas = (schemas) => (this.schemas = schemas);
    return this.#thread.run({ bytes, login: this.login, schemas: this.schemas }, { sink, sender, onTaken, onSchemas });
  }

  /** Sends more data to the running COPY. */
  feed(bytes) {
    this.#thread.feed(bytes);
  }

  /** Records that the client has read `count` bytes of output. */
  taken(count) {
    this.#thread.taken(count);
  }

  /** Discards the rest of the running statement's output. */
  discardOutput() {
    this.#thread.discardOutput();
  }

  /** Cancels the running statement; replaces the instance if the statement never checks for interrupts. */
  cancel() {
    this.#thread.cancel();
  }

  /** Runs the gateway's own SQL and returns its rows as arrays of texts. */
  sql(text) {
    return this.sqlRaw(query(text));
  }

  /** Runs ready-made messages and returns the rows like `sql`. */
  sqlRaw(bytes) {
    return this.#ready ? this.#ask(bytes) : Promise.reject(new BackendLost("it is not running"));
  }

  async #ask(bytes) {
    this.unnamedOwner = null;
    const chunks = [];
    const sink = (bytes) => {
      chunks.push(bytes);
      this.taken(bytes.length);
    };
    await this.#dispatch(bytes, { sink });
    const rows = [];
    let refused = null;
    for (const [type, body] of messagesIn(Buffer.concat(chunks))) {
      if (type === "D") rows.push(readRow(body));
      else if (type === "E") refused = new SqlError(errorFields(body));
      else if (type === "A") this.notify(body);
    }
    if (refused) throw refused;
    return rows;
  }

  /** Runs the gateway's own SQL with the rights of the owner, whoever has logged in. */
  async sqlAsOwner(text) {
    const { login } = this;
    this.login = OWNER;
    try {
      return await this.sql(text);
    } finally {
      this.login = login;
    }
  }

  /**
   * Hands the shared session to an occupant, {login, temporary, isGateway}, and brings its settings into a state. What
   * another role than the owner leaves is not trusted to be what the gateway knows of it: everything is reset then.
   */
  async become(state, occupant = this.#gateway) {
    const before = this.#occupant;
    this.login = OWNER;
    this.#occupant = occupant;
    if (before !== occupant && before.login !== OWNER) {
      this.state = null;
      this.#commons.suspect();
    }
    if (this.#commons.due) {
      await this.#assume(BASE_STATE);
      await this.#commons.restore(this);
    }
    if (!occupant.isGateway && occupant.login !== this.#lastLogin) {
      await this.#assume(BASE_STATE);
      await this.sql("CLOSE ALL");
      this.#lastLogin = occupant.login;
    }
    await this.#takeSchemas(occupant.temporary.schemas(this));
    await this.#assume(state);
    this.login = occupant.login;
  }

  async #takeSchemas(schemas) {
    if (schemas[0] === this.schemas[0]) return;
    await this.#assume(BASE_STATE);
    this.schemas = schemas;
    try {
      await this.sql(lookUpAgain(schemas));
    } catch (error) {
      this.schemas = UNKNOWN_SCHEMAS; // so that the next occupant looks up again
      throw error;
    }
  }

  /** All prepared statements have been closed: each must be prepared again. */
  loseStatements() {
    this.epoch++;
    this.#commons.forget();
  }

  async #assume(state) {
    if (this.state?.key === state.key) return;
    const from = this.state;
    this.state = null;
    for (const statement of transition(from, state)) await this.sql(statement);
    this.state = state;
  }

  /** Forwards a notification to the listening sessions. */
  notify(body) {
    this.#options.onNotification(this, this.#thread.running?.sender ?? null, body);
  }

  /** Runs `work(backend)` in a turn of its own, with the base settings; see Turns for `patient`. */
  alone(work, { patient = false } = {}) {
    return new Promise((resolve, reject) => {
      this.turns.take({
        who: {},
        patient,
        work: async () => {
          try {
            await this.become(BASE_STATE);
            resolve(await work(this));
          } catch (error) {
            reject(error);
          }
          return false;
        },
      });
    });
  }

  get running() {
    return this.#thread.running !== null;
  }

  /** Stops within `patience` ms: cleanly if the running statement ends by then, otherwise by ending the thread. */
  async stop(patience) {
    const serving = this.#ready;
    this.#stopping = true;
    this.#ready = false;
    this.turns.pause();
    this.#thread.cancel(2 * patience);
    const atMost = new Promise((resolve) => setTimeout(resolve, patience));
    if (serving && patience) await Promise.race([this.#stopCleanly(), atMost]);
    await this.#thread.terminate();
  }

  async #stopCleanly() {
    try {
      await this.#thread.rest();
      await this.#ask(query("ROLLBACK"));
      await this.#ask(query("CHECKPOINT"));
      await this.#thread.halt();
    } catch {
      // The write-ahead log has everything that is missing from the data files.
    }
  }
}
