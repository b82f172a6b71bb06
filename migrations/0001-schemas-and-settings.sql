-- The three schemas and the one table of numbers that people may change.

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE SCHEMA core;
COMMENT ON SCHEMA core IS
  'Private: the tables. Everyone else goes through the schema api.';

CREATE SCHEMA rollup;
COMMENT ON SCHEMA rollup IS
  'Private: continuous aggregates over core.reading and core.event.';

CREATE TABLE core.setting (
  name        text NOT NULL,
  value       text,
  description text NOT NULL,
  CONSTRAINT setting_name_is_unique PRIMARY KEY (name)
);
COMMENT ON TABLE core.setting IS
  'Every number a deployment may change. A null value switches its feature off.';

INSERT INTO core.setting (name, value, description) VALUES
  ('future_tolerance', '24 hours',
   'interval: a timestamp further ahead of now than this is refused'),
  ('oldest_timestamp', '1900-01-01T00:00:00Z',
   'timestamptz: an earlier timestamp is refused; what a broken clock sends must not open chunks a century apart'),
  ('raw_retention', NULL,
   'interval: raw readings older than this are dropped and no longer accepted; null keeps all');
