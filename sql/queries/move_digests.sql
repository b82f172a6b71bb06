-- How many rows a tenant has in each table, and a sum over them that depends neither on keys nor on their order: of some users, or all
-- where user_keys is null, by user, in a range of time; and, where the range has no end, of what the tenant has besides.
WITH users AS MATERIALIZED (
  SELECT u.user_key, u.user_id, u.time_zone, u.registered_at, hashtextextended(u.user_id, 0) AS word
    FROM core.app_user AS u
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = %(tenant_id)s AND (%(user_keys)s::int[] IS NULL OR u.user_key = ANY (%(user_keys)s::int[]))
), devices AS MATERIALIZED (
  SELECT d.device_key, d.device_id, d.priority, d.name, hashtextextended(d.device_id, 0) AS word
    FROM core.device AS d JOIN core.tenant AS t USING (tenant_key) WHERE t.tenant_id = %(tenant_id)s
), metrics AS MATERIALIZED (
  SELECT m.metric_key, m.name, m.unit, m.kind, m.lowest, m.highest, m.tenant_key, hashtextextended(m.name, 0) AS word
    FROM core.metric AS m LEFT JOIN core.tenant AS t USING (tenant_key) WHERE m.tenant_key IS NULL OR t.tenant_id = %(tenant_id)s
), besides AS (
  SELECT t.tenant_key FROM core.tenant AS t WHERE t.tenant_id = %(tenant_id)s AND %(range_end)s::timestamptz = 'infinity'
), hashed AS (
  SELECT 'readings' AS what, user_key AS who, hash_record_extended(ROW(u.word, d.word, r.ts, r.heart_rate, r.steps, r.calories), 0) AS hash
    FROM users AS u JOIN core.reading AS r USING (user_key) JOIN devices AS d USING (device_key)
   WHERE r.ts >= %(range_start)s::timestamptz AND r.ts < %(range_end)s::timestamptz
  UNION ALL
  SELECT 'samples', user_key, hash_record_extended(ROW(u.word, d.word, m.word, s.ts, s.value), 0)
    FROM users AS u JOIN core.sample AS s USING (user_key) JOIN devices AS d USING (device_key) JOIN metrics AS m USING (metric_key)
   WHERE s.ts >= %(range_start)s::timestamptz AND s.ts < %(range_end)s::timestamptz
  UNION ALL
  SELECT 'intervals', user_key, hash_record_extended(ROW(u.word, d.word, m.word, i.ts, i.ends_at, i.value, i.version), 0)
    FROM users AS u JOIN core.interval AS i USING (user_key) JOIN devices AS d USING (device_key) JOIN metrics AS m USING (metric_key)
   WHERE i.ts >= %(range_start)s::timestamptz AND i.ts < %(range_end)s::timestamptz
  UNION ALL
  SELECT 'worn windows', user_key, hash_record_extended(ROW(u.word, d.word, w.ts, w.ends_at, w.version), 0)
    FROM users AS u JOIN core.worn_window AS w USING (user_key) JOIN devices AS d USING (device_key)
   WHERE w.ts >= %(range_start)s::timestamptz AND w.ts < %(range_end)s::timestamptz
  UNION ALL
  SELECT 'daily totals', user_key, hash_record_extended(ROW(u.word, d.word, m.word, i.ts, i.ends_at, i.value, i.version), 0)
    FROM users AS u JOIN core.daily_total AS i USING (user_key) JOIN devices AS d USING (device_key) JOIN metrics AS m USING (metric_key)
   WHERE i.ts >= %(range_start)s::timestamptz AND i.ts < %(range_end)s::timestamptz
  UNION ALL
  SELECT 'events', NULL, hash_record_extended(ROW(e.event_id, e.source, e.event_type, e.ts, e.payload), 0)
    FROM core.event AS e JOIN besides USING (tenant_key)
  UNION ALL
  SELECT 'event ids', NULL, hash_record_extended(ROW(e.event_id, e.ts), 0) FROM core.event_id AS e JOIN besides USING (tenant_key)
  UNION ALL
  SELECT 'users', NULL, hash_record_extended(ROW(u.user_id, u.time_zone, u.registered_at), 0)
    FROM core.app_user AS u JOIN besides USING (tenant_key)
  UNION ALL
  SELECT 'goals', NULL, hash_record_extended(ROW(u.user_id, g.metric, g.target), 0)
    FROM core.app_user AS u JOIN besides USING (tenant_key) JOIN core.goal AS g USING (user_key)
  UNION ALL
  -- Of two devices of one priority the one registered first wins.
  SELECT 'devices', NULL, hash_record_extended(ROW(d.device_id, d.priority, d.name, row_number() OVER (ORDER BY d.device_key)), 0)
    FROM core.device AS d JOIN besides USING (tenant_key)
  UNION ALL
  SELECT 'metrics', NULL, hash_record_extended(ROW(m.name, m.unit, m.kind, m.lowest, m.highest), 0)
    FROM core.metric AS m JOIN besides USING (tenant_key)
)
SELECT h.what, h.who, count(*) AS rows, sum(h.hash::numeric) AS digest FROM hashed AS h GROUP BY 1, 2
