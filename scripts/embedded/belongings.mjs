/** What one connection keeps in the session that it shares with others: its settings, channels, statements and temporary objects. */
import { mayRecord } from "./login.mjs";
import { Channels } from "./notifications.mjs";
import { Preferences } from "./preferences.mjs";
import { closeStatement, sync } from "./protocol.mjs";
import { BASE_STATE } from "./settings.mjs";
import { Statements } from "./statements.mjs";
import { TemporaryObjects } from "./temporary.mjs";
import { OWNER } from "./variables.mjs";

export class Belongings {
  channels = new Channels();
  preferences = new Preferences();
  /** Who has the backend in the connection's turn; the role that has logged in is known after the handshake. */
  occupant;

  #statements;
  #temporary;
  #recorded = false; // whether the open transaction may record what later logins depend on

  /** `id` is different for each connection. */
  constructor(id) {
    this.#statements = new Statements(id);
    this.#temporary = new TemporaryObjects(id);
    this.occupant = { login: OWNER, temporary: this.#temporary };
  }

  /** Brings the shared session into the state of the connection. */
  settleIn(backend) {
    return backend.become(this.preferences.state, this.occupant);
  }

  /** Runs the gateway's own work with the base settings, in the middle of the connection's turn. */
  async asBase(backend, work) {
    await backend.become(BASE_STATE);
    await work(backend);
    await this.settleIn(backend);
  }

  /** Translates one unit of work to the statements of the connection; see Statements. */
  translate(messages, backend) {
    return this.#statements.translate(messages, backend);
  }

  /** Notes what a unit of work has changed: its command tags, the texts of its statements, and all bytes sent. */
  note(backend, { tags, failed, texts, sent }) {
    if (tags.has("DISCARD ALL") || tags.has("DEALLOCATE ALL")) {
      this.#statements.clear();
      backend.loseStatements();
    }
    if (!failed) this.channels.note(texts);
    if (tags.has("DISCARD ALL")) this.channels.noteDiscard();
    const text = texts.join(";");
    this.preferences.note(tags, text, sent);
    this.#recorded ||= mayRecord(tags, text);
    this.#temporary.note(text);
  }

  /** The answers to the client are dropped, so that it may have recorded something unseen. */
  suspect() {
    this.#recorded = true;
  }

  /** Corrects the effects of a unit of work while its transaction stays open. */
  duringTransaction(backend, tags, texts) {
    return this.preferences.duringTransaction(backend, tags, texts.join(";"));
  }

  /** Keeps what no transaction can roll back now. */
  async betweenTransactions(backend, tags, texts) {
    if (this.#recorded) backend.forgetLogins();
    await this.preferences.betweenTransactions(backend, tags, texts.join(";"));
    await this.#temporary.claim(backend, this.#others(backend));
    if (this.#recorded) await this.asBase(backend, () => backend.readLogins());
    this.#recorded = false;
    await this.channels.change(backend, tags);
  }

  /** Ends what the connection has left in the backend, after its transaction. */
  async release(backend) {
    const names = this.#statements.leftOver(backend);
    if (names.length) await backend.sqlRaw(Buffer.concat([...names.map(closeStatement), sync()]));
    await this.#temporary.release(backend, this.#others(backend));
    if (this.#recorded) await backend.readLogins();
  }

  /** The temporary objects of the other sessions of the backend. */
  #others(backend) {
    return [...backend.sessions].map(({ belongings }) => belongings.#temporary).filter((one) => one !== this.#temporary);
  }
}
