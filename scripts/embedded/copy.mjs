/** The data of COPY FROM STDIN on its way from a client to PostgreSQL. */
import { copyFail } from "./protocol.mjs";

const IN_FLIGHT_LIMIT = 4 * 1024 * 1024;

export class CopyIn {
  /** True between PostgreSQL's CopyInResponse and the end of the COPY. */
  open = false;

  /** True while the client must pause its data; `onPressure` is called at every change. */
  full = false;
  onPressure = () => {};

  #early = [];
  #earlySize = 0;
  #pending = [];
  #ended = false;
  #inFlight = 0;
  #backend = null;

  /** True while the COPY waits for the client. */
  get waiting() {
    return this.open && !this.#ended && this.#inFlight === 0;
  }

  /** PostgreSQL is ready for data. Data that arrived before (some drivers do not wait) is sent first. */
  begin(backend) {
    this.open = true;
    this.#ended = false;
    this.#backend = backend;
    const early = this.#early;
    this.#forgetEarly();
    for (const whole of early) this.take(whole);
    this.flush();
  }

  /** Takes a CopyData, CopyDone or CopyFail message. Messages after CopyDone or CopyFail do not belong to this COPY. */
  take(whole) {
    if (!this.open || this.#ended) return;
    if (whole[0] !== 0x64) this.#ended = true;
    this.#pending.push(whole);
  }

  /** Keeps a message that arrived before the CopyInResponse. */
  takeEarly(whole) {
    this.#early.push(whole);
    this.#earlySize += whole.length;
    this.#backPressure();
  }

  /** True once the client has ended its data. */
  get ended() {
    return this.#ended;
  }

  /** Forwards the gathered data. */
  flush() {
    if (!this.#pending.length || !this.open) return;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#inFlight += bytes.length;
    this.#backend.feed(bytes);
    this.#backPressure();
  }

  /** PostgreSQL has consumed `count` bytes. */
  taken(count) {
    this.#inFlight -= count;
    this.#backPressure();
  }

  /** Ends the data in the client's place. */
  fail(why) {
    if (!this.open || this.#ended) return;
    this.take(copyFail(why));
    this.flush();
  }

  /** The COPY has ended, with or without success. */
  end() {
    this.open = false;
    this.#pending = [];
  }

  /** The unit of work has ended: data that arrives later is dropped. */
  reset() {
    this.end();
    this.#ended = false;
    this.#inFlight = 0;
    this.#forgetEarly();
  }

  #forgetEarly() {
    this.#early = [];
    this.#earlySize = 0;
    this.#backPressure();
  }

  #backPressure() {
    this.full = this.#inFlight + this.#earlySize > IN_FLIGHT_LIMIT;
    this.onPressure();
  }
}
