-- The implementation of api.event_counts: routes a range to rollups and events, and counts.
CREATE FUNCTION api_internal.count_events(
  wanted_tenant text, bucket_size text, wanted_source text, wanted_type text,
  range_start timestamptz, range_end timestamptz
) RETURNS TABLE (bucket timestamptz, source text, event_type text, count bigint)
-- STABLE, so that horizon, stale days, rollups and events are read in one snapshot.
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  bucket_width CONSTANT interval := CASE WHEN bucket_size IN ('1m', 'minute') THEN '1 minute'
                                       WHEN bucket_size IN ('1h', 'hour') THEN '1 hour'
                                       WHEN bucket_size IN ('1d', 'day') THEN '24 hours' END;
  lower_bound  CONSTANT timestamptz := coalesce(range_start, '-infinity');
  upper_bound  CONSTANT timestamptz := coalesce(range_end, 'infinity');
  wanted_key   int;
  trusted      timestamptz;
  stale        timestamptz[];
  level        record;
  level_from   timestamptz;
  level_to     timestamptz;
  -- The range that the levels so far answer for; each finer level extends it on both sides.
  rolled_from  timestamptz;
  rolled_to    timestamptz;
  -- Literal bounds let the planner exclude chunks. Empty parts are left out.
  parts        text;
BEGIN
  IF bucket_width IS NULL THEN
    RAISE EXCEPTION 'bucket_size is %', coalesce(bucket_size, 'null')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be one of 1m, 1h, 1d, or minute, hour, day.';
  END IF;
  SELECT t.tenant_key INTO wanted_key FROM api_internal.visible_tenant AS t WHERE t.tenant_id = wanted_tenant;
  IF wanted_key IS NULL OR lower_bound >= upper_bound THEN
    RETURN;
  END IF;

  SELECT least(upper_bound, h.events_materialized) INTO trusted FROM core.horizon AS h;
  IF lower_bound < trusted THEN
    SELECT array_agg(s.day ORDER BY s.day) INTO stale
      FROM core.stale_event_day AS s
     WHERE s.tenant_key = wanted_key AND s.day > lower_bound - INTERVAL '24 hours' AND s.day < trusted;
    FOR level IN
      SELECT l.name, l.width
        FROM (VALUES (1, 'event_1d', INTERVAL '24 hours'), (2, 'event_1h', INTERVAL '1 hour'),
                     (3, 'event_1m', INTERVAL '1 minute')) AS l (part, name, width)
       WHERE l.width <= bucket_width
       ORDER BY l.part
    LOOP
      level_from := public.time_bucket(level.width, lower_bound + level.width - INTERVAL '1 microsecond');
      level_to := public.time_bucket(level.width, trusted);
      CONTINUE WHEN level_from >= level_to;
      parts := concat_ws(' UNION ALL ', parts,
        (SELECT string_agg(
                  format('SELECT bucket AS moment, source, event_type, count FROM rollup.%I '
                         'WHERE tenant_key = %L AND bucket >= %L AND bucket < %L', level.name, wanted_key, p.start, p.stop)
                  || CASE WHEN stale IS NULL THEN ''
                          ELSE format(' AND public.time_bucket(INTERVAL ''24 hours'', bucket) <> ALL (%L::timestamptz[])',
                                      stale) END, ' UNION ALL ')
           FROM (VALUES (level_from, coalesce(rolled_from, level_to)), (rolled_to, level_to)) AS p (start, stop)
          WHERE p.start < p.stop));
      rolled_from := level_from;
      rolled_to := level_to;
    END LOOP;
  END IF;

  -- Ragged ends, time above the horizon, and stale days, with adjacent days in one part.
  parts := concat_ws(' UNION ALL ', parts,
    (SELECT string_agg(
              format('SELECT ts, source, event_type, 1::bigint FROM core.event '
                     'WHERE tenant_key = %L AND ts >= %L AND ts < %L', wanted_key, p.start, p.stop), ' UNION ALL ')
       FROM (VALUES (lower_bound, coalesce(rolled_from, upper_bound)), (rolled_to, upper_bound)
             UNION ALL
             SELECT greatest(min(i.day), rolled_from), least(max(i.day) + INTERVAL '24 hours', rolled_to)
               FROM (SELECT d.day, d.day - row_number() OVER (ORDER BY d.day) * INTERVAL '24 hours' AS island
                       FROM unnest(stale) AS d (day)) AS i
              WHERE rolled_from IS NOT NULL
              GROUP BY i.island) AS p (start, stop)
      WHERE p.start < p.stop));

  RETURN QUERY EXECUTE
    'SELECT public.time_bucket($1, moment), source, event_type, sum(count)::bigint
       FROM (' || parts || ') AS p (moment, source, event_type, count)
      WHERE ($2 IS NULL OR source = $2) AND ($3 IS NULL OR event_type = $3)
      GROUP BY 1, 2, 3
      ORDER BY 1, source COLLATE "C", event_type COLLATE "C"' USING bucket_width, wanted_source, wanted_type;
END
$$;

COMMENT ON FUNCTION api_internal.count_events IS
  'The implementation of api.event_counts, which callers use instead: counts from whole buckets of the bucket size and of finer rollups where they are below the horizon and in no stale day, and from events for the rest of the range.';
