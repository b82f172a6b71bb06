-- Each metric's latest value of users, with the other metrics asked for, as far as they are within bounds.
CREATE FUNCTION api_internal.latest_measurements(user_keys int[], metric_keys text[], most int) RETURNS TABLE (
  item       bigint,
  metric_key int,
  metric     text,
  unit       text,
  value      double precision,
  ts         timestamptz,
  device_id  text
)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  series int := 0;
  users  int := cardinality(user_keys);
BEGIN
  FOR number IN 1 .. users LOOP
    series := series + (SELECT count(*) FROM api_internal.series_of(user_keys[number], metric_keys[number]::int[]));
    IF series > most THEN
      users := greatest(1, number - 1);
      EXIT;
    END IF;
  END LOOP;
  RETURN QUERY
    SELECT n::bigint, NULL::int, NULL, NULL, NULL::double precision, NULL::timestamptz, NULL FROM generate_series(1, users) AS n
    UNION ALL
    SELECT u.item, NULL, v.metric, NULL, v.value, v.ts, v.device_id
      FROM api_internal.latest_values(array_remove(user_keys[:users], NULL)) AS v
      JOIN unnest(user_keys[:users]) WITH ORDINALITY AS u (user_key, item) USING (user_key)
    UNION ALL
    SELECT s.item, s.metric_key, s.metric, s.unit, s.value, s.ts, s.device_id
      FROM api_internal.latest_of_samples(user_keys[:users], metric_keys[:users]) AS s;
END
$$;

COMMENT ON FUNCTION api_internal.latest_measurements IS
  'What api_internal.latest_values and api_internal.latest_of_samples return of users given by key, and a row without a metric for each user that was read. The first users are read, until their series are more than most: at least one.';
