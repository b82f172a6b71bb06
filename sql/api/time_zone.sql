-- The time zone that a name means, whatever else PostgreSQL takes it for.
CREATE FUNCTION api.time_zone(name text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
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
      FROM (-- As it is, where it can be neither an abbreviation, which has no summer time, nor a rule of POSIX.
            SELECT wanted AS name, 1 AS place
             WHERE wanted ~ '^([A-Za-z_-]+/[A-Za-z_/-]+|Etc/GMT(\+([1-9]|1[0-2])|-([1-9]|1[0-4])))$'
               AND wanted !~* '^(posix|right)/'
            UNION ALL
            SELECT l.zone, 2 FROM api_internal.time_zone_links AS l WHERE lower(l.name) = lower(wanted)
            UNION ALL
            -- What a database of old zones knows by its earlier name.
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
        NULL; -- this server has no such zone
    END;
  END LOOP;
  RAISE EXCEPTION 'tz is %', wanted
    USING ERRCODE = 'invalid_parameter_value', COLUMN = 'tz',
          HINT = 'It must be a time zone of the IANA database, such as Europe/Berlin.';
END
$$;

COMMENT ON FUNCTION api.time_zone IS
  'The zone of the IANA database that a name means, under a name that AT TIME ZONE reads as that and nothing else: of Asia/Calcutta the one of Asia/Kolkata where the server knows only that, of CET and EST the zone, with its summer time where it has one, in place of the abbreviation. Refuses abbreviations such as CEST, rules of POSIX, and what this server has no zone for.';
