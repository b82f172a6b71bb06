-- Values of every metric but the three that readings carry: a row for each, narrow.

-- Columns stand widest first, so that no byte is lost to alignment: 8 + 8 + 4 + 4 + 4.
-- No foreign keys: on a hypertable they deadlock with the creation of chunks.
CREATE TABLE core.sample (
  ts         timestamptz NOT NULL,
  value      double precision NOT NULL,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  metric_key int NOT NULL,
  -- Metric before device: questions are about one user and few metrics, of every device.
  CONSTRAINT sample_identity PRIMARY KEY (user_key, metric_key, device_key, ts),
  -- The widest bounds that a metric may have. NaN sorts above every number, so this refuses it too.
  CONSTRAINT sample_value_is_finite CHECK (value BETWEEN -1e9 AND 1e9),
  CONSTRAINT samples_are_of_no_metric_of_readings CHECK (metric_key > 3)
);
COMMENT ON TABLE core.sample IS
  'What a device measured of a user at a moment, of any metric but heart_rate, steps and calories, which are columns of core.reading. Values are in the unit of core.metric.';

-- Samples are narrow and sparse, and there are no rollups of them, so every question opens each chunk of its range: a year is 13
-- chunks of four weeks, where days would be 365 and cost more than the samples that they hold. Four weeks of a value a day also
-- make a batch of the columnstore that is worth its row. The price is memory: the index of the last four weeks is what writers
-- touch.
SELECT create_hypertable('core.sample', by_range('ts', INTERVAL '28 days'), create_default_indexes => false);

ALTER TABLE core.sample SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'user_key, metric_key, device_key',
  timescaledb.compress_orderby = 'ts DESC'
);

CREATE TABLE core.sample_series (
  user_key   int NOT NULL,
  metric_key int NOT NULL,
  device_key int NOT NULL,
  CONSTRAINT sample_series_identity PRIMARY KEY (user_key, metric_key, device_key)
);
COMMENT ON TABLE core.sample_series IS
  'Which devices have measured which metrics of a user: every identity of core.sample but for the timestamp. Looked up where the samples themselves would have to be read in full, for the metrics of a user and the latest of each. A row stays when its samples are deleted, and goes with the user.';
