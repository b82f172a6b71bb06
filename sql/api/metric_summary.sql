-- Exact aggregates of any metrics of a user over any range.
CREATE FUNCTION api.metric_summary(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, metrics text[] DEFAULT NULL, device_id text DEFAULT NULL
) RETURNS TABLE (
  metric   text,
  unit     text,
  kind     text,
  count    bigint,
  avg      double precision,
  min      double precision,
  max      double precision,
  total    double precision,
  last     double precision,
  last_ts  timestamptz,
  first_ts timestamptz
)
-- STABLE, so that readings, rollups and samples are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := api_internal.find_user(tenant_id, user_id);
  wanted_device CONSTANT int := CASE WHEN metric_summary.device_id IS NOT NULL
                                     THEN api_internal.find_device(tenant_id, metric_summary.device_id) END;
  is_known CONSTANT boolean := wanted_user IS NOT NULL AND (metric_summary.device_id IS NULL OR wanted_device IS NOT NULL);
  is_named CONSTANT boolean := metrics IS NOT NULL;
  keys int[];
BEGIN
  IF is_named THEN
    SELECT array_agg(m.metric_key) INTO keys FROM api_internal.find_metrics(tenant_id, metrics) AS m;
  ELSE
    keys := ARRAY[1, 2, 3] || ARRAY(SELECT s.metric_key FROM core.sample_series AS s WHERE s.user_key = wanted_user
                                    UNION
                                    SELECT s.metric_key FROM core.interval_series AS s WHERE s.user_key = wanted_user AND s.metric_key > 3);
  END IF;

  RETURN QUERY
    WITH found (metric_key, samples, mean, lowest, highest, total, last_value, last_ts, first_ts) AS (
      SELECT r.metric_key, sum(r.samples)::bigint,
             -- One correctly rounded division of the exact sum.
             sum(r.total)::double precision / (nullif(sum(r.samples), 0) * 1e6::double precision), min(r.lowest), max(r.highest),
             sum(r.total)::double precision / 1e6::double precision, public.last(r.last_value, r.last_ts), max(r.last_ts), min(r.first_ts)
        FROM (SELECT r.metric_key, r.samples, r.total, r.lowest, r.highest, r.last_value, r.last_ts, r.first_ts
                FROM api_internal.sample_rows(wanted_user, array_remove(array_remove(array_remove(keys, 1), 2), 3),
                                              range_start, range_end, wanted_device, INTERVAL '672 hours') AS r
              UNION ALL
              SELECT t.metric_key, 1, t.amount, NULL, NULL, NULL, t.ts, t.ts
                FROM api_internal.counted_totals(wanted_user, array_remove(array_remove(array_remove(keys, 1), 2), 3),
                                                 range_start, range_end, wanted_device) AS t
               WHERE EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 2)) AS r
       WHERE is_known
       GROUP BY 1
      UNION ALL
      -- The metrics of readings, of which rollups answer.
      SELECT h.metric_key, h.readings, s.heart_rate_avg, s.heart_rate_min, s.heart_rate_max, h.total, NULL, NULL, NULL
        FROM api.summary(metric_summary.tenant_id, metric_summary.user_id, range_start, range_end, metric_summary.device_id) AS s
       CROSS JOIN LATERAL (VALUES (1, s.heart_rate_count, NULL), (2, NULL, s.steps::double precision), (3, NULL, s.calories))
                       AS h (metric_key, readings, total)
       WHERE keys && ARRAY[1, 2, 3] AND (h.readings > 0 OR h.total IS NOT NULL)
    )
    SELECT m.name, m.unit, m.kind, CASE WHEN f.metric_key IS NULL THEN 0 ELSE f.samples END,
           CASE m.kind WHEN 'gauge' THEN f.mean END, CASE m.kind WHEN 'gauge' THEN f.lowest END,
           CASE m.kind WHEN 'gauge' THEN f.highest END, CASE m.kind WHEN 'sum' THEN f.total END,
           CASE m.kind WHEN 'latest' THEN f.last_value END, f.last_ts, f.first_ts
      FROM core.metric AS m
      LEFT JOIN found AS f USING (metric_key)
     WHERE m.metric_key = ANY (keys) AND (is_named OR f.metric_key IS NOT NULL)
     ORDER BY m.metric_key;
END
$$;

COMMENT ON FUNCTION api.metric_summary IS
  'One row for each metric: the aggregates of a user''s values in range_start <= t < range_end, exact at every moment, in the unit of the metric; of several devices the best one counts, chosen for each minute and metric. Of a gauge avg, min and max, of a sum the total, of latest the last value; null where nothing was measured. Named metrics have a row each; without names those that were measured in the range. last_ts and first_ts are when the first and the last counted value was measured. Of heart_rate, steps and calories, which rollups answer, last_ts and first_ts are null, and so is the count of steps and calories unless it is 0. An unknown metric is an error.';
