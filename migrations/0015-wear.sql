-- For how long heart rates were measured, and the resting heart rate, in the rollups of users.
--
-- What is rolled up already is marked stale, so that a refresh adds both; until then answers come from raw readings. Where retention
-- has dropped those, both stay null. Writers go on: those that come meanwhile mark for themselves.

INSERT INTO core.stale_day (user_key, day, quarters)
  SELECT r.user_key, time_bucket(INTERVAL '24 hours', r.bucket), ~ B'0'::bit(96)
    FROM rollup.user_15m AS r, core.horizon AS h
   WHERE r.bucket >= h.raw_from AND r.bucket < h.materialized
   GROUP BY 1, 2;

ALTER TABLE rollup.user_15m ADD COLUMN worn_minutes smallint;
ALTER TABLE rollup.user_1h ADD COLUMN worn_minutes smallint;
ALTER TABLE rollup.user_1h ADD COLUMN resting_heart_rate double precision;
ALTER TABLE rollup.user_1d ADD COLUMN worn_minutes smallint;
ALTER TABLE rollup.user_1d ADD COLUMN resting_heart_rate double precision;
COMMENT ON COLUMN rollup.user_15m.worn_minutes IS
  'Minutes with a heart rate of any device; null where readings were dropped before they were counted.';
COMMENT ON COLUMN rollup.user_1h.resting_heart_rate IS
  'The lowest average of a quarter of an hour with a heart rate in at least three minutes, beats per minute; null without one.';
