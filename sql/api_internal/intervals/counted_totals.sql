-- The daily totals that count.
CREATE FUNCTION api_internal.counted_totals(
  user_key int, metric_keys int[], range_start timestamptz, range_end timestamptz, only_device int DEFAULT NULL
) RETURNS TABLE (metric_key int, device_key int, ts timestamptz, ends_at timestamptz, amount bigint)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  horizon   CONSTANT core.horizon := (SELECT h FROM core.horizon AS h);
  places    int[];
  keys      int[];
  devices   int[];
  starts    timestamptz[];
  ends      timestamptz[];
  amounts   bigint[];
  statement text;
  place     int;
BEGIN
  SELECT array_agg(t.metric_key), array_agg(t.device_key), array_agg(t.ts), array_agg(t.ends_at), array_agg(t.amount)
    INTO keys, devices, starts, ends, amounts
    FROM (SELECT t.metric_key, t.device_key, t.ts, t.ends_at,
                 CASE WHEN m.is_whole THEN round(t.value)::bigint * 1000000 ELSE round(t.value * 1e6)::bigint END AS amount
            FROM core.daily_total AS t
            JOIN core.metric AS m USING (metric_key)
            JOIN core.device AS d USING (device_key)
           WHERE t.user_key = counted_totals.user_key AND t.metric_key = ANY (metric_keys)
             AND t.ts >= range_start AND t.ts < range_end AND t.ends_at <= range_end
             AND (only_device IS NULL OR t.device_key = only_device)
             -- Of those that overlap, the one of the best device counts, and of one device the newest.
             AND NOT EXISTS (SELECT
                               FROM core.daily_total AS o
                               JOIN core.device AS e USING (device_key)
                              WHERE o.user_key = t.user_key AND o.metric_key = t.metric_key
                                AND o.ts > t.ts - INTERVAL '25 hours' AND o.ts < t.ends_at AND o.ends_at > t.ts
                                AND (o.device_key = t.device_key AND o.version > t.version
                                     OR only_device IS NULL
                                        AND core.device_rank(e.priority, e.metric_priorities, e.device_key, o.metric_key)
                                            < core.device_rank(d.priority, d.metric_priorities, d.device_key, t.metric_key)))
             AND NOT EXISTS (SELECT
                               FROM core.interval AS i
                              WHERE i.user_key = t.user_key AND i.metric_key = t.metric_key
                                AND i.ts > t.ts - INTERVAL '24 hours' AND i.ts < t.ends_at AND i.ends_at > t.ts
                                AND (only_device IS NULL OR i.device_key = only_device))
             -- Where readings, samples and intervals are dropped, rollups tell that there were some.
             AND NOT (t.metric_key < 4 AND t.ts < horizon.raw_from
                      AND (EXISTS (SELECT
                                     FROM rollup.user_15m AS r
                                    WHERE r.user_key = t.user_key
                                      AND r.bucket > t.ts - INTERVAL '15 minutes' AND r.bucket < least(t.ends_at, horizon.raw_from)
                                      AND (only_device IS NULL OR r.sole_device = only_device)
                                      AND CASE t.metric_key WHEN 2 THEN r.steps IS NOT NULL ELSE r.calories IS NOT NULL END)
                           OR EXISTS (SELECT
                                        FROM rollup.device_15m AS r
                                       WHERE r.user_key = t.user_key AND r.device_key = only_device
                                         AND r.bucket > t.ts - INTERVAL '15 minutes' AND r.bucket < least(t.ends_at, horizon.raw_from)
                                         AND CASE t.metric_key WHEN 2 THEN r.steps IS NOT NULL ELSE r.calories IS NOT NULL END)))
             AND NOT (t.metric_key > 3 AND t.ts < horizon.samples_from
                      AND (EXISTS (SELECT
                                     FROM rollup.sample_15m AS r
                                    WHERE r.user_key = t.user_key AND r.metric_key = t.metric_key
                                      AND r.bucket > t.ts - INTERVAL '15 minutes' AND r.bucket < least(t.ends_at, horizon.samples_from)
                                      AND r.last_ts >= t.ts AND r.first_ts < t.ends_at
                                      AND (only_device IS NULL OR r.sole_device = only_device))
                           OR EXISTS (SELECT
                                        FROM rollup.sample_device_15m AS r
                                       WHERE r.user_key = t.user_key AND r.metric_key = t.metric_key AND r.device_key = only_device
                                         AND r.bucket > t.ts - INTERVAL '15 minutes' AND r.bucket < least(t.ends_at, horizon.samples_from)
                                         AND r.last_ts >= t.ts AND r.first_ts < t.ends_at)))) AS t;

  -- Anything finer is better. Literal bounds let the planner exclude chunks.
  FOR statement IN
    SELECT string_agg(format(
             CASE WHEN t.metric_key < 4
                  THEN 'SELECT %1$s WHERE NOT EXISTS (SELECT FROM core.reading WHERE user_key = %2$L AND ts >= %3$L AND ts < %4$L AND %5$I IS NOT NULL%6$s)'
                  ELSE 'SELECT %1$s WHERE NOT EXISTS (SELECT FROM core.sample WHERE user_key = %2$L AND ts >= %3$L AND ts < %4$L AND metric_key = %7$L%6$s)' END,
             t.place, counted_totals.user_key, t.ts, t.ends_at, CASE t.metric_key WHEN 2 THEN 'steps' ELSE 'calories' END,
             CASE WHEN only_device IS NULL THEN '' ELSE format(' AND device_key = %L', only_device) END, t.metric_key), ' UNION ALL ')
      FROM unnest(keys, starts, ends) WITH ORDINALITY AS t (metric_key, ts, ends_at, place)
     GROUP BY (t.place - 1) / 10
  LOOP
    FOR place IN EXECUTE statement LOOP
      metric_key := keys[place]; device_key := devices[place]; ts := starts[place]; ends_at := ends[place]; amount := amounts[place];
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.counted_totals IS
  'A user''s daily totals of metrics that lie in a range as a whole and count, in whole millionths: nothing finer of the metric lies in them, and no daily total of a better device, or a newer one of the device, overlaps them. only_device selects one device, of which alone the rest is seen, too.';
