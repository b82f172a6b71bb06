-- The router: which resolutions a range of a user is composed from.
CREATE FUNCTION api.parts(
  user_key int, range_start timestamptz, range_end timestamptz, coarsest text DEFAULT '1d'
) RETURNS TABLE (source text, part_start timestamptz, part_end timestamptz, stale_days timestamptz[])
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  width    CONSTANT interval := CASE coarsest WHEN '1d' THEN '24 hours' WHEN '1h' THEN '1 hour'
                                              WHEN '15m' THEN '15 minutes' WHEN '1m' THEN '1 minute' END;
  fine     CONSTANT interval := CASE WHEN coarsest = '1m' THEN '1 minute' ELSE '15 minutes' END;
  horizon  timestamptz;
  trusted  timestamptz;
  stale    timestamptz[];
  whole_from timestamptz;
  whole_to   timestamptz;
  first_day  timestamptz;
  last_day   timestamptz;
BEGIN
  SELECT h.materialized INTO horizon FROM core.horizon AS h;
  trusted := least(range_end, horizon);
  IF width IS NULL OR range_start >= trusted THEN
    RETURN QUERY SELECT 'raw', range_start, range_end, NULL::timestamptz[] WHERE range_start < range_end;
    RETURN;
  END IF;

  SELECT array_agg(s.day ORDER BY s.day) INTO stale
    FROM core.stale_day AS s
   WHERE s.user_key = parts.user_key
     AND s.day > range_start - INTERVAL '24 hours'
     AND s.day < trusted;

  -- Whole buckets of the coarsest level, but for stale days.
  whole_from := public.time_bucket(width, range_start + width - INTERVAL '1 microsecond');
  whole_to := public.time_bucket(width, trusted);
  IF whole_from < whole_to THEN
    source := coarsest; part_start := whole_from; part_end := whole_to; stale_days := stale;
    first_day := public.time_bucket(INTERVAL '24 hours', whole_from);
    last_day := public.time_bucket(INTERVAL '24 hours', whole_to - INTERVAL '1 microsecond');
    IF stale IS NULL OR extract(epoch FROM last_day - first_day) / 86400 + 1
                        > (SELECT count(*) FROM unnest(stale) AS d (day) WHERE d.day BETWEEN first_day AND last_day) THEN
      RETURN NEXT; -- unless every day of it is stale
    END IF;
    RETURN QUERY SELECT * FROM api.ragged_parts(coarsest, fine, range_start, whole_from, stale);
    RETURN QUERY SELECT * FROM api.ragged_parts(coarsest, fine, whole_to, trusted, stale);
  ELSE
    RETURN QUERY SELECT * FROM api.ragged_parts(coarsest, fine, range_start, trusted, stale);
  END IF;

  -- Stale days, neighbours together, and what is not materialized yet.
  IF stale IS NOT NULL THEN
    RETURN QUERY
      SELECT 'raw', greatest(min(i.day), range_start), least(max(i.day) + INTERVAL '24 hours', trusted), NULL::timestamptz[]
        FROM (SELECT d.day, d.day - row_number() OVER (ORDER BY d.day) * INTERVAL '24 hours' AS island
                FROM unnest(stale) AS d (day)) AS i
       GROUP BY i.island;
  END IF;
  RETURN QUERY SELECT 'raw', trusted, range_end, NULL::timestamptz[] WHERE trusted < range_end;
END
$$;

COMMENT ON FUNCTION api.parts IS
  'Splits a half-open range of a user into the parts that together answer for it: whole buckets of the coarsest rollup allowed (1d, 1h, 15m, 1m or raw), finer ones beside them, and raw readings for ragged ends, for stale days, and above the horizon. A part of a rollup leaves out its stale_days. Must be read in the same snapshot as the rollups.';
