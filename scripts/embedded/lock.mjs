/** One gateway per data directory: a lock file names the holder by process id and start time. */
import fs from "node:fs";
import path from "node:path";

const FILE = "gateway.lock";

export class DirectoryInUse extends Error {
  constructor(directory, pid) {
    super(`the data directory ${directory} is in use by process ${pid}: stop it or choose another directory`);
    this.pid = pid;
  }
}

/** Takes the lock and returns the function that releases it. */
export function lockDirectory(directory) {
  const file = path.join(directory, FILE);
  const mine = `${process.pid} ${startTime(process.pid) ?? ""}\n`;
  for (;;) {
    try {
      fs.writeFileSync(file, mine, { flag: "wx" });
      return () => release(file, mine);
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const found = contents(file);
    if (found === null) continue;
    const pid = Number.parseInt(found, 10);
    if (isAlive(pid, found.trim().split(" ")[1])) throw new DirectoryInUse(directory, pid);
    removeStale(file, found);
  }
}

/** Moves the file of a dead holder away; restores the file if another process has taken the lock meanwhile. */
function removeStale(file, stale) {
  const aside = `${file}.${process.pid}`;
  try {
    fs.renameSync(file, aside);
    if (contents(aside) !== stale) fs.linkSync(aside, file);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  }
  fs.rmSync(aside, { force: true });
}

function release(file, mine) {
  if (contents(file) === mine) fs.rmSync(file, { force: true });
}

function contents(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** A reused process id has another start time; if the start time is unknown, the id decides. */
function isAlive(pid, started) {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  const now = startTime(pid);
  return now === undefined || (now !== null && (!started || now === started));
}

/** Clock ticks from boot to the start of a process; null if the process is gone or a zombie, undefined if unknown. */
function startTime(pid) {
  if (!fs.existsSync("/proc/self/stat")) return undefined;
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return fields[0] === "Z" ? null : fields[19];
  } catch {
    return null;
  }
}
