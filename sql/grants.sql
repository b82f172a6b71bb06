-- Privileges: bi_reader may read the views of api and call its read-only functions, and nothing else.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
    CREATE ROLE bi_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'the role bi_reader cannot be created: have someone who may create it, and migrate again';
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this server is being migrated at the same time
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api, api_internal FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA api, api_internal FROM PUBLIC;

-- Views call this function as their reader, who cannot call it directly without USAGE on its schema.
GRANT EXECUTE ON FUNCTION api_internal.raw_quarters_of TO PUBLIC;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
    GRANT USAGE ON SCHEMA api TO bi_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA api TO bi_reader;
    GRANT EXECUTE ON FUNCTION
      api.summary, api.series, api.auto_bucket, api.daily, api.latest, api.overview, api.worn_devices, api.event_counts, api.time_zone
      TO bi_reader;
  END IF;
END
$$;
