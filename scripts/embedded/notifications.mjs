/** LISTEN and NOTIFY: one PostgreSQL session listens for all, and each notification goes to those who asked for it. */
import { int32, message, readString } from "./protocol.mjs";
import { identifier } from "./settings.mjs";

const STATEMENT = /(?:^|;)(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(listen|unlisten)\s+("(?:[^"]|"")+"|[\w$]+|\*)/gi;

/** What a text asks to listen to, in order: {listen: bool, channel}; channel null means all. */
export function listenRequests(sql) {
  return [...sql.matchAll(STATEMENT)].map(([, verb, name]) => ({
    listen: verb.toLowerCase() === "listen",
    channel: name === "*" ? null : name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase(),
  }));
}

/** Applies requests to the set of a session's channels. */
export function applyRequests(channels, requests) {
  for (const { listen, channel } of requests) {
    if (listen) channels.add(channel);
    else if (channel === null) channels.clear();
    else channels.delete(channel);
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
