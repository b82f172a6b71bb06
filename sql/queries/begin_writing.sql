-- Hold the horizon for the readings that follow; one row: the version of names, and the horizon below which quarters of an hour must be
-- marked stale, in microseconds since 1970.
SELECT names_version, (extract(epoch FROM announced) * 1000000)::bigint AS announced FROM api_internal.begin_writing()
