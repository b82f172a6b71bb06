-- What devices counted over an interval, when they were worn, and totals of days.

ALTER TABLE core.metric ADD COLUMN is_whole boolean NOT NULL DEFAULT false;
ALTER TABLE core.metric ADD CONSTRAINT only_sums_are_whole CHECK (NOT is_whole OR kind = 'sum');
UPDATE core.metric SET is_whole = true WHERE tenant_key IS NULL AND name IN ('steps', 'floors', 'wheelchair_pushes', 'swim_strokes');
COMMENT ON COLUMN core.metric.is_whole IS
  'Whether a sum counts whole things: what an interval holds is shared over its minutes in whole units then, else in whole millionths.';

-- The order of writes, which decides between intervals of one device that overlap.
CREATE SEQUENCE core.interval_version;

-- Columns stand widest first, so that no byte is lost to alignment. No foreign keys: on a hypertable they deadlock with the
-- creation of chunks.
CREATE TABLE core.interval (
  ts         timestamptz NOT NULL,
  ends_at    timestamptz NOT NULL,
  value      double precision NOT NULL,
  version    bigint NOT NULL,
  user_key   int NOT NULL,
  metric_key int NOT NULL,
  device_key int NOT NULL,
  -- Time before device: questions are about a range of a user and a metric, of every device. An interval lasts 24 hours at most, so
  -- those that overlap a range begin within the range or in the 24 hours before it.
  CONSTRAINT interval_identity PRIMARY KEY (user_key, metric_key, ts, device_key),
  CONSTRAINT interval_lasts_at_most_24_hours CHECK (ends_at > ts AND ends_at <= ts + INTERVAL '24 hours'),
  -- NaN sorts above every number, so this refuses it too.
  CONSTRAINT interval_value_counts_up CHECK (value BETWEEN 0 AND 1e9),
  -- 1 is heart_rate, a level.
  CONSTRAINT interval_is_of_a_sum CHECK (metric_key > 1)
);
COMMENT ON TABLE core.interval IS
  'What a device counted of a user from a moment to another, of any metric that is a sum, also steps and calories. Values are in the unit of core.metric.';
COMMENT ON COLUMN core.interval.version IS 'From core.interval_version, a new one with every change: of overlapping intervals of one device the newer one counts.';

-- As wide as chunks of samples, for the same reason.
SELECT create_hypertable('core.interval', by_range('ts', INTERVAL '28 days'), create_default_indexes => false);

ALTER TABLE core.interval SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'user_key, metric_key, device_key',
  timescaledb.compress_orderby = 'ts DESC'
);

-- Some rows a day, so plain tables, which need no chunks to be opened.
CREATE TABLE core.worn_window (
  ts         timestamptz NOT NULL,
  ends_at    timestamptz NOT NULL,
  version    bigint NOT NULL,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  CONSTRAINT worn_window_identity PRIMARY KEY (user_key, ts, device_key),
  CONSTRAINT worn_window_lasts_at_most_24_hours CHECK (ends_at > ts AND ends_at <= ts + INTERVAL '24 hours')
);
COMMENT ON TABLE core.worn_window IS
  'When a user wore a device: what it counts in an hour, it counts in every worn minute of that hour, zero where it sends nothing.';

CREATE TABLE core.daily_total (
  ts         timestamptz NOT NULL,
  ends_at    timestamptz NOT NULL,
  value      double precision NOT NULL,
  version    bigint NOT NULL,
  user_key   int NOT NULL,
  metric_key int NOT NULL,
  device_key int NOT NULL,
  CONSTRAINT daily_total_identity PRIMARY KEY (user_key, metric_key, ts, device_key),
  -- A day on which clocks are set back has 25 hours.
  CONSTRAINT daily_total_lasts_at_most_25_hours CHECK (ends_at > ts AND ends_at <= ts + INTERVAL '25 hours'),
  CONSTRAINT daily_total_value_counts_up CHECK (value BETWEEN 0 AND 1e9),
  CONSTRAINT daily_total_is_of_a_sum CHECK (metric_key > 1)
);
COMMENT ON TABLE core.daily_total IS
  'What a device counted of a user in a day, where it says no more than that. Counts where nothing finer is known, is never shared out, and is in no rollup.';

CREATE TABLE core.interval_series (
  user_key   int NOT NULL,
  metric_key int NOT NULL,
  device_key int NOT NULL,
  kind       smallint NOT NULL,
  CONSTRAINT interval_series_identity PRIMARY KEY (user_key, kind, metric_key, device_key),
  CONSTRAINT interval_series_kind_is_known CHECK (kind BETWEEN 0 AND 2),
  CONSTRAINT worn_windows_have_no_metric CHECK ((kind = 1) = (metric_key = 0))
);
COMMENT ON TABLE core.interval_series IS
  'Which devices have intervals (kind 0), worn windows (1) and daily totals (2) of which metrics of a user, so that questions about a user without any find that out by one lookup. Writers of one series lock its row. A row stays when its intervals are deleted, and goes with the user.';
