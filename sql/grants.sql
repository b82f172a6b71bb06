-- Privileges: bi_reader may read the views of api and call its read-only functions, and bi_tenant the same but for what tells of
-- the whole installation; neither may do anything else.
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['bi_reader', 'bi_tenant'] LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      END IF;
    EXCEPTION
      WHEN insufficient_privilege THEN
        RAISE NOTICE 'the role % cannot be created: have someone who may create it, and migrate again', role;
      WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this server is being migrated at the same time
    END;
  END LOOP;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api, api_internal FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA api, api_internal FROM PUBLIC;

-- Views call these functions as their reader, who cannot call them directly without USAGE on their schema.
GRANT EXECUTE ON FUNCTION
  api_internal.raw_quarters_of, api_internal.all_minutes, api_internal.hour_bits, api_internal.quarter_bits, api_internal.session_tenant,
  api_internal.unrolled_samples
  TO PUBLIC;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_reader') THEN
    GRANT USAGE ON SCHEMA api TO bi_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA api TO bi_reader;
    GRANT EXECUTE ON FUNCTION
      api.summary, api.series, api.auto_bucket, api.daily, api.home_daily, api.latest, api.overview, api.worn_devices, api.event_counts, api.time_zone,
      api.metric_summary, api.metric_series, api.latest_samples
      TO bi_reader;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bi_tenant') THEN
    GRANT USAGE ON SCHEMA api TO bi_tenant;
    -- By name, so that a new view is not shown to tenants before someone has decided that.
    GRANT SELECT ON
      api.best_readings, api.daily_totals, api.devices, api.event_counts_1m, api.event_counts_1h, api.event_counts_1d, api.events, api.goals,
      api.intervals, api.last_seen, api.metrics, api.metrics_15m, api.metrics_1h, api.metrics_1d,
      api.population_15m, api.population_1h, api.population_1d, api.readings, api.samples, api.users,
      api.vitals_1m, api.vitals_15m, api.vitals_1h, api.vitals_1d, api.worn_windows
      TO bi_tenant;
    GRANT SELECT (level, horizon, lag, last_refresh) ON api.freshness TO bi_tenant;
    GRANT EXECUTE ON FUNCTION
      api.summary, api.series, api.auto_bucket, api.daily, api.home_daily, api.latest, api.overview, api.worn_devices, api.event_counts, api.time_zone,
      api.metric_summary, api.metric_series, api.latest_samples
      TO bi_tenant;
  END IF;
END
$$;

-- What every role may do in a database unless it is revoked: fill the disk with temporary tables, and create objects.
DO $$
BEGIN
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
  REVOKE CREATE ON SCHEMA public FROM PUBLIC;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE WARNING 'other roles may still create temporary tables: have the owner of the database % migrate it', quote_ident(current_database());
END
$$;
