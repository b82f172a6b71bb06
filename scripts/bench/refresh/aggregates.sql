-- Hierarchical continuous aggregates over a hypertable, without a rule for several devices.
CREATE SCHEMA plain;

CREATE TABLE plain.reading (
  ts         timestamptz NOT NULL,
  heart_rate double precision,
  calories   double precision,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  steps      int,
  CONSTRAINT reading_identity PRIMARY KEY (user_key, device_key, ts)
);
SELECT create_hypertable('plain.reading', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);

CREATE MATERIALIZED VIEW plain.user_15m WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
  SELECT time_bucket(INTERVAL '15 minutes', ts) AS bucket,
         user_key,
         sum(heart_rate) AS heart_rate_sum,
         count(heart_rate) AS heart_rate_count,
         min(heart_rate) AS heart_rate_min,
         max(heart_rate) AS heart_rate_max,
         sum(steps) AS steps,
         sum(calories) AS calories
    FROM plain.reading
   GROUP BY 1, 2
  WITH NO DATA;

CREATE MATERIALIZED VIEW plain.user_1h WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
  SELECT time_bucket(INTERVAL '1 hour', bucket) AS bucket,
         user_key,
         sum(heart_rate_sum) AS heart_rate_sum,
         sum(heart_rate_count)::bigint AS heart_rate_count,
         min(heart_rate_min) AS heart_rate_min,
         max(heart_rate_max) AS heart_rate_max,
         sum(steps)::bigint AS steps,
         sum(calories) AS calories
    FROM plain.user_15m
   GROUP BY 1, 2
  WITH NO DATA;

CREATE MATERIALIZED VIEW plain.user_1d WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
  SELECT time_bucket(INTERVAL '1 day', bucket) AS bucket,
         user_key,
         sum(heart_rate_sum) AS heart_rate_sum,
         sum(heart_rate_count)::bigint AS heart_rate_count,
         min(heart_rate_min) AS heart_rate_min,
         max(heart_rate_max) AS heart_rate_max,
         sum(steps)::bigint AS steps,
         sum(calories) AS calories
    FROM plain.user_1h
   GROUP BY 1, 2
  WITH NO DATA;
