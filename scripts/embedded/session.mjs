/** One client connection: its handshake, its units of work in turn, and its end. */
import crypto from "node:crypto";
import { CopyIn } from "./copy.mjs";
import { AnswerStream } from "./answers.mjs";
import { Belongings } from "./belongings.mjs";
import { greet, invalidStart } from "./handshake.mjs";
import { Introduction } from "./introduction.mjs";
import { Patience } from "./patience.mjs";
import {
  CANCEL_REQUEST,
  errorResponse,
  Framer,
  GSS_REQUEST,
  ProtocolViolation,
  query,
  readyForQuery,
  SSL_REQUEST,
  sync,
} from "./protocol.mjs";
import { SUPERUSER } from "./settings.mjs";
import { BackendLost } from "./thread.mjs";
import { Units } from "./units.mjs";

const UNREAD_LIMIT = 64 * 1024 * 1024;
const GOODBYE_MS = 2_000;
const ORPHAN_MS = 2_000;

const COPY_MESSAGES = new Set(["d", "c", "f"]);
const REFUSALS = new Set(["28000", "28P01", "08P01"]);
const KNOWN = new Set([..."QPBDECSHFXdcf"]);

export class Session {
  key = crypto.randomInt(1, 2 ** 31 - 1);
  status = "I";
  backend = null;
  database = null;
  user = null;
  ended = false;

  #framer = new Framer();
  #door;
  #databases;
  #log;
  #introduction;
  #units = new Units();
  #turn = null;
  #running = null;
  #served = false; // whether PostgreSQL runs the unit of work, rather than the gateway's own statements for it
  #cancelled = null; // why the unit of work is not to be run
  #skipToSync = false;
  #holds = false;
  #copy;
  #answers;
  #unread = 0;
  #patience;
  #cleaned = false;

  constructor(socket, id, door, databases, log) {
    this.socket = socket;
    this.id = id;
    this.#door = door;
    this.#databases = databases;
    this.#log = log;
    this.#patience = new Patience(this, log);
    this.belongings = new Belongings(id);
    this.#copy = new CopyIn();
    this.#copy.onPressure = () => this.#backPressure();
    this.#answers = new AnswerStream(this);
    const silent = () => this.end("57014", "canceling authentication due to timeout");
    this.#introduction = new Introduction(socket, door.loginTimeout, silent);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("close", () => this.#onClose());
  }

  get preferences() {
    return this.belongings.preferences;
  }

  get channels() {
    return this.belongings.channels;
  }

  get occupant() {
    return this.belongings.occupant;
  }

  // ------------------------------------------------------------------ messages of the client

  #onData(chunk) {
    this.#patience.sign();
    try {
      this.#framer.push(chunk, (type, whole) => this.ended || this.#onMessage(type, whole));
      this.#copy.flush();
    } catch (error) {
      if (!(error instanceof ProtocolViolation) && !(error instanceof RangeError))
        this.#log(`connection ${this.id}: ${error.stack}`);
      this.end("08P01", `invalid message: ${error.message}`);
    }
  }

  #onMessage(type, whole) {
    if (type === "") return this.#onStartup(whole);
    if (this.#introduction.waits || !this.backend) return this.#introduction.take([type, whole]);
    if (!KNOWN.has(type)) throw new ProtocolViolation(`there is no message of type ${JSON.stringify(type)}`);
    if (type === "X") return this.socket.end();
    if (this.#copy.open && !this.#copy.ended) {
      if (COPY_MESSAGES.has(type)) return this.#copy.take(whole);
      if (type === "S" || type === "H") return;
      return this.#copy.fail(`unexpected message type "${type}" during COPY`);
    }
    if (COPY_MESSAGES.has(type)) {
      if (!this.#units.empty || (this.#running && !this.#copy.ended)) this.#copy.takeEarly(whole);
      return;
    }
    if (!this.#units.take(type, whole)) return;
    this.#backPressure();
    this.#askForTurn();
  }

  #backPressure() {
    if (this.#copy.full || this.#units.full) this.socket.pause();
    else this.socket.resume();
  }

  // ------------------------------------------------------------------ handshake

  #onStartup(whole) {
    const code = whole.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) return void this.socket.write("N");
    if (code === CANCEL_REQUEST) {
      if (whole.length >= 16) this.#door.cancel(whole.readInt32BE(8), whole.readInt32BE(12));
      return this.socket.end();
    }
    const refusal = invalidStart(code);
    if (refusal) return this.socket.end(errorResponse({ severity: "FATAL", ...refusal }));
    this.#framer.start();
    this.#introduction.pause();
    this.#enter(whole.subarray(4));
  }

  async #enter(packet) {
    try {
      const door = this.#door;
      await greet(this, packet, { databases: this.#databases, identities: door.identities, door });
      for (const [type, whole] of this.#introduction.rest()) this.#onMessage(type, whole);
      this.#backPressure();
    } catch (error) {
      if (!this.ended && REFUSALS.has(error.code)) this.#log(`connection ${this.id}: ${error.message}`);
      this.end(error.code ?? "57P03", error.message, error.hint);
    }
  }

  /** Waits for the client's next message, [type, whole], during the authentication. */
  reply() {
    return this.#introduction.reply();
  }

  /** Adds the session to the backend after the backend's part of the handshake. */
  join(backend) {
    this.#framer.trust();
    this.backend = backend;
    backend.sessions.add(this);
  }

  /** Runs the part of the handshake that needs PostgreSQL. */
  introduce(work) {
    this.#takeTurn(async () => {
      await work();
      return false;
    });
  }

  // ------------------------------------------------------------------ turns

  #askForTurn() {
    if (this.#turn || this.#running || this.#units.empty || this.ended) return;
    this.#takeTurn(() => this.#execute());
  }

  #takeTurn(work) {
    const turn = {
      who: this,
      work: async () => {
        this.#turn = null;
        return this.ended ? false : this.#guarded(work);
      },
      refuse: () =>
        this.#refuse(
          "55P03",
          "canceling statement: another connection has kept the embedded database busy for too long",
          "It runs one transaction at a time: commit or roll back promptly.",
        ),
    };
    this.#turn = turn;
    this.backend.turns.take(turn);
  }

  async #guarded(work) {
    try {
      return await work();
    } catch (error) {
      const lost = error instanceof BackendLost;
      if (!lost) this.#log(`connection ${this.id}: ${error.code ?? ""} ${error.message}`);
      this.end(
        "57P01",
        lost
          ? `terminating connection: the database instance crashed (${error.message}) and is being restarted`
          : `terminating connection: ${error.message}`,
      );
      return false;
    } finally {
      this.#running = null;
      queueMicrotask(() => this.#askForTurn());
    }
  }

  /** Answers the unit at the head of the queue with an error instead of running it. */
  #refuse(code, text, hint) {
    this.#turn = null;
    const unit = this.#shiftUnit();
    if (!unit) return this.end(code, text);
    if (this.#skipToSync) this.#skip(unit);
    else this.#answerInstead(unit, { code, message: text, hint });
    this.#askForTurn();
  }

  #answerInstead(unit, refusal) {
    this.send(errorResponse(refusal));
    this.#skipToSync = unit.end !== "S" && unit.end !== "Q";
    if (!this.#skipToSync) this.send(readyForQuery("I"));
    return false;
  }

  #shiftUnit() {
    const unit = this.#units.shift();
    this.#backPressure();
    return unit;
  }

  // ------------------------------------------------------------------ work

  async #execute() {
    const unit = this.#shiftUnit();
    if (this.#skipToSync) return this.#skip(unit);
    // Pipelining drivers also flush after a Sync, when no answer is outstanding.
    if (!this.#holds && unit.end === "H" && unit.messages.length === 1) return false;
    this.#running = unit;
    this.#cancelled = null;
    const { backend } = this;
    if (!this.#holds) {
      this.#patience.begin();
      await this.#settleIn();
      if (this.#cancelled) return this.#refuseRunning(unit);
    }
    const tags = [];
    const messages = await this.#databases.interceptAll(unit.messages, this, tags);
    const translated = this.belongings.translate(messages, backend);
    this.#answers.expect(translated.expected, tags);
    const sent = Buffer.concat(translated.out);
    const timer = this.#startTimer();
    this.#served = true;
    try {
      await backend.run(sent, {
        sink: (bytes) => this.#pass(bytes),
        sender: this,
        onTaken: (count) => this.#copy.taken(count),
      });
    } finally {
      clearTimeout(timer);
      this.#served = false;
      this.#copy.reset();
    }
    return this.#afterwards(translated.texts, sent);
  }

  #refuseRunning(unit) {
    this.#copy.reset();
    return this.#answerInstead(unit, { code: "57014", message: this.#cancelled });
  }

  /** After a refused unit without a Sync, ignores the client's messages up to its Sync. */
  #skip(unit) {
    if (unit.end === "S") {
      this.#skipToSync = false;
      this.send(readyForQuery("I"));
    }
    return false;
  }

  /** Brings the shared session into the state of this connection. */
  async #settleIn() {
    const { backend } = this;
    if (this.#databases.isStale(backend)) await this.asBase(() => this.#databases.refreshCatalog(backend));
    await this.belongings.settleIn(backend);
  }

  /** Runs the gateway's own work with the base settings, in the middle of this session's turn. */
  asBase(work) {
    return this.belongings.asBase(this.backend, work);
  }

  #startTimer() {
    const limit = this.preferences.limits.statement;
    return limit ? setTimeout(() => this.cancel("canceling statement due to statement timeout"), limit) : null;
  }

  /** Sends PostgreSQL's messages to the client. */
  #pass(bytes) {
    this.#patience.sign();
    const count = bytes.length;
    const passed = this.#answers.filter(bytes);
    if (this.socket.destroyed) return this.backend.taken(count);
    this.#unread += count;
    this.socket.write(passed, () => {
      this.#unread -= count;
      this.#patience.sign();
      this.backend.taken(count);
    });
  }

  /** Updates the session after a unit of work; returns whether the session keeps the backend. */
  async #afterwards(texts, sent) {
    const { backend, belongings } = this;
    const { tags, failed, ready } = this.#answers.summary();
    belongings.note(backend, { tags, failed, texts, sent });
    this.#holds = !ready || this.status !== "I";
    if (!this.#holds) await belongings.betweenTransactions(backend, tags, texts);
    else if (this.status !== "E" && ready) await belongings.duringTransaction(backend, tags, texts);
    return this.#holds;
  }

  // ------------------------------------------------------------------ called by the answers

  /** PostgreSQL is ready for the data of a COPY. */
  copyBegins() {
    this.#copy.begin(this.backend);
  }

  copyEnds() {
    this.#copy.end();
  }

  /** Writes to the client outside of PostgreSQL's messages. */
  send(bytes) {
    if (this.socket.destroyed) return;
    this.socket.write(bytes);
    if (this.socket.writableLength > UNREAD_LIMIT) this.socket.destroy();
  }

  // ------------------------------------------------------------------ interruptions

  /**
   * Cancels the session's running statement, or its wait for a turn. The gateway's own statements before it and after it are
   * not cancelled: what they would leave undone keeps the connections apart.
   */
  cancel(text = "canceling statement due to user request") {
    if (this.#running && !this.#served) {
      this.#cancelled = text;
    } else if (this.#running) {
      this.#answers.cancelText = text;
      if (this.#copy.open) this.#copy.fail(text);
      this.backend.cancel();
    } else if (this.#turn && this.backend.turns.withdraw(this.#turn)) {
      this.#refuse("57014", text);
    }
  }

  /** Ends the session, or its statement, if it keeps the backend from others for longer than the limits. */
  enforce(limits) {
    if (this.ended || !this.backend) return;
    this.#patience.enforce(limits, {
      running: this.#running,
      idles: this.#holds && !this.#running,
      stalls: Boolean(this.#running) && (this.#copy.waiting || this.#unread > 0),
      isOwner: this.user === SUPERUSER,
    });
  }

  /** Sends the reason to the client, and ends the connection. */
  end(code, text, hint) {
    if (this.ended) return;
    this.ended = true;
    this.socket.end(errorResponse({ severity: "FATAL", code, message: text, hint }));
    setTimeout(() => this.socket.destroy(), GOODBYE_MS).unref();
    this.#leave();
  }

  #onClose() {
    this.ended = true;
    this.#leave();
  }

  /** Releases the session's resources: the running statement after a grace period, then everything else in a turn. */
  #leave() {
    if (this.#cleaned) return;
    this.#cleaned = true;
    this.#introduction.end();
    this.#door.forget(this);
    const { backend } = this;
    if (!backend) return;
    this.channels.clear();
    if (this.#turn) backend.turns.withdraw(this.#turn);
    if (this.#running) {
      if (this.#served) this.#dropAnswers();
      this.#copy.fail("the client has disconnected");
      const unit = this.#running;
      setTimeout(() => this.#running === unit && this.cancel(), ORPHAN_MS).unref();
    }
    backend.turns.take({ who: this, patient: true, work: () => this.#cleanUp() });
  }

  /**
   * Drops PostgreSQL's answers to the client, which is gone. The gateway needs those to its own statements: a list of
   * passwords that is cut off keeps roles out. Without the answers it cannot tell what the client has recorded.
   */
  #dropAnswers() {
    this.backend.discardOutput();
    this.belongings.suspect();
  }

  async #cleanUp() {
    const { backend } = this;
    backend.sessions.delete(this);
    try {
      if (this.#holds) await backend.sqlRaw(Buffer.concat([sync(), query("ROLLBACK")]));
      await this.belongings.release(backend);
    } catch (error) {
      if (!(error instanceof BackendLost)) this.#log(`connection ${this.id}: cleaning up: ${error.message}`);
    } finally {
      backend.state = null; // settings that no statement has named end with the session
    }
    return false;
  }
}
