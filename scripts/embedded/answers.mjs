/**
 * PostgreSQL's messages on their way to one client. Most bytes pass unchanged; a few kinds of messages are inspected,
 * because they inform the gateway, or because the client must not see them.
 */
import { commandComplete, errorFields, errorResponse, readString } from "./protocol.mjs";

const EMPTY = Buffer.alloc(0);
const INSPECTED = new Set([..."13ACEGNZ"].map((type) => type.charCodeAt(0)));
const TRACE_NOTICE = /^# \d+/;

export class AnswerStream {
  /** The message to send when PostgreSQL reports a cancel. */
  cancelText = null;

  #session;
  #rest = EMPTY;
  #passing = 0;
  #expected = [];
  #newTags = [];
  #tags = new Set();
  #failed = false;
  #ready = false;

  constructor(session) {
    this.#session = session;
  }

  /** Begins a unit of work: its expected ParseComplete and CloseComplete messages, and command tags that replace PostgreSQL's. */
  expect(expected, newTags) {
    this.#expected = expected;
    this.#newTags = newTags;
    this.#tags = new Set();
    this.#failed = false;
    this.#ready = false;
    this.#rest = EMPTY;
    this.#passing = 0;
    this.cancelText = null;
  }

  /** The result of the unit of work: its command tags, whether a statement failed, whether PostgreSQL is ready. */
  summary() {
    return { tags: this.#tags, failed: this.#failed, ready: this.#ready };
  }

  /** Returns the bytes to send to the client for a chunk of PostgreSQL's output. */
  filter(chunk) {
    const bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const kept = [];
    let from = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#passing) {
        const step = Math.min(this.#passing, bytes.length - at);
        this.#passing -= step;
        at += step;
        continue;
      }
      if (bytes.length - at < 5) break;
      const length = 1 + bytes.readInt32BE(at + 1);
      if (!INSPECTED.has(bytes[at])) {
        this.#passing = length;
        continue;
      }
      if (bytes.length - at < length) break;
      const instead = this.#inspect(bytes[at], bytes.subarray(at + 5, at + length));
      if (instead !== undefined) {
        kept.push(bytes.subarray(from, at), instead);
        from = at + length;
      }
      at += length;
    }
    this.#rest = bytes.subarray(at);
    if (!kept.length) return bytes.subarray(from, at);
    kept.push(bytes.subarray(from, at));
    return Buffer.concat(kept);
  }

  /** Returns undefined to forward a message, or the bytes to send instead. */
  #inspect(type, body) {
    switch (String.fromCharCode(type)) {
      case "1":
      case "3":
        return this.#onExpected();
      case "A":
        this.#session.backend.notify(body);
        return EMPTY;
      case "C":
        return this.#onComplete(readString(body, 0)[0]);
      case "E":
        return this.#onError(body);
      case "G":
        this.#session.copyBegins();
        return undefined;
      case "N":
        return TRACE_NOTICE.test(errorFields(body).M ?? "") ? EMPTY : undefined;
      case "Z":
        this.#ready = true;
        this.#session.status = String.fromCharCode(body[0]);
        return undefined;
    }
  }

  #onExpected() {
    const next = this.#expected.shift();
    next?.complete?.();
    return next?.hidden ? EMPTY : undefined;
  }

  #onComplete(tag) {
    this.#session.copyEnds();
    this.#tags.add(tag);
    if (!this.#newTags.length || (tag !== "DO" && tag !== "ALTER DATABASE")) return undefined;
    return commandComplete(this.#newTags.shift());
  }

  #onError(body) {
    this.#session.copyEnds();
    this.#failed = true;
    this.#expected = [];
    if (!this.cancelText) return undefined;
    const fields = errorFields(body);
    return fields.C === "57014" ? errorResponse({ code: "57014", message: this.cancelText }) : undefined;
  }
}
