/** Lets connections in: a bounded number of them, and only those that soon say what they want. */
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

  /** A connection arrived. The longest silent one makes room when too many have not said anything. */
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

  /** A session has introduced itself; false if there are too many. */
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

  /** Somebody asks to cancel what a session is doing, and proves by its key that it may. */
  cancel(id, key) {
    const session = this.#sessions.get(id);
    if (session?.key === key) session.cancel();
  }

  /** Says goodbye to everyone. */
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
