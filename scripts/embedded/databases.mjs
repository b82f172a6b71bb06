/**
 * The databases of a gateway. Each database is a separate instance with its own data directory; CREATE DATABASE copies
 * a directory and DROP DATABASE removes one.
 */
import fs from "node:fs";
import path from "node:path";
import { Backend } from "./backend.mjs";
import { message, query, readString, strings } from "./protocol.mjs";
import { identifier, literal } from "./settings.mjs";
import { OWNER } from "./variables.mjs";

export const DEFAULT_DATABASE = "postgres";

const LEADING = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/;
const NAME = String.raw`("(?:[^"]|"")+"|[\w$]+)`;
const CREATE = new RegExp(String.raw`^create\s+database\s+${NAME}([\s\S]*)$`, "i");
const DROP = new RegExp(String.raw`^drop\s+database\s+(if\s+exists\s+)?${NAME}`, "i");
const RENAME = new RegExp(String.raw`^alter\s+database\s+${NAME}\s+rename\b`, "i");
const TEMPLATE = new RegExp(String.raw`\btemplate\s*=?\s*${NAME}`, "i");
const SETTING = new RegExp(
  String.raw`^alter\s+(?:database|(?:role|user)\s+${NAME}\s+in\s+database)\s+${NAME}\s+(?:re)?set\b`,
  "i",
);
const IS_TEMPLATE = /\bis_template\s*=?\s*'?(true|on|yes|1)\b/i;
/** The files of template1 and template0, more than half of a new instance's: what a copy opens is its database postgres. */
const NEVER_OPENED = new Set(["1", "4"].map((oid) => path.join("base", oid)));

class Refusal extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

const unquoted = (name) => (name[0] === '"' ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase());

/** A statement that raises an error, so that transactions and both query protocols handle it as an error of PostgreSQL. */
const raise = ({ code, message }) =>
  `DO $gateway$BEGIN RAISE EXCEPTION USING ERRCODE = ${literal(code ?? "58000")}, MESSAGE = ${literal(message)}; END$gateway$`;

/** Files are copied and removed without PostgreSQL, which would check this. */
async function requireRight(session, bare) {
  const { login } = session.occupant;
  if (login === OWNER) return;
  let may;
  await session.asBase(async (backend) => {
    [may] = await backend.sql(`SELECT FROM pg_catalog.pg_roles WHERE oid = ${login} AND (rolcreatedb OR rolsuper)`);
  });
  const what = bare.slice(0, 6).trim().toLowerCase();
  if (!may) throw new Refusal("42501", `permission denied to ${what} database`);
}

/** Copies what an instance opens, with one operation for each file, of which `fs.promises.cp` makes five. */
async function copyInstance(from, to, inside = "") {
  await fs.promises.mkdir(path.join(to, inside), { mode: 0o700 });
  for (const entry of await fs.promises.readdir(path.join(from, inside), { withFileTypes: true })) {
    const name = path.join(inside, entry.name);
    if (NEVER_OPENED.has(name)) continue;
    if (entry.isDirectory()) await copyInstance(from, to, name);
    else await fs.promises.copyFile(path.join(from, name), path.join(to, name), fs.constants.COPYFILE_FICLONE);
  }
}

export class Databases {
  #root;
  #pristine;
  #options;
  #open = new Map();
  #version = 0;

  /** `options` are passed on to each Backend; `template` names a directory to copy instead of the pristine one. */
  constructor(root, template, options) {
    this.#root = path.join(root, "databases");
    this.#pristine = template ?? path.join(root, "pristine");
    this.#options = options;
  }

  /** Opens the default database; a new one is copied first, as the source of all later databases. */
  async start(wasm) {
    this.#options.wasm = wasm;
    fs.mkdirSync(this.#root, { recursive: true });
    for (const name of fs.readdirSync(this.#root)) {
      if (name.startsWith(".")) fs.rmSync(path.join(this.#root, name), { recursive: true, force: true });
    }
    const directory = this.#directory(DEFAULT_DATABASE);
    const known = fs.existsSync(this.#pristine);
    if (!fs.existsSync(directory) && known) await this.#copy(this.#pristine, directory);
    const backend = await this.open(DEFAULT_DATABASE);
    if (known) return;
    await backend.sql("CHECKPOINT");
    await this.#copy(directory, this.#pristine);
  }

  get backends() {
    return [...this.#open.values()].map(({ backend }) => backend);
  }

  exists(name) {
    return fs.existsSync(path.join(this.#directory(name), "PG_VERSION"));
  }

  /** Returns the backend of a database, and starts it if necessary. */
  async open(name) {
    let entry = this.#open.get(name);
    if (!entry) {
      const backend = new Backend({ ...this.#options, name, directory: this.#directory(name) });
      entry = { backend, started: backend.start() };
      this.#open.set(name, entry);
      entry.started.catch(() => this.#open.delete(name));
    }
    await entry.started;
    return entry.backend;
  }

  /** The backend has ended for good. */
  forget(backend) {
    this.#open.delete(backend.name);
  }

  /** True if pg_database of this instance is out of date. */
  isStale(backend) {
    return backend.catalogVersion !== this.#version;
  }

  /** Updates pg_database of this instance to the existing databases. */
  async refreshCatalog(backend) {
    backend.catalogVersion = this.#version;
    const names = this.#names()
      .map((name) => `(${literal(name)})`)
      .join(", ");
    await backend.sql(`DELETE FROM pg_catalog.pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')
        AND datname::text NOT IN (SELECT name FROM (VALUES ${names}) AS here (name));
      DELETE FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase <> 0
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE d.oid = s.setdatabase);
      INSERT INTO pg_catalog.pg_database
        SELECT (SELECT max(oid)::int8 FROM pg_catalog.pg_database) + 16384 + row_number() OVER (), name::name, datdba, encoding,
          datlocprovider, false, true, dathasloginevt, datconnlimit, datfrozenxid, datminmxid, dattablespace, datcollate,
          datctype, datlocale, daticurules, datcollversion, datacl
        FROM pg_catalog.pg_database, (VALUES ${names}) AS here (name)
        WHERE datname = 'postgres' AND name NOT IN (SELECT datname::text FROM pg_catalog.pg_database)`);
  }

  /** Replaces CREATE, DROP and some ALTER DATABASE statements among messages, and adds their command tags. */
  async interceptAll(messages, session, tags) {
    const result = [];
    for (const whole of messages) result.push(await this.#interceptMessage(whole, session, tags));
    return result;
  }

  async #interceptMessage(whole, session, tags) {
    const type = String.fromCharCode(whole[0]);
    if (type !== "Q" && type !== "P") return whole;
    const [name, sqlAt] = type === "P" ? readString(whole, 5) : ["", 5];
    const [sql, rest] = readString(whole, sqlAt);
    const instead = await this.#intercept(sql, session);
    if (!instead) return whole;
    if (instead.tag) tags.push(instead.tag);
    return type === "Q" ? query(instead.sql) : message("P", strings(name, instead.sql), whole.subarray(rest));
  }

  /** Executes a statement about databases; returns the statement to run instead, or null for all other statements. */
  async #intercept(sql, session) {
    const bare = sql.replace(LEADING, "");
    const setting = SETTING.exec(bare);
    if (!setting && !/^(create|drop|alter)\s+database\b/i.test(bare)) return null;
    try {
      // The setting would be recorded in this instance, which logins to that database do not read.
      if (setting && this.exists(unquoted(setting[2])) && unquoted(setting[2]) !== session.database)
        throw new Refusal(
          "0A000",
          `a database's settings are kept in it: connect to ${identifier(unquoted(setting[2]))} and repeat that there`,
        );
      if (RENAME.test(bare))
        throw new Refusal(
          "0A000",
          "the embedded database cannot rename a database: create a copy with TEMPLATE and drop the old one",
        );
      if (setting || /^alter/i.test(bare)) return null;
      if (session.status !== "I")
        throw new Refusal(
          "25001",
          `${bare.slice(0, 6).trim().toUpperCase()} DATABASE cannot run inside a transaction block`,
        );
      await requireRight(session, bare);
      return CREATE.test(bare)
        ? await this.#create(CREATE.exec(bare), session)
        : await this.#drop(DROP.exec(bare), session);
    } catch (error) {
      return { sql: raise(error) };
    }
  }

  async #create([, quoted, options], session) {
    const name = unquoted(quoted);
    const template = TEMPLATE.exec(options.replace(/\bis_template\b/gi, ""))?.[1];
    const source = template ? unquoted(template) : "template1";
    const target = this.#directory(name);
    if (this.exists(name)) throw new Refusal("42P04", `database "${name}" already exists`);
    if (/^template[01]$/.test(source)) await this.#copy(this.#pristine, target);
    else await this.#copyDatabase(source, target, session);
    await this.#changed(session);
    const flag = IS_TEMPLATE.test(options) ? "true" : "false";
    return { sql: `ALTER DATABASE ${identifier(name)} WITH IS_TEMPLATE ${flag}`, tag: "CREATE DATABASE" };
  }

  /** Copies a database at rest: after a CHECKPOINT, and while no other statement runs in it. */
  async #copyDatabase(source, target, session) {
    if (!this.exists(source)) throw new Refusal("3D000", `template database "${source}" does not exist`);
    const copy = async (backend) => {
      await backend.sql("CHECKPOINT");
      await this.#copy(this.#directory(source), target);
    };
    if (source === session.database) return copy(session.backend);
    if (this.#open.has(source)) return (await this.open(source)).alone(copy);
    return this.#copy(this.#directory(source), target);
  }

  async #drop([, ifExists, quoted], session) {
    const name = unquoted(quoted);
    if (name === session.database || name === DEFAULT_DATABASE)
      throw new Refusal("55006", `cannot drop the database "${name}" while it is open`);
    if (!this.exists(name)) {
      if (ifExists) return null;
      throw new Refusal("3D000", `database "${name}" does not exist`);
    }
    const [row] = await session.backend.sql(
      `SELECT datistemplate FROM pg_catalog.pg_database WHERE datname = ${literal(name)}`,
    );
    if (row?.[0] === "t") throw new Refusal("42809", "cannot drop a template database");
    await this.#close(name);
    const aside = path.join(this.#root, `.dropped-${process.hrtime.bigint()}`);
    fs.renameSync(this.#directory(name), aside);
    fs.promises.rm(aside, { recursive: true, force: true }).catch(() => {});
    await this.#changed(session);
    return { sql: "DO $gateway$BEGIN END$gateway$", tag: "DROP DATABASE" };
  }

  async #close(name) {
    const entry = this.#open.get(name);
    if (!entry) return;
    const backend = await entry.started.then(
      () => entry.backend,
      () => null,
    );
    if (!backend) return;
    for (const session of [...backend.sessions])
      session.end("57P01", "terminating connection: its database was dropped");
    this.#open.delete(name);
    await backend.stop(0);
  }

  async #changed(session) {
    this.#version++;
    await session.asBase((backend) => this.refreshCatalog(backend));
  }

  /** Copies under a temporary name first, so that an incomplete copy never appears as a database. */
  async #copy(from, to) {
    const aside = path.join(path.dirname(to), `.copy-${process.hrtime.bigint()}`);
    await copyInstance(from, aside);
    await fs.promises.rename(aside, to);
  }

  #names() {
    return fs
      .readdirSync(this.#root)
      .filter((name) => !name.startsWith("."))
      .map(decodeURIComponent);
  }

  #directory(name) {
    return path.join(this.#root, encodeURIComponent(name).replaceAll(".", "%2E").replaceAll("*", "%2A"));
  }
}
