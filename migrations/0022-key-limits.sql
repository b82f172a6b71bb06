-- What a key may use, and what it has left, for all processes of the service together.
ALTER TABLE core.access_key
  ADD COLUMN requests_per_second double precision,
  ADD COLUMN readings_per_second double precision,
  ADD COLUMN bytes_per_day double precision,
  ADD CONSTRAINT access_key_limits_are_positive CHECK (least(requests_per_second, readings_per_second, bytes_per_day) > 0);
COMMENT ON COLUMN core.access_key.requests_per_second IS 'Requests that the key may send, twice as many in a burst; null for any number.';
COMMENT ON COLUMN core.access_key.readings_per_second IS 'Readings and events that the key may send, twice as many in a burst; null for any number.';
COMMENT ON COLUMN core.access_key.bytes_per_day IS 'Bytes of bodies that the key may send, all of them in a burst; null for any number.';

CREATE TABLE core.key_allowance (
  as_of         timestamptz NOT NULL DEFAULT now(),
  requests_left double precision NOT NULL,
  readings_left double precision NOT NULL,
  bytes_left    double precision NOT NULL,
  key_id        text COLLATE "C" NOT NULL,
  CONSTRAINT key_allowance_identity PRIMARY KEY (key_id),
  CONSTRAINT key_allowance_goes_with_its_key FOREIGN KEY (key_id) REFERENCES core.access_key ON DELETE CASCADE
) WITH (fillfactor = 50);  -- a row is updated twice a second while its key is used
COMMENT ON TABLE core.key_allowance IS
  'What keys with limits had left when a process last reported what was used; negative where too much was. It refills by the second.';
