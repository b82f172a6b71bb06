/** The startup of a connection: its database, user and settings. */
import { authenticate, Refused } from "./authentication.mjs";
import { logIn, readRecorded } from "./login.mjs";
import { int32, message, parameterStatus, readyForQuery, startupParameters, strings, warning } from "./protocol.mjs";
import { BASE_STATE, literal, SUPERUSER } from "./settings.mjs";

const NOT_SETTINGS = new Set(["user", "database", "options", "replication"]);
const OPTION = /(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g;
const NAME_BYTES = 63;

/** The reason why a startup packet of this version is refused, or null. */
export function invalidStart(version) {
  if (version >>> 16 === 3) return null;
  return {
    code: "0A000",
    message: `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: only version 3 is served`,
  };
}

/** Answers a startup packet. Nothing about the database is known to a client before it has proved its password. */
export async function greet(session, packet, { databases, identities, door }) {
  const parameters = startupParameters(packet);
  const settings = startupSettings(parameters);
  session.user = parameters.get("user") || SUPERUSER;
  session.database = parameters.get("database") || session.user;
  const negotiated = negotiation(packet.readInt32BE(0), parameters);
  if (negotiated) session.send(negotiated);
  const stored = session.user === SUPERUSER ? null : await storedPassword(session, databases);
  if (session.ended) return;
  await authenticate(session, identities.verifierOf(session.user, stored));
  if (session.ended || !door.register(session)) return;
  if (parameters.has("replication")) throw new Refused("0A000", "the embedded database does not replicate");
  if (!databases.exists(session.database)) throw new Refused("3D000", `database "${session.database}" does not exist`);
  const backend = await databases.open(session.database);
  if (session.ended) return;
  session.join(backend);
  const atOnce = session.user === SUPERUSER && isHarmless(settings) && backend.superuser;
  if (atOnce) return welcomeAtOnce(session, settings);
  session.introduce(() => welcomeInTurn(session, settings, stored));
}

/** What the session's database keeps of the password of its user, if there are both. */
async function storedPassword({ user, database }, databases) {
  if (!databases.exists(database)) return null;
  return (await databases.open(database)).passwordOf(user);
}

/** Answers a newer minor version or an option of the protocol with the supported ones. */
function negotiation(version, parameters) {
  const unknown = [...parameters.keys()].filter((name) => name.startsWith("_pq_."));
  if ((version & 0xffff) === 0 && !unknown.length) return null;
  return message("v", int32(3 << 16), int32(unknown.length), strings(...unknown));
}

function startupSettings(parameters) {
  const settings = new Map();
  for (const [, name, value] of (parameters.get("options") ?? "").matchAll(OPTION)) {
    settings.set(name.replaceAll("-", "_"), value.replace(/\\(.)/g, "$1"));
  }
  for (const [name, value] of parameters) {
    if (!NOT_SETTINGS.has(name) && !name.startsWith("_pq_.")) settings.set(name, value);
  }
  if (/^(utf-?8|unicode)$/i.test(settings.get("client_encoding") ?? "")) settings.delete("client_encoding");
  return settings;
}

/** These settings need no check, so connecting does not wait for the open transaction of another session. */
const isHarmless = (settings) => [...settings.keys()].every((name) => name === "application_name");

function welcomeAtOnce(session, settings) {
  const { preferences, reported, warnings } = session.backend.superuser;
  const name = settings.get("application_name");
  const values = name ? [["application_name", name.replace(/[^ -~]/g, "?").slice(0, NAME_BYTES)]] : [];
  session.preferences.beginLike(preferences, values);
  welcome(session, new Map([...reported, ...values]), warnings);
}

/** Checks the user and the settings by applying them. */
async function welcomeInTurn(session, settings, stored) {
  const { backend, user, database, preferences } = session;
  let warnings;
  await backend.become(BASE_STATE, session.occupant);
  backend.state = null; // until the user and all settings are validated
  try {
    await checkUser(session, stored);
    const recorded = await readRecorded(backend, user, database);
    warnings = await logIn(backend, { user, login: session.occupant.login, recorded, settings, preferences });
  } catch (error) {
    if (!error.code) throw error;
    return session.end(error.code, error.message);
  }
  welcome(session, await backend.readReported(), warnings);
}

/** Checks a role that has proved its password: the password may have changed meanwhile. */
async function checkUser({ user, backend, occupant }, stored) {
  if (user === SUPERUSER) return;
  const [role] = await backend.sql(
    `SELECT rolcanlogin, rolpassword, oid FROM pg_catalog.pg_authid WHERE rolname = ${literal(user)}`,
  );
  if (role?.[1] !== stored) throw new Refused("28P01", `password authentication failed for user "${user}"`);
  if (role[0] !== "t") throw new Refused("28000", `role "${user}" is not permitted to log in`);
  occupant.login = Number(role[2]);
}

function welcome(session, reported, warnings) {
  const statuses = [...reported].map(([name, value]) => parameterStatus(name, value));
  const authenticated = message("R", int32(0));
  const key = message("K", int32(session.id), int32(session.key));
  const notices = warnings.map(warning);
  session.send(Buffer.concat([authenticated, ...notices, ...statuses, key, readyForQuery("I")]));
}
