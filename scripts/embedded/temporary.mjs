/** The temporary tables of one connection, in the shared session. They are dropped when the connection ends. */

import { BASE_STATE } from "./settings.mjs";

const MENTIONED = /\btemp(orary)?\b/i;
const ADVISORY = /advisory_(?:lock|xact)/i;

const FIND = `SELECT oid, format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass)
  FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'p', 'v', 'S')`;

export class TemporaryObjects {
  /** True if a statement may have created temporary tables. */
  suspected = false;

  #owned = new Set();
  #locks = false;

  /** Examines the text of executed statements. */
  note(text) {
    if (MENTIONED.test(text)) this.suspected = true;
    if (ADVISORY.test(text)) this.#locks = true;
  }

  get holdsLocks() {
    return this.#locks;
  }

  owns(oid) {
    return this.#owned.has(oid);
  }

  /** Claims the temporary tables that belong to no other connection. */
  async find(backend) {
    this.suspected = false;
    const others = [...backend.sessions].map(({ temporary }) => temporary).filter((one) => one !== this);
    for (const [oid] of await backend.sql(FIND)) {
      if (!others.some((one) => one.owns(oid))) this.#owned.add(oid);
    }
  }

  /** Drops the remaining tables; releases advisory locks if no other connection of `sessions` has taken any. */
  async drop(backend, sessions) {
    if (this.#locks && ![...sessions].some(({ temporary }) => temporary.holdsLocks))
      await backend.sql("SELECT pg_catalog.pg_advisory_unlock_all()");
    if (!this.#owned.size) return;
    await backend.become(BASE_STATE);
    for (const [oid, statement] of await backend.sql(FIND)) if (this.#owned.has(oid)) await backend.sql(statement);
  }
}
