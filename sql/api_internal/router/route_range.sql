-- The router: chooses the resolutions that a range of a user is composed from.
CREATE FUNCTION api_internal.route_range(
  user_key int, range_start timestamptz, range_end timestamptz, coarsest text DEFAULT '1d', of_samples boolean DEFAULT false
) RETURNS TABLE (source text, part_start timestamptz, part_end timestamptz)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  -- The ranges that no resolution answers for yet.
  rest  tstzmultirange := tstzmultirange(tstzrange(range_start, greatest(range_start, range_end)));
  stale tstzmultirange := '{}';
  taken tstzmultirange;
  level record;
BEGIN
  IF coarsest IN ('1d', '1h', '15m') AND range_start < (SELECT h.materialized FROM core.horizon AS h) THEN
    -- The ranges that no rollup answers for: above the horizon, and the marked quarters below it.
    SELECT range_agg(r.ranges) INTO stale
      FROM (SELECT tstzmultirange(tstzrange(h.materialized, NULL)) AS ranges FROM core.horizon AS h
            UNION ALL
            -- Samples are rolled up by whole hours.
            SELECT tstzmultirange(tstzrange(public.time_bucket(INTERVAL '1 hour', h.materialized), h.materialized))
              FROM core.horizon AS h
             WHERE of_samples
            UNION ALL
            SELECT api_internal.quarter_ranges(s.day, CASE WHEN of_samples THEN s.sample_quarters ELSE s.quarters END)
              FROM core.stale_day AS s
             WHERE s.user_key = route_range.user_key
               AND s.day > range_start - INTERVAL '24 hours' AND s.day < range_end
               AND CASE WHEN of_samples THEN s.sample_quarters IS NOT NULL ELSE s.quarters <> B'0'::bit(96) END) AS r;
    -- Where there are intervals, what changes in one quarter may change what counts in its hour, and nothing is marked above the horizon.
    IF EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = route_range.user_key AND i.kind < 2 AND i.metric_key < 4) THEN
      stale := api_internal.whole_hours(stale);
    END IF;
    FOR level IN
      SELECT l.name, l.width
        FROM (VALUES ('1d', INTERVAL '24 hours'), ('1h', INTERVAL '1 hour'), ('15m', INTERVAL '15 minutes')) AS l (name, width)
       -- Only two levels, since querying another level costs more than the rows that it saves.
       WHERE l.name IN (coarsest, '15m')
       ORDER BY l.width DESC
    LOOP
      -- Whole buckets without a stale quarter.
      SELECT range_agg(tstzrange(b.whole_from, b.whole_to)) INTO taken
        FROM (SELECT public.time_bucket(level.width, lower(r.range) + level.width - INTERVAL '1 microsecond') AS whole_from,
                     public.time_bucket(level.width, upper(r.range)) AS whole_to
                FROM unnest(rest) AS r (range)) AS b
       WHERE b.whole_from < b.whole_to;
      SELECT taken - range_agg(tstzrange(public.time_bucket(level.width, lower(r.range)),
                                         public.time_bucket(level.width, upper(r.range) + level.width - INTERVAL '1 microsecond')))
        INTO taken
        FROM unnest(stale) AS r (range);
      RETURN QUERY SELECT level.name, lower(r.range), upper(r.range) FROM unnest(taken) AS r (range);
      rest := rest - coalesce(taken, '{}');
    END LOOP;
  END IF;
  RETURN QUERY SELECT 'raw', lower(r.range), upper(r.range) FROM unnest(rest) AS r (range);
END
$$;

COMMENT ON FUNCTION api_internal.route_range IS
  'Splits a half-open range of a user into the parts that together answer for it: whole buckets of the coarsest rollup allowed (1d, 1h, 15m; raw for none), quarters of an hour beside them, and raw readings for ragged ends, for stale quarters, and above the horizon; with of_samples for those of samples, of every metric. The result is valid in the snapshot of this call.';
