/** What a client says until its handshake has ended, of which it must send each message soon. */
export class Introduction {
  #socket;
  #timeout;
  #onSilence;
  #early = []; // messages that came before they were waited for
  #awaited = null; // takes the message that the handshake waits for
  #silence = null; // ends a client that does not go on

  /** `onSilence` is called when the client has been silent for `timeout` ms. */
  constructor(socket, timeout, onSilence) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.#onSilence = onSilence;
    this.#limitSilence();
  }

  #limitSilence() {
    this.#silence = setTimeout(this.#onSilence, this.#timeout);
    this.#silence.unref();
  }

  /** The client has said what was waited for: the rest is read when it is asked for. */
  pause() {
    clearTimeout(this.#silence);
    this.#socket.pause();
  }

  /** True while the handshake waits for a message. */
  get waits() {
    return this.#awaited !== null;
  }

  /** Takes a message, [type, whole], of the client. */
  take(message) {
    if (this.#awaited) this.#awaited(message);
    else this.#early.push(message);
  }

  /** Waits for the client's next message; the client must send it soon. */
  reply() {
    if (this.#early.length) return this.#early.shift();
    this.#limitSilence();
    this.#socket.resume();
    return new Promise((resolve) => {
      this.#awaited = (message) => {
        this.#awaited = null;
        this.pause();
        resolve(message);
      };
    });
  }

  /** The messages that have arrived before the handshake was over. */
  rest() {
    return this.#early.splice(0);
  }

  /** The client has gone. */
  end() {
    clearTimeout(this.#silence);
  }
}
