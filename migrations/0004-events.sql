-- Events of any kind, and the ledger that makes an event_id alone idempotent.

CREATE TABLE core.event_id (
  ts         timestamptz NOT NULL,
  tenant_key int NOT NULL,
  event_id   text COLLATE "C" NOT NULL,
  CONSTRAINT event_id_is_unique_in_its_tenant PRIMARY KEY (tenant_key, event_id),
  CONSTRAINT event_id_has_1_to_256_characters CHECK (char_length(event_id) BETWEEN 1 AND 256)
);
COMMENT ON TABLE core.event_id IS
  'Ledger of the event ids taken and when each event happened. A plain table, because a unique index on a hypertable must contain the time.';

CREATE TABLE core.event (
  ts         timestamptz NOT NULL,
  tenant_key int NOT NULL,
  event_id   text COLLATE "C" NOT NULL,
  source     text COLLATE "C" NOT NULL,
  event_type text COLLATE "C" NOT NULL,
  payload    jsonb NOT NULL,
  CONSTRAINT source_has_1_to_128_characters CHECK (char_length(source) BETWEEN 1 AND 128),
  CONSTRAINT event_type_has_1_to_128_characters CHECK (char_length(event_type) BETWEEN 1 AND 128)
);
COMMENT ON TABLE core.event IS
  'Events as they were sent; written only together with their row in core.event_id.';

SELECT create_hypertable('core.event', by_range('ts', INTERVAL '7 days'), create_default_indexes => false);

-- The order in which pages are read.
CREATE INDEX event_by_tenant_and_time ON core.event (tenant_key, ts, event_id);
