-- The names of the metrics but those of readings that were measured of a user.
SELECT api_internal.other_metrics(%(tenant_id)s, %(user_id)s) AS names
