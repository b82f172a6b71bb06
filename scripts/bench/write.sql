-- Store a batch of readings; one row: the outcome of each.
SELECT write_readings(
  %(tenant_ids)s::text[], %(user_ids)s::text[], %(device_ids)s::text[], %(timestamps)s::timestamptz[],
  %(heart_rates)s::double precision[], %(steps)s::int[], %(calories)s::double precision[]
) AS outcomes
