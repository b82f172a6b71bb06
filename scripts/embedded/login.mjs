/**
 * What a user begins with: what ALTER ROLE … SET and ALTER DATABASE … SET have recorded, which PostgreSQL reads at a start
 * of its own only, and above it what the client asks for.
 */
import { identifier, literal, setting, SUPERUSER } from "./settings.mjs";

/** Command tags after which something else may be recorded. */
const RECORDING_TAGS = new Set(["ALTER ROLE", "ALTER DATABASE", "DROP ROLE", "DO", "CALL"]);

export const mayRecord = (tags, text) =>
  [...tags].some((tag) => RECORDING_TAGS.has(tag)) || /pg_db_role_setting/i.test(text);

/** The [name, value] pairs that are recorded for a login, what takes precedence last. */
export async function readRecorded(backend, user, database) {
  // current_database() answers `postgres` everywhere, so DO blocks record for that.
  const rows = await backend.sql(`SELECT c.entry FROM pg_catalog.pg_db_role_setting AS s
      CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c (entry, place)
      LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
      LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    WHERE (s.setrole = 0 OR r.rolname = ${literal(user)})
      AND (s.setdatabase = 0 OR d.datname IN (${literal(database)}, pg_catalog.current_database()))
    ORDER BY s.setrole <> 0, s.setdatabase, c.place`);
  return rows.map(([entry]) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]);
}

/**
 * Logs a user in that exists, on a backend in its base state: applies the pairs that are recorded and the client's
 * settings. Answers warnings about pairs that are not valid any more, which do not prevent the login; a bad setting
 * of the client's is an error.
 */
export async function logIn(backend, { user, recorded, settings, preferences }) {
  const warnings = [];
  const tryTo = async (statement, name) => {
    try {
      await backend.sql(statement);
    } catch (error) {
      if (!error.code) throw error;
      warnings.push(`"${name}" of ALTER ROLE or ALTER DATABASE is ignored: ${error.message}`);
    }
  };
  // By the superuser: it was checked who may record what, and for whom.
  for (const [name, value] of recorded) if (!isRole(name)) await tryTo(`SELECT ${setting(name, value)}`, name);
  if (user !== SUPERUSER) await backend.sql(`SET SESSION AUTHORIZATION ${identifier(user)}`);
  for (const [name, value] of settings) await backend.sql(`SELECT ${setting(name, value)}`);
  const role = recorded.findLast(([name]) => isRole(name))?.[1];
  if (role && role !== "none" && ![...settings.keys()].some(isRole)) await tryTo(`SET ROLE ${identifier(role)}`, "role");
  await preferences.adopt(backend, [...recorded.map(([name]) => name), ...settings.keys()]);
  return warnings;
}

const isRole = (name) => name.toLowerCase() === "role";
