-- Rollups of samples: quarters of an hour, hours and days of each metric of a user, and of each device where several met.
--
-- They are filled by refreshes: every day of a user with samples is marked, so answers come from samples until a refresh gets there,
-- newest days first. Refreshers and writers wait until this transaction ends, so that no sample is stored without a mark.

LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;

-- Columns stand widest first, so that no byte is lost to alignment. Totals are whole millionths, which a day of large values at a
-- value a second makes more than 64 bits of.
CREATE TABLE rollup.sample_15m (
  bucket      timestamptz NOT NULL,
  first_ts    timestamptz NOT NULL,
  last_ts     timestamptz NOT NULL,
  lowest      double precision NOT NULL,
  highest     double precision NOT NULL,
  last_value  double precision NOT NULL,
  user_key    int NOT NULL,
  metric_key  int NOT NULL,
  samples     int NOT NULL,
  best_device int,
  sole_device int,
  total       numeric NOT NULL,
  CONSTRAINT sample_15m_identity PRIMARY KEY (user_key, metric_key, bucket)
);
COMMENT ON TABLE rollup.sample_15m IS
  'The samples of a metric of a user in each quarter of an hour that count, of several devices those of the best one, minute by minute: their number, sum in whole millionths of the metric''s unit, lowest, highest, first moment, and last moment and value. best_device gave all that count, null stands for several; sole_device gave all samples, null stands for several, whose own rows are in rollup.sample_device_15m.';

CREATE TABLE rollup.sample_1h (LIKE rollup.sample_15m);
-- A user's hours lie far apart in the table, so every column is in the index.
ALTER TABLE rollup.sample_1h ADD CONSTRAINT sample_1h_identity PRIMARY KEY (user_key, metric_key, bucket)
  INCLUDE (first_ts, last_ts, lowest, highest, last_value, samples, best_device, sole_device, total);
COMMENT ON TABLE rollup.sample_1h IS
  'The samples of a metric of a user in each hour (UTC) that is below the horizon as a whole; columns as in rollup.sample_15m, which it is added up from.';

CREATE TABLE rollup.sample_1d (LIKE rollup.sample_15m);
ALTER TABLE rollup.sample_1d ADD CONSTRAINT sample_1d_identity PRIMARY KEY (user_key, metric_key, bucket)
  INCLUDE (first_ts, last_ts, lowest, highest, last_value, samples, best_device, sole_device, total);
COMMENT ON TABLE rollup.sample_1d IS
  'The samples of a metric of a user on each day (UTC) that is below the horizon as a whole; columns as in rollup.sample_15m, which it is added up from.';

CREATE TABLE rollup.sample_device_15m (
  bucket     timestamptz NOT NULL,
  first_ts   timestamptz NOT NULL,
  last_ts    timestamptz NOT NULL,
  lowest     double precision NOT NULL,
  highest    double precision NOT NULL,
  last_value double precision NOT NULL,
  user_key   int NOT NULL,
  metric_key int NOT NULL,
  device_key int NOT NULL,
  samples    int NOT NULL,
  total      numeric NOT NULL,
  CONSTRAINT sample_device_15m_identity PRIMARY KEY (user_key, metric_key, bucket, device_key)
);
COMMENT ON TABLE rollup.sample_device_15m IS
  'All samples of a metric of a user by each device in a quarter of an hour in which several measured it; where a single one did, the row in rollup.sample_15m is its row as well.';
-- A new priority changes the quarters in which the device met others, and nothing else.
CREATE INDEX sample_device_15m_by_device ON rollup.sample_device_15m (device_key, bucket);

CREATE TABLE rollup.sample_device_1h (LIKE rollup.sample_device_15m,
  CONSTRAINT sample_device_1h_identity PRIMARY KEY (user_key, metric_key, bucket, device_key));
COMMENT ON TABLE rollup.sample_device_1h IS
  'All samples of a metric of a user by each device in an hour in which several measured it; where a single one did, the row in rollup.sample_1h is its row as well.';

CREATE TABLE rollup.sample_device_1d (LIKE rollup.sample_device_15m,
  CONSTRAINT sample_device_1d_identity PRIMARY KEY (user_key, metric_key, bucket, device_key));
COMMENT ON TABLE rollup.sample_device_1d IS
  'All samples of a metric of a user by each device on a day on which several measured it; where a single one did, the row in rollup.sample_1d is its row as well.';

-- Wide chunks: a question of a rollup opens every chunk of it before it knows which it needs.
SELECT create_hypertable(w.name::regclass, by_range('bucket', w.width), create_default_indexes => false)
  FROM (VALUES ('rollup.sample_15m', INTERVAL '1800 days'), ('rollup.sample_1h', INTERVAL '3600 days'),
               ('rollup.sample_1d', INTERVAL '3600 days'), ('rollup.sample_device_15m', INTERVAL '1800 days'),
               ('rollup.sample_device_1h', INTERVAL '3600 days'), ('rollup.sample_device_1d', INTERVAL '3600 days')) AS w (name, width);

ALTER TABLE core.stale_day ADD COLUMN sample_quarters bit(96);
COMMENT ON TABLE core.stale_day IS
  'Marks: each says which quarters of an hour (bits, the first one from midnight UTC) of a user''s day are out of date in the rollups, so that readers take them from raw readings and samples. Every write below the horizon adds a mark of its own; a refresh deletes those that it saw, together with writing what the readings and samples come to.';
COMMENT ON COLUMN core.stale_day.quarters IS 'The quarters of readings.';
COMMENT ON COLUMN core.stale_day.sample_quarters IS 'The quarters of samples, of every metric; null for none.';

-- No key: writers of the same user would wait for each other.
CREATE TABLE core.sample_day (
  day      timestamptz NOT NULL,
  user_key int NOT NULL,
  CONSTRAINT sample_day_starts_at_midnight_utc CHECK (day = time_bucket('1 day', day))
);
CREATE INDEX sample_day_by_user ON core.sample_day (user_key, day);
COMMENT ON TABLE core.sample_day IS
  'Which users have samples of a day (UTC) that the horizon has not passed: noted at least once by the writers of a day, read when the horizon moves on within it, and deleted when it has passed its end. Found otherwise only by looking at every series that there is.';

INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
  SELECT DISTINCT s.user_key, time_bucket(INTERVAL '24 hours', s.ts), B'0'::bit(96), ~ B'0'::bit(96)
    FROM core.sample AS s, core.horizon AS h
   WHERE s.ts < h.announced;
INSERT INTO core.sample_day (day, user_key)
  SELECT DISTINCT time_bucket(INTERVAL '24 hours', s.ts), s.user_key
    FROM core.sample AS s, core.horizon AS h
   WHERE s.ts >= time_bucket(INTERVAL '24 hours', h.announced);
