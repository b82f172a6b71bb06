-- Registers series of intervals, and holds them until the transaction ends.
CREATE FUNCTION api_internal.hold_interval_series(user_keys int[], kinds smallint[], metric_keys int[], device_keys int[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO core.interval_series (user_key, kind, metric_key, device_key)
    SELECT i.user_key, i.kind, i.metric_key, i.device_key
      FROM unnest(user_keys, kinds, metric_keys, device_keys) AS i (user_key, kind, metric_key, device_key)
     WHERE NOT EXISTS (SELECT FROM core.interval_series AS s
                        WHERE s.user_key = i.user_key AND s.kind = i.kind AND s.device_key = i.device_key AND s.metric_key = i.metric_key)
     ORDER BY 1, 2, 3, 4
  ON CONFLICT DO NOTHING;
  -- One writer of a series at a time, so that what another marks is what was there until then.
  PERFORM
     FROM core.interval_series AS s
    WHERE (s.user_key, s.kind, s.metric_key, s.device_key) IN (SELECT * FROM unnest(user_keys, kinds, metric_keys, device_keys))
    ORDER BY s.user_key, s.kind, s.metric_key, s.device_key
      FOR NO KEY UPDATE;
END
$$;

COMMENT ON FUNCTION api_internal.hold_interval_series IS
  'For a writer that copies intervals into core.interval: registers their series (kind 0), and those of the worn windows and totals of days that it merges later (kinds 1, without a metric, and 2), given by user, kind, metric and device, each once, and locks them, in the order of api_internal.merge_intervals, until the transaction ends. The writer marks what it copies by api_internal.mark_cells or mark_samples, and registers series of other metrics than the three in core.sample_series before.';
