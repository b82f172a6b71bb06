/** The startup of a connection: its database, user and settings. */
import { logIn, readRecorded } from "./login.mjs";
import { int32, message, parameterStatus, readyForQuery, startupParameters, warning } from "./protocol.mjs";
import { BASE_STATE, literal, SUPERUSER } from "./settings.mjs";

const NOT_SETTINGS = new Set(["user", "database", "options", "replication"]);
const OPTION = /(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g;
const NAME_BYTES = 63;

class Refused extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

/** The reason why a startup packet of this version is refused, or null. */
export function invalidStart(version) {
  if (version >>> 16 === 3) return null;
  return {
    code: "0A000",
    message: `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: only version 3 is served`,
  };
}

/** Answers a startup packet. */
export async function greet(session, packet, databases) {
  const parameters = startupParameters(packet);
  const settings = startupSettings(parameters);
  session.user = parameters.get("user") || "postgres";
  session.database = parameters.get("database") || session.user;
  if (parameters.has("replication")) throw new Refused("0A000", "the embedded database does not replicate");
  if (!databases.exists(session.database)) throw new Refused("3D000", `database "${session.database}" does not exist`);
  const backend = await databases.open(session.database);
  if (session.ended) return;
  session.join(backend);
  const before = negotiation(packet.readInt32BE(0), parameters);
  const atOnce = session.user === SUPERUSER && isHarmless(settings) && backend.superuser;
  if (atOnce) return welcomeAtOnce(session, settings, before);
  session.introduce(() => welcomeInTurn(session, settings, before));
}

/** Answers a newer minor version or an option of the protocol with the supported ones. */
function negotiation(version, parameters) {
  const unknown = [...parameters.keys()].filter((name) => name.startsWith("_pq_."));
  if ((version & 0xffff) === 0 && !unknown.length) return [];
  return [
    message("v", int32(3 << 16), int32(unknown.length), Buffer.from(unknown.map((name) => `${name}\0`).join(""))),
  ];
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

function welcomeAtOnce(session, settings, before) {
  const { preferences, reported, warnings } = session.backend.superuser;
  const name = settings.get("application_name");
  const values = name ? [["application_name", name.replace(/[^ -~]/g, "?").slice(0, NAME_BYTES)]] : [];
  session.preferences.beginLike(preferences, values);
  welcome(session, new Map([...reported, ...values]), before, warnings);
}

/** Checks the user and the settings by applying them. */
async function welcomeInTurn(session, settings, before) {
  const { backend, user, database, preferences } = session;
  let warnings;
  await backend.become(BASE_STATE);
  backend.state = null; // until the user and all settings are validated
  try {
    await checkUser(session);
    const recorded = await readRecorded(backend, user, database);
    warnings = await logIn(backend, { user, recorded, settings, preferences });
  } catch (error) {
    if (!error.code) throw error;
    return session.end(error.code, error.message);
  }
  welcome(session, await backend.readReported(), before, warnings);
}

async function checkUser({ user, backend }) {
  if (user === SUPERUSER) return;
  const [role] = await backend.sql(`SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = ${literal(user)}`);
  if (!role) throw new Refused("28000", `role "${user}" does not exist`);
  if (role[0] !== "t") throw new Refused("28000", `role "${user}" is not permitted to log in`);
}

function welcome(session, reported, before, warnings) {
  const statuses = [...reported].map(([name, value]) => parameterStatus(name, value));
  const authenticated = message("R", int32(0));
  const key = message("K", int32(session.id), int32(session.key));
  const notices = warnings.map(warning);
  session.send(Buffer.concat([...before, authenticated, ...notices, ...statuses, key, readyForQuery("I")]));
}
