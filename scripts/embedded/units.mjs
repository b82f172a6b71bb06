/** The messages of a client as units of work: each unit ends where the client may wait for an answer. */

const QUEUED_LIMIT = 4 * 1024 * 1024;
const ENDS = new Set(["Q", "S", "F", "H"]);

export class Units {
  #gathered = [];
  #gatheredSize = 0;
  #whole = [];
  #wholeSize = 0;

  /** Adds a message; returns whether the message completes a unit, or the unit has reached its limit of memory. */
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

  /** Removes and returns the first complete unit, or undefined. */
  shift() {
    const unit = this.#whole.shift();
    if (unit) this.#wholeSize -= unit.size;
    return unit;
  }

  /** True if no complete unit is queued. */
  get empty() {
    return !this.#whole.length;
  }

  /** True while the client must pause. */
  get full() {
    return this.#wholeSize > QUEUED_LIMIT;
  }
}
