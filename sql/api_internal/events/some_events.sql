-- Events in order, as many as fit into one piece of an answer.
CREATE FUNCTION api_internal.some_events(
  wanted_tenant text, wanted_source text, wanted_type text, range_start timestamptz, range_end timestamptz,
  after_ts timestamptz, after_event_id text, skipped bigint, most int, most_bytes int
) RETURNS TABLE (ts timestamptz, event_id text, source text, event_type text, payload text, bytes int)
-- PL/pgSQL, since a loop can stop at a size without reading further payloads, which may have 256 kB each.
LANGUAGE plpgsql STABLE
-- A custom plan excludes the chunks outside the range.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  wanted_key int;
  size       bigint := 0;
  found      record;
BEGIN
  SELECT t.tenant_key INTO wanted_key FROM core.tenant AS t WHERE t.tenant_id = wanted_tenant;
  FOR found IN
    SELECT e.ts, e.event_id, e.source, e.event_type, e.payload
      FROM core.event AS e
     WHERE e.tenant_key = wanted_key
       AND (wanted_source IS NULL OR e.source = wanted_source)
       AND (wanted_type IS NULL OR e.event_type = wanted_type)
       AND e.ts >= greatest(range_start, after_ts) -- excludes earlier chunks, unlike the comparison of rows
       AND e.ts < range_end
       AND (after_ts IS NULL OR (e.ts, e.event_id) > (after_ts, after_event_id))
     ORDER BY e.ts, e.event_id
     LIMIT most OFFSET skipped
  LOOP
    ts := found.ts;
    event_id := found.event_id;
    source := found.source;
    event_type := found.event_type;
    payload := found.payload;
    bytes := octet_length(payload);
    RETURN NEXT;
    size := size + bytes;
    EXIT WHEN size >= most_bytes;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.some_events IS
  'Events of a tenant in range_start <= ts < range_end ordered by ts and event_id; if not null, of one source and type, and after a ts and event_id. Skips `skipped` events, then returns `most`, or fewer once their payloads reach most_bytes.';
