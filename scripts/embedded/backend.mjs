/** Supervises the thread of one database: starts it, runs one unit of work at a time, and replaces it after a crash. */
import fs from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { Commons, HIDE, IS_HIDDEN } from "./commons.mjs";
import { CANCEL, CONTROL_BYTES, DISCARD, UNSENT, WAKE } from "./control.mjs";
import { logIn, readPasswords, readRecorded } from "./login.mjs";
import { listenAll } from "./notifications.mjs";
import { Preferences } from "./preferences.mjs";
import { errorFields, messagesIn, query, readRow } from "./protocol.mjs";
import { BASE_STATE, REPORTED, SUPERUSER, transition } from "./settings.mjs";
import { LEFT_BEHIND, lookUpAgain, NO_SCHEMAS, NOTHING_TEMPORARY } from "./temporary.mjs";
import { OWNER } from "./variables.mjs";
import { Turns } from "./turns.mjs";

const STACK_MB = 8;
const CANCEL_PATIENCE_MS = 5_000;
const START_ATTEMPTS = 3;
const UNKNOWN_SCHEMAS = [-1, -1];

function pending() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

/** The thread died during a unit of work. */
export class BackendLost extends Error {}

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
  /** The default settings of a superuser's connection, which can then begin without a turn; null if they may have changed. */
  superuser = null;
  sessions = new Set();

  #options;
  #worker = null;
  #control = null;
  #running = null;
  #ready = false;
  #stopping = false;
  #forceTimer = null;
  #idle = null;
  #superuser = null;
  #gateway = { login: OWNER, temporary: NOTHING_TEMPORARY, isGateway: true };
  #occupant = this.#gateway;
  #lastLogin = OWNER;
  #commons = new Commons();
  #passwords = pending();

  /** `options`: name, directory, wasm, zones, log, turnTimeout, onNotification(backend, sender, body), onGone(backend, why). */
  constructor(options) {
    this.#options = options;
    this.name = options.name;
    this.directory = options.directory;
    this.log = options.log;
    this.turns = new Turns(options.turnTimeout);
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
    await this.#halt();
  }

  async #boot(database) {
    const shared = new SharedArrayBuffer(CONTROL_BYTES);
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), {
      workerData: {
        directory: this.directory,
        database,
        wasm: this.#options.wasm,
        zones: this.#options.zones,
        control: shared,
      },
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    this.#control = new Int32Array(shared);
    this.#worker = worker;
    this.epoch++;
    this.starts++;
    this.login = OWNER;
    this.schemas = NO_SCHEMAS;
    this.#occupant = this.#gateway;
    this.#commons = new Commons();
    this.unnamedOwner = null;
    await new Promise((resolve, reject) => {
      worker.on("message", (note) => (note.ready ? resolve() : this.#onMessage(worker, note, reject)));
      worker.on("error", (error) => this.#onLoss(worker, error.message, reject));
      worker.on("exit", () => this.#onLoss(worker, "its thread ended", reject));
    });
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

  /**
   * Reads what logins depend on, after it may have changed: the passwords of roles, and the default settings of a superuser's
   * connection. Begins and ends in the base state.
   */
  async readLogins() {
    const inside = { sql: (statement) => this.#ask(query(statement)), state: null };
    const passwords = await readPasswords(inside);
    this.#passwords.resolve(passwords);
    this.#passwords = { promise: Promise.resolve(passwords), resolve() {} };
    const recorded = await readRecorded(inside, SUPERUSER, this.name);
    const key = JSON.stringify(recorded);
    if (this.#superuser?.key !== key) this.#superuser = { key, ...(await this.#beginAsSuperuser(inside, recorded)) };
    this.superuser = this.#superuser;
  }

  /** Forgets what logins depend on: it may have changed, and must be read before the turn ends. */
  forgetLogins() {
    this.superuser = null;
    this.#passwords = pending();
  }

  /** What the database keeps of the password of a role: null if there is none, undefined if there is no such role. */
  async passwordOf(role) {
    return (await this.#passwords.promise).get(role);
  }

  async #beginAsSuperuser(inside, recorded) {
    this.state = null;
    const preferences = new Preferences();
    const warnings = await logIn(inside, { user: SUPERUSER, recorded, settings: new Map(), preferences });
    const reported = new Map(await inside.sql(REPORTED));
    for (const statement of transition(inside.state, BASE_STATE)) await inside.sql(statement);
    this.state = BASE_STATE;
    return { preferences, reported, warnings };
  }

  /** The present values of the settings that are reported to a connection at its start. */
  async readReported() {
    return new Map(await this.sql(REPORTED));
  }

  #onMessage(worker, note, reject) {
    if (worker !== this.#worker) return;
    if (note.crashed) return this.#onLoss(worker, note.crashed, reject);
    const running = this.#running;
    if (note.output?.length)
      running?.sink(Buffer.from(note.output.buffer, note.output.byteOffset, note.output.byteLength));
    if (note.taken) running?.onTaken?.(note.taken);
    if (note.done) this.#finish(running, note.schemas);
    if (note.stopped) running?.resolve();
  }

  #finish(running, schemas) {
    this.#running = null;
    this.schemas = schemas;
    clearTimeout(this.#forceTimer);
    running.resolve();
    this.#idle?.();
  }

  #onLoss(worker, why, reject) {
    if (!worker || worker !== this.#worker) return;
    this.#worker = null;
    worker.terminate();
    clearTimeout(this.#forceTimer);
    const served = this.#ready;
    this.#ready = false;
    const running = this.#running;
    this.#running = null;
    const lost = new BackendLost(why);
    reject(lost);
    if (this.#stopping) return running?.resolve();
    this.log(`database ${this.name}: the instance crashed (${why})`);
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

  #dispatch(bytes, { sink, sender = null, onTaken }) {
    if (this.#running) throw new Error("two units of work at once");
    return new Promise((resolve, reject) => {
      this.#running = { sink, sender, onTaken, resolve, reject };
      Atomics.store(this.#control, DISCARD, 0);
      Atomics.store(this.#control, CANCEL, 0);
      this.#post({ unit: bytes, login: this.login, schemas: this.schemas });
    });
  }

  /** Sends more data to the running COPY. */
  feed(bytes) {
    if (this.#worker) this.#post({ copy: bytes });
  }

  /** Records that the client has read `count` bytes of output. */
  taken(count) {
    Atomics.sub(this.#control, UNSENT, count);
    this.#wake();
  }

  /** Discards the rest of the running statement's output. */
  discardOutput() {
    Atomics.store(this.#control, DISCARD, 1);
    this.#wake();
  }

  /** Cancels the running statement; replaces the instance if the statement never checks for interrupts. */
  cancel(patience = CANCEL_PATIENCE_MS) {
    const running = this.#running;
    if (!running) return;
    Atomics.store(this.#control, CANCEL, 1);
    this.#wake();
    clearTimeout(this.#forceTimer);
    this.#forceTimer = setTimeout(() => {
      if (this.#running === running) this.#onLoss(this.#worker, "a statement did not react to a cancel", () => {});
    }, patience);
    this.#forceTimer.unref();
  }

  #post(note) {
    this.#worker.postMessage(note);
    this.#wake();
  }

  #wake() {
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE);
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
    this.#options.onNotification(this, this.#running?.sender ?? null, body);
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
    return this.#running !== null;
  }

  /** Stops within `patience` ms: cleanly if the running statement ends by then, otherwise by ending the thread. */
  async stop(patience) {
    const serving = this.#ready;
    this.#stopping = true;
    this.#ready = false;
    this.turns.pause();
    this.cancel(2 * patience);
    const atMost = new Promise((resolve) => setTimeout(resolve, patience));
    if (serving && patience) await Promise.race([this.#stopCleanly(), atMost]);
    const worker = this.#worker;
    this.#worker = null;
    // The thread is gone before a timer could end it.
    clearTimeout(this.#forceTimer);
    await worker?.terminate();
    const running = this.#running;
    this.#running = null;
    running?.resolve();
  }

  async #stopCleanly() {
    try {
      if (this.#running) await new Promise((resolve) => (this.#idle = resolve));
      await this.#ask(query("ROLLBACK"));
      await this.#ask(query("CHECKPOINT"));
      await this.#halt();
    } catch {
      // The write-ahead log has everything that is missing from the data files.
    }
  }

  async #halt() {
    const worker = this.#worker;
    await new Promise((resolve) => {
      this.#running = { sink() {}, resolve, reject: resolve };
      this.#post({ stop: true });
    });
    this.#running = null;
    this.#worker = null;
    await worker.terminate();
  }
}
