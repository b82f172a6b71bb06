/** The data of COPY FROM STDIN on its way from a client to PostgreSQL. */
import { copyFail } from "./protocol.mjs";

const IN_FLIGHT_LIMIT = 4 * 1024 * 1024;

export class CopyIn {
  /** True between PostgreSQL's CopyInResponse and the end of the COPY. */
  open = false;

  /** True while the client should send no more for now; `onPressure` hears of every change. */
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

  /** PostgreSQL is ready for data; what came before that (some drivers do not wait) goes first. */
  begin(backend) {
    this.open = true;
    this.#ended = false;
    this.#backend = backend;
    const early = this.#early;
    this.#forgetEarly();
    for (const whole of early) this.take(whole);
    this.flush();
  }

  /** A CopyData, CopyDone or CopyFail message; what follows the last two is not for this COPY. */
  take(whole) {
    if (!this.open || this.#ended) return;
    if (whole[0] !== 0x64) this.#ended = true;
    this.#pending.push(whole);
  }

  /** Keeps a message that came before the CopyInResponse. */
  takeEarly(whole) {
    this.#early.push(whole);
    this.#earlySize += whole.length;
    this.#backPressure();
  }

  /** True once the client has ended its data. */
  get ended() {
    return this.#ended;
  }

  /** Passes on what has been gathered. */
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

  /** The COPY is over, well or not. */
  end() {
    this.open = false;
    this.#pending = [];
  }

  /** The unit of work is over: data still on its way belongs to nothing. */
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
