/**
 * What one connection keeps in the shared session: temporary objects, cursors WITH HOLD, advisory locks. Temporary objects
 * lie in a schema of their own, which is the session's while its connection has the backend. The rest ends with the
 * connection.
 */
import { BASE_STATE, identifier } from "./settings.mjs";
import { OWNER } from "./variables.mjs";

const ADVISORY = /advisory_(?:un)?lock/i;
const UNLOCKS_ALL = /advisory_unlock_all|\bdiscard\s+all/i;
const HOLD = /\bhold\b/i;

const LOCKS = "SELECT classid, objid, objsubid, mode FROM pg_catalog.pg_locks WHERE locktype = 'advisory'";
const CURSORS = "SELECT name FROM pg_catalog.pg_cursors WHERE is_holdable";
const UNLOCK_ALL_AND_FIND_REST = `SELECT pg_catalog.pg_advisory_unlock_all(); SELECT 'CLOSE', name FROM pg_catalog.pg_cursors
  WHERE is_holdable UNION ALL SELECT 'DEALLOCATE', name FROM pg_catalog.pg_prepared_statements`;

/** Readable as the schema of backend 0, which the instance is, and different for each connection. */
const schemaNames = (id) => [`pg_temp_0_${id}`, `pg_toast_temp_0_${id}`];

const dropping = (condition) => `SELECT pg_catalog.format('DROP SCHEMA %I CASCADE', nspname)
  FROM pg_catalog.pg_namespace WHERE ${condition} ORDER BY nspname`;

/** The statements that drop the schemas that an instance has left behind when it ended. */
export const LEFT_BEHIND = dropping("nspname ~ '^pg_(toast_)?temp_'");

export const NO_SCHEMAS = [0, 0];

/** That of the gateway itself. */
export const NOTHING_TEMPORARY = { schemas: () => NO_SCHEMAS };

/**
 * Changes a schema, and so makes PostgreSQL look up every name again. The statement after it counts: the instance forgets
 * what a catalog had between two statements, not at the end of a transaction.
 */
const change = (name, condition) =>
  `UPDATE pg_catalog.pg_namespace SET nspname = ${name} WHERE ${condition}; SELECT`;

/** The statements after a change to other temporary schemas, whose tables count as another session's if they were seen meanwhile. */
export function lookUpAgain(schemas) {
  const again = change("nspname", "nspname = 'pg_toast'");
  if (!schemas[0]) return again;
  return `UPDATE pg_catalog.pg_class SET relname = relname WHERE relnamespace IN (${schemas.join(", ")}); ${again}`;
}

export class TemporaryObjects {
  #id;
  #schemas = NO_SCHEMAS;
  #start = 0;
  #locks = [];
  #cursors = new Set();
  #mayHaveLocked = false;
  #mayHold = false;
  #unlockedAll = false;

  /** `id` is different for each connection. */
  constructor(id) {
    this.#id = id;
  }

  /** The ids of the connection's temporary schemas, which end with the instance. */
  schemas(backend) {
    return this.#start === backend.starts ? this.#schemas : NO_SCHEMAS;
  }

  /** Examines the text of executed statements. */
  note(text) {
    this.#unlockedAll ||= UNLOCKS_ALL.test(text);
    this.#mayHaveLocked ||= ADVISORY.test(text);
    this.#mayHold ||= HOLD.test(text);
  }

  /** Claims what the connection has made in the transaction that has ended; `others` are those of the other connections. */
  async claim(backend, others) {
    const newSchemas = backend.schemas[0] !== this.schemas(backend)[0];
    if (!newSchemas && !this.#mayHaveLocked && !this.#mayHold && !this.#unlockedAll) return;
    if (newSchemas) {
      this.#schemas = backend.schemas;
      this.#start = backend.starts;
    }
    await backend.become(BASE_STATE, this.#owners());
    if (newSchemas) await this.#renameSchemas(backend);
    if (this.#unlockedAll) await lockAgain(backend, others);
    if (this.#mayHaveLocked) {
      const known = new Set(others.flatMap((other) => other.#locks.map(String)));
      this.#locks = (await backend.sql(LOCKS)).filter((lock) => !known.has(String(lock)));
    }
    if (this.#mayHold) {
      const known = new Set(others.flatMap((other) => [...other.#cursors]));
      this.#cursors = new Set((await backend.sql(CURSORS)).flat().filter((name) => !known.has(name)));
    }
    this.#mayHaveLocked = this.#mayHold = this.#unlockedAll = false;
  }

  /** The gateway at work for the connection: with the rights of the owner, and the connection's schemas. */
  #owners() {
    return { login: OWNER, temporary: this, isGateway: true };
  }

  /** Renames the schemas, so that those of the next connection do not take their place. */
  async #renameSchemas(backend) {
    for (const [at, name] of schemaNames(this.#id).entries())
      await backend.sql(change(`'${name}'`, `oid = ${this.#schemas[at]}`));
  }

  /** Ends what the connection has left, and what no other connection has claimed. */
  async release(backend, others) {
    await backend.become(BASE_STATE, this.#owners());
    if (this.schemas(backend)[0]) await this.#dropSchemas(backend);
    const [, ...rest] = await backend.sql(UNLOCK_ALL_AND_FIND_REST);
    await lockAgain(backend, others);
    const cursors = new Set(others.flatMap((other) => [...other.#cursors]));
    const connections = new Set(["c0", ...others.map((other) => `c${other.#id}`)]); // c0 is the gateway
    for (const [end, name] of rest) {
      const kept = end === "CLOSE" ? cursors.has(name) : connections.has(name.split("_")[0]);
      if (!kept) await backend.sql(`${end} ${identifier(name)}`);
    }
  }

  async #dropSchemas(backend) {
    await backend.sql("DISCARD TEMP");
    const statements = await backend.sql(dropping(`oid IN (${this.#schemas.join(", ")})`));
    this.#schemas = backend.schemas = NO_SCHEMAS;
    for (const [statement] of statements) await backend.sql(statement);
  }

  get locks() {
    return this.#locks;
  }
}

/** Takes the locks of connections again after all were released. */
async function lockAgain(backend, connections) {
  const calls = connections.flatMap(({ locks }) => locks.map(lockCall));
  if (calls.length) await backend.sql(`SELECT ${calls.join(", ")}`);
}

/** One key of 64 bits is in two halves; two keys of 32 bits are each in one. */
function lockCall([high, low, kind, mode]) {
  const keys = kind === "1" ? [BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))] : [high | 0, low | 0];
  const shared = mode === "ShareLock" ? "_shared" : "";
  return `pg_catalog.pg_advisory_lock${shared}(${keys.map((key) => `'${key}'`).join(", ")})`;
}
