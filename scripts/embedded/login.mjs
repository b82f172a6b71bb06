/**
 * The settings of a new connection: those recorded by ALTER ROLE … SET and ALTER DATABASE … SET, which PostgreSQL itself
 * reads only at the start of a backend, and those that the client requests, which take precedence.
 */
import { identifier, literal, setting, SUPERUSER } from "./settings.mjs";

/** Command tags after which recorded settings or passwords may have changed. */
const RECORDING_TAGS = new Set(["CREATE ROLE", "ALTER ROLE", "ALTER DATABASE", "DROP ROLE", "DO", "CALL"]);

export const mayRecord = (tags, text) =>
  [...tags].some((tag) => RECORDING_TAGS.has(tag)) || /pg_db_role_setting|pg_authid/i.test(text);

/** The [name, value] pairs recorded for a login, in ascending precedence. */
export async function readRecorded(backend, user, database) {
  // current_database() is `postgres` everywhere, so DO blocks record settings for that name.
  const rows = await backend.sql(`SELECT c.entry FROM pg_catalog.pg_db_role_setting AS s
      CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c (entry, place)
      LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
      LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    WHERE (s.setrole = 0 OR r.rolname = ${literal(user)})
      AND (s.setdatabase = 0 OR d.datname IN (${literal(database)}, pg_catalog.current_database()))
    ORDER BY s.setrole <> 0, s.setdatabase, c.place`);
  return rows.map(([entry]) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]);
}

/** What the database keeps of the password of each role, by its name. */
export async function readPasswords(backend) {
  return new Map(await backend.sql("SELECT rolname, rolpassword FROM pg_catalog.pg_authid"));
}

/**
 * Logs in an existing user, on a backend in its base state: applies the recorded pairs and the client's settings. Returns
 * warnings about recorded pairs that are no longer valid, which do not prevent the login; an invalid setting of the client
 * is an error.
 */
export async function logIn(backend, { user, login, recorded, settings, preferences }) {
  const warnings = [];
  const tryTo = async (statement, name) => {
    try {
      await backend.sql(statement);
    } catch (error) {
      if (!error.code) throw error;
      warnings.push(`"${name}" of ALTER ROLE or ALTER DATABASE is ignored: ${error.message}`);
    }
  };
  // As the superuser: privileges were checked when the pairs were recorded.
  for (const [name, value] of recorded) if (!isRole(name)) await tryTo(`SELECT ${setting(name, value)}`, name);
  if (user !== SUPERUSER) await backend.sql(`SET SESSION AUTHORIZATION ${identifier(user)}`);
  // From here on the client's wishes, with no other rights than the user's.
  backend.login = login;
  for (const [name, value] of settings) await backend.sql(`SELECT ${setting(name, value)}`);
  const role = recorded.findLast(([name]) => isRole(name))?.[1];
  if (role && role !== "none" && ![...settings.keys()].some(isRole)) await tryTo(`SET ROLE ${identifier(role)}`, "role");
  await preferences.adopt(backend, [...recorded.map(([name]) => name), ...settings.keys()]);
  return warnings;
}

const isRole = (name) => name.toLowerCase() === "role";
