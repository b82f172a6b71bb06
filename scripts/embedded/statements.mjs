/**
 * The prepared statements of one connection. All connections share a PostgreSQL session, so each statement gets a name
 * chosen by the gateway, and its Parse message is kept in case PostgreSQL loses the statement.
 */
import crypto from "node:crypto";
import { closeStatement, message, readString, strings } from "./protocol.mjs";

const BY_NAME =
  /^((?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(?:prepare|execute|deallocate(?:\s+prepare)?)\s+)("(?:[^"]|"")+"|[\w$]+)/i;
const NOT_A_NAME = new Set(["all", "prepare", "transaction"]);

/** The names of this module, as a pattern for PostgreSQL. */
export const NAMES = "^c[0-9]+_[0-9a-f]{24}_[0-9]+$";

export class Statements {
  #prefix;
  #named = new Map();
  #unnamed = null;
  #names = new Map();
  #counter = 0;

  /** The names are random, since a role that knows one could put a statement of its own in the place of that. */
  constructor(connection) {
    this.#prefix = `c${connection}_${crypto.randomBytes(12).toString("hex")}`;
  }

  /**
   * Translates one unit of work. Returns the messages to send, the SQL texts, and the expected result of each Parse and
   * Close, in order.
   */
  translate(messages, backend) {
    const unit = { out: [], texts: [], expected: [], backend, parsesUnnamed: false };
    for (const whole of messages) this.#translateOne(whole, unit);
    return unit;
  }

  #translateOne(whole, unit) {
    const type = String.fromCharCode(whole[0]);
    if (type === "Q") this.#onQuery(whole, unit);
    else if (type === "P") this.#onParse(whole, unit);
    else if (type === "B") this.#onBind(whole, unit);
    else if (type === "D" && whole[5] === 0x53) this.#onDescribe(whole, unit);
    else if (type === "C") this.#onClose(whole, unit);
    else unit.out.push(whole);
  }

  /** A simple query also ends the unnamed statement. */
  #onQuery(whole, unit) {
    const [sql] = readString(whole, 5);
    this.#unnamed = null;
    unit.backend.unnamedOwner = null;
    unit.texts.push(sql);
    const renamed = this.#renameInSql(sql);
    unit.out.push(renamed === sql ? whole : message("Q", strings(renamed)));
  }

  #onParse(whole, unit) {
    const [name, sqlAt] = readString(whole, 5);
    const [sql, rest] = readString(whole, sqlAt);
    const backendName = this.#backendName(name);
    const parse = message("P", strings(backendName, this.#renameInSql(sql)), whole.subarray(rest));
    const statement = { name, backendName, sql, parse, epoch: unit.backend.epoch };
    if (name) {
      unit.expected.push({ type: "1", complete: () => this.#named.set(name, statement) });
    } else {
      this.#unnamed = statement;
      unit.backend.unnamedOwner = this;
      unit.expected.push({ type: "1" });
    }
    (unit.parsed ??= new Map()).set(name, statement);
    unit.out.push(parse);
  }

  #onBind(whole, unit) {
    const [portal, nameAt] = readString(whole, 5);
    const [name, rest] = readString(whole, nameAt);
    const statement = this.#ensure(name, unit);
    if (statement) unit.texts.push(statement.sql);
    unit.out.push(message("B", strings(portal, this.#backendName(name)), whole.subarray(rest)));
  }

  #onDescribe(whole, unit) {
    const [name] = readString(whole, 6);
    this.#ensure(name, unit);
    unit.out.push(message("D", strings(`S${this.#backendName(name)}`)));
  }

  #onClose(whole, unit) {
    const [name] = readString(whole, 6);
    if (whole[5] !== 0x53) {
      unit.expected.push({ type: "3" });
      return void unit.out.push(whole);
    }
    const backendName = this.#backendName(name);
    unit.expected.push({ type: "3", complete: () => this.#forget(name) });
    unit.out.push(message("C", strings(`S${backendName}`)));
  }

  /** Sends a statement's Parse again if PostgreSQL has lost the statement. */
  #ensure(name, unit) {
    const fresh = unit.parsed?.get(name);
    if (fresh) return fresh;
    const { backend } = unit;
    const statement = name ? this.#named.get(name) : this.#unnamed;
    if (!statement) return null;
    const lost = statement.epoch !== backend.epoch || (!name && backend.unnamedOwner !== this);
    if (!lost) return statement;
    statement.epoch = backend.epoch;
    if (name) {
      unit.out.push(closeStatement(statement.backendName)); // no error if there is none
      unit.expected.push({ type: "3", hidden: true });
    } else {
      backend.unnamedOwner = this;
    }
    unit.out.push(statement.parse);
    unit.expected.push({ type: "1", hidden: true });
    return statement;
  }

  #forget(name) {
    this.#named.delete(name);
    this.#names.delete(name);
  }

  /** The name in PostgreSQL: unique among connections, and short, since PostgreSQL truncates names at 63 bytes. */
  #backendName(name) {
    if (!name) return "";
    if (!this.#names.has(name)) this.#names.set(name, `${this.#prefix}_${++this.#counter}`);
    return this.#names.get(name);
  }

  /** Renames the statements that PREPARE, EXECUTE and DEALLOCATE name in their SQL. */
  #renameInSql(sql) {
    return sql.replace(BY_NAME, (all, head, quoted) => {
      const name = quoted[0] === '"' ? quoted.slice(1, -1).replaceAll('""', '"') : quoted.toLowerCase();
      if (quoted[0] !== '"' && NOT_A_NAME.has(name)) return all;
      return head + this.#backendName(name);
    });
  }

  /** Forgets all statements after a DEALLOCATE ALL or DISCARD ALL of this connection. */
  clear() {
    this.#named.clear();
    this.#names.clear();
    this.#unnamed = null;
  }

  /** The names to close in PostgreSQL when the connection ends. */
  leftOver(backend) {
    return [...this.#named.values()]
      .filter(({ epoch }) => epoch === backend.epoch)
      .map(({ backendName }) => backendName);
  }
}
