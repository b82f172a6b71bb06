/** LISTEN and NOTIFY: one PostgreSQL session listens for all, and each notification goes to those who asked for it. */
import { int32, message, readString } from "./protocol.mjs";
import { identifier } from "./settings.mjs";

const STATEMENT = /(?:^|;)(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(listen|unlisten)\s+("(?:[^"]|"")+"|[\w$]+|\*)/gi;

/** What a text asks to listen to, in order: {listen: bool, channel}; channel null means all. */
function listenRequests(sql) {
  return [...sql.matchAll(STATEMENT)].map(([, verb, name]) => ({
    listen: verb.toLowerCase() === "listen",
    channel: name === "*" ? null : name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase(),
  }));
}

/** The channels of one connection. What it asks for in a transaction holds once that is committed. */
export class Channels {
  #names = new Set();
  #requests = [];

  /** Looks at the text of statements that ran. */
  note(texts) {
    this.#requests.push(...texts.flatMap(listenRequests));
  }

  /** DISCARD ALL was run, which ends all listening. */
  noteDiscard() {
    this.#requests.push({ listen: false, channel: null });
  }

  /** Rolled back requests are void; PostgreSQL's own UNLISTEN also took away what others listen to. */
  async change(backend, tags) {
    const requests = this.#requests;
    this.#requests = [];
    if (tags.has("ROLLBACK")) return;
    for (const { listen, channel } of requests) {
      if (listen) this.#names.add(channel);
      else if (channel === null) this.#names.clear();
      else this.#names.delete(channel);
    }
    const again = requests.some(({ listen }) => !listen) ? listenAll(backend) : "";
    if (again) await backend.sql(again);
  }

  has(name) {
    return this.#names.has(name);
  }

  clear() {
    this.#names.clear();
  }

  [Symbol.iterator]() {
    return this.#names.values();
  }
}

/** Sends a NotificationResponse body to the sessions of a backend that listen to its channel. */
export function notifySessions(backend, sender, body) {
  const [channel] = readString(body, 4);
  const notification = message("A", int32(sender?.id ?? 0), body.subarray(4));
  for (const session of backend.sessions) {
    if (session.channels.has(channel)) session.send(notification);
  }
}

/** The statements after which PostgreSQL listens to everything that any session of the backend wants. */
export function listenAll(backend) {
  const channels = new Set([...backend.sessions].flatMap((session) => [...session.channels]));
  return [...channels].map((channel) => `LISTEN ${identifier(channel)}`).join("; ");
}
