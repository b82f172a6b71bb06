/** Admits connections: a bounded number of them, and only those that send their startup packet soon. */
import { errorResponse } from "./protocol.mjs";
import { Session } from "./session.mjs";

const MOST_SESSIONS = 100;
const MOST_SILENT = 100;
const GREETING_MS = 10_000;
const WATCH_MS = 500;

export class Door {
  #databases;
  #options;
  #silent = new Set();
  #sessions = new Map();
  #nextId = 1;
  #opened;
  #watch;

  /** `options`: log, idleTimeout and stallTimeout in ms. */
  constructor(databases, options) {
    this.#databases = databases;
    this.#options = options;
    this.#opened = new Promise((resolve) => (this.open = resolve));
    this.#watch = setInterval(() => this.#evictIdle(), WATCH_MS);
    this.#watch.unref();
  }

  /** Admits a new connection. When too many connections are silent, the one that has been silent for longest is closed. */
  async admit(socket) {
    socket.on("error", () => socket.destroy());
    this.#silent.add(socket);
    socket.on("close", () => this.#silent.delete(socket));
    if (this.#silent.size > MOST_SILENT) this.#silent.values().next().value.destroy();
    const timer = setTimeout(() => this.#silent.has(socket) && socket.destroy(), GREETING_MS);
    timer.unref();
    await this.#opened;
    if (!socket.destroyed) new Session(socket, this.#nextId++, this, this.#databases, this.#options.log);
  }

  /** Registers a session after its startup packet; false if there are too many sessions. */
  register(session) {
    this.#silent.delete(session.socket);
    if (this.#sessions.size >= MOST_SESSIONS) {
      session.socket.end(
        errorResponse({
          severity: "FATAL",
          code: "53300",
          message: `sorry, too many clients already: ${MOST_SESSIONS} are connected`,
          hint: "Close some, or use a smaller connection pool.",
        }),
      );
      return false;
    }
    this.#sessions.set(session.id, session);
    return true;
  }

  forget(session) {
    this.#sessions.delete(session.id);
  }

  /** Cancels the statement of a session for a CancelRequest with the session's key. */
  cancel(id, key) {
    const session = this.#sessions.get(id);
    if (session?.key === key) session.cancel();
  }

  /** Ends all sessions. */
  close() {
    clearInterval(this.#watch);
    for (const socket of this.#silent) socket.destroy();
    for (const session of [...this.#sessions.values()])
      session.end("57P01", "terminating connection due to administrator command");
  }

  #evictIdle() {
    const { idleTimeout: idle, stallTimeout: stall } = this.#options;
    for (const session of [...this.#sessions.values()]) session.evictIfIdle({ idle, stall });
  }
}
