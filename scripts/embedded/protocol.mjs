/** PostgreSQL's wire protocol, version 3: cutting a byte stream into messages, building and reading them. */

const STARTUP_LIMIT = 10_000;
const MESSAGE_LIMIT = 256 * 1024 * 1024;

export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;

const EMPTY = Buffer.alloc(0);

export class ProtocolViolation extends Error {}

/** Builds one message from its one-letter type and the parts of its body. */
export function message(type, ...parts) {
  const length = 4 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.allocUnsafe(5);
  head[0] = type.charCodeAt(0);
  head.writeInt32BE(length, 1);
  return parts.length ? Buffer.concat([head, ...parts], length + 1) : head;
}

/** Encodes texts as consecutive zero-terminated strings. */
export const strings = (...texts) => Buffer.from(texts.map((text) => `${text}\0`).join(""));

export function int32(value) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export const query = (sql) => message("Q", strings(sql));
export const sync = () => message("S");
export const copyFail = (why) => message("f", strings(why));
export const closeStatement = (name) => message("C", strings(`S${name}`));
export const readyForQuery = (status) => message("Z", Buffer.from(status));
export const commandComplete = (tag) => message("C", strings(tag));
export const parameterStatus = (name, value) => message("S", strings(name, value));

/** An ErrorResponse; severity ERROR leaves the connection open, FATAL announces its end. */
export function errorResponse({ severity = "ERROR", code, message: text, detail, hint }) {
  const fields = [`S${severity}`, `V${severity}`, `C${code}`, `M${text}`];
  if (detail) fields.push(`D${detail}`);
  if (hint) fields.push(`H${hint}`);
  return message("E", strings(...fields, ""));
}

/** A NoticeResponse of severity WARNING. */
export const warning = (text) => message("N", strings("SWARNING", "VWARNING", "C01000", `M${text}`, ""));

/** The fields of an ErrorResponse or NoticeResponse body, by their one-letter keys. */
export function errorFields(body) {
  const fields = {};
  for (const field of body.toString("utf8").split("\0")) {
    if (field) fields[field[0]] = field.slice(1);
  }
  return fields;
}

/** Reads the zero-terminated string at `start`; returns the string and the offset after it. */
export function readString(bytes, start) {
  const end = bytes.indexOf(0, start);
  if (end < 0) throw new ProtocolViolation("a string in a message has no end");
  return [bytes.toString("utf8", start, end), end + 1];
}

/** The values of a DataRow body in text format, null for NULL. */
export function readRow(body) {
  const row = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    row.push(length < 0 ? null : body.toString("utf8", at, at + length));
    at += Math.max(length, 0);
  }
  return row;
}

/** Iterates the complete messages of a buffer as [type letter, body]. */
export function* messagesIn(bytes) {
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    yield [String.fromCharCode(bytes[at]), bytes.subarray(at + 5, end)];
    at = end;
  }
}

/** The key and value pairs of a startup packet's body, which begins with the protocol version. */
export function startupParameters(body) {
  const parts = body.toString("utf8", 4).split("\0");
  const parameters = new Map();
  for (let i = 0; i + 1 < parts.length && parts[i]; i += 2) parameters.set(parts[i], parts[i + 1]);
  return parameters;
}

/**
 * Splits the bytes of a client into messages. Nothing is allocated ahead of the bytes that arrive, and an implausible
 * length ends the connection.
 */
export class Framer {
  #chunks = [];
  #size = 0;
  #needed = 0;
  #started = false;
  #limit = STARTUP_LIMIT;

  /** Received bytes that do not form a complete message yet. */
  get held() {
    return this.#size;
  }

  /** Ends the startup phase: messages have a type from now on. */
  start() {
    this.#started = true;
  }

  /** Ends the authentication: messages may be large from now on. */
  trust() {
    this.#limit = MESSAGE_LIMIT;
  }

  /** Takes a chunk and calls `onMessage(type, whole)` for each message it completes; startup packets have type "". */
  push(chunk, onMessage) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    let at = 0;
    for (;;) {
      const head = this.#started ? 1 : 0;
      if (bytes.length - at < head + 4) break;
      const length = head + this.#checked(bytes.readInt32BE(at + head));
      this.#needed = length;
      if (bytes.length - at < length) break;
      const whole = bytes.subarray(at, at + length);
      at += length;
      this.#needed = 0;
      onMessage(head ? String.fromCharCode(whole[0]) : "", whole);
    }
    const rest = at < bytes.length ? bytes.subarray(at) : EMPTY;
    this.#chunks = rest.length ? [rest] : [];
    this.#size = rest.length;
  }

  #checked(length) {
    const least = this.#started ? 4 : 8;
    if (length < least || length > this.#limit) {
      throw new ProtocolViolation(
        `a message of ${length} bytes: at least ${least} and at most ${this.#limit} are allowed`,
      );
    }
    return length;
  }
}
