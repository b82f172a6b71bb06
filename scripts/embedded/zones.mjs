/** Current time zone rules, which replace those built into the database's package. */
import fs from "node:fs";
import path from "node:path";

const TARGET = "/tmp/pglite/share/postgresql/timezone";
const MAGIC = "TZif";

/** Reads the compiled zone files under a directory: [name, bytes] of each. */
export function readZones(directory) {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .map((file) => [path.relative(directory, file).split(path.sep).join("/"), fs.readFileSync(file)])
    .filter(([, bytes]) => bytes.toString("latin1", 0, MAGIC.length) === MAGIC);
}

/** Writes zone files into the file system of an instance. PostgreSQL reads a file when a session first names the zone. */
export function layZones(fileSystem, zones) {
  if (!fileSystem.analyzePath(TARGET).exists) throw new Error(`its package has no ${TARGET}`);
  for (const folder of new Set(zones.map(([name]) => path.posix.dirname(name)))) fileSystem.mkdirTree(`${TARGET}/${folder}`);
  for (const [name, bytes] of zones) fileSystem.writeFile(`${TARGET}/${name}`, bytes);
}
