-- Where local midnights lie between two hours, each local day takes the quarters of one hour of the day from here: they lie
-- side by side in this index, and a day apart in the other.
CREATE INDEX user_15m_by_hour
  ON rollup.user_15m (user_key, (extract(hour FROM bucket AT TIME ZONE 'UTC')::int), bucket)
  INCLUDE (first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, steps,
           heart_rate_device);
