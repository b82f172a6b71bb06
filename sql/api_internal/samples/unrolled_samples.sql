-- The samples of a user in buckets for which no rollup answers as a whole.
CREATE FUNCTION api_internal.unrolled_samples(user_key int, width interval) RETURNS SETOF api_internal.sample_row
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := user_key;
  horizon     CONSTANT timestamptz := (SELECT public.time_bucket(INTERVAL '1 hour', h.materialized) FROM core.horizon AS h);
  -- No sample is later than on the last day that is noted; without a note, none is on the day of the horizon.
  until       CONSTANT timestamptz := (SELECT max(d.day) + INTERVAL '24 hours' FROM core.sample_day AS d WHERE d.user_key = wanted_user);
  raw         CONSTANT tstzmultirange := coalesce(
    (SELECT range_agg(api_internal.quarter_ranges(s.day, s.sample_quarters))
       FROM core.stale_day AS s
      WHERE s.user_key = wanted_user AND s.sample_quarters IS NOT NULL), '{}')
    + CASE WHEN until > horizon THEN tstzmultirange(tstzrange(horizon, until)) ELSE '{}' END;
  -- The buckets that these lie in, and what rollups have of them.
  cut         CONSTANT tstzmultirange := coalesce(
    (SELECT range_agg(tstzrange(public.time_bucket(width, lower(r)), public.time_bucket(width, upper(r) + width - INTERVAL '1 microsecond')))
       FROM unnest(raw) AS r), '{}');
  rolled      CONSTANT tstzmultirange := (cut - raw) * tstzmultirange(tstzrange(NULL, horizon));
BEGIN
  RETURN QUERY
    SELECT r.metric_key,
           CASE WHEN count(r.sole_device) = count(*) AND min(r.sole_device) = max(r.sole_device) THEN min(r.sole_device) END,
           public.time_bucket(width, r.bucket), sum(r.samples)::bigint, sum(r.total), min(r.lowest), max(r.highest), min(r.first_ts),
           max(r.last_ts), public.last(r.last_value, r.last_ts)
      FROM api_internal.sample_part_rows(
             wanted_user, ARRAY(SELECT s.metric_key FROM core.sample_series AS s WHERE s.user_key = wanted_user GROUP BY 1), NULL,
             ARRAY(SELECT ('15m', lower(r), upper(r), NULL)::api_internal.part FROM unnest(rolled) AS r
                   UNION ALL
                   SELECT ('raw', lower(r), upper(r), NULL)::api_internal.part FROM unnest(raw) AS r), INTERVAL '15 minutes') AS r
     GROUP BY 1, 3;
END
$$;

COMMENT ON FUNCTION api_internal.unrolled_samples IS
  'The samples of a user, of every metric, by bucket of 15 minutes, an hour or a day (UTC), in the buckets that the horizon cuts, that lie above it, or that have a stale quarter of an hour: from samples, and from the rollup of the other quarters. The api.metrics_15m, api.metrics_1h and api.metrics_1d views take all other buckets from rollups.';
