/** LISTEN and NOTIFY: one PostgreSQL session listens for all connections, and forwards notifications to the listening ones. */
import { int32, message, readString } from "./protocol.mjs";
import { identifier } from "./settings.mjs";

const STATEMENT = /(?:^|;)(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(listen|unlisten)\s+("(?:[^"]|"")+"|[\w$]+|\*)/gi;

/** The LISTEN and UNLISTEN requests of a text, in order: {listen: bool, channel}; channel null means all. */
function listenRequests(sql) {
  return [...sql.matchAll(STATEMENT)].map(([, verb, name]) => ({
    listen: verb.toLowerCase() === "listen",
    channel: name === "*" ? null : name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase(),
  }));
}

/** The channels of one connection. Requests in a transaction take effect when the transaction commits. */
export class Channels {
  #names = new Set();
  #requests = [];

  /** Notes the requests in the text of executed statements. */
  note(texts) {
    this.#requests.push(...texts.flatMap(listenRequests));
  }

  /** Notes a DISCARD ALL, which ends all listening. */
  noteDiscard() {
    this.#requests.push({ listen: false, channel: null });
  }

  /** Drops rolled back requests; restores the channels of other connections after an UNLISTEN in PostgreSQL. */
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

/** Sends the body of a NotificationResponse to the sessions of a backend that listen to the channel. */
export function notifySessions(backend, sender, body) {
  const [channel] = readString(body, 4);
  const notification = message("A", int32(sender?.id ?? 0), body.subarray(4));
  for (const session of backend.sessions) {
    if (session.channels.has(channel)) session.send(notification);
  }
}

/** The channels of all sessions of the backend. */
export const channelsOf = (backend) => new Set([...backend.sessions].flatMap((session) => [...session.channels]));

/** The statements that make PostgreSQL listen to the channels of all sessions of the backend. */
export const listenAll = (backend) => [...channelsOf(backend)].map((channel) => `LISTEN ${identifier(channel)}`).join("; ");
