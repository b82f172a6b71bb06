-- Rollups that a refresh keeps up to date for the users, days and quarters of an hour that changed, and for nothing else.
--
-- The continuous aggregates before could only be refreshed by ranges of time: one late reading of one user had everybody's day
-- computed. Their content goes, since it can be computed again: every day of a user that they knew is marked stale, so answers
-- come from raw readings until the refresh gets there, newest days first. Where retention has dropped the raw readings, the
-- minutes of their devices stay, in core.kept_minute, and stand in for them.
--
-- Questions are answered as before until the end of this transaction; writers wait only from the exclusive lock below.

CREATE TABLE core.kept_minute (
  bucket           timestamptz NOT NULL,
  first_ts         timestamptz NOT NULL,
  last_ts          timestamptz NOT NULL,
  heart_rate_sum   bigint,
  heart_rate_count bigint NOT NULL,
  heart_rate_min   double precision,
  heart_rate_max   double precision,
  calories         bigint,
  steps            bigint,
  user_key         int NOT NULL,
  device_key       int NOT NULL,
  CONSTRAINT kept_minute_identity PRIMARY KEY (user_key, bucket, device_key)
);
COMMENT ON TABLE core.kept_minute IS
  'Minutes of devices whose raw readings retention dropped under a release that kept minutes for ever; nothing is added. Where they are, they stand in for the readings.';
SELECT create_hypertable('core.kept_minute', by_range('bucket', INTERVAL '30 days'), create_default_indexes => false);

CREATE TABLE core.last_value (
  ts         timestamptz NOT NULL,
  value      double precision NOT NULL,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  metric     text COLLATE "C" NOT NULL,
  CONSTRAINT last_value_identity PRIMARY KEY (user_key, metric)
);
COMMENT ON TABLE core.last_value IS
  'The last value of each metric of a user among the readings before core.horizon.raw_from, whose raw readings retention has dropped.';

CREATE TABLE core.changed_day (
  day     timestamptz NOT NULL,
  version bigint NOT NULL DEFAULT nextval('core.stale_version'),
  CONSTRAINT changed_day_identity PRIMARY KEY (day, version)
);
COMMENT ON TABLE core.changed_day IS
  'Days (UTC) whose rollups of users have changed since the last upkeep, a row for each piece of a refresh: upkeep refreshes populations and compresses readings there.';

ALTER TABLE core.stale_day RENAME TO formerly_stale_day;
ALTER TABLE core.formerly_stale_day RENAME CONSTRAINT stale_day_identity TO formerly_stale_day_identity;
DROP INDEX core.stale_day_newest_first;

CREATE TABLE core.stale_day (
  day      timestamptz NOT NULL,
  version  bigint NOT NULL DEFAULT nextval('core.stale_version'),
  user_key int NOT NULL,
  quarters bit(96) NOT NULL,
  CONSTRAINT stale_day_identity PRIMARY KEY (user_key, day, version),
  CONSTRAINT stale_day_starts_at_midnight_utc CHECK (day = time_bucket('1 day', day))
);
COMMENT ON TABLE core.stale_day IS
  'Marks: each says which quarters of an hour (bits, the first one from midnight UTC) of a user''s day are out of date in the rollups, so that readers take them from raw readings. Every write below the horizon adds a mark of its own; a refresh deletes those that it saw, together with writing what the readings come to.';
-- In the order in which a refresh takes them.
CREATE INDEX stale_day_newest_first ON core.stale_day (day DESC, user_key);

ALTER TABLE core.horizon ADD COLUMN events_materialized timestamptz;
ALTER TABLE core.horizon ADD COLUMN raw_from timestamptz NOT NULL DEFAULT '-infinity';
UPDATE core.horizon SET events_materialized = materialized;
ALTER TABLE core.horizon ALTER COLUMN events_materialized SET NOT NULL;
COMMENT ON TABLE core.horizon IS
  'Up to where rollups are trusted: those of readings below materialized, those of events below events_materialized, but for what is marked stale. It moves in steps, multiples of 15 minutes: announced first, so that writers below it mark from then on; materialized once what lies in between is marked. Raw readings before raw_from were dropped by retention, and no reading is accepted there any more.';

-- What the rollups know of users and days, before anybody has to wait.
INSERT INTO core.stale_day (user_key, day, quarters)
  SELECT r.user_key, time_bucket('1 day', r.bucket), ~ B'0'::bit(96)
    FROM rollup.user_15m AS r, core.horizon AS h
   WHERE r.bucket < h.materialized
   GROUP BY 1, 2;

DO $$
DECLARE
  dropped timestamptz[];
BEGIN
  SELECT array_agg(d.day ORDER BY d.day) INTO dropped
    FROM (SELECT DISTINCT s.day FROM core.stale_day AS s) AS d
   WHERE NOT EXISTS (SELECT FROM timescaledb_information.chunks AS i
                      WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'
                        AND i.range_start <= d.day AND i.range_end > d.day);
  IF dropped IS NULL THEN
    RETURN;
  END IF;
  UPDATE core.horizon SET raw_from = dropped[cardinality(dropped)] + INTERVAL '24 hours';
  -- Of a day with a chunk, a reading that came after the drop brought it back: what others did on that day is in the minutes only.
  INSERT INTO core.kept_minute
    SELECT m.bucket, m.first_ts, m.last_ts, m.heart_rate_sum, m.heart_rate_count, m.heart_rate_min, m.heart_rate_max,
           m.calories, m.steps, m.user_key, m.device_key
      FROM rollup.device_1m AS m
     WHERE m.bucket < (SELECT raw_from FROM core.horizon)
       AND (time_bucket('1 day', m.bucket) = ANY (dropped)
            OR NOT EXISTS (SELECT FROM core.reading AS r
                            WHERE r.user_key = m.user_key AND r.ts >= time_bucket('1 day', m.bucket)
                              AND r.ts < time_bucket('1 day', m.bucket) + INTERVAL '24 hours'));
  INSERT INTO core.last_value (user_key, metric, ts, value, device_key)
    SELECT DISTINCT ON (l.user_key, l.metric) l.user_key, l.metric, l.ts, l.value, l.device_key
      FROM (SELECT m.user_key, m.device_key, m.last_ts AS ts, v.metric, v.value
              FROM core.kept_minute AS m
             CROSS JOIN LATERAL (VALUES ('heart_rate', m.heart_rate_sum / (nullif(m.heart_rate_count, 0) * 1e6::double precision)),
                                        ('steps', m.steps), ('calories', m.calories / 1e6::double precision)) AS v (metric, value)
            UNION ALL
            SELECT r.user_key, r.device_key, r.ts, v.metric, v.value
              FROM core.reading AS r
             CROSS JOIN LATERAL (VALUES ('heart_rate', r.heart_rate), ('steps', r.steps), ('calories', r.calories)) AS v (metric, value)
             WHERE r.ts < (SELECT raw_from FROM core.horizon)) AS l
      JOIN core.device AS d USING (device_key)
     WHERE l.value IS NOT NULL
     ORDER BY l.user_key, l.metric, l.ts DESC, d.priority, d.device_key;
END
$$;

-- From here on writers wait: what they have marked so far moves over.
SELECT pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
INSERT INTO core.stale_day (user_key, day, quarters)
  SELECT s.user_key, s.day, ~ B'0'::bit(96) FROM core.formerly_stale_day AS s;

DROP SCHEMA IF EXISTS api CASCADE;
DROP MATERIALIZED VIEW rollup.user_1d;
DROP MATERIALIZED VIEW rollup.user_1h;
DROP MATERIALIZED VIEW rollup.user_15m;
DROP MATERIALIZED VIEW rollup.user_1m;
DROP MATERIALIZED VIEW rollup.device_1m;
DROP TABLE core.formerly_stale_day;

-- Columns stand widest first, so that no byte is lost to alignment. Sums count whole millionths: exact in any order.
CREATE TABLE rollup.user_15m (
  bucket            timestamptz NOT NULL,
  first_ts          timestamptz NOT NULL,
  last_ts           timestamptz NOT NULL,
  heart_rate_sum    bigint,
  heart_rate_min    double precision,
  heart_rate_max    double precision,
  calories          bigint,
  steps             bigint,
  user_key          int NOT NULL,
  heart_rate_count  int NOT NULL,
  heart_rate_device int,
  sole_device       int,
  CONSTRAINT user_15m_identity PRIMARY KEY (user_key, bucket)
);
COMMENT ON TABLE rollup.user_15m IS
  'What a user did in each quarter of an hour, of several devices the best one, minute by minute and metric by metric: sums of heart rate (beats per minute) and calories (kilocalories) in whole millionths. heart_rate_device gave all heart rates, 0 stands for several; sole_device gave every reading, null stands for several, whose own rows are in rollup.device_15m.';

CREATE TABLE rollup.user_1h (LIKE rollup.user_15m);
-- A user's hours lie far apart in the table, so every column is in the index.
ALTER TABLE rollup.user_1h ADD CONSTRAINT user_1h_identity PRIMARY KEY (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_min, heart_rate_max, calories, steps, heart_rate_count,
           heart_rate_device, sole_device);
COMMENT ON TABLE rollup.user_1h IS
  'What a user did in each hour (UTC) that is below the horizon as a whole; columns as in rollup.user_15m, which it is added up from.';

CREATE TABLE rollup.user_1d (LIKE rollup.user_15m);
ALTER TABLE rollup.user_1d ADD CONSTRAINT user_1d_identity PRIMARY KEY (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_min, heart_rate_max, calories, steps, heart_rate_count,
           heart_rate_device, sole_device);
COMMENT ON TABLE rollup.user_1d IS
  'What a user did on each day (UTC) that is below the horizon as a whole; columns as in rollup.user_15m, which it is added up from.';

CREATE TABLE rollup.device_15m (
  bucket           timestamptz NOT NULL,
  first_ts         timestamptz NOT NULL,
  last_ts          timestamptz NOT NULL,
  heart_rate_sum   bigint,
  heart_rate_min   double precision,
  heart_rate_max   double precision,
  calories         bigint,
  steps            bigint,
  user_key         int NOT NULL,
  device_key       int NOT NULL,
  heart_rate_count int NOT NULL,
  CONSTRAINT device_15m_identity PRIMARY KEY (user_key, bucket, device_key)
);
COMMENT ON TABLE rollup.device_15m IS
  'What each device measured of a user in a quarter of an hour in which several reported; where a single one did, the row in rollup.user_15m is its row as well.';
-- A new priority changes the quarters in which the device met others, and nothing else.
CREATE INDEX device_15m_by_device ON rollup.device_15m (device_key, bucket);

CREATE TABLE rollup.device_1h (LIKE rollup.device_15m,
  CONSTRAINT device_1h_identity PRIMARY KEY (user_key, bucket, device_key));
COMMENT ON TABLE rollup.device_1h IS
  'What each device measured of a user in an hour in which several reported; where a single one did, the row in rollup.user_1h is its row as well.';

CREATE TABLE rollup.device_1d (LIKE rollup.device_15m,
  CONSTRAINT device_1d_identity PRIMARY KEY (user_key, bucket, device_key));
COMMENT ON TABLE rollup.device_1d IS
  'What each device measured of a user on a day on which several reported; where a single one did, the row in rollup.user_1d is its row as well.';

-- Wide chunks: a question of a rollup opens every chunk of it before it knows which it needs.
SELECT create_hypertable(w.name::regclass, by_range('bucket', w.width), create_default_indexes => false)
  FROM (VALUES ('rollup.user_15m', INTERVAL '1800 days'), ('rollup.user_1h', INTERVAL '3600 days'),
               ('rollup.user_1d', INTERVAL '3600 days'), ('rollup.device_15m', INTERVAL '1800 days'),
               ('rollup.device_1h', INTERVAL '3600 days'), ('rollup.device_1d', INTERVAL '3600 days')) AS w (name, width);

UPDATE core.setting
   SET description = 'interval: at most so much of the events'' rollups is refreshed in one transaction'
 WHERE name = 'refresh_window';
INSERT INTO core.setting (name, value, description) VALUES
  ('refresh_step', '30 minutes',
   'interval: the horizon moves on in steps of so much, a multiple of 15 minutes that a day is a multiple of; short ones read more readings from rollups and cost more');
