/**
 * What connections have in common in the shared session, and what a role can take from the others by a function, which the
 * gateway does not see: their prepared statements, by DEALLOCATE ALL, and their notifications, by UNLISTEN. A statement that
 * a role prepares by a function could also be taken for one of another connection.
 */
import crypto from "node:crypto";
import { channelsOf, listenAll } from "./notifications.mjs";
import { identifier, literal } from "./settings.mjs";
import { NAMES } from "./statements.mjs";

/** Functions that tell of all connections, which only the owner may call. */
const TELLING = ["pg_cursor()", "pg_listening_channels()", "pg_prepared_statement()"].map((name) => `pg_catalog.${name}`);
export const HIDE = `REVOKE EXECUTE ON FUNCTION ${TELLING.join(", ")} FROM PUBLIC`;
export const IS_HIDDEN = `SELECT NOT pg_catalog.bool_or(pg_catalog.has_function_privilege('public', name, 'EXECUTE'))
  FROM (VALUES ${TELLING.map((name) => `('${name}')`).join(", ")}) AS telling (name)`;

const find = (mark) => `SELECT 'statement', name FROM pg_catalog.pg_prepared_statements
  WHERE name !~ ${literal(NAMES)} OR name = ${literal(mark ?? "")}
  UNION ALL SELECT 'channel', pg_catalog.pg_listening_channels()`;

export class Commons {
  #mark = null; // a prepared statement that is there for as long as no connection has closed all of them
  #suspect = false;

  /** A role has had the backend. */
  suspect() {
    this.#suspect = true;
  }

  /** All prepared statements have been closed, and the gateway knows it. */
  forget() {
    this.#mark = null;
  }

  get due() {
    return this.#suspect || !this.#mark;
  }

  /** Gives back what a role has taken; the backend is in its base state. */
  async restore(backend) {
    const found = await backend.sql(find(this.#mark));
    const of = (wanted) => found.filter(([kind]) => kind === wanted).map(([, name]) => name);
    const statements = of("statement");
    if (this.#suspect) {
      const strays = statements.filter((name) => name !== this.#mark);
      for (const name of strays) await backend.sql(`DEALLOCATE ${identifier(name)}`);
    }
    if (!statements.includes(this.#mark)) await this.#setMark(backend);
    const heard = new Set(of("channel"));
    if ([...channelsOf(backend)].some((channel) => !heard.has(channel))) await backend.sql(listenAll(backend));
    this.#suspect = false;
  }

  async #setMark(backend) {
    if (this.#mark) backend.loseStatements();
    const mark = `c0_${crypto.randomBytes(12).toString("hex")}_0`;
    await backend.sql(`PREPARE ${mark} AS SELECT`);
    this.#mark = mark;
  }
}
