-- The router reads every column of a user's rows in a range: from the index alone, since a user's buckets lie far apart
-- in the table.

DROP INDEX _timescaledb_internal.user_15m_by_user;
CREATE INDEX user_15m_by_user ON rollup.user_15m (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);

DROP INDEX _timescaledb_internal.user_1h_by_user;
CREATE INDEX user_1h_by_user ON rollup.user_1h (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);

DROP INDEX _timescaledb_internal.user_1d_by_user;
CREATE INDEX user_1d_by_user ON rollup.user_1d (user_key, bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);
