/** The thread of one database as the main thread knows it: its start, one unit of work at a time, and its end. */
import { Worker } from "node:worker_threads";
import { CANCEL, CONTROL_BYTES, DISCARD, UNSENT, WAKE } from "./control.mjs";

const STACK_MB = 8;
const CANCEL_PATIENCE_MS = 5_000;

/** The thread died during a unit of work. */
export class BackendLost extends Error {}

export class Thread {
  #options;
  #onLost;
  #worker = null;
  #control = null;
  #running = null;
  #forceTimer = null;
  #idle = null;

  /** `options`: directory, wasm, zones; `onLost(lost, running)` is to resolve or to reject what ran. */
  constructor(options, onLost) {
    this.#options = options;
    this.#onLost = onLost;
  }

  /** Opens a database in the directory. */
  async start(database) {
    const { directory, wasm, zones } = this.#options;
    const shared = new SharedArrayBuffer(CONTROL_BYTES);
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), {
      workerData: { directory, database, wasm, zones, control: shared },
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    this.#control = new Int32Array(shared);
    this.#worker = worker;
    await new Promise((resolve, reject) => {
      worker.on("message", (note) => (note.ready ? resolve() : this.#onMessage(worker, note, reject)));
      worker.on("error", (error) => this.#lose(worker, error.message, reject));
      worker.on("exit", () => this.#lose(worker, "its thread ended", reject));
    });
  }

  #onMessage(worker, note, reject) {
    if (worker !== this.#worker) return;
    if (note.crashed) return this.#lose(worker, note.crashed, reject);
    const running = this.#running;
    if (note.output?.length)
      running?.sink(Buffer.from(note.output.buffer, note.output.byteOffset, note.output.byteLength));
    if (note.taken) running?.onTaken?.(note.taken);
    if (note.done) this.#finish(running, note.schemas);
    if (note.stopped) running?.resolve();
  }

  #finish(running, schemas) {
    this.#running = null;
    clearTimeout(this.#forceTimer);
    running.onSchemas(schemas);
    running.resolve();
    this.#idle?.();
  }

  #lose(worker, why, reject) {
    if (!worker || worker !== this.#worker) return;
    this.#worker = null;
    worker.terminate();
    clearTimeout(this.#forceTimer);
    const running = this.#running;
    this.#running = null;
    const lost = new BackendLost(why);
    reject(lost);
    this.#onLost(lost, running);
  }

  /** The unit of work that runs, or null. */
  get running() {
    return this.#running;
  }

  /**
   * Runs one unit of work: `bytes` with the rights of `login` and with the temporary `schemas`. `sink` receives PostgreSQL's
   * messages as they arrive, `onTaken` the number of consumed bytes of a COPY, and `onSchemas` the schemas at its end;
   * `sender` is the session that it belongs to.
   */
  run({ bytes, login, schemas }, { sink, sender = null, onTaken, onSchemas }) {
    if (this.#running) throw new Error("two units of work at once");
    return new Promise((resolve, reject) => {
      this.#running = { sink, sender, onTaken, onSchemas, resolve, reject };
      Atomics.store(this.#control, DISCARD, 0);
      Atomics.store(this.#control, CANCEL, 0);
      this.#post({ unit: bytes, login, schemas });
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

  /** Cancels the running statement; loses the thread if the statement never checks for interrupts. */
  cancel(patience = CANCEL_PATIENCE_MS) {
    const running = this.#running;
    if (!running) return;
    Atomics.store(this.#control, CANCEL, 1);
    this.#wake();
    clearTimeout(this.#forceTimer);
    this.#forceTimer = setTimeout(() => {
      if (this.#running === running) this.#lose(this.#worker, "a statement did not react to a cancel", () => {});
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

  /** Waits for the end of the running unit of work. */
  async rest() {
    if (this.#running) await new Promise((resolve) => (this.#idle = resolve));
  }

  /** Closes the database, and ends the thread. */
  async halt() {
    const worker = this.#worker;
    await new Promise((resolve) => {
      this.#running = { sink() {}, resolve, reject: resolve };
      this.#post({ stop: true });
    });
    this.#running = null;
    this.#worker = null;
    await worker.terminate();
  }

  /** Ends the thread in any case; what runs counts as done. */
  async terminate() {
    const worker = this.#worker;
    this.#worker = null;
    // The thread is gone before a timer could end it.
    clearTimeout(this.#forceTimer);
    await worker?.terminate();
    const running = this.#running;
    this.#running = null;
    running?.resolve();
  }
}
