/** How a connection begins: which database, which user, which settings. */
import { int32, message, parameterStatus, readyForQuery, startupParameters } from "./protocol.mjs";
import { BASE_STATE, identifier, literal, makeState, setting } from "./settings.mjs";

const NOT_SETTINGS = new Set(["user", "database", "options", "replication"]);
const OPTION = /(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\s\\])*)/g;
const NAME_BYTES = 63;

class Refused extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

/** Why a startup packet of this version cannot be served, or null. */
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
  if (session.user === "postgres" && isHarmless(settings)) return welcomeAtOnce(session, settings, before);
  session.introduce(() => welcomeInTurn(session, settings, before));
}

/** A newer minor version or an option of the protocol is answered with what there is. */
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

/** These settings need no check, so that connecting never waits for somebody's transaction. */
const isHarmless = (settings) => [...settings.keys()].every((name) => name === "application_name");

function welcomeAtOnce(session, settings, before) {
  const name = settings.get("application_name");
  const values = name ? [["application_name", name.replace(/[^ -~]/g, "?").slice(0, NAME_BYTES)]] : [];
  session.preferences.state = makeState("postgres", null, values);
  welcome(session, new Map([...session.backend.reported, ...values]), before);
}

/** Checks the user and the settings by applying them. */
async function welcomeInTurn(session, settings, before) {
  const { backend } = session;
  await backend.become(BASE_STATE);
  backend.state = null; // until the user and all settings are known to be good
  try {
    await assumeUser(session);
    for (const [name, value] of settings) await backend.sql(`SELECT ${setting(name, value)}`);
  } catch (error) {
    if (!error.code) throw error;
    return session.end(error.code, error.message);
  }
  await session.preferences.adopt(backend, settings.keys());
  welcome(session, await backend.readReported(), before);
}

async function assumeUser({ user, backend }) {
  if (user === "postgres") return;
  const [role] = await backend.sql(`SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = ${literal(user)}`);
  if (!role) throw new Refused("28000", `role "${user}" does not exist`);
  if (role[0] !== "t") throw new Refused("28000", `role "${user}" is not permitted to log in`);
  await backend.sql(`SET SESSION AUTHORIZATION ${identifier(user)}`);
}

function welcome(session, reported, before) {
  const statuses = [...reported].map(([name, value]) => parameterStatus(name, value));
  const authenticated = message("R", int32(0));
  const key = message("K", int32(session.id), int32(session.key));
  session.send(Buffer.concat([...before, authenticated, ...statuses, key, readyForQuery("I")]));
}
