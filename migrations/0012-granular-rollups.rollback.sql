DO $$
BEGIN
  IF (SELECT isfinite(raw_from) FROM core.horizon) THEN
    RAISE EXCEPTION 'rollups hold what was measured before %, and raw readings do not', (SELECT raw_from FROM core.horizon)
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'The release before could not keep them.',
            HINT = 'Restore a backup from before the migration, or give those readings up: UPDATE core.horizon SET raw_from = ''-infinity''.';
  END IF;
END
$$;
SELECT pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
DELETE FROM core.setting WHERE name = 'refresh_step';
UPDATE core.setting
   SET description = 'interval: at most so much is refreshed in one transaction'
 WHERE name = 'refresh_window';
CREATE TABLE core.formerly_stale_day (
  day      timestamptz NOT NULL,
  version  bigint NOT NULL,
  claimed  bigint,
  user_key int NOT NULL,
  CONSTRAINT formerly_stale_day_identity PRIMARY KEY (user_key, day),
  CONSTRAINT stale_day_starts_at_midnight_utc CHECK (day = time_bucket('1 day', day))
);
COMMENT ON TABLE core.formerly_stale_day IS
  'Days (UTC) of users below the horizon whose rollups are out of date, so that readers take them from raw readings. Each write gives a new version; a refresh claims the version it saw, and removes the row only if that is still the one.';
INSERT INTO core.formerly_stale_day (user_key, day, version)
  SELECT k.user_key, k.day, nextval('core.stale_version')
    FROM (SELECT s.user_key, s.day FROM core.stale_day AS s
          UNION
          SELECT r.user_key, time_bucket('1 day', r.bucket) FROM rollup.user_15m AS r) AS k, core.horizon AS h
   WHERE k.day < h.announced;
DROP TABLE rollup.device_1d;
DROP TABLE rollup.device_1h;
DROP TABLE rollup.device_15m;
DROP TABLE rollup.user_1d;
DROP TABLE rollup.user_1h;
DROP TABLE rollup.user_15m;
DROP TABLE core.stale_day;
ALTER TABLE core.formerly_stale_day RENAME TO stale_day;
ALTER TABLE core.stale_day RENAME CONSTRAINT formerly_stale_day_identity TO stale_day_identity;
CREATE INDEX stale_day_newest_first ON core.stale_day (day DESC);
DROP TABLE core.changed_day;
DROP TABLE core.last_value;
DROP TABLE core.kept_minute;
UPDATE core.horizon SET materialized = least(materialized, events_materialized);
ALTER TABLE core.horizon DROP COLUMN raw_from;
ALTER TABLE core.horizon DROP COLUMN events_materialized;
COMMENT ON TABLE core.horizon IS
  'Up to where rollups are trusted. Moves in two steps, both multiples of 15 minutes: announced, then, once every rollup is refreshed, materialized.';
-- Sums count whole millionths: exact in any order. bucket is the first column at every level, because TimescaleDB
-- compares the positions of columns across levels. One index each: the three automatic ones tripled the cost.
CREATE MATERIALIZED VIEW rollup.device_1m
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 minute', ts) AS bucket,
         min(ts) AS first_ts,
         max(ts) AS last_ts,
         sum(round(heart_rate * 1e6)::bigint)::bigint AS heart_rate_sum,
         count(heart_rate) AS heart_rate_count,
         min(heart_rate) AS heart_rate_min,
         max(heart_rate) AS heart_rate_max,
         sum(round(calories * 1e6)::bigint)::bigint AS calories,
         sum(steps) AS steps,
         user_key,
         device_key
    FROM core.reading
   GROUP BY 1, user_key, device_key
  WITH NO DATA;
CREATE INDEX device_1m_by_user ON rollup.device_1m (user_key, bucket);

-- Where devices meet: for each metric the best device that reported it, the smallest priority, then the first registered.
CREATE MATERIALIZED VIEW rollup.user_1m
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 minute', r.bucket) AS bucket,
         min(r.first_ts) AS first_ts,
         max(r.last_ts) AS last_ts,
         first(r.heart_rate_sum, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_sum,
         coalesce(first(r.heart_rate_count, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.heart_rate_count > 0), 0) AS heart_rate_count,
         first(r.heart_rate_min, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_min,
         first(r.heart_rate_max, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_max,
         first(r.calories, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.calories IS NOT NULL) AS calories,
         first(r.steps, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.steps IS NOT NULL) AS steps,
         first(r.device_key, (d.priority::bigint << 32) + d.device_key)
           FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_device,
         r.user_key
    FROM rollup.device_1m AS r
    JOIN core.device AS d ON d.device_key = r.device_key
   GROUP BY 1, r.user_key
  WITH NO DATA;
CREATE INDEX user_1m_by_user ON rollup.user_1m (user_key, bucket);

CREATE MATERIALIZED VIEW rollup.user_15m
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '15 minutes', bucket) AS bucket,
         min(first_ts) AS first_ts,
         max(last_ts) AS last_ts,
         sum(heart_rate_sum)::bigint AS heart_rate_sum,
         sum(heart_rate_count)::bigint AS heart_rate_count,
         min(heart_rate_min) AS heart_rate_min,
         max(heart_rate_max) AS heart_rate_max,
         sum(calories)::bigint AS calories,
         sum(steps)::bigint AS steps,
         -- The device, where a single one gave all: 0 stands for several.
         CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device)
              WHEN min(heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
         user_key
    FROM rollup.user_1m
   GROUP BY 1, user_key
  WITH NO DATA;
CREATE INDEX user_15m_by_user ON rollup.user_15m (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);

CREATE MATERIALIZED VIEW rollup.user_1h
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 hour', bucket) AS bucket,
         min(first_ts) AS first_ts,
         max(last_ts) AS last_ts,
         sum(heart_rate_sum)::bigint AS heart_rate_sum,
         sum(heart_rate_count)::bigint AS heart_rate_count,
         min(heart_rate_min) AS heart_rate_min,
         max(heart_rate_max) AS heart_rate_max,
         sum(calories)::bigint AS calories,
         sum(steps)::bigint AS steps,
         CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device)
              WHEN min(heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
         user_key
    FROM rollup.user_15m
   GROUP BY 1, user_key
  WITH NO DATA;
CREATE INDEX user_1h_by_user ON rollup.user_1h (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);

CREATE MATERIALIZED VIEW rollup.user_1d
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 day', bucket) AS bucket,
         min(first_ts) AS first_ts,
         max(last_ts) AS last_ts,
         sum(heart_rate_sum)::bigint AS heart_rate_sum,
         sum(heart_rate_count)::bigint AS heart_rate_count,
         min(heart_rate_min) AS heart_rate_min,
         max(heart_rate_max) AS heart_rate_max,
         sum(calories)::bigint AS calories,
         sum(steps)::bigint AS steps,
         CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device)
              WHEN min(heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
         user_key
    FROM rollup.user_1h
   GROUP BY 1, user_key
  WITH NO DATA;
CREATE INDEX user_1d_by_user ON rollup.user_1d (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);

CREATE INDEX user_15m_by_hour
  ON rollup.user_15m (user_key, (extract(hour FROM bucket AT TIME ZONE 'UTC')::int), bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);
SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name), width)
  FROM timescaledb_information.continuous_aggregates
  JOIN (VALUES ('device_1m', INTERVAL '10 days'), ('user_1m', INTERVAL '30 days'), ('user_15m', INTERVAL '1800 days'),
               ('user_1h', INTERVAL '3600 days'), ('user_1d', INTERVAL '3600 days')) AS w (view_name, width)
    USING (view_name)
 WHERE view_schema = 'rollup';
