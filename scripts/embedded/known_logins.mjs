/** What logins depend on, read from a database ahead of them: a login then needs no turn, or knows its password before it. */
import { logIn, readPasswords, readRecorded } from "./login.mjs";
import { Preferences } from "./preferences.mjs";
import { BASE_STATE, REPORTED, SUPERUSER, transition } from "./settings.mjs";

function pending() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

export class KnownLogins {
  /** The default settings of a superuser's connection, which can then begin without a turn; null if they may have changed. */
  superuser = null;

  #database;
  #superuser = null;
  #passwords = pending();

  constructor(database) {
    this.#database = database;
  }

  /**
   * Reads the passwords of roles, and the default settings of a superuser's connection, after they may have changed. `inside`
   * runs statements by `sql`. Begins and ends in the base state, of which nothing is known if it fails.
   */
  async read(inside) {
    const passwords = await readPasswords(inside);
    this.#passwords.resolve(passwords);
    this.#passwords = { promise: Promise.resolve(passwords), resolve() {} };
    const recorded = await readRecorded(inside, SUPERUSER, this.#database);
    const key = JSON.stringify(recorded);
    if (this.#superuser?.key !== key) this.#superuser = { key, ...(await beginAsSuperuser(inside, recorded)) };
    this.superuser = this.#superuser;
  }

  /** Forgets all of it: it may have changed, and must be read before the turn ends. */
  forget() {
    this.superuser = null;
    this.#passwords = pending();
  }

  /** What the database keeps of the password of a role: null if there is none, undefined if there is no such role. */
  async passwordOf(role) {
    return (await this.#passwords.promise).get(role);
  }
}

async function beginAsSuperuser(inside, recorded) {
  const preferences = new Preferences();
  const warnings = await logIn(inside, { user: SUPERUSER, recorded, settings: new Map(), preferences });
  const reported = new Map(await inside.sql(REPORTED));
  for (const statement of transition(inside.state, BASE_STATE)) await inside.sql(statement);
  return { preferences, reported, warnings };
}
