-- The intervals of a batch that are not stored as they are.
CREATE FUNCTION api_internal.changed_intervals(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], "values" double precision[],
  kinds smallint[]
) RETURNS int[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
  RETURN (
    SELECT coalesce(array_agg(i.item::int ORDER BY i.item), '{}')
      FROM unnest(ends, "values", kinds) WITH ORDINALITY AS i (ends_at, value, kind, item)
      LEFT JOIN api_internal.stored_intervals(user_keys, metric_keys, device_keys, starts, kinds) AS s ON s.item = i.item
     WHERE s.item IS NULL OR s.ends_at <> i.ends_at OR s.value <> i.value AND i.kind <> 1);
END
$$;

COMMENT ON FUNCTION api_internal.changed_intervals IS
  'Positions, from 1, of the intervals, worn windows and daily totals of a batch, given as for api_internal.merge_intervals, that are new or have another end or value than what is stored.';
