/**
 * Who may use the one backend next. Work is done in the order of asking, one unit each; a holder that keeps the
 * backend (because its transaction is open) goes first until it lets go; whoever waits too long is refused.
 */
export class Turns {
  /** Whoever has the backend now: while its work runs, and beyond for as long as that work said to keep it. */
  holder = null;

  #queue = [];
  #working = false;
  #paused = false;
  #timeout;

  constructor(timeout) {
    this.#timeout = timeout;
  }

  /** True while others wait for the holder, patient turns aside. */
  get contended() {
    return this.#queue.some((turn) => turn.who !== this.holder && !turn.patient);
  }

  /**
   * Queues `{who, work, refuse?, patient?}`: `work` answers whether `who` keeps the backend; `refuse` is called instead of
   * it after too long; for a `patient` one, the gateway's own, no holder needs to hurry.
   */
  take(turn) {
    this.#queue.push(turn);
    if (turn.refuse && this.#timeout) this.#limitWait(turn);
    this.#next();
  }

  /** The time in which nobody gets a turn does not count. */
  #limitWait(turn) {
    turn.timer = setTimeout(() => {
      if (this.#paused) this.#limitWait(turn);
      else if (this.withdraw(turn)) turn.refuse();
    }, this.#timeout);
    turn.timer.unref();
  }

  /** Takes a waiting turn out of the queue; false if it is not there any more. */
  withdraw(turn) {
    const at = this.#queue.indexOf(turn);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    clearTimeout(turn.timer);
    return true;
  }

  /** Nobody gets a turn until `resume`; a holder loses the backend. */
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
