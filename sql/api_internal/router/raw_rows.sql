-- Raw readings, and the minutes that stand in for those that retention dropped, in the columns of a rollup.
CREATE VIEW api_internal.raw_rows AS
  SELECT * FROM api_internal.reading_rows
  UNION ALL
  SELECT user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count::int, heart_rate_min,
         heart_rate_max, calories, steps
    FROM core.kept_minute;

COMMENT ON VIEW api_internal.raw_rows IS
  'The rows of api_internal.reading_rows, and minutes of devices where an earlier release kept those and retention dropped the readings, which is before raw_from of core.horizon alone. From there on api_internal.reading_rows holds the same and is planned sooner.';
