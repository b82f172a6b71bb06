-- The width of the buckets that a bucket of samples is added up from.
CREATE FUNCTION api_internal.sample_width(bucket text, tz text, range_start timestamptz, range_end timestamptz) RETURNS interval
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN CASE CASE WHEN bucket NOT IN ('1d', '1w', '1mo') THEN bucket
                   -- Of buckets of a calendar the time zone tells what they can be added up from; no time zone rules are needed
                   -- for time without samples.
                   ELSE api_internal.coarsest_level(
                          bucket, tz, greatest(range_start, api_internal.setting('oldest_timestamp')::timestamptz),
                          least(range_end, (SELECT b.newest + INTERVAL '24 hours' FROM api_internal.timestamp_bounds() AS b))) END
           WHEN '5m' THEN '5 minutes' WHEN '15m' THEN '15 minutes' WHEN '1h' THEN '1 hour' WHEN '1d' THEN '24 hours'
           -- A minute, within which devices are compared, belongs to the bucket in which it begins.
           ELSE '1 minute' END;
END
$$;

COMMENT ON FUNCTION api_internal.sample_width IS
  'The width of the buckets that a bucket of samples (1m, 5m, 15m, 1h, 1d, 1w, 1mo) is added up from in a half-open range; days, weeks and months are local to tz, an IANA name.';
