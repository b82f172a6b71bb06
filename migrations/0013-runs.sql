-- What keeps the database in order, remembered where everyone can see it: which runner, when, and what failed.

CREATE TABLE core.run (
  -- Fixed widths first, so that no padding lies between them.
  seen_at     timestamptz,
  started_at  timestamptz,
  finished_at timestamptz,
  failed_at   timestamptz,
  done        bigint NOT NULL DEFAULT 0,
  runs        bigint NOT NULL DEFAULT 0,
  failures    bigint NOT NULL DEFAULT 0,
  task        text NOT NULL,
  runner      text,
  failure     text,
  CONSTRAINT run_is_one_row_per_task PRIMARY KEY (task),
  CONSTRAINT run_task_is_known CHECK (task IN ('refresh', 'upkeep')),
  CONSTRAINT run_counts_are_not_negative CHECK (done >= 0 AND runs >= 0 AND failures >= 0),
  CONSTRAINT run_ends_after_it_starts CHECK (started_at <= finished_at),
  CONSTRAINT run_that_is_counted_has_moments CHECK ((runs > 0) = (started_at IS NOT NULL AND finished_at IS NOT NULL)),
  CONSTRAINT run_that_was_seen_has_a_runner CHECK ((seen_at IS NULL) = (runner IS NULL)),
  CONSTRAINT run_failure_has_a_moment CHECK ((failures > 0) = (failed_at IS NOT NULL AND failure IS NOT NULL))
-- Rewritten every few seconds: with room in its page, no index entry is written for it.
) WITH (fillfactor = 50);
COMMENT ON TABLE core.run IS
  'How refresh and upkeep fare, a row each: runner, the application_name of the session that ended a run last, and seen_at, when; started_at, finished_at and done (user-days, or chunks) of the last run that found something to do, and runs, how many did; failures, and when and why the last one was.';

INSERT INTO core.run (task) VALUES ('refresh'), ('upkeep');
