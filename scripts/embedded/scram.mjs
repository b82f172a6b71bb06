/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL's servers speak it, without channel binding, which needs TLS. A password
 * never crosses the wire: both sides prove that they know it.
 */
import crypto from "node:crypto";
import { ProtocolViolation } from "./protocol.mjs";

export const MECHANISM = "SCRAM-SHA-256";

const ITERATIONS = 4096;
const SALT_BYTES = 16;
const NONCE_BYTES = 18;
const KEY_BYTES = 32;
const STORED = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/;
const FIRST = /^([nyp])[^,]*,([^,]*),(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/;
const FINAL = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/;

/** The client's messages are not those of the mechanism. */
export class ScramViolation extends ProtocolViolation {}

const hmac = (key, text) => crypto.createHmac("sha256", key).update(text).digest();
const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest();

/** What a server keeps of a password in place of it. */
export function makeVerifier(password) {
  const salt = crypto.randomBytes(SALT_BYTES);
  const salted = crypto.pbkdf2Sync(password, salt, ITERATIONS, KEY_BYTES, "sha256");
  return {
    iterations: ITERATIONS,
    salt,
    storedKey: sha256(hmac(salted, "Client Key")),
    serverKey: hmac(salted, "Server Key"),
  };
}

/** Reads a verifier of pg_authid; null for anything else, such as an MD5 hash. */
export function readVerifier(text) {
  const [, iterations, ...parts] = STORED.exec(text ?? "") ?? [];
  if (!iterations) return null;
  const [salt, storedKey, serverKey] = parts.map((part) => Buffer.from(part, "base64"));
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) return null;
  return { iterations: Number(iterations), salt, storedKey, serverKey };
}

/**
 * A verifier that no password matches, for a role that does not exist or has none: it looks like that of a role, and is the
 * same at every attempt, so that strangers do not learn which roles exist.
 */
export function mockVerifier(secret, role) {
  const salt = hmac(secret, role).subarray(0, SALT_BYTES);
  const [storedKey, serverKey] = [crypto.randomBytes(KEY_BYTES), crypto.randomBytes(KEY_BYTES)];
  return { iterations: ITERATIONS, salt, storedKey, serverKey };
}

/** The server's side of one exchange. */
export class ScramExchange {
  #verifier;
  #header = "";
  #nonce = "";
  #transcript = "";

  constructor(verifier) {
    this.#verifier = verifier;
  }

  /** Takes the client's first message and returns the challenge. */
  challenge(clientFirst) {
    const [, flag, identity, bare, nonce] = FIRST.exec(clientFirst) ?? [];
    if (!flag) throw new ScramViolation("malformed SCRAM message");
    if (flag === "p") throw new ScramViolation("channel binding needs TLS, which the embedded database does not speak");
    if (identity) throw new ScramViolation("an authorization identity is not supported");
    this.#header = clientFirst.slice(0, -bare.length);
    this.#nonce = nonce + crypto.randomBytes(NONCE_BYTES).toString("base64");
    const { salt, iterations } = this.#verifier;
    const answer = `r=${this.#nonce},s=${salt.toString("base64")},i=${iterations}`;
    this.#transcript = `${bare},${answer}`;
    return answer;
  }

  /** Takes the client's proof; returns the server's own proof, or null for a wrong password. */
  verify(clientFinal) {
    const [, withoutProof, binding, nonce, proof] = FINAL.exec(clientFinal) ?? [];
    if (!withoutProof) throw new ScramViolation("malformed SCRAM message");
    if (Buffer.from(binding, "base64").toString() !== this.#header || nonce !== this.#nonce)
      throw new ScramViolation("a SCRAM message that does not belong to this exchange");
    const { storedKey, serverKey } = this.#verifier;
    const transcript = `${this.#transcript},${withoutProof}`;
    const given = Buffer.from(proof, "base64");
    if (given.length !== KEY_BYTES) throw new ScramViolation("malformed SCRAM proof");
    const signature = hmac(storedKey, transcript);
    const clientKey = given.map((byte, at) => byte ^ signature[at]);
    if (!crypto.timingSafeEqual(sha256(clientKey), storedKey)) return null;
    return `v=${hmac(serverKey, transcript).toString("base64")}`;
  }
}
