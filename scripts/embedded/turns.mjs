/**
 * The queue for the single backend. Units of work run in the order of their requests; a holder that keeps the backend
 * (because its transaction is open) comes first until it releases the backend; requests that wait too long are refused.
 */
export class Turns {
  /** The holder of the backend: while its work runs, and afterwards for as long as it keeps the backend. */
  holder = null;

  #queue = [];
  #working = false;
  #paused = false;
  #timeout;

  constructor(timeout) {
    this.#timeout = timeout;
  }

  /** For how many ms the first turn, other than patient ones, has waited for the holder; null if none waits. */
  get waited() {
    const first = this.#queue.find((turn) => turn.who !== this.holder && !turn.patient);
    return first ? Date.now() - first.since : null;
  }

  /**
   * Queues `{who, work, refuse?, patient?}`: `work` returns whether `who` keeps the backend; `refuse` is called instead after
   * too long a wait; a `patient` turn, of the gateway itself, does not limit the holder.
   */
  take(turn) {
    turn.since = Date.now();
    this.#queue.push(turn);
    if (turn.refuse && this.#timeout) this.#limitWait(turn);
    this.#next();
  }

  /** Limits the wait of a turn, not counting pauses. */
  #limitWait(turn) {
    turn.timer = setTimeout(() => {
      if (this.#paused) this.#limitWait(turn);
      else if (this.withdraw(turn)) turn.refuse();
    }, this.#timeout);
    turn.timer.unref();
  }

  /** Removes a waiting turn from the queue; false if the turn is no longer queued. */
  withdraw(turn) {
    const at = this.#queue.indexOf(turn);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    clearTimeout(turn.timer);
    return true;
  }

  /** Stops all turns until `resume`; a holder loses the backend. */
  pause() {
    this.#paused = true;
    this.holder = null;
  }

  resume() {
    this.#paused = false;
    this.#next();
  }

  async #next() {
    if (this.#working || this.#paused) return;
    const turn = this.holder ? this.#queue.find(({ who }) => who === this.holder) : this.#queue[0];
    if (!turn) return;
    this.withdraw(turn);
    this.#working = true;
    this.holder = turn.who;
    let keeps = false;
    try {
      keeps = await turn.work();
    } finally {
      this.#working = false;
      if (!keeps || this.#paused) this.holder = null;
      this.#next();
    }
  }
}
