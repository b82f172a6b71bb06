-- Raw readings, and the minutes kept in place of dropped ones, with the columns of a rollup.
CREATE VIEW api_internal.raw_rows AS
  SELECT * FROM api_internal.reading_rows
  UNION ALL
  SELECT user_key, device_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count::int, heart_rate_min,
         heart_rate_max, calories, steps
    FROM core.kept_minute;

COMMENT ON VIEW api_internal.raw_rows IS
  'The rows of api_internal.reading_rows, and the minutes of devices that an earlier release kept in place of dropped readings, all before raw_from of core.horizon. From raw_from on api_internal.reading_rows has the same rows and is planned faster.';
