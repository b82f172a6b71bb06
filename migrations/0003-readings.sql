-- The hypertable of readings.

-- Columns stand widest first, so that no byte is lost to alignment: 8 + 8 + 8 + 4 + 4 + 4.
-- No foreign keys: on a hypertable they deadlock with the creation of chunks.
CREATE TABLE core.reading (
  ts         timestamptz NOT NULL,
  heart_rate double precision,
  calories   double precision,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  steps      int,
  -- User first: every question is about one user, and a user's devices lie side by side.
  CONSTRAINT reading_identity PRIMARY KEY (user_key, device_key, ts),
  -- NaN sorts above every number, so these refuse it too.
  CONSTRAINT heart_rate_in_range CHECK (heart_rate BETWEEN 30 AND 220),
  CONSTRAINT calories_in_range CHECK (calories BETWEEN 0 AND 10000),
  CONSTRAINT steps_in_range CHECK (steps BETWEEN 0 AND 100000),
  CONSTRAINT something_was_measured CHECK (num_nonnulls(heart_rate, calories, steps) > 0)
);
COMMENT ON TABLE core.reading IS
  'What a device measured for a user at a moment. Units: heart_rate beats per minute, calories kilocalories, steps a count; the last two since the device''s previous reading.';

SELECT create_hypertable('core.reading', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
