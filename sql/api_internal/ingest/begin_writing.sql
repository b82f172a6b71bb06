-- The first step of the service's writer in a transaction.
CREATE FUNCTION api_internal.begin_writing(OUT announced timestamptz, OUT names_version bigint)
LANGUAGE plpgsql AS $$
BEGIN
  -- The lock comes first: an erasure that this waits for changes the version.
  announced := api_internal.hold_horizon();
  names_version := (SELECT v.version FROM core.names_version AS v);
END
$$;

COMMENT ON FUNCTION api_internal.begin_writing IS
  'Holds the horizon until the transaction ends, as api_internal.hold_horizon does; returns the horizon and the version of names. Keys cached under another version may belong to erased users.';
