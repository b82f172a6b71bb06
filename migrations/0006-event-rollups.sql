-- Counts of events, trusted up to the same horizon as the rollups of readings.

-- No refresh of the release before may move the horizon past events that it does not count, and no event may slip in
-- between what is marked below and the end of this transaction.
SELECT pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
LOCK TABLE core.event IN SHARE ROW EXCLUSIVE MODE;

-- Infinity is in no bucket that a refresh could reach.
ALTER TABLE core.event ADD CONSTRAINT event_happened_at_a_moment CHECK (isfinite(ts));

CREATE TABLE core.stale_event_day (
  day        timestamptz NOT NULL,
  version    bigint NOT NULL,
  claimed    bigint,
  tenant_key int NOT NULL,
  CONSTRAINT stale_event_day_identity PRIMARY KEY (tenant_key, day),
  CONSTRAINT stale_event_day_starts_at_midnight_utc CHECK (day = time_bucket('1 day', day))
);
COMMENT ON TABLE core.stale_event_day IS
  'Days (UTC) of tenants below the horizon whose event counts are out of date, so that readers count the events themselves. Each write gives a new version; a refresh claims the version it saw, and removes the row only if that is still the one.';

CREATE INDEX stale_event_day_newest_first ON core.stale_event_day (day DESC);

INSERT INTO core.stale_event_day (tenant_key, day, version)
  SELECT e.tenant_key, time_bucket('1 day', e.ts), nextval('core.stale_version')
    FROM core.event AS e, core.horizon AS h
   WHERE e.ts < h.announced
   GROUP BY 1, 2;

-- bucket is the first column at every level, because TimescaleDB compares the positions of columns across levels.
CREATE MATERIALIZED VIEW rollup.event_1m
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 minute', ts) AS bucket,
         count(*) AS count,
         tenant_key,
         source,
         event_type
    FROM core.event
   GROUP BY 1, tenant_key, source, event_type
  WITH NO DATA;
CREATE INDEX event_1m_by_tenant ON rollup.event_1m (tenant_key, bucket);

CREATE MATERIALIZED VIEW rollup.event_1h
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 hour', bucket) AS bucket,
         sum(count)::bigint AS count,
         tenant_key,
         source,
         event_type
    FROM rollup.event_1m
   GROUP BY 1, tenant_key, source, event_type
  WITH NO DATA;
CREATE INDEX event_1h_by_tenant ON rollup.event_1h (tenant_key, bucket);

CREATE MATERIALIZED VIEW rollup.event_1d
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
  SELECT time_bucket(INTERVAL '1 day', bucket) AS bucket,
         sum(count)::bigint AS count,
         tenant_key,
         source,
         event_type
    FROM rollup.event_1h
   GROUP BY 1, tenant_key, source, event_type
  WITH NO DATA;
CREATE INDEX event_1d_by_tenant ON rollup.event_1d (tenant_key, bucket);

-- Wide chunks where rows are few: planning a query costs more than reading a tenant's rows.
SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name), width)
  FROM timescaledb_information.continuous_aggregates
  JOIN (VALUES ('event_1m', INTERVAL '30 days'), ('event_1h', INTERVAL '720 days'),
               ('event_1d', INTERVAL '3600 days')) AS w (view_name, width)
    USING (view_name)
 WHERE view_schema = 'rollup';
