// The page System: whether the rollups are fresh, who refreshes them, what the jobs do, how large everything is, what was refused.

import { ask } from "./api.js";
import { $, make, put, show } from "./dom.js";
import { now } from "./live.js";
import { NOTHING, count, formatAge, formatBytes, formatLong, formatMoment, formatNumber, formatSpan, formatWhole } from "./text.js";
import { here } from "./zone.js";

const EVERY = 5000; // ms
const LATE = 2 * 3600; // seconds behind now beyond which the rollups are late

/** Begin; returns open() and close(), between which it asks again and again. */
export function startSystem() {
  let timer = 0;
  let asking = null;
  let isOpen = false;

  async function turn() {
    clearTimeout(timer);
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const { body } = await ask("/v1/system", mine.signal);
      write(body);
      show($("system-problem"), false);
      show($("system-waiting"), false);
      show($("system-parts"), true);
    } catch (error) {
      if (error.name === "AbortError") return;
      put($("system-problem"), `${error.message} Trying again by itself.`);
      show($("system-problem"), true);
    }
    if (mine === asking && isOpen) timer = setTimeout(turn, EVERY);
  }

  return {
    open() {
      isOpen = true;
      turn();
    },
    close() {
      isOpen = false;
      clearTimeout(timer);
      asking?.abort();
    },
  };
}

const ago = (moment) => (moment ? formatAge(now() - Date.parse(moment)) : NOTHING);
const row = (head, ...cells) => make("tr", {}, make("th", { scope: "row" }, head), ...cells.map((cell) => make("td", {}, cell)));
const mark = (word, kind) => make("span", { class: `mark ${kind}` }, word);

function write({ version, freshness, runs, jobs, storage, verification, database, live_clients: clients, rejected }) {
  const late = freshness.lag > LATE;
  put($("lag"), formatLong(freshness.lag));
  $("lag").closest(".figure").classList.toggle("warn", late);
  put($("horizon"), `up to ${formatMoment(freshness.horizon, here())}`);
  put($("stale-days"), formatWhole(freshness.stale_days));
  put($("stale-event-days"), `and ${count(freshness.stale_event_days, "day")} of events; read raw until refreshed`);
  put($("drift"), verification ? formatWhole(verification.drift) : NOTHING);
  $("drift").closest(".figure").classList.toggle("warn", Boolean(verification?.drift));
  put($("checked"), verification ? `of ${count(verification.buckets, "bucket")} checked, ${ago(verification.checked_at)}` : "not checked yet");
  put($("readings-count"), database.readings === null ? NOTHING : formatWhole(database.readings));
  put($("people-count"), `${database.readings === null ? "not counted yet" : "about"}, of ${count(database.users, "user")} and ${count(database.devices, "device")}`);
  put($("refresh-error"), freshness.last_error ? `The last refresh failed: ${freshness.last_error}` : "");
  show($("refresh-error"), Boolean(freshness.last_error));
  writeRuns(runs);
  writeJobs(jobs);
  writeStorage(storage, database);
  writeRejected(rejected);
  put($("about"), `Hyperpulse ${version}, TimescaleDB ${database.timescaledb} on PostgreSQL ${database.postgresql}, ${count(clients, "live listener")}`);
}

function writeRuns(runs) {
  $("runs").replaceChildren(
    ...runs.map(({ task, runner, seen, last_start: last, last_took: took, done, runs: times, failures, last_failed: failed, last_failure: why }) => {
      const fails = failed && (!seen || Date.parse(failed) > Date.parse(seen));
      return row(
        task,
        runner ?? NOTHING,
        fails ? mark("failed", "bad") : seen ? mark("works", "good") : mark("no run recorded", "quiet"),
        ago(seen),
        ago(last),
        took === null ? NOTHING : `${formatNumber(took)} s`,
        last === null ? NOTHING : count(done, task === "refresh" ? "user-day" : "chunk"),
        `${formatWhole(times)}, ${formatWhole(failures)} failed`,
        failed ? `${ago(failed)}: ${why}` : NOTHING,
      );
    }),
  );
}

function writeJobs(jobs) {
  $("jobs").replaceChildren(
    ...jobs.map(({ name, every, scheduled, runs, failures, status, last_start: last, last_took: took, next_start: next }) =>
      row(
        name,
        `every ${formatSpan(every)}`,
        !scheduled ? mark("paused", "quiet") : status === "Failed" ? mark("failed", "bad") : status ? mark("works", "good") : mark("no run recorded", "quiet"),
        ago(last),
        took === null ? NOTHING : `${formatNumber(took)} s`,
        !scheduled || !next ? NOTHING : Date.parse(next) < now() - 60_000 ? mark("overdue", "warn") : ago(next),
        runs === null ? NOTHING : `${formatWhole(runs)}, ${formatWhole(failures)} failed`,
      ),
    ),
  );
}

function writeStorage(storage, database) {
  $("storage").replaceChildren(
    ...storage.map(({ name, bytes, chunks, compressed, before, after }) =>
      row(
        name,
        formatBytes(bytes),
        formatWhole(chunks),
        formatWhole(compressed),
        before && after ? `${formatBytes(before)} to ${formatBytes(after)}` : NOTHING,
        before && after ? `${formatNumber(Math.round((before / after) * 10) / 10)} ×` : NOTHING,
      ),
    ),
  );
  put($("database-size"), formatBytes(database.bytes));
}

function writeRejected(rejected) {
  show($("rejected").closest(".scroll"), rejected.length > 0);
  show($("none-rejected"), rejected.length === 0);
  $("rejected").replaceChildren(...rejected.map(({ field, problem, count: times, last }) => row(field || "the item", problem, formatWhole(times), ago(last))));
}
