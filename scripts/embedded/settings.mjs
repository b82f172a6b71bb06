/**
 * Session settings. All connections share one PostgreSQL session, so the settings and role of each connection are stored
 * as a state, which the backend assumes when the connection gets its turn.
 */

export const SUPERUSER = "postgres";

/** Identifies the embedded server to clients. */
const MARKER = "hyperpulse.embedded";

/** Not DEFAULT, which does nothing in a backend without authentication. */
const AS_SUPERUSER = `SET SESSION AUTHORIZATION ${SUPERUSER}`;

/** PostgreSQL's defaults, where the package has others (sequential scans off, an empty search_path, debug logs). */
const BASE_VALUES = new Map([
  ["allow_system_table_mods", "off"],
  ["client_min_messages", "notice"],
  ["enable_seqscan", "on"],
  [MARKER, "on"],
  ["log_min_messages", "warning"],
  ["search_path", '"$user", public'],
  ["TimeZone", "UTC"],
]);

const NOT_SETTINGS =
  "'role', 'seed', 'session_authorization', 'transaction_deferrable', 'transaction_isolation', 'transaction_read_only'";

const REPORTED_SETTINGS = [
  "application_name",
  "client_encoding",
  "DateStyle",
  "default_transaction_read_only",
  "in_hot_standby",
  "integer_datetimes",
  "IntervalStyle",
  "is_superuser",
  "scram_iterations",
  "server_encoding",
  "server_version",
  "session_authorization",
  "standard_conforming_strings",
  "TimeZone",
];
/** Reads the settings that are reported to a connection at its start. */
export const REPORTED = `SELECT name, CASE name WHEN 'session_authorization' THEN session_user ELSE pg_catalog.current_setting(name) END
  FROM (VALUES ${REPORTED_SETTINGS.map((name) => `('${name}')`).join(", ")}) AS reported (name)`;

// These statements run with the search_path of a client, whose operators must not take the place of PostgreSQL's.

/** Reads the user, and the role if SET ROLE has set one. */
export const IDENTITY = `SELECT session_user,
  CASE WHEN current_user OPERATOR(pg_catalog.<>) session_user THEN current_user END`;

/** Reads the active settings that differ from the defaults. */
export const CAPTURE = `SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings
  WHERE source OPERATOR(pg_catalog.=) 'session' AND name OPERATOR(pg_catalog.<>) ALL (ARRAY[${NOT_SETTINGS}])`;

/** Reads the time limits, in milliseconds; PostgreSQL's own timers do not run here. */
export const LIMITS = `SELECT name, setting FROM pg_catalog.pg_settings
  WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['statement_timeout', 'idle_in_transaction_session_timeout'])`;

/** Invented settings of extensions and applications are not listed in pg_settings: their names are taken from the SQL. */
const INVENTED = /\b[a-z_][\w$]*\.[a-z_][\w$]*/gi;

/** The names in a text that may be invented settings. */
export const inventedNames = (text) => (text.match(INVENTED) ?? []).map((name) => name.toLowerCase());

/** Reads those of the names that are set as invented settings. */
export function captureInvented(names) {
  const list = [...names].map((name) => `(${literal(name)})`).join(", ");
  return `SELECT name, pg_catalog.current_setting(name, true) FROM (VALUES ${list}) AS invented (name)
    WHERE pg_catalog.current_setting(name, true) OPERATOR(pg_catalog.<>) ''`;
}

/**
 * Restores values after a reset to the package's defaults, as the superuser where a setting needs that: the session had the
 * user and role of `before`, and gets those of `after`. `local` ends with the transaction.
 */
export function restore(values, before, after, local = false) {
  const pairs = [...values].map(([name, value]) => `(${literal(name)}, ${literal(value)})`).join(", ");
  // Invented settings are not listed, and are empty after a reset.
  const statement = `SELECT pg_catalog.set_config(b.name, b.value, ${local}) FROM (VALUES ${pairs}) AS b (name, value)
    LEFT JOIN pg_catalog.pg_settings AS s ON s.name OPERATOR(pg_catalog.=) b.name
    WHERE CASE WHEN s.name IS NULL THEN coalesce(pg_catalog.current_setting(b.name, true), '') OPERATOR(pg_catalog.=) ''
      ELSE s.source OPERATOR(pg_catalog.<>) 'session' END`;
  if ([before, after].every(({ user, role }) => user === SUPERUSER && !role)) return statement;
  return [AS_SUPERUSER, statement, ...identityOf(after)].join("; ");
}

export function setting(name, value) {
  return `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`;
}

/** Quotes a text for SQL, independently of standard_conforming_strings. */
export function literal(text) {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

export const identifier = (name) => `"${name.replaceAll('"', '""')}"`;

/** A state: the user, the role set by SET ROLE (or null), and the values of the base or different from it. */
export function makeState(user, role, values) {
  const all = new Map([...BASE_VALUES, ...values]);
  const key = JSON.stringify([user, role, [...all].sort(([a], [b]) => (a < b ? -1 : 1))]);
  return { user, role, values: all, key };
}

export const BASE_STATE = makeState(SUPERUSER, null, []);

/** The statements that lead from one state to another; from null, the active settings are reset first. */
export function transition(from, to) {
  if (!from) return ["ROLLBACK", [AS_SUPERUSER, "RESET ALL", assign(to), ...identityOf(to)].join("; ")];
  const changes = [];
  const identityChanges = from.user !== to.user || from.role !== to.role;
  const asOther = from.user !== SUPERUSER || from.role;
  const values = valueChanges(from.values, to.values);
  if (asOther && (identityChanges || values.length)) changes.push(AS_SUPERUSER);
  changes.push(...values);
  if (changes.length || identityChanges) {
    changes.push(...identityOf(to));
  }
  return changes.length ? [changes.join("; ")] : [];
}

/** The statements that set a user and a role, in a session of the superuser. */
function identityOf({ user, role }) {
  const statements = [];
  if (user !== SUPERUSER) statements.push(`SET SESSION AUTHORIZATION ${identifier(user)}`);
  if (role) statements.push(`SET ROLE ${identifier(role)}`);
  return statements;
}

const assign = ({ values }) => `SELECT ${[...values].map(([name, value]) => setting(name, value)).join(", ")}`;

function valueChanges(from, to) {
  const changes = [];
  for (const name of from.keys()) if (!to.has(name)) changes.push(`RESET ${name.split(".").map(identifier).join(".")}`);
  const changed = [...to].filter(([name, value]) => from.get(name) !== value);
  if (changed.length) changes.push(`SELECT ${changed.map(([name, value]) => setting(name, value)).join(", ")}`);
  return changes;
}
