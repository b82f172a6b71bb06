-- Marks, and the hour that the horizon cuts.
CREATE VIEW api_internal.marks AS
  SELECT m.user_key, m.day, m.quarters FROM api_internal.wide_marks AS m
  UNION ALL
  -- Readings above the horizon are not marked, and may change what counts in the quarters below it.
  SELECT i.user_key, h.day, api_internal.quarter_bits(h.day, h.hour, h.materialized)
    FROM (SELECT x.materialized, public.time_bucket(INTERVAL '1 hour', x.materialized) AS hour,
                 public.time_bucket(INTERVAL '24 hours', x.materialized) AS day
            FROM core.horizon AS x) AS h
    JOIN (SELECT DISTINCT s.user_key FROM core.interval_series AS s WHERE s.kind < 2 AND s.metric_key < 4) AS i ON h.materialized > h.hour;

COMMENT ON VIEW api_internal.marks IS
  'The quarters of an hour, as the bits of core.stale_day, that rollups do not answer for: those of api_internal.wide_marks, and for users with intervals those below the horizon of the hour that it cuts.';
