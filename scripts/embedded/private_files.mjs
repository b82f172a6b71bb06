/** The data directory as private as a password: modes, and the password of the owner in a file that libpq reads. */
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { SUPERUSER } from "./settings.mjs";

/** In libpq's format, so that PGPASSFILE or `passfile=` name it to psql and to drivers. */
export const PASSWORD_FILE = "pgpass";

const PASSWORD_BYTES = 32;
const HOSTS = ["127.0.0.1", "localhost", "::1"];
const LINE = new RegExp(String.raw`^127\.0\.0\.1:\*:\*:${SUPERUSER}:([\w-]{20,})$`, "m");
const OURS = /^(?:databases|pristine|pgpass|gateway\.lock)/;
const [PRIVATE_DIRECTORY, PRIVATE_FILE, OTHERS] = [0o700, 0o600, 0o077];
const HAS_MODES = process.platform !== "win32";

/**
 * Creates the data directory, or makes an existing one private. A directory that holds other files as well keeps its mode,
 * and only what is in it of the database becomes private.
 */
export function makePrivate(directory) {
  process.umask(OTHERS);
  fs.mkdirSync(directory, { recursive: true });
  const names = fs.readdirSync(directory);
  const whole = names.every((name) => OURS.test(name));
  const closed = whole ? [directory] : ["databases", "pristine"].map((name) => path.join(directory, name));
  for (const one of closed) if (fs.existsSync(one)) close(one);
}

function close(directory) {
  if ((fs.statSync(directory).mode & 0o777) === PRIVATE_DIRECTORY) return;
  try {
    fs.chmodSync(directory, PRIVATE_DIRECTORY);
  } catch (error) {
    throw new Error(`${directory} cannot be made private (${error.code}): give it to the user who runs this`);
  }
}

/** Returns the owner's password, which is created with its file; one that others may have read is replaced. */
export function ownersPassword(directory) {
  const file = path.join(directory, PASSWORD_FILE);
  const known = readPrivate(file);
  if (known) return known;
  const password = crypto.randomBytes(PASSWORD_BYTES).toString("base64url");
  const lines = HOSTS.map((host) => `${host.replaceAll(":", "\\:")}:*:*:${SUPERUSER}:${password}\n`);
  const aside = `${file}.${process.pid}`;
  fs.rmSync(aside, { force: true });
  fs.writeFileSync(aside, lines.join(""), { flag: "wx", mode: PRIVATE_FILE });
  fs.renameSync(aside, file);
  return password;
}

function readPrivate(file) {
  const found = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) return null;
  if (HAS_MODES && (found.mode & OTHERS || found.uid !== process.geteuid())) return null;
  return LINE.exec(fs.readFileSync(file, "utf8"))?.[1] ?? null;
}
