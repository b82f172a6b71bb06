/** Admits connections: a bounded number of them, and only those that prove their password soon. */
import { Session } from "./session.mjs";
import { SUPERUSER } from "./settings.mjs";

const MOST_SESSIONS = 100;
const RESERVED_FOR_OWNER = 20;
const MOST_STRANGERS = 100;
const WATCH_MS = 500;

export class Door {
  #databases;
  #options;
  #strangers = new Set();
  #sessions = new Map();
  #nextId = 1;
  #opened;
  #watch;

  /** `options`: log, identities; loginTimeout, idleTimeout, stallTimeout and holdTimeout in ms. */
  constructor(databases, options) {
    this.#databases = databases;
    this.#options = options;
    this.#opened = new Promise((resolve) => (this.open = resolve));
    this.#watch = setInterval(() => this.#enforce(), WATCH_MS);
    this.#watch.unref();
  }

  get identities() {
    return this.#options.identities;
  }

  /** For how long a client may keep its part of the authentication waiting. */
  get loginTimeout() {
    return this.#options.loginTimeout;
  }

  /** Admits a new connection. Of too many that have not proved a password, the one that is there for longest is closed. */
  async admit(socket) {
    socket.on("error", () => socket.destroy());
    this.#strangers.add(socket);
    socket.on("close", () => this.#strangers.delete(socket));
    if (this.#strangers.size > MOST_STRANGERS) this.#strangers.values().next().value.destroy();
    await this.#opened;
    if (!socket.destroyed) new Session(socket, this.#nextId++, this, this.#databases, this.#options.log);
  }

  /** Registers a session that has proved its password; false, and its end, if there are too many sessions. */
  register(session) {
    this.#strangers.delete(session.socket);
    const most = session.user === SUPERUSER ? MOST_SESSIONS : MOST_SESSIONS - RESERVED_FOR_OWNER;
    if (this.#sessions.size >= most) {
      session.end(
        "53300",
        `sorry, too many clients already: ${this.#sessions.size} are connected`,
        "Close some, or use a smaller connection pool.",
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
    for (const socket of this.#strangers) socket.destroy();
    for (const session of [...this.#sessions.values()])
      session.end("57P01", "terminating connection due to administrator command");
  }

  #enforce() {
    const { idleTimeout: idle, stallTimeout: stall, holdTimeout: hold } = this.#options;
    for (const session of [...this.#sessions.values()]) session.enforce({ idle, stall, hold });
  }
}
