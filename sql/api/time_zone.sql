-- Resolves a name to a zone of the IANA database, where PostgreSQL might read an abbreviation or a POSIX rule.
CREATE FUNCTION api.time_zone(name text) RETURNS text
-- SECURITY DEFINER, since the names of zones are in a private view.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  wanted    CONSTANT text := time_zone.name;
  candidate text;
BEGIN
  IF wanted = 'UTC' THEN
    RETURN wanted;
  END IF;
  FOR candidate IN
    SELECT c.name
      FROM (-- Unchanged, if the name is neither an abbreviation, which has no summer time, nor a POSIX rule.
            SELECT wanted AS name, 1 AS place
             WHERE wanted ~ '^([A-Za-z_-]+/[A-Za-z_/-]+|Etc/GMT(\+([1-9]|1[0-2])|-([1-9]|1[0-4])))$'
               AND wanted !~* '^(posix|right)/'
            UNION ALL
            SELECT l.zone, 2 FROM api_internal.time_zone_links AS l WHERE lower(l.name) = lower(wanted)
            UNION ALL
            -- The earlier name, for a server with old zone files.
            SELECT l.name, 3 FROM api_internal.time_zone_links AS l WHERE lower(l.zone) = lower(wanted) AND l.name LIKE '%/%') AS c
     ORDER BY c.place, c.name
  LOOP
    IF lower(candidate) IN ('etc/utc', 'etc/gmt') THEN
      RETURN 'UTC';
    END IF;
    BEGIN
      PERFORM now() AT TIME ZONE candidate;
      RETURN candidate;
    EXCEPTION
      WHEN invalid_parameter_value THEN
        NULL; -- the server has no such zone
    END;
  END LOOP;
  RAISE EXCEPTION 'tz is %', wanted
    USING ERRCODE = 'invalid_parameter_value', COLUMN = 'tz',
          HINT = 'It must be a time zone of the IANA database, such as Europe/Berlin.';
END
$$;

COMMENT ON FUNCTION api.time_zone IS
  'Resolves a name to a zone of the IANA database, under a name that AT TIME ZONE reads as that zone only: Asia/Calcutta becomes Asia/Kolkata on a server that knows only the latter, and CET and EST become the zones, with summer time where a zone has it, not the abbreviations. Refuses abbreviations such as CEST, POSIX rules, and zones that the server does not have.';
