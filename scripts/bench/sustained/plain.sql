-- Readings, and hierarchical continuous aggregates by user.
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE SCHEMA plain;
CREATE TABLE plain.reading (
  ts         timestamptz NOT NULL,
  heart_rate float8,
  calories   float8,
  user_key   int NOT NULL,
  device_key int NOT NULL,
  steps      int,
  CONSTRAINT reading_identity PRIMARY KEY (user_key, device_key, ts)
);
SELECT create_hypertable('plain.reading', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);

CREATE MATERIALIZED VIEW plain.user_15m WITH (timescaledb.continuous) AS
SELECT time_bucket(INTERVAL '15 minutes', ts) AS bucket, user_key,
       sum(heart_rate) AS heart_rate_sum, count(heart_rate) AS heart_rate_count,
       min(heart_rate) AS heart_rate_min, max(heart_rate) AS heart_rate_max,
       sum(steps) AS steps_sum, count(steps) AS steps_count, min(steps) AS steps_min, max(steps) AS steps_max,
       sum(calories) AS calories_sum, count(calories) AS calories_count,
       min(calories) AS calories_min, max(calories) AS calories_max
  FROM plain.reading
 GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW plain.user_1h WITH (timescaledb.continuous) AS
SELECT time_bucket(INTERVAL '1 hour', bucket) AS bucket, user_key,
       sum(heart_rate_sum) AS heart_rate_sum, sum(heart_rate_count) AS heart_rate_count,
       min(heart_rate_min) AS heart_rate_min, max(heart_rate_max) AS heart_rate_max,
       sum(steps_sum) AS steps_sum, sum(steps_count) AS steps_count,
       min(steps_min) AS steps_min, max(steps_max) AS steps_max,
       sum(calories_sum) AS calories_sum, sum(calories_count) AS calories_count,
       min(calories_min) AS calories_min, max(calories_max) AS calories_max
  FROM plain.user_15m
 GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW plain.user_1d WITH (timescaledb.continuous) AS
SELECT time_bucket(INTERVAL '1 day', bucket) AS bucket, user_key,
       sum(heart_rate_sum) AS heart_rate_sum, sum(heart_rate_count) AS heart_rate_count,
       min(heart_rate_min) AS heart_rate_min, max(heart_rate_max) AS heart_rate_max,
       sum(steps_sum) AS steps_sum, sum(steps_count) AS steps_count,
       min(steps_min) AS steps_min, max(steps_max) AS steps_max,
       sum(calories_sum) AS calories_sum, sum(calories_count) AS calories_count,
       min(calories_min) AS calories_min, max(calories_max) AS calories_max
  FROM plain.user_1h
 GROUP BY 1, 2
WITH NO DATA;
