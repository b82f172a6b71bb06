/** The proof of a password at the start of a connection. The backend takes no part, so strangers cost it nothing. */
import crypto from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { int32, message, ProtocolViolation, readString, strings } from "./protocol.mjs";
import { makeVerifier, MECHANISM, mockVerifier, readVerifier, ScramExchange, ScramViolation } from "./scram.mjs";
import { SUPERUSER } from "./settings.mjs";

const [SASL, SASL_CONTINUE, SASL_FINAL] = [10, 11, 12];
const FAILURE_MS = 300;

const HINT =
  `The password of "${SUPERUSER}" is in the file pgpass of the data directory: set PGPASSFILE to its path. ` +
  "Another role has the one of CREATE ROLE … LOGIN PASSWORD.";

/** A connection is refused; `code` is the SQLSTATE. */
export class Refused extends Error {
  constructor(code, text, hint) {
    super(text);
    this.code = code;
    this.hint = hint;
  }
}

/** The verifiers of passwords: the owner's is that of the file, and other roles have theirs in the database. */
export class Identities {
  #owner;
  #secret = crypto.randomBytes(32);

  constructor(ownersPassword) {
    this.#owner = makeVerifier(ownersPassword);
  }

  /** The verifier for a role whose password is stored as `stored`; one that nothing matches if it has none. */
  verifierOf(role, stored) {
    if (role === SUPERUSER) return this.#owner;
    return readVerifier(stored) ?? mockVerifier(this.#secret, role);
  }
}

/** Requires the client of a session to prove that it knows the password. */
export async function authenticate(session, verifier) {
  const exchange = new ScramExchange(verifier);
  session.send(request(SASL, strings(MECHANISM, "")));
  try {
    const challenge = exchange.challenge(initialResponse(await session.reply()));
    session.send(request(SASL_CONTINUE, Buffer.from(challenge)));
    const proof = exchange.verify((await response(session)).toString());
    if (proof) return session.send(request(SASL_FINAL, Buffer.from(proof)));
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    throw new Refused("08P01", error.message, `Only ${MECHANISM} without channel binding is served. ${HINT}`);
  }
  await pause(FAILURE_MS, undefined, { ref: false });
  throw new Refused("28P01", `password authentication failed for user "${session.user}"`, HINT);
}

const request = (kind, data) => message("R", int32(kind), data);

/** The data of a SASLResponse. */
async function response(session) {
  return data(await session.reply());
}

function data([type, whole]) {
  if (type === "p") return whole.subarray(5);
  throw new ScramViolation(`a message of type ${JSON.stringify(type)} in place of the answer to a password request`);
}

/** The data of a SASLInitialResponse. A client that sends a password instead is told what is spoken here. */
function initialResponse(reply) {
  const body = data(reply);
  const [mechanism, at] = readString(body, 0);
  if (mechanism !== MECHANISM) throw new ScramViolation("the client chose another method than the one offered");
  if (body.length < at + 4 || body.readInt32BE(at) !== body.length - at - 4)
    throw new ScramViolation("malformed SASL message");
  return body.toString("utf8", at + 4);
}
