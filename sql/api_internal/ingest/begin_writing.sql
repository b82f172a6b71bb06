-- What the service's writer does first in a transaction.
CREATE FUNCTION api_internal.begin_writing(OUT announced timestamptz, OUT names_version bigint)
LANGUAGE plpgsql AS $$
BEGIN
  -- First the lock, and only then the version: an erasure that was waited for has changed it.
  announced := api_internal.hold_horizon();
  names_version := (SELECT v.version FROM core.names_version AS v);
END
$$;

COMMENT ON FUNCTION api_internal.begin_writing IS
  'Holds the horizon until this transaction ends, as api_internal.hold_horizon does; returns it, and the version of names: keys that were learnt under another version may be those of erased people.';
