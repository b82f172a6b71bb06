-- The hypertable of the peers that write by SQL: names instead of keys, with the same identity.
CREATE TABLE IF NOT EXISTS bench.peer_reading (
  timestamp  timestamptz NOT NULL,
  heart_rate double precision,
  calories   double precision,
  steps      int,
  user_id    text NOT NULL,
  device_id  text NOT NULL,
  PRIMARY KEY (user_id, device_id, timestamp)
);
SELECT create_hypertable('bench.peer_reading', by_range('timestamp', INTERVAL '1 day'),
                         create_default_indexes => false, if_not_exists => true);
