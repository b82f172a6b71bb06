-- Hold the horizon for the readings that follow; one row: the version of names.
SELECT names_version FROM api_internal.begin_writing()
