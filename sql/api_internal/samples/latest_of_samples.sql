-- The latest value of each metric but those of readings, for many users at once.
CREATE FUNCTION api_internal.latest_of_samples(user_keys int[], metric_keys text[]) RETURNS TABLE (
  item       bigint,
  metric_key int,
  metric     text,
  unit       text,
  value      double precision,
  ts         timestamptz,
  device_id  text
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT l.item, l.metric_key, l.name, l.unit, l.value, l.ts, l.device_id
      FROM (SELECT DISTINCT ON (u.item, m.metric_key) u.item, m.metric_key, m.name, m.unit, v.value, v.ts, d.device_id
              FROM unnest(user_keys, metric_keys) WITH ORDINALITY AS u (user_key, metric_keys, item)
             CROSS JOIN LATERAL api_internal.series_of(u.user_key, u.metric_keys::int[]) AS s
             -- An interval's value is of the moment at which it begins. One lookup for each series, whatever the planner expects.
             CROSS JOIN LATERAL (SELECT x.ts, x.value, 0 AS place
                                   FROM api_internal.last_samples AS x
                                  WHERE NOT s.is_of_intervals
                                    AND x.user_key = u.user_key AND x.metric_key = s.metric_key AND x.device_key = s.device_key
                                 UNION ALL
                                 SELECT x.ts, x.value, 1
                                   FROM api_internal.last_intervals AS x
                                  WHERE s.is_of_intervals
                                    AND x.user_key = u.user_key AND x.metric_key = s.metric_key AND x.device_key = s.device_key) AS v
              JOIN core.metric AS m USING (metric_key)
              JOIN core.device AS d USING (device_key)
             ORDER BY u.item, m.metric_key, v.ts DESC, core.device_rank(d.priority, d.metric_priorities, d.device_key, m.metric_key), v.place) AS l
     ORDER BY l.item, l.metric_key;
END
$$;

COMMENT ON FUNCTION api_internal.latest_of_samples IS
  'The latest value up to now of each metric but heart_rate, steps and calories of users given by key, each with the keys of metrics, an array as text, or null for all: when and by which device it was measured; of several devices at the same moment the best one. item is the place of the user among those given. One row per user and metric ever measured.';
