-- Any metrics of a user by bucket, over any range.
CREATE FUNCTION api.metric_series(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, metrics text[],
  bucket text DEFAULT 'auto', tz text DEFAULT 'UTC', max_points int DEFAULT 1000, device_id text DEFAULT NULL
) RETURNS TABLE (
  t           timestamptz,
  metric      text,
  unit        text,
  kind        text,
  count       bigint,
  avg         double precision,
  min         double precision,
  max         double precision,
  total       double precision,
  last        double precision,
  sole_device text,
  bucket_used text
)
-- STABLE, so that readings, rollups and samples are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The query's text contains timestamps; other styles write them with ambiguous zone abbreviations.
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  zone          CONSTANT text := api.time_zone(tz);
  wanted_user   CONSTANT int := api_internal.find_user(tenant_id, user_id);
  wanted_device CONSTANT int := CASE WHEN metric_series.device_id IS NOT NULL
                                     THEN api_internal.find_device(tenant_id, metric_series.device_id) END;
  keys  int[];
  unit  text;
  width interval;
  -- The samples that count by bucket: metric_key, label of the bucket, aggregates; and the start of a bucket by its label.
  buckets text;
  start   text := 'label';
BEGIN
  bucket_used := CASE bucket WHEN 'auto' THEN api.auto_bucket(range_start, range_end, max_points) ELSE bucket END;
  IF bucket_used NOT IN ('raw', '1m', '5m', '15m', '1h', '1d', '1w', '1mo') THEN
    RAISE EXCEPTION 'bucket is %', bucket
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be one of auto, raw, 1m, 5m, 15m, 1h, 1d, 1w, 1mo.';
  END IF;
  SELECT array_agg(m.metric_key) INTO keys FROM api_internal.find_metrics(tenant_id, metrics) AS m;
  IF wanted_user IS NULL OR (metric_series.device_id IS NOT NULL AND wanted_device IS NULL) THEN
    RETURN;
  END IF;
  IF bucket = 'auto' AND bucket_used IN ('1m', '5m')
     AND range_start < (SELECT CASE WHEN keys && ARRAY[1, 2, 3] THEN h.raw_from ELSE h.samples_from END FROM core.horizon AS h) THEN
    bucket_used := '15m'; -- the finest resolution that retention keeps
  END IF;

  IF bucket_used = 'raw' THEN
    buckets := format(
      'SELECT s.ts AS label, s.metric_key, 1::bigint AS samples, round(s.value * 1e6)::bigint AS total, s.value AS lowest,
              s.value AS highest, s.value AS last_value, s.device_key
         FROM core.sample AS s
        WHERE s.user_key = $1 AND s.metric_key = ANY ($2) AND s.ts >= %L AND s.ts < %L
          AND ($5 IS NULL OR s.device_key = $5)',
      range_start, range_end);
    IF EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 0 AND i.metric_key > 3) THEN
      buckets := buckets || format(
        ' UNION ALL
         SELECT s.ts, s.metric_key, 1, round(s.value * 1e6)::bigint, s.value, s.value, s.value, s.device_key
           FROM core.interval AS s
          WHERE s.user_key = $1 AND s.metric_key = ANY ($2) AND s.ts >= %L AND s.ts < %L
            AND ($5 IS NULL OR s.device_key = $5)',
        range_start, range_end);
    END IF;
  ELSE
    unit := CASE bucket_used WHEN '1d' THEN 'day' WHEN '1w' THEN 'week' WHEN '1mo' THEN 'month' END;
    width := api_internal.sample_width(bucket_used, zone, range_start, range_end);
    buckets := format(
      'SELECT %s AS label, r.metric_key, sum(r.samples)::bigint AS samples, sum(r.total) AS total, min(r.lowest) AS lowest,
              max(r.highest) AS highest, public.last(r.last_value, r.last_ts) AS last_value,
              CASE WHEN count(r.sole_device) = count(*) AND min(r.sole_device) = max(r.sole_device) THEN min(r.sole_device) END AS device_key
         FROM (%s) AS r
        GROUP BY 1, 2',
      CASE WHEN unit IS NULL THEN 'r.bucket' ELSE format('date_trunc(%L, r.bucket AT TIME ZONE %L)', unit, zone) END,
      format('SELECT * FROM api_internal.sample_rows($1, $2, $3, $4, $5, %L, %L)', width, CASE WHEN unit IS NOT NULL THEN zone END)
      || CASE WHEN unit IS NOT NULL AND EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 2)
              -- Daily totals count in the bucket in which they lie as a whole.
              THEN format(' UNION ALL SELECT t.metric_key, t.device_key, t.ts, 1, t.amount, NULL, NULL, t.ts, t.ts, NULL
                                        FROM api_internal.counted_totals($1, $2, $3, $4, $5) AS t
                                       WHERE date_trunc(%1$L, t.ts AT TIME ZONE %2$L)
                                             = date_trunc(%1$L, (t.ends_at - INTERVAL ''1 microsecond'') AT TIME ZONE %2$L)', unit, zone)
              ELSE '' END);
    IF unit IS NOT NULL THEN
      start := format('api_internal.local_start(label, %L)', zone);
    END IF;
  END IF;

  RETURN QUERY EXECUTE
    'SELECT v.t, m.name, m.unit, m.kind, v.samples, CASE m.kind WHEN ''gauge'' THEN v.mean END,
            CASE m.kind WHEN ''gauge'' THEN v.lowest END, CASE m.kind WHEN ''gauge'' THEN v.highest END,
            CASE m.kind WHEN ''sum'' THEN v.total END, CASE m.kind WHEN ''latest'' THEN v.last_value END, v.device_id, $6
       FROM (SELECT ' || start || ' AS t, b.metric_key, b.samples,
                    -- One correctly rounded division of the exact sum.
                    b.total::double precision / (nullif(b.samples, 0) * 1e6::double precision) AS mean, b.lowest, b.highest,
                    b.total::double precision / 1e6::double precision AS total, b.last_value, d.device_id
               FROM (' || buckets || ') AS b
               LEFT JOIN core.device AS d USING (device_key)
             UNION ALL
             -- The metrics of readings, of which rollups answer.
             SELECT s.t, h.metric_key, h.readings, s.heart_rate_avg, s.heart_rate_min, s.heart_rate_max, h.total, NULL, h.device_id
               FROM api.series($7, $8, $3, $4, $6, $9, 1, $10) AS s
              CROSS JOIN LATERAL (VALUES (1, s.heart_rate_count, NULL, s.heart_rate_device),
                                         (2, CASE $6 WHEN ''raw'' THEN 1 END, s.steps::double precision,
                                          CASE $6 WHEN ''raw'' THEN s.heart_rate_device END),
                                         (3, CASE $6 WHEN ''raw'' THEN 1 END, s.calories,
                                          CASE $6 WHEN ''raw'' THEN s.heart_rate_device END))
                              AS h (metric_key, readings, total, device_id)
              WHERE $11 && ARRAY[1, 2, 3] AND h.metric_key = ANY ($11)
                AND CASE h.metric_key WHEN 1 THEN h.readings > 0 ELSE h.total IS NOT NULL END) AS v
       JOIN core.metric AS m USING (metric_key)
      ORDER BY m.metric_key, v.t, v.device_id'
    USING wanted_user, array_remove(array_remove(array_remove(keys, 1), 2), 3), range_start, range_end, wanted_device,
          bucket_used, tenant_id, user_id, zone, metric_series.device_id, keys;
END
$$;

COMMENT ON FUNCTION api.metric_series IS
  'A user''s values of metrics in range_start <= t < range_end by bucket, exact at every moment, in the unit of each metric, ordered by metric and t: the buckets with a value. Of several devices the best one counts, chosen for each minute and metric; raw returns each value of every device. Of a gauge avg, min and max, of a sum the total, of latest the last value. Days, weeks (from Monday) and months are local to tz, a name that api.time_zone resolves. sole_device is set where a single device gave all values of the bucket that count, bucket_used is the bucket that auto chose. Of steps and calories, which rollups answer, count and sole_device are null but for raw. An unknown metric is an error.';
