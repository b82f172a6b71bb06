-- What is kept of some users' samples and intervals before these are dropped.
CREATE FUNCTION api_internal.keep_values(after_user int, most int, range_start timestamptz, range_end timestamptz) RETURNS int
LANGUAGE plpgsql
SET datestyle = 'ISO'
AS $$
DECLARE
  users int[];
BEGIN
  -- Shared with refreshers. An erasure takes the lock exclusively, so nothing is kept of a user who has just been erased.
  LOCK TABLE core.refresh_lock IN ROW SHARE MODE;
  users := ARRAY(SELECT u.user_key FROM core.app_user AS u WHERE u.user_key > after_user ORDER BY u.user_key LIMIT most);
  -- One index lookup for each series, however many values it has. Literal bounds let the planner exclude chunks.
  EXECUTE format(
    'INSERT INTO core.kept_value AS k (user_key, metric_key, device_key, is_interval, ts, seen_at, value)
       SELECT s.user_key, s.metric_key, s.device_key, false, v.ts, v.ts, v.value
         FROM unnest($1) AS u (user_key)
        CROSS JOIN LATERAL (SELECT s.* FROM core.sample_series AS s WHERE s.user_key = u.user_key OFFSET 0) AS s
        CROSS JOIN LATERAL (
          SELECT x.ts, x.value
            FROM core.sample AS x
           WHERE x.user_key = s.user_key AND x.metric_key = s.metric_key AND x.device_key = s.device_key AND x.ts >= %1$L AND x.ts < %2$L
           ORDER BY x.ts DESC
           LIMIT 1) AS v
       UNION ALL
       SELECT s.user_key, s.metric_key, s.device_key, true, v.ts, e.seen_at, v.value
         FROM unnest($1) AS u (user_key)
        CROSS JOIN LATERAL (SELECT s.* FROM core.interval_series AS s WHERE s.user_key = u.user_key AND s.kind = 0 OFFSET 0) AS s
        CROSS JOIN LATERAL (
          SELECT i.ts, i.value
            FROM core.interval AS i
           WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key AND i.ts >= %1$L AND i.ts < %2$L
           ORDER BY i.ts DESC
           LIMIT 1) AS v
        -- A longer one may have begun before it, and lasted longer.
        CROSS JOIN LATERAL (
          SELECT max(greatest(i.ts, public.time_bucket(INTERVAL ''1 minute'', i.ends_at - INTERVAL ''1 microsecond''))) AS seen_at
            FROM core.interval AS i
           WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key
             AND i.ts > v.ts - INTERVAL ''24 hours'' AND i.ts <= v.ts AND i.ts >= %1$L AND i.ts < %2$L) AS e
     ON CONFLICT (user_key, is_interval, metric_key, device_key) DO UPDATE
       SET ts = excluded.ts, seen_at = greatest(k.seen_at, excluded.seen_at), value = excluded.value
       WHERE k.ts < excluded.ts', range_start, range_end) USING users;
  -- Worn windows are no answers, so nothing is kept of them.
  DELETE FROM core.worn_window AS w WHERE w.user_key = ANY (users) AND w.ts < range_end;
  RETURN CASE WHEN cardinality(users) = most THEN users[most] END;
END
$$;

COMMENT ON FUNCTION api_internal.keep_values IS
  'Of the next users, at most `most`, after a user_key: keeps the last sample, and the last interval, in a half-open range of each metric and device in core.kept_value, and deletes the worn windows that begin before the range ends. For time before samples_from of core.horizon, range after range; a second call with the same range changes nothing. Returns the last user_key, or null if no user is left.';
