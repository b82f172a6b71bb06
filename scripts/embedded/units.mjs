/** What a client asks for, as units of work: the messages up to where it may wait for an answer. */

const QUEUED_LIMIT = 4 * 1024 * 1024;
const ENDS = new Set(["Q", "S", "F", "H"]);

export class Units {
  #gathered = [];
  #gatheredSize = 0;
  #whole = [];
  #wholeSize = 0;

  /** Takes a message; answers whether a unit is whole with it, or would take too much memory if it went on. */
  take(type, message) {
    this.#gathered.push(message);
    this.#gatheredSize += message.length;
    if (!ENDS.has(type) && this.#gatheredSize < QUEUED_LIMIT) return false;
    this.#whole.push({ messages: this.#gathered, size: this.#gatheredSize, end: type });
    this.#wholeSize += this.#gatheredSize;
    this.#gathered = [];
    this.#gatheredSize = 0;
    return true;
  }

  /** Takes the first whole unit out, or answers undefined. */
  shift() {
    const unit = this.#whole.shift();
    if (unit) this.#wholeSize -= unit.size;
    return unit;
  }

  /** True if no whole unit waits. */
  get empty() {
    return !this.#whole.length;
  }

  /** True while the client should send no more for now. */
  get full() {
    return this.#wholeSize > QUEUED_LIMIT;
  }
}
