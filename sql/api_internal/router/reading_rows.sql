-- Raw readings with the columns of a rollup.
CREATE VIEW api_internal.reading_rows AS
  SELECT user_key, device_key, ts AS bucket, ts AS first_ts, ts AS last_ts,
         round(heart_rate * 1e6)::bigint AS heart_rate_sum,
         (heart_rate IS NOT NULL)::int AS heart_rate_count,
         heart_rate AS heart_rate_min,
         heart_rate AS heart_rate_max,
         round(calories * 1e6)::bigint AS calories,
         steps::bigint AS steps
    FROM core.reading;

COMMENT ON VIEW api_internal.reading_rows IS
  'Every reading by key as a row of the finest resolution, with its timestamp as the bucket. Sums of heart rate and calories are in whole millionths.';
