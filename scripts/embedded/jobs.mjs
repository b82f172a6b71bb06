/**
 * TimescaleDB's jobs. There are no background workers here, so the gateway calls each job when it is due. run_job
 * keeps no schedule and no statistics, so both are written here, in TimescaleDB's own table.
 */
import { BASE_STATE, makeState } from "./settings.mjs";
import { NOTHING_TEMPORARY } from "./temporary.mjs";

const DUE = `SELECT j.id, r.rolname, r.oid, extract(epoch FROM j.max_runtime) * 1000
  FROM _timescaledb_config.bgw_job AS j
  JOIN pg_catalog.pg_roles AS r ON r.oid = j.owner
  LEFT JOIN _timescaledb_internal.bgw_job_stat AS s ON s.job_id = j.id
  WHERE j.scheduled AND j.proc_name <> 'policy_telemetry'
    AND coalesce(s.next_start, j.initial_start, '-infinity') <= now()
  ORDER BY coalesce(s.next_start, j.initial_start, '-infinity'), j.id LIMIT 1`;

/** The next start is set before the job runs, so that a job that crashes the instance is not retried at once. */
const started = (id) => `INSERT INTO _timescaledb_internal.bgw_job_stat AS s
    (job_id, last_start, last_finish, next_start, last_successful_finish, last_run_success, total_runs, total_duration,
     total_duration_failures, total_successes, total_failures, total_crashes, consecutive_failures, consecutive_crashes, flags)
  SELECT id, now(), '-infinity', now() + schedule_interval, '-infinity', false, 1, '0', '0', 0, 0, 1, 0, 1, 0
  FROM _timescaledb_config.bgw_job WHERE id = ${id}
  ON CONFLICT (job_id) DO UPDATE SET last_start = excluded.last_start, next_start = excluded.next_start,
    last_run_success = false, total_runs = s.total_runs + 1, total_crashes = s.total_crashes + 1,
    consecutive_crashes = s.consecutive_crashes + 1`;

/** A job on a fixed schedule keeps its interval; the next start of other jobs, and of failed ones, counts from the end. */
const finished = (id, success) => `UPDATE _timescaledb_internal.bgw_job_stat AS s SET
    last_finish = clock_timestamp(), last_run_success = ${success},
    last_successful_finish = CASE WHEN ${success} THEN clock_timestamp() ELSE s.last_successful_finish END,
    total_duration = s.total_duration + CASE WHEN ${success} THEN clock_timestamp() - s.last_start ELSE '0' END,
    total_duration_failures = s.total_duration_failures + CASE WHEN ${success} THEN '0' ELSE clock_timestamp() - s.last_start END,
    total_successes = s.total_successes + ${success}::int, total_failures = s.total_failures + (NOT ${success})::int,
    total_crashes = s.total_crashes - 1, consecutive_crashes = 0,
    consecutive_failures = CASE WHEN ${success} THEN 0 ELSE s.consecutive_failures + 1 END,
    next_start = CASE
      WHEN NOT ${success} THEN clock_timestamp() + least(j.retry_period * 2 ^ least(s.consecutive_failures, 10), j.schedule_interval)
      WHEN j.fixed_schedule AND j.initial_start IS NOT NULL
        THEN public.time_bucket(j.schedule_interval, clock_timestamp(), origin => j.initial_start) + j.schedule_interval
      ELSE clock_timestamp() + j.schedule_interval END
  FROM _timescaledb_config.bgw_job AS j WHERE j.id = s.job_id AND s.job_id = ${id}`;

/** Write-ahead log since the last checkpoint; only this module writes checkpoints. */
const WAL_SINCE_CHECKPOINT =
  "SELECT pg_catalog.pg_current_wal_lsn() - redo_lsn FROM pg_catalog.pg_control_checkpoint()";
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** Jobs do not interrupt the open transaction of a lone connection. */
const PATIENT = { patient: true };

export class Jobs {
  #databases;
  #interval;
  #log;
  #timer = null;
  #stopped = false;

  /** `interval` is in milliseconds; 0 runs no jobs. */
  constructor(databases, interval, log) {
    this.#databases = databases;
    this.#interval = interval;
    this.#log = log;
  }

  start() {
    if (!this.#interval || this.#stopped) return;
    this.#timer = setTimeout(() => this.#round(), this.#interval);
    this.#timer.unref();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #round() {
    for (const backend of this.#databases.backends) {
      try {
        while (!this.#stopped && (await backend.alone(() => this.#runNext(backend), PATIENT)));
        if (!this.#stopped) await backend.alone(() => this.#checkpoint(backend), PATIENT);
      } catch (error) {
        if (!this.#stopped) this.#log(`database ${backend.name}: jobs: ${error.message}`);
      }
    }
    this.start();
  }

  /** Runs one due job, in its own turn, so that clients get turns between two jobs; false if no job is due. */
  async #runNext(backend) {
    const [job] = await backend.sql(DUE);
    if (!job) return false;
    const [id, owner, login, mostMs] = job;
    await backend.sql(started(id));
    const success = await this.#run(backend, id, { owner, login: Number(login) }, Number(mostMs));
    await backend.sql(finished(id, success));
    return true;
  }

  /** Runs a job in a session of its owner, as TimescaleDB does: it can become no other role. */
  async #run(backend, id, { owner, login }, mostMs) {
    const timer = mostMs > 0 ? setTimeout(() => backend.cancel(), mostMs) : null;
    await backend.become(makeState(owner, null, []), { login, temporary: NOTHING_TEMPORARY });
    try {
      await backend.sql(`CALL public.run_job(${id})`);
      return true;
    } catch (error) {
      if (!error.code) throw error;
      this.#log(`database ${backend.name}: job ${id} failed: ${error.message}`);
      return false;
    } finally {
      clearTimeout(timer);
      backend.state = null; // a job may set what it likes
      await backend.become(BASE_STATE);
    }
  }

  async #checkpoint(backend) {
    const [[bytes]] = await backend.sql(WAL_SINCE_CHECKPOINT);
    if (Number(bytes) > CHECKPOINT_BYTES) await backend.sql("CHECKPOINT");
  }
}
